//! What lies in the state folder can be read by its owner only, whatever the umask.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use crate::world::{Output, World};

/// Everything below a folder, with its mode; the insides of workspaces have the modes that their repository wants.
fn modes(folder: &Path, found: &mut Vec<(PathBuf, u32)>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let meta = fs::symlink_metadata(entry.path()).expect("it is there");
        let inside = entry.path().parent().and_then(Path::parent).is_some_and(|above| above.ends_with("work"));
        if meta.is_symlink() || inside {
            continue;
        }
        found.push((entry.path(), meta.permissions().mode() & 0o777));
        if meta.is_dir() {
            modes(&entry.path(), found);
        }
    }
}

fn loose(world: &World) -> Vec<String> {
    let mut found = vec![(world.repo().join(".fleet"), 0o700)];
    modes(&world.repo().join(".fleet"), &mut found);
    let names = |name: &str| found.iter().any(|(path, _)| path.file_name().is_some_and(|found| found == name));
    for expected in ["fleet.db", "fleet.db-wal", "run.lock"] {
        assert!(names(expected), "{expected} is looked at too");
    }
    let open = found.iter().filter(|(_, mode)| mode & 0o077 != 0);
    open.map(|(path, mode)| format!("{} {mode:04o}", path.display())).collect()
}

/// Runs `fleet` with a umask that takes nothing away.
#[track_caller]
fn open_handed(world: &World, arguments: &str) -> Output {
    let line = format!("umask 000; exec \"{}\" {arguments}", env!("CARGO_BIN_EXE_fleet"));
    Output::of(world.command("sh").args(["-c", &line]))
}

#[test]
fn state_files_are_their_owner_s_alone_whatever_the_umask() {
    let world = World::new();
    world.write("fleet.toml", "[confinement]\nmode = \"off\"\n");
    // While it runs, its run folder is looked at from within: the agent lists it for us.
    let look = "run ls -lR \"$(dirname $(dirname $TMPDIR))\" > listing.txt; stat -c '%a %n' $TMPDIR $(dirname $TMPDIR) $(dirname $TMPDIR)/* > modes.txt";
    let task = format!(
        "---\nengine: scripted\nverify: ./check.sh\n---\n# Look\n\n```script\n{look}\nwrite done.txt yes\nFLEET_STATUS {{\"status\": \"x\"}}\n```\n"
    );
    fs::write(world.folder().join("look.md"), task).expect("a task");
    let id = open_handed(&world, "submit ../look.md").exits(0).line();
    open_handed(&world, "run --once").exits(0);
    assert_eq!(world.stage(&id), "testing", "{:#}", world.job(&id));
    assert_eq!(loose(&world), [""; 0]);
    let branch = world.job(&id)["branch"].as_str().expect("a branch").to_owned();
    let seen = world.git(&["show", &format!("{branch}:modes.txt")]);
    assert!(seen.lines().count() > 5 && seen.contains("stdout"), "{seen}");
    let open: Vec<&str> = seen.lines().filter(|line| !matches!(line.split(' ').next(), Some("600" | "700"))).collect();
    assert_eq!(open, [""; 0], "while it runs");
    open_handed(&world, &format!("ship {id}")).exits(0);
    open_handed(&world, "clean --keep 0").exits(0);
    assert_eq!(loose(&world), [""; 0], "after cleaning up");
}

#[test]
fn a_looser_mode_is_told_by_the_doctor_with_the_remedy() {
    let world = World::new();
    world.submit_script("one", "", "say hello");
    let doctor = |world: &World| Output::of(world.fleet().args(["doctor"])).stdout;
    let told = doctor(&world);
    assert!(told.contains("no file in the state folder is open to others"), "{told}");
    fs::set_permissions(world.repo().join(".fleet/fleet.db"), fs::Permissions::from_mode(0o644)).expect("a mode");
    let told = doctor(&world);
    assert!(told.contains("fleet.db (mode 0644)") && told.contains("chmod -R go= "), "{told}");
}
