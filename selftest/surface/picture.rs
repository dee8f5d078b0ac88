//! `docs/demo.svg` is what `fleet demo` really prints. `FLEET_BLESS=1` draws it anew.
//!
//! What differs from run to run is put back to fixed words: job ids and the folder. Nothing else may differ, because the
//! demo's account is made from each job's own history and not from when somebody looked.

use std::{fs, path::PathBuf};

use super::drawing::draw;
use crate::world::{Output, World};

/// Ids in the picture, in the order in which the jobs were submitted.
const IDS: [&str; 3] = ["k3f9", "m2x7", "q8t1"];

const TITLE: &str = "fleet demo: three tasks, one of which failed its check, was told so, and passed on its second run";

/// The screen of a real run, normalised.
fn screen() -> String {
    let world = World::bare();
    let folder = world.folder().join("fleet-demo");
    let on_path = PathBuf::from(env!("CARGO_BIN_EXE_fleet")).parent().expect("a folder").display().to_string();
    let path = format!("{on_path}:{}", std::env::var("PATH").expect("a PATH"));
    let shown = folder.to_str().expect("a UTF-8 path");
    let demo =
        Output::of(world.fleet().args(["--color", "always", "demo", "--dir", shown]).env("PATH", &path)).exits(0);
    let jobs = Output::of(world.fleet().args(["jobs", "--json"]).current_dir(&folder)).exits(0).json();
    let mut text = demo.stdout.replace(shown, "~/fleet-demo");
    let jobs = jobs["jobs"].as_array().expect("a list of jobs").clone();
    assert_eq!(jobs.len(), IDS.len());
    for (job, fixed) in jobs.iter().zip(IDS) {
        let id = job["id"].as_str().expect("an id");
        text = text.replace(&format!(" {}", &id[..4]), &format!(" {fixed}"));
    }
    format!("\x1b[2m$\x1b[0m fleet demo\n\n{text}")
}

#[test]
fn the_picture_in_the_readme_is_what_the_demo_prints() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/demo.svg");
    let right = draw(TITLE, &screen());
    if std::env::var_os("FLEET_BLESS").is_some() {
        fs::write(&path, &right).expect("docs/demo.svg can be written");
    }
    let is = fs::read_to_string(&path).unwrap_or_default();
    assert!(is == right, "docs/demo.svg is not what the demo prints; FLEET_BLESS=1 draws it anew:\n{right}");
}
