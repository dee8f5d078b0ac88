//! One job, from the claim to the report, or from wherever an earlier runner left it.
//!
//! Whatever way out is taken, the work is under a ref of the user's repository before the workspace goes, and the last
//! word is written down before anything is cleared away: a kill at any moment leaves enough to say it exactly once.

use std::sync::Arc;

use fleet_protocol::api::{Claimed, LogStream, PatchJob};
use tokio::sync::mpsc::UnboundedSender;

use super::{
    agent::Under,
    crew::SeatEnd,
    equip::{self, Equipped, Place},
    journal::{Journal, Moment},
    last_word::{Heard, LastWord},
    leases::Lease,
    mask::Mask,
    options::Options,
    orphans::end_runs,
    pump::{From, Target},
    pumps::{Carried, Pumps},
    record::{Record, Values},
    save::blocking,
    secret::to_mask,
    trouble::Trouble,
    turns::Turns,
};
use crate::{
    client::Client,
    engine::Definition,
    runtime::RuntimeError,
    shutdown::{Phase, Shutdown},
    workspace::{Workspace, WorkspaceError, remove},
};

/// A job and all that working on it takes.
pub(super) struct Seat {
    pub(super) claimed: Claimed,
    /// What an earlier runner wrote down of this very run, when this one goes on with it.
    pub(super) record: Option<Box<Record>>,
    pub(super) lease: Lease,
    pub(super) options: Arc<Options>,
    pub(super) client: Client,
    pub(super) shutdown: Shutdown,
    pub(super) activity: Option<UnboundedSender<String>>,
    pub(super) turns: Turns,
}

/// What is to be said about a run.
pub(super) enum Outcome {
    Say(LastWord),
    /// The job is not ours any more.
    Silence,
    /// Its processes run on; whoever comes next finds them and the workspace.
    HandedOver,
}

/// What a run works with.
struct Desk {
    place: Place,
    mask: Mask,
    journal: Journal,
    /// None until it is made.
    workspace: Option<Workspace>,
    pumps: Option<Pumps>,
}

impl Seat {
    /// Works on the job and reports. Nothing that happens in here ends the worker.
    pub(super) async fn work(self) -> SeatEnd {
        let id = self.claimed.job.id.clone();
        let _turn = self.turns.take(&id).await;
        let ended = match self.record.as_ref().and_then(|record| record.last_word.as_ref()) {
            Some(word) => self.repeat(word).await,
            None => match self.desk() {
                Ok(mut desk) => {
                    let outcome = self.outcome(&mut desk).await;
                    self.leave(desk, outcome).await
                }
                Err(trouble) => self.without_a_desk(trouble).await,
            },
        };
        tracing::debug!(job.id = %id, "the seat is free");
        ended
    }

    fn desk(&self) -> Result<Desk, Trouble> {
        let run = self.claimed.run.number;
        let place = Place::make(&self.options, self.claimed.job.id.as_str(), run)?;
        let wrong = |error| Trouble::io("open the journal in", &place.folder, &error);
        let begun = match &self.record {
            Some(record) => record.begun.clone(),
            None => Moment::now().map_err(wrong)?,
        };
        let mask = Mask::default();
        let journal = Journal::open(&place.folder, begun, &mask).map_err(wrong)?;
        let pumps = self.pumps(&place, &mask)?;
        Ok(Desk { place, mask, journal, workspace: None, pumps })
    }

    /// Carries what the run prints. None when the values to mask are gone, and with them the right to show anything.
    fn pumps(&self, place: &Place, mask: &Mask) -> Result<Option<Pumps>, RuntimeError> {
        let target = Target {
            job: self.claimed.job.id.clone(),
            lease_epoch: self.lease.epoch(),
            run: self.claimed.run.number,
            stream: LogStream::Stdout,
            most: self.options.max_stream,
            mask: mask.clone(),
        };
        let start = |from| Pumps::start(&self.client, &target, &place.folder, from);
        if self.record.is_none() {
            return Ok(Some(start(From::Beginning)));
        }
        Ok(Values::read(&place.folder)?.map(|values| {
            mask.set(&to_mask(&values.masked, &self.options));
            start(From::WhatArrived)
        }))
    }

    async fn outcome(&self, desk: &mut Desk) -> Result<Outcome, Trouble> {
        match &self.record {
            None => self.begun(desk).await,
            Some(record) => self.taken_up(record, desk).await,
        }
    }

    /// A run from its claim on.
    async fn begun(&self, desk: &mut Desk) -> Result<Outcome, Trouble> {
        let engine = equip::engine(&self.options, &self.claimed.manifest)?;
        let secrets = equip::secrets(&self.options, &self.claimed.manifest).await?;
        if let Some(outcome) = self.too_late() {
            return Ok(outcome);
        }
        let equipped = equip::workspace(&self.options, &self.claimed, &mut desk.journal).await?;
        desk.workspace = Some(equipped.workspace.clone());
        let under = Under {
            seat: self,
            place: &desk.place,
            engine,
            output: engine.output,
            equipped: &equipped,
            secrets: Some(&secrets),
            mask: &desk.mask,
            provision_ms: desk.journal.elapsed_ms(),
        };
        under.started(&mut desk.journal).await
    }

