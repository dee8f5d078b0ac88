//! Watches over one agent and ends its tree.
//!
//! Everything is decided by looking: after each wake-up (a child's end, a signal, an order, a deadline) ended processes
//! are collected, limits compared, and the tree looked at. It is over when the shim has no children, nothing elsewhere
//! carries the launch token, and so no process of the run exists.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use tokio::{
    signal::unix::{Signal as Incoming, SignalKind, signal},
    time::sleep_until,
};

use super::{
    agent::{Agent, Ended, Reaped},
    clocks::Clocks,
    entry::complain,
    listen::Calls,
    meter::{Meter, Total},
    silence::Silence,
};
use crate::runtime::{
    Exceeded, Reason, RuntimeError, Spec, StartFailure, State, Status,
    control::{Answer, Order},
    identity::Identity,
    tree::Tree,
};

/// What an agent leaves behind after its own end has this long to follow.
const LEFTOVER_GRACE: Duration = Duration::from_secs(1);
/// After this long by force, what is left counts as a survivor.
const FORCE_LIMIT: Duration = Duration::from_secs(30);
/// While the tree is ending it is looked at this often at first, then ever less often up to `SLOWEST_LOOK`: the end of a
/// process that is no child of the shim wakes nobody.
const FIRST_LOOK: Duration = Duration::from_millis(5);
const SLOWEST_LOOK: Duration = Duration::from_millis(100);
/// What came of the run.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) reason: Reason,
    pub(super) failure: Option<StartFailure>,
    pub(super) exit_code: Option<i32>,
    pub(super) signal: Option<i32>,
    pub(super) leftovers: u32,
    pub(super) forced: u32,
    pub(super) survivors: u32,
    pub(super) exceeded: Option<Exceeded>,
    /// None when nothing ran.
    pub(super) usage: Option<Total>,
}

impl Outcome {
    fn of(reason: Reason) -> Self {
        Self {
            reason,
            failure: None,
            exit_code: None,
            signal: None,
            leftovers: 0,
            forced: 0,
            survivors: 0,
            exceeded: None,
            usage: None,
        }
    }

    pub(super) fn not_started(failure: StartFailure) -> Self {
        Self { failure: Some(failure), ..Self::of(Reason::FailedToStart) }
    }
}

/// The tree is being ended.
#[derive(Debug)]
struct Ending {
    kill_at: Instant,
    look_after: Duration,
}

/// The signals that the shim acts on. They are caught, not ignored or blocked: either would be passed on to the agent.
pub(super) struct Signals {
    child: Incoming,
    terminate: Incoming,
    interrupt: Incoming,
    /// Only so that they neither end the shim nor, where whoever started us ignores them, stay ignored in the agent.
    _others: Vec<Incoming>,
}

/// Signals that a shell or a service manager may have left ignored.
const OTHERS: [fn() -> SignalKind; 5] =
    [SignalKind::hangup, SignalKind::quit, SignalKind::pipe, SignalKind::user_defined1, SignalKind::user_defined2];

impl Signals {
    pub(super) fn catch() -> Result<Self, RuntimeError> {
        let catch = |kind| signal(kind).map_err(RuntimeError::system("catch signals"));
        Ok(Self {
            child: catch(SignalKind::child())?,
            terminate: catch(SignalKind::terminate())?,
            interrupt: catch(SignalKind::interrupt())?,
            _others: OTHERS.iter().map(|kind| catch(kind())).collect::<Result<_, _>>()?,
        })
    }
}

/// One agent under watch.
pub(super) struct Supervisor {
    spec: Spec,
    agent: Agent,
    tree: Tree,
    clocks: Clocks,
    meter: Meter,
    silence: Silence,
    ending: Option<Ending>,
    forced: HashSet<(i32, u64)>,
    outcome: Outcome,
}

impl Supervisor {
    pub(super) fn new(spec: Spec, agent: Agent, shim: &Identity, meter: Meter) -> Self {
        let now = Instant::now();
        Self {
            clocks: Clocks::new(spec.limits.clone(), now),
            silence: Silence::new(&spec, now),
            tree: Tree::below(shim, meter.group().cloned()),
            meter,
            spec,
            agent,
            ending: None,
            forced: HashSet::new(),
            outcome: Outcome::of(Reason::Exited),
        }
    }

    /// Returns when no process of the run is left.
    pub(super) async fn run(mut self, mut signals: Signals, calls: &mut Calls) -> Outcome {
        while !self.look(Instant::now()) {
            let wake = self.wake_at(Instant::now());
            tokio::select! {
                biased;
                _ = signals.child.recv() => {}
                _ = signals.terminate.recv() => self.end(Reason::Stopped, self.grace(None), Instant::now()),
                _ = signals.interrupt.recv() => self.end(Reason::Stopped, self.grace(None), Instant::now()),
                Some(call) = calls.next() => {
                    let answer = self.obey(call.order, Instant::now());
                    // A caller that has left needs no answer; what it ordered stands.
                    drop(call.answer.send(answer));
                }
                () = sleep_until(wake.into()) => {}
            }
        }
        self.outcome.usage = Some(self.meter.total());
        self.outcome
    }

