//! A tar archive, as plain as can be: regular files of one user, without links or long names.

/// The size of everything in it.
const BLOCK: usize = 512;

/// An archive that grows in memory.
#[derive(Debug, Default)]
pub(super) struct Tar(Vec<u8>);

impl Tar {
    /// Adds a file, readable by its owner. `name` is ASCII and shorter than 100 characters; `time` is in seconds since 1970.
    pub(super) fn add(&mut self, name: &str, text: &str, time: u64) {
        let mut header = [0_u8; BLOCK];
        let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
        let name: Vec<u8> = name.bytes().take(99).collect();
        put(0, &name);
        put(100, b"0000600\0");
        put(108, b"0000000\0");
        put(116, b"0000000\0");
        put(124, format!("{:011o}\0", text.len()).as_bytes());
        put(136, format!("{time:011o}\0").as_bytes());
        // While the sum is made, its own place is blank.
        put(148, b"        ");
        put(156, b"0");
        put(257, b"ustar\x0000");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.0.extend_from_slice(&header);
        self.0.extend_from_slice(text.as_bytes());
        self.fill();
    }

    /// The whole archive.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.0.extend_from_slice(&[0; 2 * BLOCK]);
        self.0
    }

    fn fill(&mut self) {
        let used = self.0.len() % BLOCK;
        if used > 0 {
            self.0.resize(self.0.len() + BLOCK - used, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, process::Command};

    use super::*;

    #[test]
    fn tar_itself_reads_it() {
        let mut tar = Tar::default();
        tar.add("a/one.txt", "hello\n", 1_700_000_000);
        tar.add("a/two.txt", &"x".repeat(BLOCK), 0);
        tar.add("a/none.txt", "", 0);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("it.tar");
        fs::write(&file, tar.finish()).unwrap();
        let done = Command::new("tar").arg("-xf").arg(&file).current_dir(folder.path()).status().unwrap();
        assert!(done.success());
        let read = |name: &str| fs::read_to_string(folder.path().join("a").join(name)).unwrap();
        assert_eq!((read("one.txt").as_str(), read("two.txt").len(), read("none.txt").len()), ("hello\n", BLOCK, 0));
    }
}