    /// A run that another runner began: from wherever that one left it.
    async fn taken_up(&self, record: &Record, desk: &mut Desk) -> Result<Outcome, Trouble> {
        let workspace = self.workspace().await?;
        desk.workspace = Some(workspace.clone());
        desk.journal.note("another runner goes on with the run");
        // The engine may be configured otherwise by now, or not at all; what runs does not change by that.
        let bare = Definition::named(&record.engine);
        let under = Under {
            seat: self,
            place: &desk.place,
            engine: self.options.engines.get(&record.engine).unwrap_or(&bare),
            output: record.output,
            equipped: &Equipped { workspace, ground: record.ground.clone() },
            secrets: None,
            mask: &desk.mask,
            provision_ms: record.provision_ms,
        };
        under.agent(Some(&record.launch), &mut desk.journal).await
    }

    async fn workspace(&self) -> Result<Workspace, WorkspaceError> {
        let dir = self.options.workspace(self.claimed.job.id.as_str());
        blocking(move || Workspace::open(&dir)).await
    }

    /// A job whose agent was not started before the worker was asked to end goes back.
    pub(super) fn too_late(&self) -> Option<Outcome> {
        let back = || Outcome::Say(self.hand_back("the runner was asked to end before the agent started", None, None));
        (self.shutdown.phase() != Phase::Running).then(back)
    }

    /// Writes down what is to be said, and says it.
    async fn leave(&self, desk: Desk, outcome: Result<Outcome, Trouble>) -> SeatEnd {
        let outcome = outcome.map_err(|trouble| trouble.masked(&desk.mask));
        match self.told(outcome).await {
            // Dropped with the desk, the pumps leave the rest of the output to whoever comes next.
            Told::Left(end) => end,
            Told::Over(word, end) => {
                let word = word.map(|word| word.masked(&desk.mask));
                if let Some(word) = &word {
                    word.write_down(&desk.place.folder);
                }
                self.close(&desk.place, (desk.workspace, desk.pumps), word.as_ref()).await;
                end
            }
        }
    }

    /// Says what an earlier runner found out and did not get to say.
    async fn repeat(&self, word: &LastWord) -> SeatEnd {
        let place = Place::at(&self.options, self.claimed.job.id.as_str(), self.claimed.run.number);
        let workspace = self.workspace().await.ok();
        let pumps = self.pumps(&place, &Mask::default()).ok().flatten();
        self.close(&place, (workspace, pumps), Some(word)).await;
        SeatEnd::Done
    }

    /// Clears everything away and says the last word, in an order in which a kill loses nothing.
    async fn close(&self, place: &Place, left: (Option<Workspace>, Option<Pumps>), word: Option<&LastWord>) {
        let (workspace, pumps) = left;
        if let Some(workspace) = workspace {
            self.clear(workspace).await;
        }
        // The log is whole before anybody can see how the run ended.
        let carried = match pumps {
            Some(pumps) => pumps.finish().await,
            None => Carried::Part,
        };
        place.tidy(carried, &self.options).await;
        let heard = match word {
            Some(word) => self.say(word).await,
            None => Heard::Yes,
        };
        if heard == Heard::Yes
            && let Err(error) = Record::remove(&place.folder)
        {
            tracing::warn!(folder = %place.folder.display(), %error, "a run's record could not be removed");
        }
    }

    /// What is to be said about an outcome, and what it means for the loop.
    async fn told(&self, outcome: Result<Outcome, Trouble>) -> Told {
        let id = &self.claimed.job.id;
        let trouble = match outcome {
            Ok(Outcome::HandedOver) => return Told::Left(SeatEnd::Done),
            Ok(Outcome::Say(word)) => return Told::Over(Some(word), SeatEnd::Done),
            Ok(Outcome::Silence) => return Told::Over(None, SeatEnd::Done),
            Err(trouble) => trouble,
        };
        // Nobody watches what the run started any more, and the workspace is about to go.
        if let Err(why) = end_runs(&self.options, id, self.claimed.run.number).await {
            tracing::error!(job.id = %id, error = %trouble, why, "a run is in trouble and its processes cannot be ended");
            return Told::Left(SeatEnd::Trouble(why));
        }
        match trouble {
            Trouble::Job(failing) => {
                tracing::info!(job.id = %id, result = %failing.result, "a job failed before its agent could work");
                let patch =
                    PatchJob { result: Some(failing.result), message: Some(failing.message), ..PatchJob::default() };
                Told::Over(Some(self.report(patch)), SeatEnd::Done)
            }
            Trouble::Machine(why) => {
                tracing::error!(job.id = %id, error = %why, "this machine is in the way; the job goes back");
                Told::Over(Some(self.hand_back(&why, None, None)), SeatEnd::Trouble(why))
            }
            Trouble::Refused(problem) => {
                tracing::warn!(job.id = %id, error = %problem, "a report was refused; the run is not ours any more");
                Told::Over(None, SeatEnd::Done)
            }
        }
    }

    /// Not even the run's folder can be used.
    async fn without_a_desk(&self, trouble: Trouble) -> SeatEnd {
        match self.told(Err(trouble)).await {
            Told::Left(end) => end,
            Told::Over(word, end) => {
                if let Some(word) = &word {
                    self.say(word).await;
                }
                end
            }
        }
    }

    async fn clear(&self, workspace: Workspace) {
        match blocking(move || remove(workspace)).await {
            Ok(trash) => {
                // The files are out of the way; deleting them takes a while and nobody waits for it.
                drop(tokio::task::spawn_blocking(move || trash.delete()));
            }
            Err(error) => tracing::warn!(job.id = %self.claimed.job.id, %error, "the workspace stays"),
        }
    }
}

enum Told {
    /// Nothing is said, nothing cleared.
    Left(SeatEnd),
    Over(Option<LastWord>, SeatEnd),
}
