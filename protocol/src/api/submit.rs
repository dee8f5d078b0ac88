//! Submitting a task: `POST /jobs`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{manifest::Manifest, words::words};

/// Query of `POST /jobs`; how a whole task file (`text/markdown`) says what it cannot say itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SubmitQuery {
    /// Name that the file had, for its title and its place in the queue folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Repository to work on when the manifest names none; an absolute path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repo: Option<String>,
    /// Derive an idempotency key from the content when the manifest has none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dedupe: bool,
    /// Check and answer with the effective manifest; store nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// Store the job even though its task file is malformed, as failed with `invalid_manifest` (a file dropped in by hand).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep_invalid: bool,
}

/// Answer to `POST /jobs?dryRun=true`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SubmitPreview {
    pub title: String,
    pub manifest: Manifest,
    /// The repository to work on, as far as it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repo: Option<String>,
    /// Where each effective field came from, by its key in the task file.
    pub origins: BTreeMap<String, Origin>,
    pub warnings: Vec<String>,
}

words! {
    /// Where an effective field came from.
    Origin, "origin" {
        Job = "job",
        Profile = "profile",
        Project = "project",
        Default = "default",
    }
}
