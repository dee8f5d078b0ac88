//! Doing what the plan says, one operation at a time, each in an order that a crash cannot make wrong: the store first,
//! then the note, then the rename, then the memory of it.

use std::{collections::HashSet, path::PathBuf, time::Duration};

use fleet_protocol::{
    Action, Bucket, ErrorCode, JobResult, Problem,
    api::{ActionRequest, SubmitQuery},
};
use sha2::{Digest, Sha256};

use super::{
    error::QueueError,
    files::{self, Content, Renamed},
    folder::is_safe,
    journal::{Drawn, Taking},
    keeper::{Keeper, Report, step},
    notes,
    plan::{Card, Op},
    scan::Stamp,
    settle::open_for_writing,
};

/// When to look again at something that was changed under our hands.
const SOON: Duration = Duration::from_millis(50);
/// When to look again at a file that a process has open for writing, should no notification come.
const STILL_OPEN: Duration = Duration::from_secs(1);

/// What came of an operation.
pub(super) enum Outcome {
    Changed,
    Nothing,
    /// Not yet.
    Later(Duration),
}

/// What one round remembers between its operations.
#[derive(Default)]
pub(super) struct Round {
    /// Files that somebody writes to; looked up once, when first needed.
    written: Option<HashSet<PathBuf>>,
    /// A submission ended unclear; nothing more is taken in before that is resolved.
    taking_failed: bool,
}

impl Round {
    /// So many failures end a round.
    pub(super) const ENOUGH_PROBLEMS: usize = 20;
}

impl Keeper {
    pub(super) async fn execute(
        &mut self,
        op: Op,
        round: &mut Round,
        report: &mut Report,
    ) -> Result<Outcome, QueueError> {
        match op {
            Op::Sweep { bucket, note } => {
                let removed = files::remove_note(&self.folder.bucket(bucket), &note)?;
                Ok(if removed { Outcome::Changed } else { Outcome::Nothing })
            }
            Op::SetAside { bucket, name, note } => {
                let path = self.folder.file(bucket, &name);
                Ok(after(files::set_aside(&self.folder, &path, &name, &note)?))
            }
            Op::TakeIn { .. } if round.taking_failed => Ok(Outcome::Later(SOON)),
            Op::TakeIn { name, stamp } => {
                let taken = self.take_in(&name, stamp, round, report).await;
                round.taking_failed = taken.is_err();
                taken
            }
            Op::Request { card, from, to, action } => self.request(&card, (from, to), action).await,
            Op::Move { card, from, note } => self.put(&card, from, note.as_deref()).await,
            Op::Draw { card, note } => self.draw(&card, note.as_deref()).await,
            Op::Record { card } => {
                self.explain_if_malformed(&card).await?;
                self.remember(&card, None);
                Ok(Outcome::Changed)
            }
            Op::Inspect { card, stamp } => self.inspect(&card, stamp).await,
            Op::Explain { bucket, name, note } => {
                files::explain(&self.folder.bucket(bucket), &name, &note)?;
                Ok(Outcome::Changed)
            }
            Op::Forget { file } => {
                self.journal.forget(&file);
                Ok(Outcome::Changed)
            }
        }
    }

    /// Submits a file of the inbox and puts it where its job is.
    async fn take_in(
        &mut self,
        name: &str,
        stamp: Stamp,
        round: &mut Round,
        report: &mut Report,
    ) -> Result<Outcome, QueueError> {
        let inbox = self.folder.bucket(Bucket::Inbox);
        let written = round.written.get_or_insert_with(|| open_for_writing(&inbox));
        if inbox.canonicalize().is_ok_and(|inbox| written.contains(&inbox.join(name))) {
            return Ok(Outcome::Later(STILL_OPEN));
        }
        let text = match files::read(&inbox.join(name))? {
            Content::Text(text, seen) if seen == stamp => text,
            Content::Text(..) | Content::Changed => return Ok(Outcome::Later(SOON)),
            Content::NotUtf8 => return self.turn_away(name, "it is not UTF-8 text"),
            Content::TooLarge => {
                return self.turn_away(name, &format!("it is larger than {} MiB", files::MAX_TASK >> 20));
            }
        };
        self.journal.begin_taking(Taking { file: name.to_owned(), digest: digest(&text) })?;
        step().await;
        let query = SubmitQuery {
            file: Some(name.to_owned()),
            repo: self.repo.clone(),
            keep_invalid: true,
            ..SubmitQuery::default()
        };
        match self.client.submit(&text, &query).await {
            Ok((job, true)) => self.adopt(&Card::from(&job), name, Some(stamp), report).await,
            Ok((job, false)) => {
                self.journal.end_taking();
                let note = notes::submitted_before(job.id.as_str());
                Ok(after(files::set_aside(&self.folder, &inbox.join(name), name, &note)?))
            }
            Err(problem) if is_an_answer(&problem) => {
                self.journal.end_taking();
                self.turn_away(name, &explained(&problem))
            }
            Err(problem) => Err(problem.into()),
        }
    }

