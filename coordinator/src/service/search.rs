//! Looking for a job that a factory may have, without looking at all of them.
//!
//! Jobs lie in lanes: by urgency, and within it by what they demand. A lane whose demands the factory does not meet is
//! left at its first job; of jobs that wait for one lock the lane has only the first. So a claim costs the same however
//! long the queue is, and jobs that cannot run do not hide those that can.

use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use fleet_protocol::{
    Job, JobId,
    api::{ClaimRequest, EmptyReason},
    manifest::Priority,
};
use jiff::Timestamp;

use crate::{
    scheduler::{self, Obstacle},
    store::{Cursor, Lane, Look, StoreError},
};

/// Places of a lane that are read in one go, besides those that are somebody else's; more each time that none would do.
const NARROWEST: u32 = 2;
const WIDEST: u32 = 256;

/// A look for work.
pub(super) struct Search<'a, 'f> {
    pub(super) look: Look<'a>,
    pub(super) product: &'a str,
    /// With every lock that is taken, and the seats that are free.
    pub(super) request: &'a ClaimRequest,
    pub(super) now: Timestamp,
    /// Jobs that others of this process are about to take.
    pub(super) in_flight: &'f InFlight,
}

/// A job that was found, and the right to reach for it: none when somebody else does already.
pub(super) struct Found<'a> {
    pub(super) job: Job,
    pub(super) reserved: Option<Reserved<'a>>,
}

/// What was seen on the way.
#[derive(Default)]
struct Seen {
    /// For each reason to pass a job over, one job.
    passed: Vec<(EmptyReason, Job)>,
    /// Whether a job was left to somebody else.
    left_some: bool,
}

/// Whether jobs in flight are looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Others {
    LeftAlone,
    LookedAt,
}

