//! Each broken prerequisite fails its own check and no other.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, time::Duration};

use super::{
    super::{Database, Outcome},
    fixture::{Machine, everything_in, program, repository, workspaces},
};

type Break = fn(&mut Machine);

/// The check that must fail, and what breaks it.
const BREAKS: &[(&str, Break)] = &[
    ("program", |it| it.subject.program = Ok(PathBuf::from("/nonexistent/fleet"))),
    ("program", |it| it.subject.program = Err("no /proc".to_owned())),
    ("configuration", |it| {
        it.subject.configuration.mistakes = Some("fleet.toml:3: [engines.x] has no key `a`".to_owned());
    }),
    ("profiles", |it| it.subject.profiles = Err("profiles/qa.md:2:1: no".to_owned())),
    ("state folder", |it| {
        fs::remove_dir_all(&it.place().state).unwrap();
        fs::write(&it.place().state, "a file").unwrap();
    }),
    ("state folder", |it| {
        let below_a_file = it.repo().join("README.md/.fleet");
        it.subject.place.as_mut().unwrap().state = below_a_file;
    }),
    // Not even root writes there.
    ("state folder", |it| it.subject.place.as_mut().unwrap().state = PathBuf::from("/proc/self")),
    ("database", |it| it.subject.database = Database::Newer("it was written by a newer fleet".to_owned())),
    ("database", |it| it.subject.database = Database::Foreign("it is not a database of fleet".to_owned())),
    ("database", |it| it.subject.database = Database::Unusable("it cannot be written now".to_owned())),
    ("queue folder", |it| {
        fs::remove_dir(it.place().queue.join("review")).unwrap();
        fs::write(it.place().queue.join("review"), "a file").unwrap();
    }),
    ("queue folder", |it| {
        fs::remove_dir(it.place().queue.join("review")).unwrap();
        std::os::unix::fs::symlink("/tmp", it.place().queue.join("review")).unwrap();
    }),
    ("queue folder", |it| {
        let below_a_file = it.repo().join("README.md/tasks");
        it.subject.place.as_mut().unwrap().queue = below_a_file;
    }),
    ("disk space", |it| it.subject.free_space = Ok((2 << 30) - 1)),
    ("disk space", |it| (it.subject.free_space, it.subject.min_free) = (Ok(100 << 20), 0)),
    ("workspaces", |it| workspaces(it, 20)),
    ("open files", |it| it.subject.open_files = Ok(32)),
    ("clock", |it| it.subject.now = "1970-01-01T00:10:00Z".parse().unwrap()),
    ("git program", |it| fs::remove_file(it.program("git")).unwrap()),
    ("git program", |it| program(&it.program("git"), "echo git version 2.30.2")),
    ("git program", |it| program(&it.program("git"), "echo usage: not git at all")),
    ("git program", |it| program(&it.program("git"), "exit 3")),
    ("git identity", |it| it.subject.identity = Err("cannot read the settings".to_owned())),
    ("repository", |it| {
        fs::remove_dir_all(it.repo().join(".git")).unwrap();
        repository(&it.repo());
        it.reopen();
    }),
    ("repository", |it| {
        let repo = git2::Repository::open(it.repo()).unwrap();
        repo.config().unwrap().set_bool("remote.origin.promisor", true).unwrap();
        it.reopen();
    }),
    ("repository", |it| {
        let repo = git2::Repository::open(it.repo()).unwrap();
        repo.set_head("refs/heads/gone").unwrap();
        it.reopen();
    }),
    ("engine mine", |it| fs::remove_file(it.program("agent")).unwrap()),
    ("engine mine", |it| {
        fs::set_permissions(it.program("agent"), fs::Permissions::from_mode(0o644)).unwrap();
    }),
    ("engine mine", |it| program(&it.program("agent"), "echo broken >&2; exit 1")),
    ("engine mine", |it| {
        fs::write(it.program("agent"), "#!/nonexistent/interpreter\n").unwrap();
    }),
    ("credentials mine", |it| drop(it.subject.environment.remove("AGENT_KEY"))),
    ("credentials mine", |it| it.set("AGENT_KEY", "")),
    ("engine nosuch", |it| want(it, "nosuch")),
    // Built in, not installed, and wanted.
    ("engine aider", |it| want(it, "aider")),
];