    /// A file that cannot be submitted goes to `failed`, with the reason beside it.
    fn turn_away(&self, name: &str, why: &str) -> Result<Outcome, QueueError> {
        let path = self.folder.file(Bucket::Inbox, name);
        Ok(after(files::fail(&self.folder, &path, name, &notes::refused_at_the_door(why))?))
    }

    /// Makes a file of the inbox, already submitted, its job's own.
    async fn adopt(
        &mut self,
        card: &Card,
        name: &str,
        stamp: Option<Stamp>,
        report: &mut Report,
    ) -> Result<Outcome, QueueError> {
        step().await;
        if !is_safe(&card.file) {
            return Err(QueueError::UnsafeName { job: card.id.clone(), file: card.file.clone() });
        }
        report.taken_in.push(card.id.clone());
        let inbox = self.folder.bucket(Bucket::Inbox);
        files::remove_note(&inbox, &notes::note_name(name))?;
        if (card.bucket(), card.file.as_str()) != (Bucket::Inbox, name) {
            files::place_at_last(&self.folder, &inbox.join(name), card.bucket(), &card.file)?;
            step().await;
        }
        if card.file != name {
            let note = notes::renamed(name, card.id.as_str());
            files::explain(&self.folder.bucket(card.bucket()), &card.file, &note)?;
        }
        self.explain_if_malformed(card).await?;
        self.remember(card, stamp);
        self.journal.end_taking();
        Ok(Outcome::Changed)
    }

    /// Finds out what became of a submission that a crash interrupted.
    pub(super) async fn resume_taking(&mut self, cards: &[Card], report: &mut Report) -> Result<(), QueueError> {
        let Some(taking) = self.journal.taking().cloned() else { return Ok(()) };
        if self.folder.file(Bucket::Inbox, &taking.file).exists() {
            let known = |card: &&Card| self.journal.drawn().get(&card.file).is_some_and(|last| last.job == card.id);
            let unknown: Vec<&Card> = cards.iter().filter(|card| !known(card)).collect();
            for card in unknown.into_iter().rev() {
                if digest(&self.client.source(&card.id).await?) == taking.digest {
                    self.adopt(card, &taking.file, None, report).await?;
                    report.changes += 1;
                    return Ok(());
                }
            }
        }
        self.journal.end_taking();
        Ok(())
    }

    /// Asks for what a move means, and puts the file where the job is then.
    async fn request(
        &mut self,
        card: &Card,
        (from, to): (Bucket, Bucket),
        action: Action,
    ) -> Result<Outcome, QueueError> {
        let request = ActionRequest {
            reason: Some(format!("moved from {from} to {to} in the queue folder")),
            // A decision is about what the person saw; an end is an end, whatever the agent has done since.
            expect_rev: (action != Action::Cancel).then_some(card.rev),
            commit: None,
        };
        match self.acts.act(&card.id, action, &request).await {
            Ok(job) => {
                step().await;
                let now = Card::from(&job);
                let note = (now.bucket() != to).then(|| notes::led_elsewhere(&now, action, to, now.bucket()));
                let put = self.put(&now, to, note.as_deref()).await?;
                // On disk before anything else happens: an act that is not remembered could be asked for again.
                self.journal.save()?;
                Ok(put)
            }
            Err(problem) if !is_an_answer(&problem) => Err(problem.into()),
            Err(problem) => {
                let now = Card::from(&self.client.job(&card.id).await?);
                if now.rev != card.rev {
                    return Ok(Outcome::Later(SOON));
                }
                let note = notes::refused(card, from, to, Some(&problem.message));
                self.put(card, to, Some(&note)).await
            }
        }
    }