impl<'f> Search<'_, 'f> {
    /// The job that the factory gets, or why it gets none.
    pub(super) fn first(&self) -> Result<Result<Found<'f>, EmptyReason>, StoreError> {
        if self.request.seats_free > 0 {
            return self.first_for(self.request);
        }
        // Seats are what is asked for last, of any job: it is enough to know whether a seat would help.
        let seated = ClaimRequest { seats_free: 1, ..self.request.clone() };
        Ok(self.first_for(&seated)?.and(Err(EmptyReason::NoSeat)))
    }

    fn first_for(&self, request: &ClaimRequest) -> Result<Result<Found<'f>, EmptyReason>, StoreError> {
        let mut seen = Seen::default();
        if let Some(id) = &request.only {
            return self.one(request, id, seen);
        }
        loop {
            let Some((job, place)) = self.walk(request, Others::LeftAlone, &mut seen)? else { break };
            // Somebody may have reached for it since it was looked at.
            if let Some(reserved) = self.in_flight.reserve(place) {
                return Ok(Ok(Found { job, reserved: Some(reserved) }));
            }
        }
        if seen.left_some {
            // Those to whom jobs were left may fail to take them.
            if let Some((job, place)) = self.walk(request, Others::LookedAt, &mut seen)? {
                return Ok(Ok(Found { job, reserved: self.in_flight.reserve(place) }));
            }
        }
        self.reason(request, seen).map(Err)
    }

    /// The one job that was asked for.
    fn one(
        &self,
        request: &ClaimRequest,
        id: &JobId,
        mut seen: Seen,
    ) -> Result<Result<Found<'f>, EmptyReason>, StoreError> {
        if let Some(snapshot) = self.look.job(self.product, id)? {
            match scheduler::obstacles(&snapshot.job, request, self.now).first() {
                None => return Ok(Ok(Found { job: snapshot.job, reserved: None })),
                Some(obstacle) => seen.pass_over(obstacle.empty_reason(), snapshot.job),
            }
        }
        self.reason(request, seen).map(Err)
    }

    /// The job whose turn it is, of all lanes of the highest urgency that has one.
    fn walk(
        &self,
        request: &ClaimRequest,
        others: Others,
        seen: &mut Seen,
    ) -> Result<Option<(Job, Cursor)>, StoreError> {
        for priority in Priority::ALL {
            let (mut heads, mut places) = (Vec::new(), Vec::new());
            for lane in self.look.lanes(self.product, *priority, self.now)? {
                if let Some((job, place)) = self.head(&lane, request, others, seen)? {
                    heads.push(job);
                    places.push(place);
                }
            }
            if let Ok(first) = scheduler::pick(&heads, request, self.now) {
                return Ok(Some((heads.swap_remove(first), places[first])));
            }
        }
        Ok(None)
    }

    /// The first job of a lane that the factory may have.
    fn head(
        &self,
        lane: &Lane,
        request: &ClaimRequest,
        others: Others,
        seen: &mut Seen,
    ) -> Result<Option<(Job, Cursor)>, StoreError> {
        let mut after = Cursor::START;
        let mut width = NARROWEST + self.in_flight.count();
        loop {
            let places = self.look.places(self.product, lane, (after, width))?;
            let at_end = places.len() < usize::try_from(width).unwrap_or(usize::MAX);
            for place in places {
                after = place;
                if others == Others::LeftAlone && self.in_flight.contains(place) {
                    seen.left_some = true;
                    continue;
                }
                let job = self.look.at(place)?;
                let obstacles = scheduler::obstacles(&job, request, self.now);
                let Some(first) = obstacles.first() else { return Ok(Some((job, place))) };
                let whole_lane = obstacles.iter().any(is_of_the_route);
                seen.pass_over(first.empty_reason(), job);
                if whole_lane {
                    return Ok(None);
                }
            }
            if at_end {
                return Ok(None);
            }
            width = width.saturating_mul(2).min(WIDEST);
        }
    }

    /// Why nothing was found: as the scheduler would say it of one job of each kind.
    fn reason(&self, request: &ClaimRequest, seen: Seen) -> Result<EmptyReason, StoreError> {
        let mut jobs: Vec<Job> = seen.passed.into_iter().map(|(_, job)| job).collect();
        jobs.extend(self.look.one_blocked(self.product)?);
        jobs.extend(self.look.one_held_back(self.product)?);
        jobs.extend(self.look.one_delayed(self.product, self.now)?);
        Ok(scheduler::pick(&jobs, request, self.now).err().unwrap_or(EmptyReason::NoneQueued))
    }
}

impl Seen {
    fn pass_over(&mut self, reason: EmptyReason, job: Job) {
        if !self.passed.iter().any(|(known, _)| *known == reason) {
            self.passed.push((reason, job));
        }
    }
}

/// Whether an obstacle is the same for every job of a route.
const fn is_of_the_route(obstacle: &Obstacle) -> bool {
    matches!(obstacle, Obstacle::Capability(_) | Obstacle::Engine(_))
}

/// Jobs that claims of this process are about to take, so that many claims at once do not all reach for the same one.
/// A courtesy only: what holds is decided by the commit.
#[derive(Debug, Default)]
pub(super) struct InFlight(Mutex<HashSet<Cursor>>);

/// Holds a job in flight.
pub(super) struct Reserved<'a> {
    all: &'a InFlight,
    place: Cursor,
}

impl InFlight {
    fn places(&self) -> MutexGuard<'_, HashSet<Cursor>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn contains(&self, place: Cursor) -> bool {
        self.places().contains(&place)
    }

    fn count(&self) -> u32 {
        u32::try_from(self.places().len()).unwrap_or(WIDEST).min(WIDEST)
    }

    /// Takes note of a job until the answer is dropped; none when somebody else was faster.
    pub(super) fn reserve(&self, place: Cursor) -> Option<Reserved<'_>> {
        self.places().insert(place).then(|| Reserved { all: self, place })
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        self.all.places().remove(&self.place);
    }
}

#[cfg(test)]
mod tests;
