//! The pumps of one run: each of its output files goes to its stream, while it grows and to its end.

use std::{path::Path, time::Duration};

use fleet_protocol::{ErrorCode, api::LogStream};
use tokio::{
    sync::watch,
    task::{JoinError, JoinSet},
    time::{sleep, timeout},
};
use tracing::Instrument;

use super::{
    journal::Journal,
    pump::{From, Pump, PumpError, Tail, Target},
};
use crate::{client::Client, runtime::Watch};

/// How long a pump that was refused waits before it tries again.
const RETRY: Duration = Duration::from_secs(1);
/// How long the ends of the streams may take to be taken in once a run is over.
const LAST_CALL: Duration = Duration::from_secs(30);

/// Running pumps.
pub(super) struct Pumps {
    tasks: JoinSet<Result<Carried, PumpError>>,
    over: watch::Sender<bool>,
}

/// How much of the output has arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carried {
    /// All of it; what lies in the run's folder is a copy.
    Whole,
    /// What did not stays in the run's folder.
    Part,
}

/// A file of the run's folder, and the stream that it goes to.
pub(super) const FILES: [(&str, LogStream); 4] = [
    ("stdout", LogStream::Stdout),
    ("stderr", LogStream::Stderr),
    ("verify.log", LogStream::Verify),
    (Journal::NAME, LogStream::Worker),
];
/// Those that hold what others print, secrets included. What the worker notes is masked before.
pub(super) const RAW: [&str; 3] = [FILES[0].0, FILES[1].0, FILES[2].0];

impl Pumps {
    /// Starts a pump for each file of `folder` that the run writes or may write. `target`'s stream is replaced by each
    /// file's own.
    /// Dropped, they end at once, and the rest is for whoever starts them next.
    pub(super) fn start(client: &Client, target: &Target, folder: &Path, from: From) -> Self {
        let (over, _) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let hints = Watch::on(folder);
        for (file, stream) in FILES {
            let pump = Pump::new(client.clone(), Target { stream, ..target.clone() }, folder.join(file), from);
            tasks.spawn(carry(pump, hints.clone(), over.subscribe()).in_current_span());
        }
        Self { tasks, over }
    }

    /// The run is over: sends what is left and ends. What could not be sent stays in the run's folder.
    pub(super) async fn finish(mut self) -> Carried {
        self.over.send_replace(true);
        let all = async {
            let mut carried = Carried::Whole;
            while let Some(ended) = self.tasks.join_next().await {
                if outcome(ended) == Carried::Part {
                    carried = Carried::Part;
                }
            }
            carried
        };
        timeout(LAST_CALL, all).await.unwrap_or_else(|_| {
            tracing::warn!("a run's last output was not taken in; it is kept in the run's folder");
            Carried::Part
        })
    }
}

fn outcome(ended: Result<Result<Carried, PumpError>, JoinError>) -> Carried {
    match ended {
        Ok(Ok(carried)) => return carried,
        Ok(Err(error)) => tracing::warn!(%error, "a run's output could not be sent; it is kept in the run's folder"),
        Err(error) => tracing::error!(%error, "a pump broke"),
    }
    Carried::Part
}

async fn carry(mut pump: Pump, mut hints: Watch, over: watch::Receiver<bool>) -> Result<Carried, PumpError> {
    loop {
        // Read before draining: what was written before the end was told is then drained below.
        let is_over = *over.borrow();
        match pump.drain(if is_over { Tail::Closed } else { Tail::Open }).await {
            Ok(_) if is_over => return Ok(Carried::Whole),
            Ok(_) => {}
            Err(PumpError::Refused(problem)) if problem.code == ErrorCode::Unavailable => sleep(RETRY).await,
            // The lease is gone: the output stays here, with the rest of the run.
            Err(PumpError::Refused(problem)) if problem.code == ErrorCode::Fenced => return Ok(Carried::Part),
            Err(error) => return Err(error),
        }
        let mut over = over.clone();
        tokio::select! {
            () = hints.changed() => {}
            _ = over.wait_for(|over| *over), if !is_over => {}
        }
    }
}
