//! What has to be done so that the folder shows the store, and what people ask for by what they did to it.
//!
//! Pure: jobs, what was drawn last and what lies on disk go in, operations come out. When store and folder agree
//! nothing comes out. The store wins over a move that was made while the job went on by itself.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    time::Duration,
};

use fleet_protocol::{Action, Bucket, Job, JobId, JobResult, Stage};

use super::{
    journal::Drawn,
    moves, notes,
    scan::{Entry, Kind, Stamp},
};

/// What the folder needs to know of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Card {
    pub(crate) id: JobId,
    /// A safe name, of no other job.
    pub(crate) file: String,
    pub(crate) stage: Stage,
    pub(crate) result: Option<JobResult>,
    pub(crate) message: Option<String>,
    pub(crate) actions: Vec<Action>,
    pub(crate) rev: u64,
}

impl From<&Job> for Card {
    fn from(job: &Job) -> Self {
        Self {
            id: job.id.clone(),
            file: job.file.clone(),
            stage: job.stage,
            result: job.result,
            message: job.message.clone(),
            actions: job.actions.clone(),
            rev: job.rev,
        }
    }
}

impl Card {
    pub(super) const fn bucket(&self) -> Bucket {
        self.stage.bucket()
    }
}

/// Everything that a plan is made from.
pub(super) struct View<'a> {
    pub(super) jobs: &'a [Card],
    /// By file name.
    pub(super) drawn: &'a HashMap<String, Drawn>,
    pub(super) entries: &'a [Entry],
    /// The keeper's notes.
    pub(super) notes: &'a BTreeSet<(Bucket, String)>,
    /// Files of the inbox that were written a moment ago, and how long to leave them.
    pub(super) waits: &'a HashMap<String, Duration>,
    /// Jobs of `doubtful` whose file in the inbox holds just what was submitted.
    pub(super) originals: &'a HashSet<JobId>,
}

/// One thing to do. Each leaves the folder in a state from which the next plan goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Op {
    /// Move something that is no job's file out of the way.
    SetAside { bucket: Bucket, name: String, note: String },
    /// Submit a file of the inbox.
    TakeIn { name: String, stamp: Stamp },
    /// Ask for what a person's move means, then put the file where the job is.
    Request { card: Card, from: Bucket, to: Bucket, action: Action },
    /// Put a job's file where the job is.
    Move { card: Card, from: Bucket, note: Option<String> },
    /// Write a job's file from the store.
    Draw { card: Card, note: Option<String> },
    /// Remember that a job's file lies where the job is.
    Record { card: Card },
    /// Look whether a job's file was written to.
    Inspect { card: Card, stamp: Stamp },
    /// Lay a note beside a file that stays where it is.
    Explain { bucket: Bucket, name: String, note: String },
    /// Remove a note whose file is gone.
    Sweep { bucket: Bucket, note: String },
    /// Forget a file that neither store nor folder knows any more.
    Forget { file: String },
}

/// What to do, in this order, and when to look again at what is still being written.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) ops: Vec<Op>,
    pub(super) wait: Option<Duration>,
}

impl Plan {
    /// Whether a file that was drawn has vanished; a move that is just being made can look so.
    pub(super) fn misses_a_file(&self, drawn: &HashMap<String, Drawn>) -> bool {
        self.ops.iter().any(|op| matches!(op, Op::Draw { card, .. } if drawn.contains_key(&card.file)))
    }
}

/// Which jobs' files in the inbox have to be compared with what was submitted before a plan can be made: those that
/// could be another task of the same name.
pub(super) fn doubtful<'a>(jobs: &'a [Card], drawn: &HashMap<String, Drawn>, entries: &[Entry]) -> Vec<&'a Card> {
    let inbox: HashSet<&str> =
        plain_files(entries).filter(|entry| entry.bucket == Bucket::Inbox).map(|entry| entry.name.as_str()).collect();
    let elsewhere: HashSet<(&str, Bucket)> =
        plain_files(entries).map(|entry| (entry.name.as_str(), entry.bucket)).collect();
    jobs.iter()
        .filter(|card| inbox.contains(card.file.as_str()))
        .filter(|card| match drawn_of(card, drawn) {
            None => true,
            Some(last) => last.bucket == card.bucket() && !elsewhere.contains(&(card.file.as_str(), card.bucket())),
        })
        .collect()
}

