//! The edges of the lifecycle as data: for readers, for the documentation and for the test that holds `step` to it.
//!
//! What is not listed is refused. Conditions within an edge (policy, evidence, holds) are `step`'s business; an edge
//! lists every way it can go.

use fleet_protocol::{
    Action, EventType as E,
    Stage::{self, *},
};

/// What sets a job in motion; kinds of input, told apart where they lead to different edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cause {
    /// A factory takes the job.
    Claim,
    /// The holder reports the start.
    Start,
    /// The holder reports anything but start and end.
    Report,
    /// The holder ends the run with `ok` or `no_changes`; the evidence may say otherwise.
    Succeed,
    /// The holder ends the run with any other result.
    Fail,
    /// The holder gives the job back with `preempted` or `lease_expired`.
    HandBack,
    /// The holder renews the lease.
    Renew,
    /// The reaper finds the lease expired.
    Expire,
    /// The reaper finds no start within the start limit.
    NeverStarted,
    /// The dependencies change.
    Dependencies,
    /// A person acts.
    Act(Action),
}

/// One way that an edge can go: the stage it leads to and the event that tells it. An event that is not the edge's
/// own, such as a checkpoint that came along, is not listed.
pub type Outcome = (Stage, Option<E>);

/// Every way out of a stage by one cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    pub from: Stage,
    pub cause: Cause,
    pub outcomes: &'static [Outcome],
}

const fn edge(from: Stage, cause: Cause, outcomes: &'static [Outcome]) -> Edge {
    Edge { from, cause, outcomes }
}

const fn act(from: Stage, action: Action, outcomes: &'static [Outcome]) -> Edge {
    edge(from, Cause::Act(action), outcomes)
}

/// Every edge, by stage.
pub const TABLE: &[Edge] = &[
    edge(Queued, Cause::Claim, &[(Assigned, Some(E::Claimed))]),
    edge(Queued, Cause::Dependencies, &[(Queued, None), (Blocked, Some(E::Blocked))]),
    act(Queued, Action::Cancel, CANCEL),
    act(Queued, Action::Hold, &[(Queued, Some(E::Held))]),
    act(Queued, Action::Release, &[(Queued, Some(E::Released))]),
    edge(Blocked, Cause::Dependencies, &[(Blocked, None), (Blocked, Some(E::Blocked)), (Queued, Some(E::Unblocked))]),
    act(Blocked, Action::Cancel, CANCEL),
    act(Blocked, Action::Hold, &[(Blocked, Some(E::Held))]),
    act(Blocked, Action::Release, &[(Blocked, Some(E::Released))]),
    edge(Assigned, Cause::Start, &[(Building, Some(E::Started))]),
    edge(Assigned, Cause::Report, &[(Assigned, None)]),
    edge(Assigned, Cause::Fail, FAILURE),
    edge(Assigned, Cause::HandBack, HAND_BACK),
    edge(Assigned, Cause::Renew, &[(Assigned, None)]),
    edge(Assigned, Cause::Expire, EXPIRY),
    edge(Assigned, Cause::NeverStarted, EXPIRY),
    edge(Assigned, Cause::Dependencies, &[(Assigned, None)]),
    act(Assigned, Action::Requeue, REQUEUE),
    act(Assigned, Action::Cancel, CANCEL),
    act(Assigned, Action::Stop, STOP),
    act(Assigned, Action::Recover, REQUEUE),
    edge(Building, Cause::Start, &[(Building, None)]),
    edge(Building, Cause::Report, &[(Building, None)]),
    edge(
        Building,
        Cause::Succeed,
        &[
            (Testing, Some(E::VerifyPassed)),
            (Review, Some(E::ReviewRequested)),
            (Queued, Some(E::RetryScheduled)),
            (Blocked, Some(E::RetryScheduled)),
            (Failed, Some(E::Failed)),
            (Failed, Some(E::VerifyFailed)),
            (DeadLetter, Some(E::DeadLetter)),
        ],
    ),
    edge(Building, Cause::Fail, FAILURE),
    edge(Building, Cause::HandBack, HAND_BACK),
    edge(Building, Cause::Renew, &[(Building, None)]),
    edge(Building, Cause::Expire, EXPIRY),
    edge(Building, Cause::Dependencies, &[(Building, None)]),
    act(Building, Action::Requeue, REQUEUE),
    act(Building, Action::Cancel, CANCEL),
    act(Building, Action::Stop, STOP),
    act(Building, Action::Pause, &[(Building, Some(E::Held))]),
    act(Building, Action::Resume, &[(Building, Some(E::Released))]),
    act(Building, Action::Recover, REQUEUE),
    edge(Waiting, Cause::Dependencies, &[(Waiting, None)]),
    act(Waiting, Action::Requeue, REQUEUE),
    act(Waiting, Action::Cancel, CANCEL),
    edge(Review, Cause::Dependencies, &[(Review, None)]),
    act(Review, Action::Promote, &[(Testing, Some(E::Promoted))]),
    act(Review, Action::Approve, &[(Testing, Some(E::Approved))]),
    act(Review, Action::RequestChanges, REWORK),
    act(Review, Action::Reject, &[(Failed, Some(E::Rejected))]),
    act(Review, Action::Cancel, CANCEL),
    edge(Testing, Cause::Dependencies, &[(Testing, None)]),
    act(Testing, Action::Ship, &[(Shipped, Some(E::Shipped))]),
    act(Testing, Action::Promote, &[(Shipped, Some(E::Shipped))]),
    act(Testing, Action::RequestChanges, REWORK),
    act(Testing, Action::Reject, &[(Failed, Some(E::Rejected))]),
    act(Testing, Action::Cancel, CANCEL),
    edge(Failed, Cause::Dependencies, &[(Failed, None)]),
    act(Failed, Action::Requeue, REQUEUE),
    edge(DeadLetter, Cause::Dependencies, &[(DeadLetter, None)]),
    act(DeadLetter, Action::Redrive, &[(Queued, Some(E::Redriven)), (Blocked, Some(E::Redriven))]),
];

const CANCEL: &[Outcome] = &[(Failed, Some(E::Cancelled))];
const REQUEUE: &[Outcome] = &[(Queued, Some(E::Requeued)), (Blocked, Some(E::Requeued))];
const REWORK: &[Outcome] = &[(Queued, Some(E::ChangesRequested)), (Blocked, Some(E::ChangesRequested))];
const STOP: &[Outcome] = &[(Queued, Some(E::Held)), (Blocked, Some(E::Held))];
const EXPIRY: &[Outcome] = &[(Queued, Some(E::LeaseExpired)), (Blocked, Some(E::LeaseExpired))];
const HAND_BACK: &[Outcome] = &[
    (Queued, Some(E::Preempted)),
    (Queued, Some(E::LeaseExpired)),
    (Blocked, Some(E::Preempted)),
    (Blocked, Some(E::LeaseExpired)),
];
const FAILURE: &[Outcome] = &[
    (Queued, Some(E::RetryScheduled)),
    (Blocked, Some(E::RetryScheduled)),
    (Failed, Some(E::Failed)),
    (Failed, Some(E::VerifyFailed)),
    (DeadLetter, Some(E::DeadLetter)),
];
