//! What became of one job of the demo: the stages that each of its runs led it through, and why.

use fleet_protocol::{
    Event, EventType, Job, Problem, Run, Stage,
    api::{LogStream, LogsQuery},
};

use crate::client::Client;

/// A job of the demo with its runs, in order.
pub(crate) struct Story {
    pub(crate) job: Job,
    pub(crate) chapters: Vec<Chapter>,
}

/// One run.
pub(crate) struct Chapter {
    pub(crate) run: Run,
    /// The stages from the queue to where the run left the job.
    pub(crate) stages: Vec<Stage>,
    /// Where it failed: the last line that its verify command printed.
    pub(crate) complaint: Option<String>,
}

impl Story {
    /// Whether it ended as a job should: proven, or waiting for a person.
    pub(crate) const fn ended_well(&self) -> bool {
        matches!(self.job.stage, Stage::Testing | Stage::Review)
    }

    /// Collects what the coordinator knows of the job.
    pub(super) async fn of(job: Job, client: &Client) -> Result<Self, Problem> {
        let paths = paths(&client.all_events(&job.id, 0).await?);
        let mut chapters = Vec::new();
        for (run, stages) in client.all_runs(&job.id, None).await?.into_iter().zip(paths) {
            let failed = run.result.is_some_and(|result| !result.is_success());
            let complaint = if failed { last_words(&run, client).await? } else { None };
            chapters.push(Chapter { run, stages, complaint });
        }
        Ok(Self { job, chapters })
    }
}

/// The stages that each run led through: a claim begins a new path.
fn paths(events: &[Event]) -> Vec<Vec<Stage>> {
    let mut paths: Vec<Vec<Stage>> = Vec::new();
    for event in events {
        let (Some(from), Some(to)) = (event.stage_from, event.stage_to) else { continue };
        if event.event_type == EventType::Claimed {
            paths.push(vec![from]);
        }
        if let Some(path) = paths.last_mut().filter(|_| from != to) {
            path.push(to);
        }
    }
    paths
}

async fn last_words(run: &Run, client: &Client) -> Result<Option<String>, Problem> {
    let query = LogsQuery { run: Some(run.number), stream: Some(LogStream::Verify), ..LogsQuery::default() };
    let printed = client.logs(&run.job_id, &query).await?.data;
    Ok(printed.lines().rfind(|line| !line.trim().is_empty()).map(str::to_owned))
}
