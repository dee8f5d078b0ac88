//! What the keeper drew last: for each job's file, the bucket it was put in.
//!
//! It is a memory, not a truth: it tells a file that a person moved from one that waits to be redrawn. Lines are only
//! ever appended, or the whole file replaced by rename; a torn line is skipped. Losing it loses nothing but the
//! knowledge of moves that were not answered yet.

use std::{
    collections::HashMap,
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::PathBuf,
};

use fleet_protocol::{Bucket, JobId};
use serde::{Deserialize, Serialize};

use super::{
    error::{AtPath, QueueError},
    scan::Stamp,
};

/// Lines beyond twice the number of files at which the journal is written anew.
const SLACK: usize = 256;

/// One line.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
enum Line {
    Drawn {
        file: String,
        #[serde(flatten)]
        drawn: Drawn,
    },
    Gone {
        file: String,
    },
    /// About to be submitted: after a crash it tells whose file it is.
    Taking(Taking),
    Taken,
}

/// Where a job's file was put.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Drawn {
    pub(super) job: JobId,
    pub(super) bucket: Bucket,
    /// How the file looked when its content was last compared with the store's; none when it never was.
    pub(super) stamp: Option<Stamp>,
}

/// A file of the inbox that is being submitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Taking {
    pub(super) file: String,
    /// SHA-256 of its content, in hex.
    pub(super) digest: String,
}

/// Which version of the file on disk is in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Version {
    inode: u64,
    stamp: Stamp,
}

/// The journal, read into memory. Only whoever holds the redraw lock may touch it.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    drawn: HashMap<String, Drawn>,
    taking: Option<Taking>,
    unsaved: Vec<Line>,
    lines: usize,
    ends_torn: bool,
    version: Option<Version>,
}

impl Journal {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            drawn: HashMap::new(),
            taking: None,
            unsaved: Vec::new(),
            lines: 0,
            ends_torn: false,
            version: None,
        }
    }

    /// Reads the file again if another process changed it.
    pub(super) fn refresh(&mut self) -> Result<(), QueueError> {
        let found = self.found()?;
        if found.is_some() && found == self.version {
            return Ok(());
        }
        let text = match fs::read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error).at("read", &self.path),
        };
        *self = Self::new(std::mem::take(&mut self.path));
        self.ends_torn = text.last().is_some_and(|last| *last != b'\n');
        for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            self.lines += 1;
            if let Ok(line) = serde_json::from_slice(line) {
                self.apply(line);
            }
        }
        self.version = found;
        Ok(())
    }

    fn found(&self) -> Result<Option<Version>, QueueError> {
        match fs::metadata(&self.path) {
            Ok(found) => Ok(Some(Version { inode: found.ino(), stamp: Stamp::of(&found) })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).at("look at", &self.path),
        }
    }

    fn apply(&mut self, line: Line) {
        match line {
            Line::Drawn { file, drawn } => drop(self.drawn.insert(file, drawn)),
            Line::Gone { file } => drop(self.drawn.remove(&file)),
            Line::Taking(taking) => self.taking = Some(taking),
            Line::Taken => self.taking = None,
        }
    }

    /// Every file that was drawn, by name.
    pub(super) const fn drawn(&self) -> &HashMap<String, Drawn> {
        &self.drawn
    }

    /// The file whose submission was begun and not seen to end.
    pub(super) const fn taking(&self) -> Option<&Taking> {
        self.taking.as_ref()
    }

    /// Notes that a submission begins. On disk when it returns, so that a crash after it is understood.
    pub(super) fn begin_taking(&mut self, taking: Taking) -> Result<(), QueueError> {
        self.note(Line::Taking(taking));
        self.save()
    }

    /// The submission ended, one way or the other.
    pub(super) fn end_taking(&mut self) {
        if self.taking.is_some() {
            self.note(Line::Taken);
        }
    }

    /// Notes where a job's file lies. On disk after `save`.
    pub(super) fn set(&mut self, file: &str, drawn: Drawn) {
        self.note(Line::Drawn { file: file.to_owned(), drawn });
    }

    /// Forgets a file. On disk after `save`.
    pub(super) fn forget(&mut self, file: &str) {
        self.note(Line::Gone { file: file.to_owned() });
    }

    fn note(&mut self, line: Line) {
        self.apply(line.clone());
        self.unsaved.push(line);
    }

    /// Appends what is not on disk yet; writes the whole file anew when most of it is past.
    pub(super) fn save(&mut self) -> Result<(), QueueError> {
        if self.unsaved.is_empty() {
            return Ok(());
        }
        let rewrite = self.lines + self.unsaved.len() > 2 * self.drawn.len() + SLACK;
        let saved = if rewrite { self.rewrite() } else { self.append() };
        if saved.is_err() {
            // What is on disk is unclear now: read it anew next time.
            self.version = None;
            return saved;
        }
        self.version = self.found()?;
        Ok(())
    }

    fn append(&mut self) -> Result<(), QueueError> {
        let mut text = if self.ends_torn { b"\n".to_vec() } else { Vec::new() };
        self.lines += self.unsaved.len();
        for line in self.unsaved.drain(..) {
            write_line(&mut text, &line);
        }
        let mut file =
            OpenOptions::new().append(true).create(true).mode(0o600).open(&self.path).at("open", &self.path)?;
        file.write_all(&text).at("write", &self.path)?;
        self.ends_torn = false;
        Ok(())
    }

    fn rewrite(&mut self) -> Result<(), QueueError> {
        self.unsaved.clear();
        let mut text = Vec::new();
        for (file, drawn) in &self.drawn {
            write_line(&mut text, &Line::Drawn { file: file.clone(), drawn: drawn.clone() });
        }
        if let Some(taking) = &self.taking {
            write_line(&mut text, &Line::Taking(taking.clone()));
        }
        let fresh = self.path.with_extension("new");
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh);
        file.and_then(|mut file| file.write_all(&text)).at("write", &fresh)?;
        fs::rename(&fresh, &self.path).at("rename", &fresh)?;
        self.lines = self.drawn.len() + usize::from(self.taking.is_some());
        self.ends_torn = false;
        Ok(())
    }
}

