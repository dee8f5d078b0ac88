//! Where a job stands: ten stages, and the six buckets (folders, board columns) that they collapse onto.

use crate::words::words;

words! {
    /// Where a job stands (requirements, convention 5).
    Stage, "stage" {
        /// Runnable now, or at its `retryNotBefore`.
        Queued = "queued",
        /// Waits for dependencies.
        Blocked = "blocked",
        /// Claimed by a factory that has not reported the start yet.
        Assigned = "assigned",
        /// An agent works on it.
        Building = "building",
        /// An agent asked a question; nothing runs meanwhile.
        Waiting = "waiting",
        /// A person decides.
        Review = "review",
        /// Proven; ready to ship.
        Testing = "testing",
        /// Done. Nothing leaves it.
        Shipped = "shipped",
        /// Ended badly; `result` says why.
        Failed = "failed",
        /// Retries are used up; only an operator takes it back.
        DeadLetter = "dead_letter",
    }
}

impl Stage {
    /// Whether a factory holds the job.
    pub const fn is_held(self) -> bool {
        matches!(self, Self::Assigned | Self::Building)
    }

    /// Whether the job waits for its turn (not for a person).
    pub const fn is_pending(self) -> bool {
        matches!(self, Self::Queued | Self::Blocked)
    }

    /// Whether nothing happens any more without a person.
    pub const fn is_parked(self) -> bool {
        !self.is_held() && !self.is_pending()
    }

    /// Whether the job is over: shipped, failed or dead-lettered.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Shipped | Self::Failed | Self::DeadLetter)
    }

    /// The folder and board column that shows this stage.
    pub const fn bucket(self) -> Bucket {
        match self {
            Self::Queued | Self::Blocked => Bucket::Inbox,
            Self::Assigned | Self::Building | Self::Waiting => Bucket::Building,
            Self::Review => Bucket::Review,
            Self::Testing => Bucket::Testing,
            Self::Shipped => Bucket::Shipped,
            Self::Failed | Self::DeadLetter => Bucket::Failed,
        }
    }
}

words! {
    /// A folder of the queue, a column of the board.
    Bucket, "bucket" {
        Inbox = "inbox",
        Building = "building",
        Review = "review",
        Testing = "testing",
        Shipped = "shipped",
        Failed = "failed",
    }
}