fn want(it: &mut Machine, engine: &str) {
    it.subject.named.insert(engine.to_owned());
}

#[test]
fn a_healthy_machine_gives_neither_failure_nor_warning() {
    let machine = Machine::healthy();
    assert_eq!(machine.trouble(), (Vec::new(), Vec::new()), "{:#?}", machine.examine());
}

#[test]
fn each_broken_prerequisite_fails_exactly_its_own_check() {
    for (nth, (name, break_it)) in BREAKS.iter().enumerate() {
        let mut machine = Machine::healthy();
        break_it(&mut machine);
        assert_eq!(machine.trouble().0, [*name], "break {nth}: {:#?}", machine.examine());
    }
}

#[test]
fn a_program_that_hangs_fails_its_check_in_time() {
    let mut machine = Machine::healthy();
    machine.subject.patience = Duration::from_millis(300);
    program(&machine.program("agent"), "exec sleep 300");
    let path = std::env::var("PATH").unwrap();
    let bin = machine.subject.environment["PATH"].clone();
    machine.set("PATH", &format!("{bin}:{path}"));
    program(&machine.program("git"), "exec sleep 300");
    let failed = machine.trouble().0;
    assert!(
        failed.iter().any(|name| name == "git program") && failed.iter().any(|name| name == "engine mine"),
        "{failed:?}"
    );
    assert!(machine.found("engine mine").contains("did not end within 0.3 s"), "{}", machine.found("engine mine"));
}

#[test]
fn nothing_is_left_behind_and_nothing_is_made() {
    let mut machine = Machine::healthy();
    let before = everything_in(machine.folder.path());
    machine.examine();
    assert_eq!(everything_in(machine.folder.path()), before);

    fs::remove_dir_all(&machine.place().state).unwrap();
    fs::remove_dir_all(&machine.place().queue).unwrap();
    machine.subject.database = Database::Absent;
    let before = everything_in(machine.folder.path());
    assert_eq!(machine.trouble(), (Vec::new(), Vec::new()), "what is missing can be made");
    assert_eq!(everything_in(machine.folder.path()), before);
}

#[test]
fn a_database_is_not_blamed_for_the_folder_it_lies_in() {
    let mut machine = Machine::healthy();
    machine.subject.place.as_mut().unwrap().state = PathBuf::from("/proc/self");
    machine.subject.database = Database::Unusable("unable to open database file".to_owned());
    assert_eq!(machine.trouble().0, ["state folder"]);
}

#[test]
fn a_missing_program_is_named_with_the_places_that_were_looked_at() {
    let mut machine = Machine::healthy();
    fs::remove_file(machine.program("agent")).unwrap();
    fs::remove_file(machine.program("git")).unwrap();
    machine.set("PATH", "/one:/two");
    assert!(machine.found("engine mine").contains(machine.program("agent").to_str().unwrap()));
    machine.subject.named.insert("aider".to_owned());
    assert!(machine.found("engine aider").contains("/one/aider, /two/aider"), "{}", machine.found("engine aider"));
    assert!(machine.found("git program").contains("/one/git, /two/git"), "{}", machine.found("git program"));
}

#[test]
fn names_and_their_order_stay() {
    let names: Vec<String> = Machine::healthy().examine().into_iter().map(|check| check.name).collect();
    insta::assert_snapshot!(names.join("\n"));
}

#[test]
fn outside_of_any_fleet_and_repository_nothing_fails() {
    let mut machine = Machine::healthy();
    let bare = tempfile::tempdir().unwrap();
    machine.subject.place = None;
    machine.subject.database = Database::Absent;
    machine.subject.repository = crate::workspace::Source::open(bare.path().to_str().unwrap(), None);
    machine.subject.named.clear();
    machine.subject.default_engine = None;
    machine.subject.environment.remove("HOME");
    assert_eq!(machine.trouble(), (Vec::new(), vec!["repository".to_owned()]), "{:#?}", machine.examine());
    let skipped = |name: &str| {
        machine.examine().into_iter().any(|check| check.name == name && matches!(check.outcome, Outcome::Skip(_)))
    };
    for name in ["coordinator", "state folder", "database", "queue folder", "runner", "orphaned runs"] {
        assert!(skipped(name), "{name}");
    }
}
