//! Whatever an agent leaves in its files comes back, byte for byte.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};

use proptest::prelude::*;

use super::{
    super::checkpoint,
    fixture::{User, agent, files},
};

/// One thing an agent does to its files.
#[derive(Debug, Clone)]
enum Act {
    Write(String, Vec<u8>),
    Link(String, String),
    Executable(String, bool),
    Delete(String),
    Rename(String, String),
    Commit,
    Checkpoint,
}

fn name() -> impl Strategy<Value = String> {
    // Few names, so that acts meet; some collide as file and folder.
    let part = prop::sample::select(vec!["a", "b", "ä ö", "x.txt", "-f", "sub", "README.md", "src"]);
    prop::collection::vec(part, 1..4).prop_map(|parts| parts.join("/"))
}

fn act() -> impl Strategy<Value = Act> {
    let content = prop::collection::vec(any::<u8>(), 0..64);
    prop_oneof![
        6 => (name(), content).prop_map(|(name, content)| Act::Write(name, content)),
        1 => (name(), name()).prop_map(|(name, to)| Act::Link(name, to)),
        1 => (name(), any::<bool>()).prop_map(|(name, on)| Act::Executable(name, on)),
        2 => name().prop_map(Act::Delete),
        2 => (name(), name()).prop_map(|(from, to)| Act::Rename(from, to)),
        1 => Just(Act::Commit),
        1 => Just(Act::Checkpoint),
    ]
}

/// Makes room for a path: what is a file becomes a folder, and the other way round.
fn clear(tree: &Path, name: &str) {
    let mut at = tree.to_owned();
    for part in Path::new(name).parent().unwrap() {
        at.push(part);
        if at.symlink_metadata().is_ok_and(|meta| !meta.is_dir()) {
            fs::remove_file(&at).unwrap();
        }
    }
    fs::create_dir_all(tree.join(name).parent().unwrap()).unwrap();
    delete(tree, name);
}

fn delete(tree: &Path, name: &str) {
    let path = tree.join(name);
    match path.symlink_metadata() {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path).unwrap(),
        Ok(_) => fs::remove_file(path).unwrap(),
        Err(_) => {}
    }
}

fn perform(tree: &Path, act: &Act) {
    match act {
        Act::Write(name, content) => {
            clear(tree, name);
            fs::write(tree.join(name), content).unwrap();
        }
        Act::Link(name, to) => {
            clear(tree, name);
            symlink(to, tree.join(name)).unwrap();
        }
        Act::Executable(name, on) => {
            let path = tree.join(name);
            if path.symlink_metadata().is_ok_and(|meta| meta.is_file()) {
                fs::set_permissions(path, fs::Permissions::from_mode(if *on { 0o755 } else { 0o644 })).unwrap();
            }
        }
        Act::Delete(name) => delete(tree, name),
        Act::Rename(from, to) => {
            let aside = tree.join("aside");
            // Through a link, or of nothing: no rename.
            if tree.join(from).symlink_metadata().is_ok() && fs::rename(tree.join(from), &aside).is_ok() {
                clear(tree, to);
                fs::rename(aside, tree.join(to)).unwrap();
            }
        }
        Act::Commit | Act::Checkpoint => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_checkpoint_brings_every_byte_back(acts in prop::collection::vec(act(), 1..24)) {
        let user = User::new();
        let before = user.snapshot();
        let workspace = user.prepare();
        let tree = workspace.tree();
        for act in &acts {
            perform(&tree, act);
            match act {
                Act::Commit => {
                    agent(&workspace, ["add", "-A"]);
                    agent(&workspace, ["commit", "-q", "--allow-empty", "-m", "work"]);
                }
                Act::Checkpoint => {
                    checkpoint(&workspace, "periodic").unwrap();
                }
                _ => {}
            }
        }
        let status = agent(&workspace, ["status", "--porcelain"]);
        let saved = checkpoint(&workspace, "end").unwrap();
        prop_assert_eq!(agent(&workspace, ["status", "--porcelain"]), status);
        let next = match &saved {
            Some(saved) => user.resume(&saved.commit),
            None => user.try_prepare(user.wanted(1)).unwrap(),
        };
        prop_assert_eq!(files(&next.tree()), files(&tree));
        prop_assert_eq!(user.snapshot(), before);
    }
}