    /// Takes in what has happened and does what is due. True when it is over.
    fn look(&mut self, now: Instant) -> bool {
        let reaped = self.agent.reap().unwrap_or_else(|error| {
            complain(&error);
            Reaped::default()
        });
        // Later its pid may come again, as that of an orphan.
        let first = self.outcome.exit_code.is_none() && self.outcome.signal.is_none();
        if let Some(ended) = reaped.agent.filter(|_| first) {
            self.agent_ended(ended, now);
        }
        if self.ending.is_none()
            && let Some(reason) = self.clocks.due(now).or_else(|| self.watched(now))
        {
            self.end(reason, self.grace(None), now);
        }
        self.ending.is_some() && self.press(now, reaped.childless)
    }

    /// Looks at what the run uses and says, when that is due. A reason when it may not go on.
    fn watched(&mut self, now: Instant) -> Option<Reason> {
        if self.clocks.is_paused() {
            self.silence.rest(now);
        } else if self.silence.is_over(now) {
            return Some(Reason::Stalled);
        }
        let sampled = self.meter.due(now).then(|| self.tree.members())?;
        match sampled {
            Ok(members) => self.exceeded(|meter| meter.sample(&members, now)),
            Err(error) => {
                complain(&error);
                self.meter.put_off(now);
                None
            }
        }
    }

    fn exceeded(&mut self, look: impl FnOnce(&mut Meter) -> Option<Exceeded>) -> Option<Reason> {
        self.outcome.exceeded = look(&mut self.meter);
        self.outcome.exceeded.map(|_| Reason::ResourceExceeded)
    }

    fn agent_ended(&mut self, ended: Ended, now: Instant) {
        match ended {
            Ended::Code(code) => self.outcome.exit_code = Some(code),
            Ended::Signal(number) => self.outcome.signal = Some(number),
        }
        self.outcome.leftovers = self.tree.members().map_or_else(
            |error| {
                complain(&error);
                0
            },
            |left| count(left.len()),
        );
        if self.ending.is_none() {
            // The kernel may have been faster than our look.
            let reason = self.exceeded(|meter| meter.out_of_memory()).unwrap_or(Reason::Exited);
            self.end(reason, LEFTOVER_GRACE, now);
        }
    }

    /// Begins to end the tree. If that has begun, the first reason stays and the grace can only become shorter.
    fn end(&mut self, reason: Reason, grace: Duration, now: Instant) {
        let kill_at = now + grace;
        if let Some(ending) = &mut self.ending {
            ending.kill_at = ending.kill_at.min(kill_at);
            return;
        }
        self.outcome.reason = reason;
        self.ending = Some(Ending { kill_at, look_after: FIRST_LOOK });
        self.clocks.resume(now);
        if let Err(error) = self.tree.ask_to_end() {
            complain(&error);
        }
    }

    /// Looks whether the tree is gone, and forces it when its grace is over.
    fn press(&mut self, now: Instant, childless: bool) -> bool {
        let Some(ending) = &mut self.ending else { return false };
        ending.look_after = (ending.look_after * 2).min(SLOWEST_LOOK);
        let left = match self.tree.members() {
            Ok(left) if left.is_empty() && childless => return true,
            Ok(left) => left,
            Err(error) => {
                complain(&error);
                Vec::new()
            }
        };
        if now < ending.kill_at {
            return false;
        }
        if let Err(error) = self.tree.kill() {
            complain(&error);
        }
        self.forced.extend(left.iter().map(|process| (process.pid, process.started)));
        self.outcome.forced = count(self.forced.len());
        let exhausted = now >= ending.kill_at + FORCE_LIMIT;
        if exhausted {
            self.outcome.survivors = count(left.len());
        }
        exhausted
    }

    fn obey(&mut self, order: Order, now: Instant) -> Answer {
        self.clocks.hear(now);
        match order {
            Order::Hello | Order::Status => {}
            Order::Stop { reason, grace_ms } => self.end(reason.into(), self.grace(grace_ms), now),
            Order::Kill => self.end(Reason::Stopped, Duration::ZERO, now),
            Order::Pause | Order::Resume if self.ending.is_some() => {
                return Answer::Refused("the run is ending".to_owned());
            }
            Order::Pause => {
                if let Err(error) = self.tree.freeze() {
                    // Half a pause would be none, with a clock that stands still.
                    drop(self.tree.thaw());
                    return Answer::Refused(format!("not all of it could be stopped: {error}"));
                }
                self.clocks.pause(now);
            }
            Order::Resume => {
                self.clocks.resume(now);
                if let Err(error) = self.tree.thaw() {
                    return Answer::Refused(format!("not all of it could be woken: {error}"));
                }
            }
        }
        Answer::Status(self.status(now))
    }

    fn status(&self, now: Instant) -> Status {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Status {
            label: self.spec.label.clone(),
            state: match self.ending {
                Some(_) => State::Ending,
                None if self.clocks.is_paused() => State::Paused,
                None => State::Working,
            },
            agent_pid: self.agent.pid(),
            elapsed_ms: millis(self.clocks.elapsed(now)),
            worked_ms: millis(self.clocks.worked(now)),
        }
    }

    fn wake_at(&self, now: Instant) -> Instant {
        match &self.ending {
            None => {
                let next = [self.clocks.next(now), self.silence.next()].into_iter().flatten().min();
                next.map_or(self.meter.next(), |next| next.min(self.meter.next()))
            }
            Some(ending) if now < ending.kill_at => ending.kill_at.min(now + ending.look_after),
            Some(ending) => now + ending.look_after,
        }
    }

    fn grace(&self, asked_ms: Option<u64>) -> Duration {
        Duration::from_millis(asked_ms.unwrap_or(self.spec.limits.grace_ms))
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
