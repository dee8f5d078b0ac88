//! Whether files that hold prompts, output and secrets can be read by this user alone.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use super::{check::Check, installation::no_place, program::several, subject::Subject};

/// Files within a workspace have the modes that their repository wants; the folder around them is private.
const WORKSPACES: &str = "work";
/// So many files are looked at; whoever has more has seen the first ones.
const MOST: usize = 20_000;

pub(super) fn state_files(subject: &Subject) -> Check {
    const NAME: &str = "state files";
    let Some(place) = &subject.place else { return Check::skip(NAME, no_place()) };
    match open_to_others(&place.state) {
        Ok(open) if open.is_empty() => Check::ok(NAME, "no file in the state folder is open to others"),
        Ok(open) => {
            let found = format!("open to others: {}", several(&open, ", "));
            Check::warn(NAME, found, format!("chmod -R go= {}", place.state.display()))
        }
        Err(error) => Check::skip(NAME, format!("the state folder cannot be read: {error}")),
    }
}

pub(super) fn secret_files(subject: &Subject) -> Check {
    const NAME: &str = "secret files";
    let open: Vec<&PathBuf> = subject.secret_files.iter().filter(|path| mode(path).is_some_and(is_open)).collect();
    if open.is_empty() {
        return Check::ok(NAME, "no file that holds a secret is open to others");
    }
    let shown: Vec<String> = open.iter().map(|path| path.display().to_string()).collect();
    Check::warn(NAME, format!("open to others: {}", several(&shown, ", ")), format!("chmod 600 {}", shown.join(" ")))
}

/// `PATH (mode 0644)` of what lies in the state folder and others may read or write.
fn open_to_others(state: &Path) -> io::Result<Vec<String>> {
    let mut open = Vec::new();
    let mut waiting = vec![state.to_owned()];
    let mut seen = 0;
    while let Some(folder) = waiting.pop() {
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let path = entry?.path();
            seen += 1;
            let Ok(meta) = fs::symlink_metadata(&path) else { continue };
            let mode = meta.permissions().mode() & 0o777;
            // Nobody can be kept from seeing that a link or a socket is there.
            if (meta.is_dir() || meta.is_file()) && is_open(mode) {
                let shown = path.strip_prefix(state).unwrap_or(&path);
                open.push(format!("{} (mode {mode:04o})", shown.display()));
            }
            if meta.is_dir() && path != state.join(WORKSPACES) {
                waiting.push(path);
            }
            if seen == MOST {
                return Ok(open);
            }
        }
    }
    open.sort();
    Ok(open)
}

fn mode(path: &Path) -> Option<u32> {
    fs::metadata(path).ok().map(|meta| meta.permissions().mode() & 0o777)
}

const fn is_open(mode: u32) -> bool {
    mode & 0o077 != 0
}
