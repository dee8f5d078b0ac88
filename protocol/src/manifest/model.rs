//! The fields of a manifest and what they mean. Every field is optional; a bare body is a valid task.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::policy::{Budget, CommandLine, Limits, Retry, ReviewPolicy, Scope};
use crate::{convention::CommitRule, span::Span, words::words};

/// How a job wants to be run. JSON keys are camelCase, the task file's are the same in kebab-case.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Manifest {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine_class: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prefers_engine: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub yolo: Option<bool>,
    /// A local directory inside the repository to work on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// A local path or a git address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repo: Option<String>,
    /// A branch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// The priority as written when it was a number, 1 to 5; in a task file both are the one key `priority`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority_number: Option<u8>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deps: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deps_mode: Option<DepsMode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verify: Option<CommandLine>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub review_policy: Option<ReviewPolicy>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracker_item: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prefers: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<String>,
    /// Acceptance criteria, one sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub acceptance: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub target_files: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub test_commands: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_scope: Option<Scope>,
    /// What messages of commits must look like.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commits: Option<CommitRule>,
    /// Names only; values stay on the worker's machine.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime: Option<RuntimeName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust: Option<Trust>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_turns: Option<u32>,
    /// Jobs with the same lock run one after another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lock: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// Submit it held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<bool>,
    /// Unknown keys, kept as written.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: BTreeMap<String, Value>,
}

words! {
    /// How urgent a job is. Numbers 1 to 5 are read as critical, high, medium, low, low.
    #[derive(Default)]
    Priority, "priority" {
        Critical = "critical",
        High = "high",
        #[default]
        Medium = "medium",
        Low = "low",
    }
}

impl Priority {
    /// The word for a number from 1, the most urgent, to 5.
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Critical),
            2 => Some(Self::High),
            3 => Some(Self::Medium),
            4 | 5 => Some(Self::Low),
            _ => None,
        }
    }

    /// 0 for the most urgent.
    pub const fn rank(self) -> u8 {
        match self {
            Self::Critical => 0,
            Self::High => 1,
            Self::Medium => 2,
            Self::Low => 3,
        }
    }
}

words! {
    /// When a dependency counts as done.
    #[derive(Default)]
    DepsMode, "deps-mode" {
        /// When it is shipped.
        #[default]
        Hard = "hard",
        /// From testing on.
        Soft = "soft",
    }
}

words! {
    /// Whether a job does work or only gathers children.
    #[derive(Default)]
    Kind, "kind" {
        #[default]
        Leaf = "leaf",
        Composite = "composite",
    }
}

words! {
    /// Where a run happens.
    RuntimeName, "runtime" {
        Local = "local",
        Docker = "docker",
    }
}

words! {
    /// Whether a job's text comes from someone we trust.
    Trust, "trust" {
        Trusted = "trusted",
        Untrusted = "untrusted",
    }
}
