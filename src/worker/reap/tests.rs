//! The reaper at a real repository and a coordinator in memory: whose a workspace is decides whether it goes.

use std::{collections::BTreeMap, fs, path::PathBuf, sync::Arc, time::Duration};

use fleet_coordinator::{Coordinator, SystemClock};
use fleet_protocol::{
    Action, JobId,
    api::{ActionRequest, SubmitQuery},
};

use super::{Mode, Reach, Reaped, Reaper};
use crate::{
    client::Client,
    confinement::Level,
    engine::Catalogue,
    runtime::{Ceilings, Grouping},
    shutdown::Shutdown,
    worker::{Bounds, Orphaned, confine::Confinement, options::Options, orphans::take_back, turns::Turns},
    workspace::{
        Limits, Workspace,
        tests::fixture::{User, write},
    },
};

struct Place {
    user: User,
    client: Client,
    options: Arc<Options>,
}

impl Place {
    fn new() -> Self {
        let user = User::new();
        let state = user.root.path().join("state");
        fs::create_dir_all(state.join("work")).unwrap();
        let randomness = Arc::new(|| getrandom::u64().unwrap());
        let clock = Arc::new(SystemClock);
        let coordinator =
            Coordinator::in_memory(&state, fleet_coordinator::Options::default(), clock, randomness).unwrap();
        let client = Client::embedded(coordinator.router(), "default", "operator:ann");
        let options = Arc::new(Options {
            factory: "local".to_owned(),
            seats: 1,
            capabilities: Vec::new(),
            engines: Catalogue::builtin(),
            default_engine: None,
            state,
            exe: PathBuf::from("/nowhere"),
            environment: BTreeMap::new(),
            secrets: BTreeMap::new(),
            checkpoint: Duration::from_secs(60),
            wall: Duration::from_secs(60),
            grace: Duration::from_secs(1),
            limits: Limits { number: 20, disk: 1 << 30, min_free: 0 },
            max_stream: 1 << 20,
            committer: None,
            bounds: Bounds {
                start: Duration::from_secs(60),
                silence: None,
                health: Duration::from_secs(30),
                ceilings: Ceilings::default(),
                grouping: Grouping::Off,
            },
            yolo: Some(false),
            confinement: Confinement {
                level: Level::Unconfined("a test".to_owned()),
                read: Vec::new(),
                write: Vec::new(),
                kept: Vec::new(),
            },
        });
        Self { user, client, options }
    }

    /// A job that the coordinator knows.
    async fn job(&self, name: &str) -> JobId {
        self.client.submit(&format!("# {name}"), &SubmitQuery::default()).await.unwrap().0.id
    }

    /// A workspace of this job with unsaved work in it.
    fn workspace(&self, job: &JobId) -> Workspace {
        let mut wanted = self.user.wanted(1);
        wanted.dir = self.options.workspace(job.as_str());
        wanted.branch = format!("fleet/{job}-x");
        wanted.job = job.clone();
        let workspace = self.user.try_prepare(wanted).unwrap();
        write(&workspace.tree(), &[("unsaved", "1\n")]);
        workspace
    }

    fn reaper(&self, reach: Reach) -> Reaper {
        Reaper::new(self.options.clone(), self.client.clone(), reach)
    }

    fn saved(&self, job: &JobId) -> bool {
        !self.user.git(["for-each-ref", &format!("refs/fleet/wip/{job}")]).is_empty()
    }
}

fn fates(reaped: &[Reaped]) -> Vec<bool> {
    reaped.iter().map(|it| it.goes).collect()
}

