//! What both ends of `fleet` agree on: words, wire types, task files, profiles, error codes and routes.
//!
//! Pure by design: nothing here reads a clock, a file, the network or randomness, so that the command line,
//! the worker and the coordinator can share one definition of each thing.

pub mod action;
pub mod api;
pub mod capability;
pub mod convention;
pub mod event;
pub mod exit;
mod front_matter;
pub mod id;
pub mod job;
pub mod lease;
pub mod manifest;
mod nearest;
pub mod problem;
pub mod profile;
pub mod project;
pub mod result;
pub mod route;
pub mod run;
pub mod secret;
pub mod size;
pub mod span;
pub mod stage;
pub mod words;

pub use action::Action;
pub use event::{Event, EventType};
pub use exit::ExitCode;
pub use id::JobId;
pub use job::Job;
pub use manifest::Manifest;
pub use nearest::nearest;
pub use problem::{ErrorCode, Problem};
pub use project::Project;
pub use result::JobResult;
pub use run::Run;
pub use size::ByteSize;
pub use span::Span;
pub use stage::{Bucket, Stage};
