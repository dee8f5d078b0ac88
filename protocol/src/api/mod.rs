//! Requests and answers of the REST API (contract, "REST").

mod claim;
mod list;
mod log;
mod redact;
mod report;
mod submit;
mod view;

pub use claim::{ClaimRequest, Claimed, EmptyReason, Health};
pub use list::{EventList, EventsQuery, JobList, JobsQuery, ProjectList, RunList, RunsQuery};
pub use log::{Encoding, LogAppend, LogAppended, LogChunk, LogPlace, LogStream, LogsQuery};
pub use report::{
    ActionRequest, LeaseName, PatchJob, ReleaseRequest, RenewManyAnswer, RenewManyRequest, RenewRequest, Renewed,
    RenewedLease,
};
pub use submit::{Origin, SubmitPreview, SubmitQuery};
pub use view::{
    Alert, Explanation, FactoryVerdict, QueueState, QueueStateQuery, Reason, RunningJob, StatusView, VersionView,
};
