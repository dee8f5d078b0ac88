//! The state folder and the queue folder: there or makeable, private, and writable as shown by writing.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use fleet_protocol::Bucket;
use nix::unistd::{AccessFlags, access};

use super::{check::Check, installation::no_place, subject::Subject};

pub(super) fn state(subject: &Subject) -> Check {
    const NAME: &str = "state folder";
    let Some(place) = &subject.place else { return Check::skip(NAME, no_place()) };
    let path = &place.state;
    let elsewhere = "give it to the user that runs fleet, or name another folder by FLEET_HOME or --home";
    let meta = match fs::metadata(path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return match can_be_made(path) {
                Ok(()) => Check::ok(NAME, format!("{} is made when it is first needed", path.display())),
                Err(why) => Check::fail(NAME, format!("{} cannot be made: {why}", path.display()), elsewhere),
            };
        }
        Err(error) => return Check::fail(NAME, format!("{} cannot be read: {error}", path.display()), elsewhere),
    };
    if !meta.is_dir() {
        return Check::fail(NAME, format!("{} is not a folder", path.display()), "move it out of the way");
    }
    if let Err(error) = try_write(path) {
        return Check::fail(NAME, format!("{} cannot be written: {error}", path.display()), elsewhere);
    }
    let mode = meta.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let found = format!("{} is open to others (mode {mode:04o}); it holds prompts and output", path.display());
        return Check::warn(NAME, found, format!("chmod 700 {}", path.display()));
    }
    Check::ok(NAME, format!("{} is private and can be written", path.display()))
}

pub(super) fn queue(subject: &Subject) -> Check {
    const NAME: &str = "queue folder";
    let Some(place) = &subject.place else { return Check::skip(NAME, no_place()) };
    let mut missing = 0_usize;
    for bucket in Bucket::ALL {
        let path = place.queue.join(bucket.as_str());
        match look_at_bucket(&path) {
            Ok(true) => {}
            Ok(false) => missing += 1,
            Err(why) => {
                let remedy = "give it to the user that runs fleet; a bucket is a folder of its own, not a link";
                return Check::fail(NAME, format!("{} {why}", path.display()), remedy);
            }
        }
    }
    let (at, all) = (place.queue.display(), Bucket::ALL.len());
    Check::ok(
        NAME,
        match missing {
            0 => format!("{at} has its {all} buckets, and each can be written"),
            missing if missing == all => format!("{at} is made when it is first needed"),
            missing => format!("{at} lacks {missing} of its {all} buckets, which are made when they are first needed"),
        },
    )
}

/// Whether the bucket is there. An error says what is wrong with it.
fn look_at_bucket(path: &Path) -> Result<bool, String> {
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => {
            try_write(path).map_err(|error| format!("cannot be written: {error}"))?;
            Ok(true)
        }
        Ok(_) => Err("is not a folder".to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            can_be_made(path).map_err(|why| format!("cannot be made: {why}"))?;
            Ok(false)
        }
        Err(error) => Err(format!("cannot be read: {error}")),
    }
}

/// Writes a file into the folder and removes it: permission bits alone know nothing of full disks, quotas and mounts.
pub(super) fn try_write(folder: &Path) -> io::Result<()> {
    // Hidden, so that it is never taken for a task.
    let path = folder.join(format!(".fleet-doctor-{}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
    let written = file.write_all(b"written by `fleet doctor` as a trial\n");
    fs::remove_file(&path).and(written)
}

/// Whether a folder that is missing could be made, without making it.
fn can_be_made(path: &Path) -> Result<(), String> {
    let above = existing(path);
    if !above.is_dir() {
        return Err(format!("{} is not a folder", above.display()));
    }
    access(above, AccessFlags::W_OK | AccessFlags::X_OK)
        .map_err(|error| format!("{} cannot be written: {}", above.display(), io::Error::from(error)))
}

/// The nearest folder above, or the path itself, that is there.
pub(super) fn existing(path: &Path) -> &Path {
    path.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"))
}
