//! A full disk, as a limit on the size of files: writing fails half-way, with an error and with nothing half-written.

use std::{fs, path::Path, process::Command};

use super::{
    super::{Prepare, Source, Workspace, checkpoint},
    fixture::{User, write},
};

const ACT: &str = "FLEET_TEST_ACT";
const AT: &str = "FLEET_TEST_AT";

/// Performs `act` in a process that cannot write more than 100 KiB into a file; returns what it said.
fn cramped(act: &str, at: &Path) -> String {
    let script = "trap '' XFSZ; ulimit -f 200; exec \"$0\" --exact --nocapture workspace::tests::limits::inside";
    let mut command = Command::new("sh");
    command.args(["-c", script]).arg(std::env::current_exe().unwrap()).env(ACT, act).env(AT, at);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What the tests below do in a process of its own; in the suite itself there is nothing to do.
#[test]
fn inside() {
    let (Ok(act), Ok(at)) = (std::env::var(ACT), std::env::var(AT)) else { return };
    let error = match act.as_str() {
        "prepare" => {
            let (repo, dir) = at.split_once('|').unwrap();
            let job = fleet_protocol::JobId::from_random(1);
            let (branch, dir) = (format!("fleet/{job}-x"), dir.into());
            let wanted = Prepare { dir, branch, job, start: None, recorded: None, identity: None, convention: None };
            Workspace::prepare(&Source::open(repo, None).unwrap(), wanted, &mut |_| {}).map(|_| ()).unwrap_err()
        }
        _ => checkpoint(&Workspace::open(Path::new(&at)).unwrap(), "periodic").map(|_| ()).unwrap_err(),
    };
    println!("said: {error}");
}

/// What no compression makes small.
fn noise() -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_be_bytes()[0]
    };
    (0..1 << 20).map(|_| next()).collect()
}

#[test]
fn a_disk_that_fills_up_during_preparation_leaves_nothing() {
    let user = User::new();
    fs::write(user.repo.join("large"), noise()).unwrap();
    user.commit(&[], "large");
    let before = user.snapshot();
    let dir = user.root.path().join("run");
    let said = cramped("prepare", Path::new(&format!("{}|{}", user.repo.display(), dir.display())));
    assert!(said.contains("said: `git read-tree` failed") && said.contains("large"), "{said}");
    assert!(!dir.exists());
    assert_eq!(user.git(["for-each-ref", "refs/fleet", "refs/heads/fleet"]), "");
    assert_eq!(user.snapshot(), before);
}

#[test]
fn a_disk_that_fills_up_during_a_checkpoint_keeps_the_one_before() {
    let user = User::new();
    let workspace = user.prepare();
    write(&workspace.tree(), &[("small", "1\n")]);
    let saved = checkpoint(&workspace, "periodic").unwrap().unwrap();
    fs::write(workspace.tree().join("large"), noise()).unwrap();
    let said = cramped("checkpoint", workspace.dir());
    assert!(said.contains("said: cannot "), "{said}");
    assert_eq!(user.git(["rev-parse", &saved.branch]), saved.commit);
    user.git(["fsck", "--strict"]);
    let later = checkpoint(&workspace, "with room again").unwrap().unwrap();
    assert_eq!(user.git(["cat-file", "-s", &format!("{}:large", later.commit)]), (1 << 20).to_string());
}