    /// Puts a job's file where the job is.
    async fn put(&mut self, card: &Card, from: Bucket, note: Option<&str>) -> Result<Outcome, QueueError> {
        let to = card.bucket();
        if let Some(note) = note {
            files::explain(&self.folder.bucket(to), &card.file, note)?;
            step().await;
        }
        if from != to {
            match files::place(&self.folder, &self.folder.file(from, &card.file), to, &card.file)? {
                Renamed::Done => step().await,
                Renamed::Gone | Renamed::Taken => return Ok(Outcome::Later(SOON)),
            }
        }
        self.explain_if_malformed(card).await?;
        let stamp = self.journal.drawn().get(&card.file).filter(|last| last.job == card.id).and_then(|last| last.stamp);
        self.remember(card, stamp);
        Ok(Outcome::Changed)
    }

    /// Writes a job's file from the store.
    pub(super) async fn draw(&mut self, card: &Card, note: Option<&str>) -> Result<Outcome, QueueError> {
        let source = self.client.source(&card.id).await?;
        if let Some(note) = note {
            files::explain(&self.folder.bucket(card.bucket()), &card.file, note)?;
        }
        let Some(stamp) = files::draw(&self.folder, card.bucket(), &card.file, &source)? else {
            return Ok(Outcome::Later(SOON));
        };
        step().await;
        self.explain_if_malformed(card).await?;
        self.remember(card, Some(stamp));
        Ok(Outcome::Changed)
    }

    /// Tells beside a job's file when it was written to: that has no effect.
    async fn inspect(&mut self, card: &Card, stamp: Stamp) -> Result<Outcome, QueueError> {
        let source = self.client.source(&card.id).await?;
        let bucket = card.bucket();
        let same = match files::read(&self.folder.file(bucket, &card.file))? {
            Content::Text(text, seen) if seen == stamp => text == source,
            Content::Text(..) | Content::Changed => return Ok(Outcome::Later(SOON)),
            Content::NotUtf8 | Content::TooLarge => false,
        };
        if !same {
            files::explain(&self.folder.bucket(bucket), &card.file, &notes::edited(card))?;
        }
        self.remember(card, Some(stamp));
        Ok(Outcome::Changed)
    }

    /// The mistakes of a malformed task, beside its file.
    async fn explain_if_malformed(&self, card: &Card) -> Result<(), QueueError> {
        if card.result != Some(JobResult::InvalidManifest) {
            return Ok(());
        }
        let source = self.client.source(&card.id).await?;
        let note = notes::malformed(&source, &card.file, card.message.as_deref());
        files::explain(&self.folder.bucket(card.bucket()), &card.file, &note)
    }

    fn remember(&mut self, card: &Card, stamp: Option<Stamp>) {
        self.journal.set(&card.file, Drawn { job: card.id.clone(), bucket: card.bucket(), stamp });
    }
}

const fn after(renamed: Renamed) -> Outcome {
    match renamed {
        Renamed::Done => Outcome::Changed,
        Renamed::Gone | Renamed::Taken => Outcome::Later(SOON),
    }
}

fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a problem is the store's answer to what was asked, not a failure to ask.
const fn is_an_answer(problem: &Problem) -> bool {
    match problem.code {
        ErrorCode::Unauthorized
        | ErrorCode::TokenExpired
        | ErrorCode::UpgradeRequired
        | ErrorCode::RateLimited
        | ErrorCode::Unavailable => false,
        ErrorCode::InvalidRequest
        | ErrorCode::InvalidEpoch
        | ErrorCode::DependencyCycle
        | ErrorCode::Forbidden
        | ErrorCode::NotFound
        | ErrorCode::Fenced
        | ErrorCode::Conflict
        | ErrorCode::IdempotencyConflict
        | ErrorCode::InvalidTransition
        | ErrorCode::TooLarge => true,
    }
}

/// A problem's message and every mistake that it lists.
fn explained(problem: &Problem) -> String {
    let mut text = problem.message.clone();
    for mistake in problem.details["errors"].as_array().into_iter().flatten() {
        let place = (mistake["line"].as_u64(), mistake["column"].as_u64());
        match (place, mistake["message"].as_str()) {
            ((Some(line), Some(column)), Some(message)) => text.push_str(&format!("\n{line}:{column}: {message}")),
            (_, Some(message)) => text.push_str(&format!("\n{message}")),
            (_, None) => {}
        }
    }
    text
}
