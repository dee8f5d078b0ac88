//! Odd repositories: each works, or is refused with the reason and the remedy.

use std::{fs, path::Path};

use serde_json::json;

use crate::world::{Output, World};

const SCRIPT: &str =
    "---\nengine: scripted\nverify: test -f new.txt\n---\n# Add a file\n\n```script\nwrite new.txt new\n```\n";

fn git_in(world: &World, folder: &Path, args: &[&str]) {
    Output::of(world.command("git").current_dir(folder).args(args)).exits(0);
}

/// Submits from inside `folder`, runs, and returns the job.
fn works_in(world: &World, folder: &Path) -> serde_json::Value {
    let path = world.folder().join("task.md");
    fs::write(&path, SCRIPT).expect("the task can be written");
    let fleet = |args: &[&str]| Output::of(world.fleet().current_dir(folder).args(args));
    let id = fleet(&["submit", path.to_str().expect("a UTF-8 path")]).exits(0).line();
    fleet(&["run", "--once"]).exits(0);
    fleet(&["show", &id, "--json"]).exits(0).json()
}

fn submit_in(world: &World, folder: &Path) -> Output {
    let path = world.folder().join("task.md");
    fs::write(&path, SCRIPT).expect("the task can be written");
    Output::of(world.fleet().current_dir(folder).args(["submit", path.to_str().expect("a UTF-8 path")]))
}

#[test]
fn outside_a_repository_the_remedy_is_named() {
    let world = World::bare();
    let refused = submit_in(&world, world.repo()).exits(2);
    assert!(refused.stderr.contains("git repository") && refused.stderr.contains("fleet init"), "{}", refused.stderr);
    assert_eq!(refused.stdout, "");
}

#[test]
fn an_empty_repository_is_refused_with_the_remedy() {
    let world = World::bare();
    world.git(&["init", "-q", "-b", "main"]);
    let path = world.folder().join("task.md");
    fs::write(&path, SCRIPT).expect("the task can be written");
    let refused = submit_in(&world, world.repo()).exits(2);
    assert!(refused.stderr.contains("commit"), "{}", refused.stderr);
}

#[test]
fn a_detached_head_wants_a_base_and_works_with_one() {
    let world = World::new();
    world.git(&["checkout", "-q", "--detach"]);
    let refused = submit_in(&world, world.repo()).exits(2);
    assert!(refused.stderr.contains("base:"), "{}", refused.stderr);
    let id = world.submit("based.md", &SCRIPT.replace("engine:", "base: main\nengine:"));
    world.run_once();
    assert_eq!(world.stage(&id), "testing");
}

#[test]
fn a_path_with_spaces_and_letters_of_elsewhere_works() {
    let world = World::new();
    let folder = world.folder().join("Größe und 日本 'quoted'");
    fs::rename(world.repo(), &folder).expect("the repository can be moved");
    let job = works_in(&world, &folder);
    assert_eq!(job["stage"], "testing", "{job:#}");
    fs::rename(&folder, world.repo()).expect("the repository can be moved back");
}

#[test]
fn a_dirty_checkout_is_left_alone_and_only_committed_work_is_built_on() {
    let world = World::new();
    world.write("README.md", "# changed, not committed\n");
    world.write("untracked.txt", "mine\n");
    let job = works_in(&world, world.repo());
    assert_eq!(job["stage"], "testing", "{job:#}");
    assert_eq!(
        (world.read("README.md"), world.read("untracked.txt")),
        ("# changed, not committed\n".to_owned(), "mine\n".to_owned())
    );
    let branch = job["branch"].as_str().expect("a branch").to_owned();
    assert_eq!(world.git(&["show", &format!("{branch}:README.md")]), "# A small project");
}

#[test]
fn a_bare_repository_works_and_ships() {
    let world = World::new();
    let bare = world.folder().join("bare.git");
    world.git(&["clone", "-q", "--bare", ".", bare.to_str().expect("a UTF-8 path")]);
    let task = SCRIPT.replace("engine:", &format!("repo: {}\nengine:", bare.display()));
    let id = world.submit("bare.md", &task);
    world.run_once();
    assert_eq!(world.stage(&id), "testing", "{:#}", world.job(&id));
    world.run(&["ship", &id]).exits(0);
    git_in(&world, &bare, &["cat-file", "-e", "main:new.txt"]);
}