/// Makes the plan.
pub(super) fn plan(view: &View<'_>) -> Plan {
    let mut planner = Planner { view, by_name: HashMap::new(), own: HashSet::new(), plan: Plan::default() };
    for entry in plain_files(view.entries) {
        planner.by_name.entry(&entry.name).or_default().push(entry);
    }
    for card in view.jobs {
        planner.job(card);
    }
    planner.others();
    planner.leftovers();
    planner.plan.ops.sort_by_key(rank);
    planner.plan
}

/// Old notes go before new ones are written, room is made before files are put into it, and a name is free before it is
/// given again.
const fn rank(op: &Op) -> u8 {
    match op {
        Op::Sweep { .. } => 0,
        Op::SetAside { .. } => 1,
        Op::TakeIn { .. } => 2,
        Op::Request { .. } => 3,
        Op::Move { .. } => 4,
        Op::Draw { .. } => 5,
        Op::Record { .. } => 6,
        Op::Inspect { .. } => 7,
        Op::Explain { .. } => 8,
        Op::Forget { .. } => 9,
    }
}

fn plain_files(entries: &[Entry]) -> impl Iterator<Item = &Entry> {
    entries.iter().filter(|entry| entry.kind == Kind::File)
}

fn drawn_of<'a>(card: &Card, drawn: &'a HashMap<String, Drawn>) -> Option<&'a Drawn> {
    drawn.get(&card.file).filter(|last| last.job == card.id)
}

struct Planner<'a> {
    view: &'a View<'a>,
    by_name: HashMap<&'a str, Vec<&'a Entry>>,
    /// Which files are jobs' own.
    own: HashSet<(Bucket, &'a str)>,
    plan: Plan,
}

impl<'a> Planner<'a> {
    fn job(&mut self, card: &'a Card) {
        let files = self.by_name.get(card.file.as_str()).map_or(&[][..], Vec::as_slice);
        let last = drawn_of(card, self.view.drawn);
        let own = own_file(card, last, files, self.view.originals.contains(&card.id));
        if let Some(entry) = own {
            self.own.insert((entry.bucket, &entry.name));
        }
        let right = card.bucket();
        // Another task of the same name lies in the inbox; it is taken in, and so renamed, before this file can come.
        let slot_waits = right == Bucket::Inbox
            && own.is_none_or(|entry| entry.bucket != right)
            && files.iter().any(|entry| entry.bucket == right && self.is_held_back(entry));
        if slot_waits {
            return;
        }
        let op = match (own, last) {
            (None, last) => Some(Op::Draw { card: card.clone(), note: self.farewell(card, last) }),
            (Some(entry), Some(last)) if entry.bucket == right && last.bucket == right => {
                (last.stamp != Some(entry.stamp)).then(|| Op::Inspect { card: card.clone(), stamp: entry.stamp })
            }
            (Some(entry), _) if entry.bucket == right => Some(Op::Record { card: card.clone() }),
            (Some(entry), Some(last)) => Some(moved(card, last, entry, files.len())),
            (Some(entry), None) => Some(Op::Move { card: card.clone(), from: entry.bucket, note: None }),
        };
        self.plan.ops.extend(op);
    }

    fn is_held_back(&self, entry: &Entry) -> bool {
        entry.stamp.size == 0 || self.view.waits.contains_key(&entry.name)
    }

    /// The note beside a file that was deleted, where deleting could have been meant to end the job.
    fn farewell(&self, card: &Card, last: Option<&Drawn>) -> Option<String> {
        // When nothing is left in the bucket it was the folder that was deleted, not this file.
        let others_are_left = || self.view.entries.iter().any(|entry| entry.bucket == card.bucket());
        let meant = last.is_some() && !card.stage.is_terminal() && others_are_left();
        meant.then(|| notes::vanished(card))
    }

    /// Whatever is no job's own file.
    fn others(&mut self) {
        let cards: HashMap<&str, &Card> = self.view.jobs.iter().map(|card| (card.file.as_str(), card)).collect();
        for entry in self.view.entries {
            if self.own.contains(&(entry.bucket, entry.name.as_str())) {
                continue;
            }
            let card = cards.get(entry.name.as_str()).copied();
            if entry.bucket == Bucket::Inbox {
                self.dropped_in(entry);
            } else {
                self.misplaced(entry, card);
            }
        }
    }

