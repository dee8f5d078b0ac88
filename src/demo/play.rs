//! The demo's course: make the repository, submit, watch, and collect what came of it.

use std::{path::PathBuf, process::Stdio};

use fleet_protocol::{
    Job, Problem,
    api::{JobsQuery, QueueStateQuery, SubmitQuery},
};
use tokio::process::{Child, Command};

use super::{
    board::Board,
    project::{self, ProjectError},
    story::Story,
};
use crate::client::Client;

/// What the demo is played with.
pub(crate) struct Demo {
    pub(crate) engine: String,
    /// Where its repository lies; made by [`Demo::prepare`].
    pub(crate) folder: PathBuf,
    /// This program.
    pub(crate) exe: PathBuf,
    pub(crate) watching: Watching,
}

/// Whether somebody wants to see the jobs move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Watching {
    Yes,
    No,
}

/// Why a demo could not be played.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    #[error(transparent)]
    Project(#[from] ProjectError),
    #[error("cannot run {}", exe.display())]
    Run { exe: PathBuf, source: std::io::Error },
    #[error("{0}")]
    Refused(#[from] Problem),
}

/// How long the board waits for news before it looks by itself.
const LOOK_MS: u64 = 1_000;

impl Demo {
    /// Makes the repository.
    pub(crate) fn prepare(&self) -> Result<(), DemoError> {
        Ok(project::create(&self.folder)?)
    }
}

/// Plays it; what became of each job, in the order in which they were submitted.
pub(crate) async fn play(demo: &Demo, client: &Client) -> Result<Vec<Story>, DemoError> {
    for (file, text) in project::tasks(&demo.engine) {
        let query = SubmitQuery {
            file: Some(file.to_owned()),
            repo: Some(demo.folder.display().to_string()),
            ..SubmitQuery::default()
        };
        client.submit(&text, &query).await?;
    }
    let mut stories = Vec::new();
    for job in watch(client, &mut start(demo)?, Board::new(demo.watching)).await? {
        stories.push(Story::of(job, client).await?);
    }
    Ok(stories)
}

fn start(demo: &Demo) -> Result<Child, DemoError> {
    let wrong = |source| DemoError::Run { exe: demo.exe.clone(), source };
    let mut command = Command::new(&demo.exe);
    command
        .args(["run", "--once", "--quiet"])
        .current_dir(&demo.folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true);
    command.spawn().map_err(wrong)
}

/// Shows the board until the runner has ended; the jobs as they are then.
async fn watch(client: &Client, runner: &mut Child, mut board: Board) -> Result<Vec<Job>, Problem> {
    let mut version = 0;
    let mut over = false;
    loop {
        version = client.queue_state(&QueueStateQuery { after: None, wait_ms: None }).await?.max(version);
        let jobs = client.all_jobs(&JobsQuery::default()).await?;
        board.show(&jobs);
        if over {
            board.close();
            return Ok(jobs);
        }
        let news = QueueStateQuery { after: Some(version), wait_ms: Some(LOOK_MS) };
        tokio::select! {
            changed = client.queue_state(&news) => { changed?; }
            // Once more after its end, so that the last change is on the board. A runner that failed is seen by its jobs.
            _ended = runner.wait() => over = true,
        }
    }
}
