//! Looking for a job that a factory may have, without looking at all of them.
//!
//! Jobs lie in lanes: by urgency, and within it by what they demand. A lane whose demands the factory does not meet is
//! left at its first job. The others are read a few jobs at a time, so that a claim costs the same however long the
//! queue is, and jobs that cannot run do not hide those that can.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use fleet_protocol::{
    Job, JobId,
    api::{ClaimRequest, EmptyReason},
    manifest::Priority,
};
use jiff::Timestamp;

use super::Service;
use crate::{
    scheduler::{self, Obstacle},
    store::{Cursor, Lane, LaneKind, StoreError, Window},
};

/// Jobs of a lane that are read in one go at first; twice as many each time that none of them would do.
const NARROWEST: u32 = 2;
const WIDEST: u32 = 256;

/// A search that can be gone on with, after a job was found and lost to somebody else.
pub(super) struct Search<'a> {
    service: &'a Service,
    product: &'a str,
    request: &'a ClaimRequest,
    now: Timestamp,
    /// Jobs that others of this process are about to take, or none to look at them too.
    in_flight: Option<&'a InFlight>,
    routes: Vec<String>,
    /// Urgencies not looked at yet, the least urgent first.
    ahead: Vec<Priority>,
    lanes: Vec<OpenLane>,
    /// For each reason to pass a job over, one job.
    passed: Vec<(EmptyReason, Job)>,
    /// Whether a job was left to somebody else.
    pub(super) left_some: bool,
}

/// A lane, and how far it has been looked through.
struct OpenLane {
    lane: Lane,
    after: Cursor,
    width: u32,
    read: VecDeque<Job>,
    /// No more jobs than those read.
    at_end: bool,
    /// The first job in it that the factory may have.
    head: Option<Job>,
}

impl<'a> Search<'a> {
    pub(super) fn new(
        service: &'a Service,
        product: &'a str,
        request: &'a ClaimRequest,
        now: Timestamp,
        in_flight: Option<&'a InFlight>,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            service,
            product,
            request,
            now,
            in_flight,
            routes: service.store.routes_list(product)?,
            ahead: Priority::ALL.iter().rev().copied().collect(),
            lanes: Vec::new(),
            passed: Vec::new(),
            left_some: false,
        })
    }

    /// The next job that the factory may have, in the order of turns.
    pub(super) fn next(&mut self) -> Result<Option<Job>, StoreError> {
        loop {
            let mut open = Vec::new();
            for mut lane in std::mem::take(&mut self.lanes) {
                if lane.head.is_none() {
                    lane.head = self.advance(&mut lane)?;
                }
                if lane.head.is_some() {
                    open.push(lane);
                }
            }
            self.lanes = open;
            if let Some(job) = self.take_first() {
                return Ok(Some(job));
            }
            let Some(priority) = self.ahead.pop() else { return Ok(None) };
            self.lanes = self.lanes_of(priority);
        }
    }

    /// Why nothing was found: as the scheduler would say it of one job of each kind.
    pub(super) fn reason(self) -> Result<EmptyReason, StoreError> {
        let store = &self.service.store;
        let mut jobs: Vec<Job> = self.passed.into_iter().map(|(_, job)| job).collect();
        jobs.extend(store.job_blocked(self.product)?);
        jobs.extend(store.job_held_back(self.product)?);
        jobs.extend(store.job_due_next(self.product, self.now)?);
        Ok(scheduler::pick(&jobs, self.request, self.now).err().unwrap_or(EmptyReason::NoneQueued))
    }

    /// The one of the lanes' heads whose turn it is.
    fn take_first(&mut self) -> Option<Job> {
        let mut heads: Vec<Job> = self.lanes.iter_mut().filter_map(|lane| lane.head.take()).collect();
        let first = scheduler::pick(&heads, self.request, self.now).ok();
        let job = first.map(|position| heads.remove(position));
        let losers = self.lanes.iter_mut().enumerate().filter(|(place, _)| Some(*place) != first);
        for ((_, lane), head) in losers.zip(heads) {
            lane.head = Some(head);
        }
        job
    }

    /// Goes on in a lane to the next job that the factory may have.
    fn advance(&mut self, lane: &mut OpenLane) -> Result<Option<Job>, StoreError> {
        loop {
            while let Some(job) = lane.read.pop_front() {
                let obstacles = scheduler::obstacles(&job, self.request, self.now);
                let Some(first) = obstacles.first() else { return Ok(Some(job)) };
                self.pass_over(first.empty_reason(), job);
                if matches!(lane.lane.kind, LaneKind::Route(_)) && obstacles.iter().any(is_of_the_route) {
                    return Ok(None);
                }
            }
            if lane.at_end {
                return Ok(None);
            }
            let window = Window { after: lane.after, limit: lane.width };
            let left = |id: &str| self.in_flight.is_some_and(|taken| taken.contains(id));
            let page = self.service.store.lane_page(self.product, &lane.lane, window, &left)?;
            self.left_some |= page.left > 0;
            lane.at_end = page.at_end;
            lane.after = page.after;
            lane.width = (lane.width * 2).min(WIDEST);
            lane.read.extend(page.jobs);
        }
    }

    fn pass_over(&mut self, reason: EmptyReason, job: Job) {
        if !self.passed.iter().any(|(known, _)| *known == reason) {
            self.passed.push((reason, job));
        }
    }

    fn lanes_of(&self, priority: Priority) -> Vec<OpenLane> {
        let routes = self.routes.iter().cloned().map(LaneKind::Route);
        let open = |kind| OpenLane {
            lane: Lane { kind, priority },
            after: Cursor::START,
            width: NARROWEST,
            read: VecDeque::new(),
            at_end: false,
            head: None,
        };
        routes.chain([LaneKind::Due(self.now)]).map(open).collect()
    }
}

/// Whether an obstacle is the same for every job of a route.
const fn is_of_the_route(obstacle: &Obstacle) -> bool {
    matches!(obstacle, Obstacle::Capability(_) | Obstacle::Engine(_))
}

/// Jobs that claims of this process are about to take, so that many claims at once do not all reach for the same one.
/// A courtesy only: what holds is decided by the commit.
#[derive(Debug, Default)]
pub(super) struct InFlight(Mutex<HashSet<String>>);

/// Holds a job in flight.
pub(super) struct Reserved<'a> {
    all: &'a InFlight,
    id: String,
}

impl InFlight {
    fn ids(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn contains(&self, id: &str) -> bool {
        self.ids().contains(id)
    }

    /// Takes note of a job until the answer is dropped; none when somebody else was faster.
    pub(super) fn reserve(&self, id: &JobId) -> Option<Reserved<'_>> {
        let id = id.to_string();
        self.ids().insert(id.clone()).then(|| Reserved { all: self, id })
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        self.all.ids().remove(&self.id);
    }
}