#[test]
fn a_subfolder_of_a_repository_is_where_the_agent_works() {
    let world = World::new();
    world.write("part/keep.txt", "kept\n");
    world.commit("a part");
    let job = works_in(&world, &world.repo().join("part"));
    assert_eq!(job["stage"], "testing", "{job:#}");
    let branch = job["branch"].as_str().expect("a branch").to_owned();
    assert_eq!(world.git(&["show", &format!("{branch}:part/new.txt")]), "new");
}

#[test]
fn pointers_of_large_files_stay_pointers() {
    let world = World::new();
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n";
    world.write(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n");
    world.write("big.bin", pointer);
    world.commit("a large file");
    let job = works_in(&world, world.repo());
    assert_eq!((&job["stage"], &job["diff"]["files"]), (&json!("testing"), &json!(1)), "{job:#}");
}

#[test]
fn submodules_are_there_for_the_agent() {
    let world = World::new();
    let lib = world.folder().join("lib");
    fs::create_dir(&lib).expect("a folder");
    git_in(&world, &lib, &["init", "-q", "-b", "main"]);
    fs::write(lib.join("lib.txt"), "lib\n").expect("a file");
    git_in(&world, &lib, &["add", "-A"]);
    git_in(&world, &lib, &["commit", "-q", "-m", "lib"]);
    world.git(&[
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "--quiet",
        "add",
        lib.to_str().expect("a UTF-8 path"),
        "vendor/lib",
    ]);
    world.commit("a submodule");
    let task = SCRIPT.replace("test -f new.txt", "test -f vendor/lib/lib.txt");
    let id = world.submit("sub.md", &task);
    world.run_once();
    assert_eq!(world.stage(&id), "testing", "{:#}", world.job(&id));
}

#[test]
fn a_read_only_state_folder_is_a_clear_error_and_loses_nothing() {
    let world = World::new();
    let id = world.submit("kept.md", SCRIPT);
    let blocked = world.repo().join(".fleet/work");
    let _ = fs::remove_dir_all(&blocked);
    // A file where a folder must be: the one kind of "cannot write" that also stops root.
    fs::write(&blocked, "").expect("a file in the way");
    let stopped = world.run(&["run", "--once"]).exits(1);
    assert!(stopped.stderr.contains(".fleet/work"), "{}", stopped.stderr);
    let job = world.job(&id);
    assert_eq!((&job["stage"], &job["attempts"]), (&json!("queued"), &json!(0)), "it costs no attempt: {job:#}");
    fs::remove_file(&blocked).expect("the way is free again");
    world.run_once();
    assert_eq!(world.stage(&id), "testing");
}

#[test]
fn a_checkpoint_that_is_gone_or_broken_is_told_and_the_work_starts_from_the_base() {
    for (broken, moves) in [("^{commit}", false), ("^{tree}", false), ("^{commit}", true), ("^{tree}", true)] {
        let world = World::new();
        let script = "---\nengine: scripted\nverify: ./check.sh\n---\n# Broken\n\n```script run=1\nwrite half.txt half\nexit 3\n```\n```script run=2\nwrite done.txt yes\n```\n";
        let id = world.submit("broken.md", script);
        world.run_once();
        let commit = world.job(&id)["checkpoint"]["commit"].as_str().expect("a checkpoint").to_owned();
        let object = world.git(&["rev-parse", &format!("{commit}{broken}")]);
        if moves {
            world.write("moved.txt", "moved\n");
            world.commit("the base moves");
        }
        let path = world.repo().join(format!(".git/objects/{}/{}", &object[..2], &object[2..]));
        fs::remove_file(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        world.run(&["requeue", &id]).exits(0);
        world.run_once();
        let job = world.job(&id);
        assert_eq!(job["stage"], "testing", "{broken}, base moved: {moves}: {job:#}");
        let events = world.run(&["events", &id, "--json"]).exits(0).stdout;
        assert!(events.contains("\"type\":\"checkpoint_unusable\""), "{broken}, base moved: {moves}: {events}");
    }
}
