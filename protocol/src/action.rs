//! What a person can do to a job. Which of them is possible now comes with the job, as `actions`.

use crate::words::words;

words! {
    /// An operator's act: `POST /jobs/{id}/actions/{action}`.
    Action, "action" {
        /// The last human gate: testing → shipped.
        Ship = "ship",
        /// One stage on: review → testing, testing → shipped.
        Promote = "promote",
        /// A review's yes: review → testing.
        Approve = "approve",
        /// A review's "again, please": review → queued, with the reason as context.
        RequestChanges = "request-changes",
        /// A review's no: review or testing → failed.
        Reject = "reject",
        /// Back to the queue; retries already used stay used.
        Requeue = "requeue",
        /// Back from the dead letters with a fresh retry budget.
        Redrive = "redrive",
        /// End it, whatever it does.
        Cancel = "cancel",
        /// End the run and hold the job.
        Stop = "stop",
        /// Keep it out of the queue until released.
        Hold = "hold",
        /// Undo `hold`.
        Release = "release",
        /// Freeze the running agent.
        Pause = "pause",
        /// Let a frozen agent go on.
        Resume = "resume",
        /// Take a job back whose runner died: building → queued, the attempt counted.
        Recover = "recover",
    }
}
