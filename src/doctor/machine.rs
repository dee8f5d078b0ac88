//! What the machine has left: space, file handles, and the right time.

use std::io;

use jiff::Timestamp;
use nix::sys::resource::{Resource, getrlimit};

use super::{
    check::Check,
    subject::{Database, Subject, TestClock},
};
use crate::workspace::Standing;

const MIB: u64 = 1 << 20;
/// Less is soon used up by a clone and what an agent builds in it.
const COMFORTABLE: u64 = 2 << 30;
/// Less does not even hold the clone of a middling repository.
const TIGHT: u64 = 200 * MIB;
/// A run loop with a few seats, each with logs, sockets and the database, takes about this many.
const MANY_FILES: u64 = 256;
/// Below this the program itself does not get by.
const FEW_FILES: u64 = 64;

/// No clock that is right shows an earlier time than this program's first line.
fn earliest() -> Timestamp {
    "2025-01-01T00:00:00Z".parse().expect("it is an instant")
}

/// How many files this process may have open.
pub(crate) fn open_files() -> io::Result<u64> {
    let (soft, _hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(soft)
}

pub(super) fn disk_space(subject: &Subject) -> Check {
    const NAME: &str = "disk space";
    let free = match &subject.free_space {
        Ok(free) => *free,
        Err(why) => return Check::skip(NAME, format!("it cannot be told: {why}")),
    };
    let found = format!("{} left where clones and logs are kept", amount(free));
    let remedy = "`fleet clean` removes what finished jobs left; FLEET_HOME moves the state to another disk";
    match free {
        free if free < subject.min_free => {
            let wanted = amount(subject.min_free);
            let found = format!("no job starts, for disk space is low: {found}, and workspaces.min-free is {wanted}");
            Check::fail(NAME, found, remedy)
        }
        free if free < TIGHT => Check::fail(NAME, found, remedy),
        free if free < COMFORTABLE.max(subject.min_free.saturating_mul(2)) => Check::warn(NAME, found, remedy),
        _ => Check::ok(NAME, found),
    }
}

pub(super) fn workspaces(subject: &Subject) -> Check {
    const NAME: &str = "workspaces";
    let (limits, usage) = match &subject.workspaces {
        Ok(found) => found,
        Err(why) => return Check::skip(NAME, format!("it cannot be told what lies there: {why}")),
    };
    let found = limits.told(*usage);
    let remedy =
        "`fleet clean --dry-run` says what lies there and why; workspaces.max and workspaces.disk are the limits";
    let runs = match &subject.database {
        Database::Works { held, .. } => held.len(),
        _ => 0,
    };
    match limits.standing_beside(runs, *usage) {
        Standing::Roomy => Check::ok(NAME, found),
        Standing::Tight => Check::warn(NAME, format!("room is short: {found}"), remedy),
        Standing::Full => Check::fail(NAME, format!("no job starts, for there is no room: {found}"), remedy),
    }
}

/// Rounded down, so that what is said is there.
fn amount(bytes: u64) -> String {
    let mib = bytes / MIB;
    if mib < 10 * 1024 { format!("{mib} MiB") } else { format!("{} GiB", mib / 1024) }
}

pub(super) fn open_file_limit(subject: &Subject) -> Check {
    const NAME: &str = "open files";
    let limit = match &subject.open_files {
        Ok(limit) => *limit,
        Err(why) => return Check::skip(NAME, format!("the limit cannot be told: {why}")),
    };
    let found = match limit {
        u64::MAX => "a process may have any number of files open".to_owned(),
        limit => format!("a process may have {limit} files open"),
    };
    let remedy = "raise it where fleet is started: `ulimit -n 1024`, or LimitNOFILE= of its service";
    match limit {
        limit if limit < FEW_FILES => Check::fail(NAME, found, remedy),
        limit if limit < MANY_FILES => Check::warn(NAME, found, remedy),
        _ => Check::ok(NAME, found),
    }
}

pub(super) fn clock(subject: &Subject) -> Check {
    const NAME: &str = "clock";
    let now = subject.now;
    if now < earliest() {
        let found = format!("the machine's clock shows {now:.0}, so leases and schedules would go by a wrong time");
        return Check::fail(NAME, found, "set it, for example by `timedatectl set-ntp true`");
    }
    match &subject.test_clock {
        TestClock::Unset => Check::ok(NAME, format!("it shows {now:.0}")),
        TestClock::Ignored => Check::warn(
            NAME,
            "FLEET_TEST_CLOCK is set and not used, because this is not test mode",
            "unset it; the machine's clock counts",
        ),
        TestClock::Used(file) => Check::warn(
            NAME,
            format!("{} stands in for the clock (FLEET_TEST_CLOCK)", file.display()),
            "unset it, and leave out --test-mode, for real work",
        ),
    }
}
