//! Two-phase shutdown: the first request drains, the second stops; handing over leaves agents under their shims.
//!
//! Signals only move the phase; whoever works looks at it. One-shot verbs keep the system's default handling.

use std::io;

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
    task::JoinHandle,
};

/// How urgently the program should end; later phases are more urgent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Running,
    /// Claim nothing new; end agents gracefully, save, hand jobs back, exit.
    Drain,
    /// Exit at once and leave the agents running for the next worker.
    HandOver,
    /// Exit at once.
    Stop,
}

/// What can be asked for from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    /// SIGTERM, SIGINT, SIGHUP.
    End,
    /// SIGUSR1.
    HandOver,
}

impl Phase {
    const fn after(self, request: Request) -> Self {
        match (self, request) {
            (Self::Running, Request::End) => Self::Drain,
            (Self::Drain | Self::HandOver | Self::Stop, Request::End) | (Self::Stop, Request::HandOver) => Self::Stop,
            (Self::Running | Self::Drain | Self::HandOver, Request::HandOver) => Self::HandOver,
        }
    }
}

/// The phase, to look at and to wait for. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Shutdown(watch::Receiver<Phase>);

/// Moves the phase.
#[derive(Debug, Clone)]
pub(crate) struct Trigger(watch::Sender<Phase>);

impl Trigger {
    pub(crate) fn request(&self, request: Request) {
        self.0.send_modify(|phase| *phase = phase.after(request));
    }
}

impl Shutdown {
    /// A shutdown that only the trigger asks for.
    pub(crate) fn new() -> (Trigger, Self) {
        let (sender, receiver) = watch::channel(Phase::Running);
        (Trigger(sender), Self(receiver))
    }

    pub(crate) fn phase(&self) -> Phase {
        *self.0.borrow()
    }

    /// Waits until the phase is at least this urgent. Never ends when nobody can ask any more.
    pub(crate) async fn at_least(&self, phase: Phase) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|now| *now >= phase).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Listens to signals for as long as it lives.
#[derive(Debug)]
pub(crate) struct SignalListener {
    task: JoinHandle<()>,
}

impl SignalListener {
    /// Takes SIGTERM, SIGINT, SIGHUP and SIGUSR1 over. Must be called inside a runtime.
    pub(crate) fn start() -> io::Result<(Self, Shutdown)> {
        let (trigger, shutdown) = Shutdown::new();
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hangup = signal(SignalKind::hangup())?;
        let mut hand_over = signal(SignalKind::user_defined1())?;
        let task = tokio::spawn(async move {
            let mut asked = false;
            loop {
                let request = tokio::select! {
                    Some(()) = terminate.recv() => Request::End,
                    Some(()) = interrupt.recv() => Request::End,
                    Some(()) = hangup.recv() => Request::End,
                    Some(()) = hand_over.recv() => Request::HandOver,
                    else => return,
                };
                trigger.request(request);
                tracing::info!(?request, "{}", answer(request, asked));
                asked = true;
            }
        });
        Ok((Self { task }, shutdown))
    }
}

/// What the person at the keyboard has to know.
const fn answer(request: Request, again: bool) -> &'static str {
    match (request, again) {
        (Request::End, false) => {
            "asked to end: saving the agents' work and queueing their jobs; once more ends at once"
        }
        (Request::End, true) => "ending at once; the next runner goes on from here",
        (Request::HandOver, _) => "handing over: the agents go on for the next runner",
    }
}

impl Drop for SignalListener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_request_drains_and_the_second_stops() {
        let (trigger, shutdown) = Shutdown::new();
        assert_eq!(shutdown.phase(), Phase::Running);
        for expected in [Phase::Drain, Phase::Stop, Phase::Stop] {
            trigger.request(Request::End);
            assert_eq!(shutdown.phase(), expected);
        }
    }

    #[test]
    fn handing_over_interrupts_a_drain_but_not_a_stop() {
        let (trigger, shutdown) = Shutdown::new();
        trigger.request(Request::End);
        trigger.request(Request::HandOver);
        assert_eq!(shutdown.phase(), Phase::HandOver);
        trigger.request(Request::End);
        assert_eq!(shutdown.phase(), Phase::Stop);
        trigger.request(Request::HandOver);
        assert_eq!(shutdown.phase(), Phase::Stop);
    }

    #[tokio::test]
    async fn waiting_ends_at_the_phase_or_beyond() {
        let (trigger, shutdown) = Shutdown::new();
        let waiting = tokio::spawn({
            let shutdown = shutdown.clone();
            async move { shutdown.at_least(Phase::Drain).await }
        });
        trigger.request(Request::HandOver);
        waiting.await.expect("the wait ends");
    }

    #[tokio::test]
    async fn real_signals_move_the_phase() {
        let (_listener, shutdown) = SignalListener::start().expect("signals can be taken over");
        let this = nix::unistd::Pid::this();
        nix::sys::signal::kill(this, nix::sys::signal::Signal::SIGHUP).expect("a signal to ourselves");
        shutdown.at_least(Phase::Drain).await;
        nix::sys::signal::kill(this, nix::sys::signal::Signal::SIGTERM).expect("a signal to ourselves");
        shutdown.at_least(Phase::Stop).await;
    }
}
