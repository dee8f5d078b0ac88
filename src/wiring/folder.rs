//! The queue folder of this fleet, and the acts that moving its files asks for.

use std::{path::PathBuf, sync::Arc};

use fleet_protocol::{Action, Bucket, Job, JobId, Problem, Stage, api::ActionRequest};
use futures_util::future::BoxFuture;

use super::{
    embedded::{Embedded, place},
    fault::Fault,
    worker::committer,
};
use crate::{
    client::Client,
    config::{Config, Place},
    queue::{Acts, Folder, Keeper, Report},
    ship::{Ship, ship_job},
    workspace::Identity,
};

/// The queue folder.
pub(super) fn folder(config: &Config) -> Result<Folder, Fault> {
    let place = place(config)?;
    Ok(Folder::new(&place.queue, &place.state))
}

/// Makes what is missing of a fleet's folders, and answers with what it made: nothing the second time.
pub(crate) fn set_up(place: &Place) -> Result<Vec<PathBuf>, Fault> {
    let mut made = Folder::new(&place.queue, &place.state).create()?;
    let buckets = made.iter().filter(|path| path.parent() == Some(&place.queue)).count();
    if buckets == Bucket::ALL.len() {
        // All of them are new, so the queue is: one name says it.
        made.retain(|path| path.parent() != Some(&place.queue));
        made.push(place.queue.clone());
    }
    Ok(made)
}

/// A keeper of it.
pub(super) fn keeper(config: &Config, client: &Client) -> Result<Keeper, Fault> {
    let acts = Arc::new(ShippingActs {
        client: client.clone(),
        queue: place(config)?.queue.clone(),
        committer: committer(config),
    });
    let repo = place(config)?.root.to_string_lossy().into_owned();
    Ok(Keeper::new(folder(config)?, client.clone(), acts, Some(repo)))
}

/// Makes the folder show what the store says. After every command that changed a job.
pub(crate) async fn redraw(config: &Config, embedded: &Embedded) -> Result<(), Fault> {
    tell(keeper(config, &embedded.client)?.reconcile().await?);
    Ok(())
}

/// Makes the folder show jobs that were just submitted.
pub(crate) async fn draw_newcomers(config: &Config, embedded: &Embedded, jobs: &[Job]) -> Result<(), Fault> {
    tell(keeper(config, &embedded.client)?.draw_newcomers(jobs).await?);
    Ok(())
}

fn tell(report: Report) {
    for problem in report.problems {
        tracing::warn!(error = problem.with_cause(), "the queue folder does not show everything yet");
    }
}

/// An operator's acts, with the merge that shipping means.
struct ShippingActs {
    client: Client,
    queue: PathBuf,
    committer: Option<Identity>,
}

impl Acts for ShippingActs {
    fn act<'a>(
        &'a self,
        job: &'a JobId,
        action: Action,
        request: &'a ActionRequest,
    ) -> BoxFuture<'a, Result<Job, Problem>> {
        Box::pin(async move {
            let ships = action == Action::Ship
                || (action == Action::Promote && self.client.job(job).await?.stage == Stage::Testing);
            if !ships {
                return self.client.act(job, action, request).await;
            }
            let how = Ship {
                reason: request.reason.clone(),
                queue: Some(self.queue.clone()),
                committer: self.committer.clone(),
            };
            Ok(ship_job(&self.client, job, how).await?.0)
        })
    }
}

/// Merges the job's branch into its base and records it as shipped.
pub(crate) async fn ship(
    config: &Config,
    embedded: &Embedded,
    job: &Job,
    request: &ActionRequest,
) -> Result<Job, Fault> {
    let queue = Some(place(config)?.queue.clone());
    let how = Ship { reason: request.reason.clone(), queue, committer: committer(config) };
    Ok(ship_job(&embedded.client, &job.id, how).await?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn setting_up_twice_makes_nothing_the_second_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = Place {
            root: folder.path().to_owned(),
            queue: folder.path().join("tasks"),
            state: folder.path().join(".fleet"),
        };
        let first = set_up(&place).expect("set up");
        assert_eq!(first, [place.state.clone(), place.queue.clone()]);
        assert_eq!(set_up(&place).expect("set up again"), Vec::<PathBuf>::new());
    }
}
