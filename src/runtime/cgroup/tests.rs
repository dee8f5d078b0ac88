//! Groups made for real, where this machine lets us.

use std::{fs, path::Path, process::Command};

use super::{
    files::{named, nested},
    group::Group,
    *,
};
use crate::runtime::{Ceilings, Token};

fn made(grouping: Grouping) -> Option<(Group, Token)> {
    let token = Token::random().unwrap();
    let group = Group::make(grouping, &token, &Ceilings::default());
    if group.is_none() {
        eprintln!("NOT RUN with {grouping:?}: no control group can be made here");
    }
    group.map(|group| (group, token))
}

#[test]
fn what_is_started_inside_is_listed_and_we_are_outside_again() {
    for grouping in [Grouping::Auto, Grouping::V1] {
        let Some((mut group, _)) = made(grouping) else { continue };
        let before = fs::read_to_string("/proc/self/cgroup").unwrap();
        let mut child = group.inside(|| Command::new("sleep").arg("1000").spawn().unwrap()).unwrap();
        assert_eq!(fs::read_to_string("/proc/self/cgroup").unwrap(), before);
        assert_eq!(group.pids(), [i32::try_from(child.id()).unwrap()].into());
        assert!(group.remove().is_err(), "it is not empty");
        if !group.kill() {
            child.kill().unwrap();
        }
        child.wait().unwrap();
        group.remove().unwrap();
        assert!(group.folders().all(|folder| !folder.exists()) && group.pids().is_empty());
        group.remove().unwrap();
    }
}

#[test]
fn a_group_inside_the_group_belongs_to_it_and_goes_with_it() {
    let Some((group, _)) = made(Grouping::Auto) else { return };
    let folder = group.folders().last().unwrap().to_owned();
    fs::create_dir_all(folder.join("a/b")).unwrap();
    assert_eq!(nested(&folder), [folder.join("a/b"), folder.join("a"), folder.clone()]);
    group.remove().unwrap();
    assert!(!folder.exists());
}

#[test]
fn one_that_we_are_still_in_is_neither_frozen_nor_ended_at_once() {
    let Some((mut group, _)) = made(Grouping::Auto) else { return };
    group.joined = true;
    assert!(!group.freeze() && !group.kill());
    group.remove().unwrap();
}

#[test]
fn without_groups_none_is_made() {
    assert_eq!(Group::make(Grouping::Off, &Token::random().unwrap(), &Ceilings::default()), None);
}

#[test]
fn a_file_that_names_another_group_is_not_believed() {
    let (token, other) = (Token::random().unwrap(), Token::random().unwrap());
    let at = |folder: String| Group { unified: Some(folder.into()), ..Group::default() };
    let own = at(format!("/sys/fs/cgroup/x/fleet-{}", token.mark()));
    assert!(own.is_of(&token) && !own.is_of(&other));
    assert!(!at("/sys/fs/cgroup/system.slice".to_owned()).is_of(&token));
    assert!(!Group { legacy: [("memory".to_owned(), Path::new("/x").into())].into(), ..own }.is_of(&token));
}

#[test]
fn what_is_offered_is_what_a_run_gets() {
    let offer = offer();
    match made(Grouping::Auto) {
        None => assert_eq!(offer.version, None),
        Some((group, _)) => {
            assert_eq!(offer.version == Some(2), group.unified.is_some());
            group.remove().unwrap();
        }
    }
}

#[test]
fn one_number_of_many_is_read_by_its_name() {
    assert_eq!(named("oom 1\noom_kill 2\n", "oom_kill"), Some(2));
    assert_eq!(named("oom_kill_disable 1\n", "oom_kill"), None);
}