    fn dropped_in(&mut self, entry: &Entry) {
        let name = entry.name.clone();
        let reason = match entry.kind {
            Kind::File if entry.stamp.size == 0 && !self.view.waits.contains_key(&entry.name) => notes::empty(),
            Kind::File => {
                match self.view.waits.get(&entry.name) {
                    Some(left) => self.wait(*left),
                    None => self.plan.ops.push(Op::TakeIn { name, stamp: entry.stamp }),
                }
                return;
            }
            Kind::Link => notes::not_a_task("it is a link, and links are not followed"),
            Kind::Folder => notes::not_a_task("it is a folder"),
            Kind::Special => notes::not_a_task("it is a pipe, a socket or a device"),
            Kind::OddName => notes::not_a_task("its name is not UTF-8 or has a line break in it"),
        };
        self.explain(entry, reason);
    }

    fn misplaced(&mut self, entry: &Entry, card: Option<&Card>) {
        match (entry.kind, card) {
            (Kind::File, Some(card)) => self.set_aside(entry, notes::copy(card, entry.bucket)),
            // A job that the store has dropped leaves its file behind; that needs no explanation.
            (Kind::File, None) if self.view.drawn.contains_key(&entry.name) => {}
            (Kind::File, None) => self.explain(entry, notes::stranger(entry.bucket)),
            (Kind::Link | Kind::Folder | Kind::Special, Some(card)) if card.bucket() == entry.bucket => {
                self.set_aside(entry, notes::in_the_way(entry.bucket));
            }
            (Kind::Link | Kind::Folder | Kind::Special | Kind::OddName, _) => {}
        }
    }

    fn set_aside(&mut self, entry: &Entry, note: String) {
        self.plan.ops.push(Op::SetAside { bucket: entry.bucket, name: entry.name.clone(), note });
    }

    fn explain(&mut self, entry: &Entry, note: String) {
        let beside = (entry.bucket, notes::note_name(&entry.name));
        if !self.view.notes.contains(&beside) {
            self.plan.ops.push(Op::Explain { bucket: entry.bucket, name: entry.name.clone(), note });
        }
    }

    fn wait(&mut self, left: Duration) {
        self.plan.wait = Some(self.plan.wait.map_or(left, |wait| wait.min(left)));
    }

    fn leftovers(&mut self) {
        let noted: HashSet<(Bucket, String)> =
            self.view.entries.iter().map(|entry| (entry.bucket, notes::note_name(&entry.name))).collect();
        for (bucket, note) in self.view.notes {
            if !noted.contains(&(*bucket, note.clone())) {
                self.plan.ops.push(Op::Sweep { bucket: *bucket, note: note.clone() });
            }
        }
        let jobs: HashSet<&str> = self.view.jobs.iter().map(|card| card.file.as_str()).collect();
        for file in self.view.drawn.keys() {
            if !jobs.contains(file.as_str()) && !self.by_name.contains_key(file.as_str()) {
                self.plan.ops.push(Op::Forget { file: file.clone() });
            }
        }
    }
}

/// Which of the files with a job's name is the job's own.
///
/// Where the job's place is empty it is the one found elsewhere: people move files. A file in the inbox that is not
/// the original is another task of that name if the job was never drawn, or is over.
fn own_file<'a>(card: &Card, last: Option<&Drawn>, files: &[&'a Entry], original: bool) -> Option<&'a Entry> {
    let right = card.bucket();
    let at = |bucket: Bucket| files.iter().copied().find(|entry| entry.bucket == bucket);
    let outside_inbox = || files.iter().copied().find(|entry| entry.bucket != Bucket::Inbox);
    match last {
        Some(last) => at(last.bucket)
            .or_else(|| at(right))
            .or_else(outside_inbox)
            .or_else(|| at(Bucket::Inbox).filter(|_| original || last.bucket != right || !card.stage.is_terminal())),
        None => at(right)
            .filter(|entry| entry.bucket != Bucket::Inbox || original)
            .or_else(|| at(Bucket::Inbox).filter(|_| original))
            .or_else(outside_inbox),
    }
}

/// A file that lies neither where the job is nor can stay there.
fn moved(card: &Card, last: &Drawn, entry: &Entry, found: usize) -> Op {
    let (card, right, at) = (card.clone(), card.bucket(), entry.bucket);
    if last.bucket != right {
        let note = (at != last.bucket).then(|| notes::overtaken(&card, at));
        return Op::Move { card, from: at, note };
    }
    if found > 1 {
        let note = Some(notes::ambiguous(&card));
        return Op::Move { card, from: at, note };
    }
    match moves::requested(card.stage, at) {
        Some(action) if card.actions.contains(&action) => Op::Request { card, from: right, to: at, action },
        Some(_) | None => {
            let note = Some(notes::refused(&card, right, at, None));
            Op::Move { card, from: at, note }
        }
    }
}