fn write_line(text: &mut Vec<u8>, line: &Line) {
    serde_json::to_writer(&mut *text, line).expect("a line of names, numbers and words can be written");
    text.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(bucket: Bucket) -> Drawn {
        Drawn { job: JobId::from_random(7), bucket, stamp: Some(Stamp { size: 1, modified: 2 }) }
    }

    fn journal() -> (tempfile::TempDir, Journal) {
        let home = tempfile::tempdir().unwrap();
        let journal = Journal::new(home.path().join("queue.jsonl"));
        (home, journal)
    }

    fn read_again(journal: &Journal) -> Journal {
        let mut again = Journal::new(journal.path.clone());
        again.refresh().unwrap();
        again
    }

    #[test]
    fn what_was_saved_is_read_back() {
        let (_home, mut journal) = journal();
        journal.set("ä b.md", drawn(Bucket::Inbox));
        journal.set("ä b.md", drawn(Bucket::Review));
        journal.set("gone.md", drawn(Bucket::Inbox));
        journal.forget("gone.md");
        journal.save().unwrap();
        let taking = Taking { file: "new.md".to_owned(), digest: "00".to_owned() };
        journal.begin_taking(taking.clone()).unwrap();
        let again = read_again(&journal);
        assert_eq!(again.drawn().len(), 1);
        assert_eq!(again.drawn()["ä b.md"], drawn(Bucket::Review));
        assert_eq!(again.taking(), Some(&taking));
    }

    #[test]
    fn a_torn_last_line_costs_that_line_only() {
        let (_home, mut journal) = journal();
        journal.set("a.md", drawn(Bucket::Inbox));
        journal.set("b.md", drawn(Bucket::Inbox));
        journal.save().unwrap();
        let text = fs::read(&journal.path).unwrap();
        fs::write(&journal.path, &text[..text.len() - 9]).unwrap();
        let mut again = read_again(&journal);
        assert_eq!(again.drawn().keys().collect::<Vec<_>>(), ["a.md"]);
        again.set("c.md", drawn(Bucket::Inbox));
        again.save().unwrap();
        assert_eq!(read_again(&again).drawn().len(), 2);
    }

    #[test]
    fn the_change_of_another_process_is_seen() {
        let (_home, mut journal) = journal();
        journal.set("a.md", drawn(Bucket::Inbox));
        journal.save().unwrap();
        let mut other = read_again(&journal);
        other.set("b.md", drawn(Bucket::Inbox));
        other.save().unwrap();
        journal.refresh().unwrap();
        assert_eq!(journal.drawn().len(), 2);
    }

    #[test]
    fn it_does_not_grow_for_ever() {
        let (_home, mut journal) = journal();
        for _ in 0..5 * SLACK {
            journal.set("a.md", drawn(Bucket::Inbox));
            journal.save().unwrap();
        }
        let lines = fs::read_to_string(&journal.path).unwrap().lines().count();
        assert!(lines <= SLACK + 4, "{lines}");
        assert_eq!(read_again(&journal).drawn().len(), 1);
    }
}
