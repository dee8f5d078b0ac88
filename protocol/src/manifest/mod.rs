//! A task file: YAML front matter that says how, and a body that says what.
//!
//! `model` and `policy` are what a manifest means, `fields` lists its keys, `parse` reads one from markdown with every
//! mistake at its line and column (or from JSON by the same rules), `reading` keeps the places for whoever finds more, `render` writes one, `merge` completes it from
//! profile, project and defaults, `support` says what this version does not do yet.

mod fields;
mod glob;
mod merge;
#[cfg(test)]
mod merge_tests;
mod model;
mod parse;
mod policy;
mod read;
mod read_policy;
mod reading;
mod render;
pub(crate) mod rules;
mod site;
mod support;
mod title;

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

pub use crate::front_matter::{Mistake, Mistakes, Warning};
pub use fields::{FIELDS, Field, Support};
pub use glob::{BadGlob, matcher};
pub use merge::{Defaults, Effective, Givers, merge};
pub use model::{DepsMode, Kind, Manifest, Priority, RuntimeName, Trust};
pub use parse::{examine, examine_json, from_json, parse, validate, warnings};
pub use policy::{Backoff, Budget, CommandLine, Limits, Retry, RetryOn, ReviewPolicy, Scope, ScopeMode, Series};
pub(crate) use read::{refuse_secrets, secrets};
pub(crate) use read_policy::{budget, capabilities, command, commits, engine_class, retry, review_policy, scope};
pub use reading::{Reading, TaskFile};
pub use render::render;
pub use site::{anchored, repository, site};
pub use support::{Unsupported, unsupported};
