//! What becomes of output that the coordinator did not take: it stays in the run's folder, without any secret.
//!
//! `stdout` as the agent wrote it becomes `stdout.masked`, of the same length. The name tells which of the two lies there:
//! what bears the plain name may hold secrets, and goes once nobody knows which.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use super::{mask::Mask, pumps::RAW};

/// So much of a file is read at once, bytes.
const PIECE: usize = 256 * 1024;

/// Masks the output in a run's folder, or takes it away when there is no mask for it. What cannot be masked goes as well.
pub(super) fn mask_output(folder: &Path, mask: Option<&Mask>) {
    for raw in RAW.map(|file| folder.join(file)) {
        let masked = mask.map_or(Ok(()), |mask| masked_beside(&raw, mask));
        for failed in [masked, fs::remove_file(&raw)].into_iter().filter_map(Result::err) {
            if failed.kind() != io::ErrorKind::NotFound {
                tracing::warn!(file = %raw.display(), error = %failed, "a run's output could not be masked and kept");
            }
        }
    }
}

/// Puts the masked copy in place, whole.
fn masked_beside(raw: &Path, mask: &Mask) -> io::Result<()> {
    let from = File::open(raw)?;
    let temporary = with(raw, ".masked.tmp");
    let to = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    copy_masked(from, to, mask)?;
    fs::rename(&temporary, with(raw, ".masked"))
}

fn with(raw: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(raw);
    name.push(ending);
    name.into()
}

fn copy_masked(mut from: impl Read, mut to: impl Write, mask: &Mask) -> io::Result<()> {
    let mut held = Vec::new();
    loop {
        if from.by_ref().take(PIECE as u64).read_to_end(&mut held)? == 0 {
            mask.bytes(&mut held);
            return to.write_all(&held);
        }
        // What is looked at again must be as it was.
        let mut bytes = held.clone();
        let now = mask.growing(&mut bytes);
        to.write_all(&bytes[..now])?;
        held.drain(..now);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const SECRET: &str = "a-value-of-some-length";

    fn mask() -> Mask {
        let mask = Mask::default();
        mask.set(&[SECRET.to_owned()]);
        mask
    }

    #[test]
    fn what_stays_is_masked_wherever_a_piece_ends_and_has_the_length_it_had() {
        let folder = tempfile::tempdir().unwrap();
        let raw = folder.path().join("stdout");
        for shift in 0..=SECRET.len() {
            let text = format!("{}{SECRET}\n{SECRET} end", ".".repeat(PIECE - shift));
            fs::write(&raw, &text).unwrap();
            mask_output(folder.path(), Some(&mask()));
            let kept = with(&raw, ".masked");
            assert_eq!(fs::read_to_string(&kept).unwrap(), text.replace(SECRET, &"*".repeat(SECRET.len())));
            assert_eq!(fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "only the masked copy is left");
        }
    }

    #[test]
    fn without_a_mask_only_what_was_masked_before_stays() {
        let folder = tempfile::tempdir().unwrap();
        for file in ["stderr", "verify.log", "stdout.masked", "worker.log"] {
            fs::write(folder.path().join(file), SECRET).unwrap();
        }
        mask_output(folder.path(), None);
        let mut left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["stdout.masked", "worker.log"]);
    }

    #[test]
    fn what_cannot_be_masked_goes() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("stdout"), SECRET).unwrap();
        fs::create_dir(folder.path().join("stdout.masked")).unwrap();
        mask_output(folder.path(), Some(&mask()));
        assert!(!folder.path().join("stdout").exists());
    }
}
