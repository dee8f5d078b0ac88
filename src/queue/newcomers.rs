//! The files of jobs that were submitted a moment ago: drawn without a look at any other.
//!
//! A script that submits in a loop must not pay for the whole queue each time. Whatever is not plainly new (a file of
//! that name lies somewhere, or was drawn before) needs the whole picture; so does everything else that may have
//! happened meanwhile, and it is left to the next that looks at the whole.

use std::fs;

use fleet_protocol::{Bucket, Job};

use super::{
    error::{AtPath, QueueError},
    execute::Outcome,
    folder::is_safe,
    keeper::{Keeper, Report},
    lock::RedrawLock,
    plan::Card,
};

impl Keeper {
    /// Draws the files of these jobs, as they were when they were submitted; looks at everything when one of them is not
    /// plainly new.
    pub(crate) async fn draw_newcomers(&mut self, jobs: &[Job]) -> Result<Report, QueueError> {
        match self.draw_plainly(jobs).await? {
            Some(report) => Ok(report),
            None => self.reconcile().await,
        }
    }

    /// None when that cannot be all.
    async fn draw_plainly(&mut self, jobs: &[Job]) -> Result<Option<Report>, QueueError> {
        self.folder.create()?;
        let _lock = RedrawLock::acquire(&self.folder, self.pace.patience).await?;
        self.journal.refresh()?;
        let mut report = Report::default();
        for job in jobs {
            let card = Card::from(job);
            if !is_safe(&card.file) || !self.is_new(&card)? {
                return Ok(None);
            }
            match self.draw(&card, None).await {
                Ok(Outcome::Changed) => report.changes += 1,
                Ok(Outcome::Nothing) => {}
                Ok(Outcome::Later(_)) => return Ok(None),
                Err(problem) => report.problems.push(problem),
            }
        }
        self.journal.save()?;
        Ok(Some(report))
    }

    /// Whether no file of the job's name was drawn, and none lies anywhere.
    fn is_new(&self, card: &Card) -> Result<bool, QueueError> {
        if self.journal.drawn().contains_key(&card.file) {
            return Ok(false);
        }
        for bucket in Bucket::ALL {
            let path = self.folder.file(*bucket, &card.file);
            match fs::symlink_metadata(&path) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Ok(_) => return Ok(false),
                Err(error) => return Err(error).at("look at", path),
            }
        }
        Ok(true)
    }
}
