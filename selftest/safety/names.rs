//! Names and links that lead out of their folder: at every door they are refused, or stay inside.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use crate::world::World;

/// Everything below a folder that is no part of `fleet`'s own.
fn listing(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).expect("a folder").flatten() {
            if entry.file_type().expect("a kind").is_dir() {
                waiting.push(entry.path());
            }
            found.push(entry.path());
        }
    }
    found.sort();
    found
}

/// Names that lead elsewhere, or would mislead whoever reads them.
const ELSEWHERE: &[&str] = &[
    "..",
    "../..",
    "../outside",
    "../../../../etc/passwd",
    "/etc/passwd",
    "a/../../outside",
    "./../outside",
    "..\\outside",
    "~/.ssh/id_rsa",
    "C:\\windows",
];

#[test]
fn a_task_that_names_what_lies_elsewhere_is_refused() {
    let world = World::new();
    world.run(&["init"]).exits(0);
    let outside = world.folder().join("outside");
    fs::create_dir(&outside).expect("a folder");
    for name in ELSEWHERE {
        for field in ["artifacts", "target-files", "allowed-scope"] {
            let text = format!("---\nengine: scripted\n{field}: ['{name}']\n---\n# Out\n");
            let path = world.folder().join("out.md");
            fs::write(&path, text).expect("a task");
            let refused = world.run(&["submit", path.to_str().expect("a path")]);
            assert_eq!(refused.code, 2, "{field}: {name}: {}", refused.stdout);
        }
        for field in ["base", "profile", "engine"] {
            let text = format!("---\nengine: scripted\n{field}: '{name}'\n---\n# Out\n")
                .replace("engine: scripted\nengine", "engine");
            let path = world.folder().join("out.md");
            fs::write(&path, text).expect("a task");
            let refused = world.run(&["submit", path.to_str().expect("a path")]);
            assert_ne!(refused.code, 0, "{field}: {name}: {}", refused.stdout);
        }
        for verb in ["show", "logs", "diff", "events", "runs", "explain", "recover", "cancel", "ship", "requeue"] {
            let refused = world.run(&[verb, "--", name]);
            assert!(matches!(refused.code, 2 | 3), "{verb} {name}: {} {}", refused.code, refused.stderr);
        }
        let refused = world.run(&["profile", "show", "--", name]);
        assert!(matches!(refused.code, 2 | 3), "profile {name}: {} {}", refused.code, refused.stderr);
    }
    assert_eq!(listing(&outside), Vec::<PathBuf>::new());
}

#[test]
fn titles_and_files_of_any_name_stay_in_their_folders() {
    let world = World::new();
    world.run(&["init"]).exits(0);
    let before = listing(world.folder()).into_iter().filter(|path| !path.starts_with(world.repo())).collect::<Vec<_>>();
    for (nth, title) in
        ["../../etc/passwd", "..", "a\u{202e}b", "refs/heads/main", "--upload-pack=x", ".git/hooks/x", "%2e%2e%2f"]
            .iter()
            .enumerate()
    {
        let text = format!(
            "---\nengine: scripted\nidempotency-key: 'key{nth}/../..'\nverify: ./check.sh\n---\n# {title}\n\n```script\nwrite done.txt yes\n```\n"
        );
        let path = world.repo().join(format!("tasks/inbox/n{nth}.md"));
        fs::write(path, text).expect("a task");
    }
    world.run_once();
    let jobs = world.run(&["jobs", "--json"]).exits(0).json();
    for job in jobs["jobs"].as_array().expect("jobs") {
        let branch = job["branch"].as_str().unwrap_or_default();
        let plain = branch
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'/'));
        assert!(plain && branch.is_empty() != branch.starts_with("fleet/"), "{branch}");
        let file = job["file"].as_str().expect("a file");
        assert!(!file.contains('/') && !file.starts_with('.'), "{file}");
    }
    let after = listing(world.folder()).into_iter().filter(|path| !path.starts_with(world.repo())).collect::<Vec<_>>();
    let task_file = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "md");
    assert_eq!(
        after.iter().filter(|path| !task_file(path)).collect::<Vec<_>>(),
        before.iter().filter(|path| !task_file(path)).collect::<Vec<_>>()
    );
}

#[test]
fn a_link_in_the_folder_is_not_followed() {
    let world = World::new();
    world.run(&["init"]).exits(0);
    let outside = world.folder().join("outside");
    fs::create_dir(&outside).expect("a folder");
    let task = "---\nengine: scripted\n---\n# Outside\n";
    fs::write(outside.join("task.md"), task).expect("a task");
    let inbox = world.repo().join("tasks/inbox");
    for (name, target) in [
        ("file.md", outside.join("task.md")),
        ("folder.md", outside.clone()),
        ("endless.md", PathBuf::from("/dev/zero")),
        ("nowhere.md", world.folder().join("nothing")),
        ("itself.md", PathBuf::from("itself.md")),
        ("relative.md", PathBuf::from("../../../outside/task.md")),
    ] {
        symlink(target, inbox.join(name)).expect("a link");
    }
    world.run_once();
    assert_eq!(world.run(&["jobs", "--json"]).exits(0).json()["jobs"].as_array().map(Vec::len), Some(0));
    assert_eq!(fs::read_to_string(outside.join("task.md")).expect("it is there"), task);
    assert_eq!(listing(&outside).len(), 1);
    // A bucket that is a link leads nowhere either.
    fs::remove_dir_all(world.repo().join("tasks/failed")).expect("a bucket");
    symlink(&outside, world.repo().join("tasks/failed")).expect("a link");
    let path = world.folder().join("fails.md");
    fs::write(&path, "---\nengine: scripted\n---\n# Fails\n\n```script\nexit 1\n```\n").expect("a task");
    let refused = world.run(&["submit", path.to_str().expect("a path")]).exits(2);
    assert!(refused.stderr.contains("must be a folder of its own, not a link"), "{}", refused.stderr);
    assert_eq!(listing(&outside).len(), 1);
}