#[tokio::test]
async fn a_workspace_that_nobody_is_at_goes_and_its_work_is_saved() {
    let place = Place::new();
    let jobs = [place.job("known").await, JobId::from_random(7)];
    let dirs = jobs.each_ref().map(|job| place.workspace(job).dir().to_owned());
    let reaper = place.reaper(Reach::Everything);
    let said = reaper.workspaces(Mode::DryRun).await.unwrap();
    assert_eq!(fates(&said), [true, true], "{said:?}");
    assert!(dirs.iter().all(|dir| dir.exists()) && !place.saved(&jobs[0]), "saying changes nothing");
    assert_eq!(reaper.workspaces(Mode::Remove).await.unwrap(), said, "what is done is what was said");
    assert!(dirs.iter().all(|dir| !dir.exists()) && jobs.iter().all(|job| place.saved(job)));
    assert_eq!(reaper.workspaces(Mode::Remove).await.unwrap(), []);
}

/// A job that was cancelled is held by nobody, and yet its agent may be at work for some seconds more.
#[tokio::test]
async fn a_workspace_stays_while_a_run_of_this_process_is_at_it_whatever_the_coordinator_says() {
    let place = Place::new();
    let job = place.job("cancelled").await;
    let dir = place.workspace(&job).dir().to_owned();
    place.client.act(&job, Action::Cancel, &ActionRequest::default()).await.unwrap();
    let turns = Turns::default();
    let (_trigger, shutdown) = Shutdown::new();
    let reaper = Reaper::beside(place.options.clone(), place.client.clone(), turns.clone(), shutdown);
    let turn = turns.take(&job).await;
    assert_eq!(fates(&reaper.workspaces(Mode::Remove).await.unwrap()), [false]);
    assert!(dir.join("tree/unsaved").exists());
    drop(turn);
    assert_eq!(fates(&reaper.workspaces(Mode::Remove).await.unwrap()), [true]);
    assert!(!dir.exists() && place.saved(&job));
}

#[tokio::test]
async fn what_another_runner_may_be_at_stays() {
    let place = Place::new();
    let dir = place.workspace(&place.job("theirs").await).dir().to_owned();
    let said = place.reaper(Reach::Finished).workspaces(Mode::Remove).await.unwrap();
    assert_eq!(fates(&said), [false], "{said:?}");
    assert!(dir.join("tree/unsaved").exists());
}

#[tokio::test]
async fn a_process_that_is_asked_to_end_begins_nothing_more() {
    let place = Place::new();
    let dir = place.workspace(&place.job("left").await).dir().to_owned();
    let (trigger, shutdown) = Shutdown::new();
    trigger.request(crate::shutdown::Request::End);
    let reaper = Reaper::beside(place.options.clone(), place.client.clone(), Turns::default(), shutdown);
    assert_eq!(reaper.workspaces(Mode::Remove).await.unwrap(), []);
    assert!(dir.exists());
}

#[tokio::test]
async fn what_is_left_of_a_job_that_nobody_holds_stays_while_its_run_goes_on_here() {
    let place = Place::new();
    let id = place.job("taken away").await;
    let dir = place.workspace(&id).dir().to_owned();
    let job = place.client.act(&id, Action::Cancel, &ActionRequest::default()).await.unwrap();
    let turns = Turns::default();
    let begin = async |mut outcome: Orphaned| {
        take_back(&place.client, &place.options, &turns, Vec::new(), &mut outcome).await.unwrap();
        dir.exists()
    };
    let turn = turns.take(&id).await;
    assert!(begin(Orphaned::default()).await, "a run is at it");
    drop(turn);
    assert!(begin(Orphaned { taken_up: vec![job], ..Orphaned::default() }).await, "its run is about to go on");
    assert!(!begin(Orphaned::default()).await && place.saved(&id));
}

#[tokio::test]
async fn a_job_that_changed_since_it_was_looked_at_is_not_taken_for_over() {
    let place = Place::new();
    let id = place.job("over").await;
    let reaper = place.reaper(Reach::Finished);
    let queued = place.client.job(&id).await.unwrap();
    assert!(!reaper.is_still_over(&queued).await.unwrap());
    let over = place.client.act(&id, Action::Cancel, &ActionRequest::default()).await.unwrap();
    assert!(reaper.is_still_over(&over).await.unwrap());
    assert!(!reaper.is_still_over(&queued).await.unwrap(), "it is another one by now");
}
