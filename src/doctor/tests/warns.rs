//! What works and may still surprise is warned of, by its own check alone.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use git2::Repository;

use crate::confinement::{Level, NotConfined};

use super::{
    super::{Database, Held, TestClock},
    fixture::{Machine, commit, program, workspaces},
};
use crate::runtime::Offer;

const OFFER: Offer = Offer { version: Some(2), memory: true, cpus: true };
const NOTHING: Offer = Offer { version: None, memory: false, cpus: false };

type Change = fn(&mut Machine);

/// The check that must warn, what makes it, and a part of what it says.
const CHANGES: &[(&str, Change, &str)] = &[
    (
        "configuration",
        |it| it.subject.configuration.unknown = vec!["fleet.toml:1:1: unknown key `quue`".to_owned()],
        "quue",
    ),
    (
        "state folder",
        |it| fs::set_permissions(&it.place().state, fs::Permissions::from_mode(0o755)).unwrap(),
        "chmod 700 ",
    ),
    (
        "state files",
        |it| {
            let path = it.place().state.join("logs/a.stdout");
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::set_permissions(path.parent().unwrap(), fs::Permissions::from_mode(0o700)).unwrap();
            fs::write(&path, "x").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        },
        "logs/a.stdout (mode 0640)",
    ),
    (
        "secret files",
        |it| {
            let path = it.place().root.join("deploy.key");
            fs::write(&path, "x").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
            it.subject.secret_files = vec![path];
        },
        "deploy.key",
    ),
    ("disk space", |it| it.subject.free_space = Ok(3 << 30), "3072 MiB"),
    ("workspaces", |it| workspaces(it, 16), "16 of 20 workspaces"),
    ("open files", |it| it.subject.open_files = Ok(128), "128"),
    ("clock", |it| it.subject.test_clock = TestClock::Ignored, "not used"),
    ("clock", |it| it.subject.test_clock = TestClock::Used(PathBuf::from("/tmp/now")), "/tmp/now stands in"),
    ("process groups", |it| it.subject.offer = Some(NOTHING), "no control group can be made here"),
    (
        "ceilings",
        |it| (it.subject.offer, it.subject.cpus) = (Some(Offer { cpus: false, ..OFFER }), Some(2)),
        "kept below its ceiling by the kernel; processors cannot be rationed here, so `worker.cpus = 2` has no effect",
    ),
    ("git identity", |it| it.subject.identity = Ok(None), "committed as `fleet`"),
    ("repository", detach_head, "detached"),
    (
        "repository",
        |it| {
            fs::remove_dir_all(it.repo().join(".git")).unwrap();
            it.reopen();
        },
        "not in a git repository",
    ),
    (
        "large files",
        |it| {
            commit(&it.repo(), &[(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n")]);
            it.reopen();
        },
        "pointers",
    ),
    ("submodules", add_an_empty_submodule, "own would be empty"),
    // Installed, but nobody asked for it: not a failure.
    ("credentials codex", |it| program(&it.program("codex"), "echo codex-cli 0.1"), "CODEX_API_KEY or OPENAI_API_KEY"),
    (
        "engine codex",
        |it| {
            program(&it.program("codex"), "echo no >&2; exit 1");
            it.set("OPENAI_API_KEY", "x");
        },
        "exit status: 1: no",
    ),
    ("agent session", |it| it.set("CLAUDECODE", "1"), "inside a session of `claude` (CLAUDECODE is set)"),
    ("confinement", |it| (it.subject.confinement, it.subject.yolo) = (unconfined(), Some(true)), "approve-everything"),
    ("confinement", |it| it.subject.confinement = unconfined(), "with all your rights"),
    ("confinement", |it| it.subject.confinement = Ok(Level::Landlock(2)), "emptied"),
    (
        "confinement",
        |it| it.subject.sockets = vec![PathBuf::from("/run/docker.sock")],
        "whoever may use /run/docker.sock",
    ),
    (
        "orphaned runs",
        |it| {
            let held = vec![Held { job: "k3f9".to_owned(), run: 2 }];
            it.subject.database = Database::Works { jobs: 1, held };
        },
        "k3f9 (run 2)",
    ),
];

fn unconfined() -> Result<Level, NotConfined> {
    Ok(Level::Unconfined("no Landlock".to_owned()))
}

fn detach_head(it: &mut Machine) {
    let repo = Repository::open(it.repo()).unwrap();
    let head = repo.head().unwrap().target().unwrap();
    repo.set_head_detached(head).unwrap();
    it.reopen();
}

/// A submodule whose commit nobody has fetched.
fn add_an_empty_submodule(it: &mut Machine) {
    let repo = Repository::open(it.repo()).unwrap();
    let mut index = repo.index().unwrap();
    let entry = git2::IndexEntry {
        ctime: git2::IndexTime::new(0, 0),
        mtime: git2::IndexTime::new(0, 0),
        dev: 0,
        ino: 0,
        mode: 0o160_000,
        uid: 0,
        gid: 0,
        file_size: 0,
        id: git2::Oid::from_str("1234567890123456789012345678901234567890").unwrap(),
        flags: 0,
        flags_extended: 0,
        path: b"own".to_vec(),
    };
    index.add(&entry).unwrap();
    index.write().unwrap();
    fs::create_dir(it.repo().join("own")).unwrap();
    commit(&it.repo(), &[(".gitmodules", "[submodule \"own\"]\n\tpath = own\n\turl = https://example.org/own.git\n")]);
    it.reopen();
}

#[test]
fn each_surprise_is_warned_of_by_its_own_check_alone() {
    for (name, change, part) in CHANGES {
        let mut machine = Machine::healthy();
        change(&mut machine);
        assert_eq!(machine.trouble(), (Vec::new(), vec![(*name).to_owned()]), "{:#?}", machine.examine());
        let found = machine.found(name);
        assert!(found.contains(part), "{found}");
    }
}

#[test]
fn without_any_agent_program_it_is_said_and_nothing_fails() {
    let mut machine = Machine::healthy();
    machine.subject.named.clear();
    machine.subject.default_engine = None;
    fs::remove_file(machine.program("agent")).unwrap();
    assert_eq!(machine.trouble(), (Vec::new(), vec!["engines".to_owned()]));
    assert!(machine.found("engine mine").starts_with("skip: not installed"));
}

#[test]
fn how_an_engine_gets_at_a_model_is_told_without_its_secrets() {
    let mut machine = Machine::healthy();
    assert_eq!(machine.found("credentials mine"), "ok: by a key in AGENT_KEY");
    program(&machine.program("claude"), "echo 2.1");
    let home = machine.folder.path().to_str().unwrap().to_owned();
    machine.set("HOME", &home);
    fs::create_dir(machine.folder.path().join(".claude")).unwrap();
    fs::write(machine.folder.path().join(".claude/.credentials.json"), "{}").unwrap();
    assert_eq!(machine.found("credentials claude"), "ok: by the login in ~/.claude/.credentials.json");
    machine.set("ANTHROPIC_BASE_URL", "http://127.0.0.1:1");
    assert_eq!(machine.found("credentials claude"), "ok: by the gateway $ANTHROPIC_BASE_URL");
    machine.subject.engines.lay("claude", toml::from_str("gateway = 'https://me:secret@models.example/v1'").unwrap());
    assert_eq!(machine.found("credentials claude"), "ok: by the gateway https://models.example/v1");
    machine.subject.engines.lay("open", toml::from_str("command = ['claude']").unwrap());
    assert!(machine.found("credentials open").starts_with("skip: "));
}

#[test]
fn a_program_is_found_where_the_worker_would_find_it_and_told_with_its_version() {
    let machine = Machine::healthy();
    let path = machine.program("agent");
    assert_eq!(machine.found("engine mine"), format!("ok: agent 1.2.3 at {}", path.display()));
    assert!(machine.found("engines").ends_with("a task that names none gets `mine`"), "{}", machine.found("engines"));
}

#[test]
fn an_engine_is_asked_without_the_mark_of_a_session() {
    let mut machine = Machine::healthy();
    program(&machine.program("claude"), "echo inside=$CLAUDECODE updates=$DISABLE_AUTOUPDATER");
    machine.set("CLAUDECODE", "1");
    assert!(
        machine.found("engine claude").starts_with("ok: inside= updates=1 at "),
        "{}",
        machine.found("engine claude")
    );
}

#[test]
fn what_protects_the_user_is_said_as_it_is() {
    let mut machine = Machine::healthy();
    let said = machine.found("confinement");
    assert!(said.starts_with("ok: landlock-7: ") && said.contains("unless a task says otherwise"), "{said}");
    program(&machine.program("codex"), "echo codex-cli 0.1");
    assert_eq!(machine.found("engine folders"), "ok: codex writes ~/.codex, $CODEX_HOME");
    machine.subject.confinement = unconfined();
    let said = machine.found("confinement");
    assert!(said.starts_with("warn: unconfined: no") && said.contains("only where a task says `yolo: true`"), "{said}");
    machine.subject.confinement = Err(NotConfined("there is none"));
    assert!(machine.found("confinement").starts_with("fail: nothing runs"));
    assert!(machine.found("runtime").starts_with("ok: local"));
}

#[test]
fn the_runner_is_told_with_its_pid_and_owns_what_runs() {
    let mut machine = Machine::healthy();
    machine.subject.database = Database::Works { jobs: 1, held: vec![Held { job: "k3f9".to_owned(), run: 1 }] };
    let lock = fs::File::create(machine.place().state.join("run.lock")).unwrap();
    lock.set_permissions(fs::Permissions::from_mode(0o600)).unwrap();
    assert!(machine.found("runner").starts_with("ok: nobody works"), "a file alone is no runner");
    lock.lock().unwrap();
    assert!(
        machine.found("runner").contains(&format!("process {}", std::process::id())),
        "{}",
        machine.found("runner")
    );
    assert_eq!(machine.trouble(), (Vec::new(), Vec::new()));
}

#[test]
fn a_launch_that_no_shim_has_taken_up_is_left_alone() {
    let machine = Machine::healthy();
    let launch = machine.place().state.join("runs/k3f9/1/agent");
    fs::create_dir_all(&launch).unwrap();
    fs::write(launch.join("spec.json"), "{}").unwrap();
    assert!(machine.found("orphaned runs").starts_with("ok: "));
    assert!(launch.join("spec.json").exists(), "it was not withdrawn");
}
