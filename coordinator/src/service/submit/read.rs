//! From the text of a task to what it shall run by: parsed, completed by profile, project and defaults, checked against
//! what this version can do. Looks at nothing but the text and the options.

use std::collections::BTreeMap;

use fleet_protocol::{
    ErrorCode, Manifest, Problem, Project,
    api::{Origin, SubmitPreview, SubmitQuery},
    manifest::{self, Effective, Givers, Mistakes, TaskFile, Trust},
};
use serde_json::json;

use crate::service::{
    core::{Options, ProfileSource},
    fingerprint::fingerprint,
    named,
};

/// A task as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TaskText {
    Markdown(String),
    Json(String),
}

impl TaskText {
    pub(super) fn source(&self) -> &str {
        match self {
            Self::Markdown(text) | Self::Json(text) => text,
        }
    }
}

/// A task that can be taken in.
#[derive(Debug, Clone)]
pub(super) struct Intake<'a> {
    pub(super) title: String,
    /// Completed.
    pub(super) manifest: Manifest,
    pub(super) origins: BTreeMap<String, Origin>,
    pub(super) warnings: Vec<String>,
    pub(super) body: String,
    pub(super) profile: Option<&'a ProfileSource>,
    /// The idempotency key, when it was derived from the content.
    pub(super) derived_key: Option<String>,
    pub(super) repo: Option<String>,
    /// The same for the same task, however it is written down.
    pub(super) fingerprint: String,
}

/// A task that cannot be taken in, and what is known of it all the same.
#[derive(Debug, Clone)]
pub(super) struct Unfit {
    pub(super) problem: Problem,
    pub(super) title: String,
    pub(super) manifest: Manifest,
    pub(super) body: String,
}

impl Intake<'_> {
    pub(super) fn preview(self) -> SubmitPreview {
        let Self { title, manifest, repo, origins, warnings, .. } = self;
        SubmitPreview { title, manifest, repo, origins, warnings }
    }
}

/// Makes sense of `text`.
pub(super) fn read<'a>(text: &TaskText, query: &SubmitQuery, options: &'a Options) -> Result<Intake<'a>, Box<Unfit>> {
    let name = query.file.as_deref().unwrap_or("task.md");
    let task = parse(text, name)?;
    let (problems, effective) = Problems::of(&task.manifest, options);
    if let Some(problem) = problems.told() {
        return Err(Box::new(Unfit { problem, title: task.title, manifest: task.manifest, body: task.body }));
    }
    // A project is nearer to the job than the place that it was submitted from.
    let standing = problems.project.map(|project| project.repo.as_str()).or(query.repo.as_deref());
    let repo = manifest::repository(&task.manifest, standing);
    let fingerprint = content_of(&task, repo.as_deref());
    let mut manifest = effective.manifest;
    let wants_key = query.dedupe && manifest.idempotency_key.is_none();
    let derived_key = wants_key.then(|| format!("dedupe-{}", &fingerprint[..16]));
    if derived_key.is_some() {
        manifest.idempotency_key.clone_from(&derived_key);
    }
    Ok(Intake {
        title: task.title,
        manifest,
        origins: effective.origins,
        warnings: task.warnings.iter().map(ToString::to_string).collect(),
        body: task.body,
        profile: problems.profile,
        repo,
        fingerprint,
        derived_key,
    })
}

fn parse(text: &TaskText, name: &str) -> Result<TaskFile, Box<Unfit>> {
    let unfit = |problem| {
        let title = manifest::parse("", name).map_or_else(|_| name.to_owned(), |empty| empty.title);
        let body = match text {
            TaskText::Markdown(text) => text.clone(),
            TaskText::Json(_) => String::new(),
        };
        Box::new(Unfit { problem, title, manifest: Manifest::default(), body })
    };
    match text {
        TaskText::Markdown(text) => manifest::parse(text, name),
        TaskText::Json(text) => {
            let value = serde_json::from_str(text).map_err(|error| {
                unfit(Problem::new(ErrorCode::InvalidRequest, format!("the request is not JSON: {error}")))
            })?;
            manifest::from_json(&value, name)
        }
    }
    .map_err(|mistakes| unfit(malformed(&mistakes)))
}

fn malformed(mistakes: &Mistakes) -> Problem {
    Problem::new(ErrorCode::InvalidRequest, mistakes.to_string()).with(json!({ "errors": mistakes }))
}

/// What speaks against a manifest that is well-formed.
struct Problems<'a> {
    profile: Option<&'a ProfileSource>,
    project: Option<&'a Project>,
    /// Of each: the key, and a sentence.
    found: Vec<(String, String)>,
    against_policy: bool,
}

impl<'a> Problems<'a> {
    /// Judges what the job would run by, which is also what comes back: a profile may ask for what the task does not.
    fn of(manifest: &Manifest, options: &'a Options) -> (Self, Effective) {
        let mut found = Vec::new();
        let mut note = |key: &str, sentence| found.push((key.to_owned(), sentence));
        let project = manifest.project.as_deref().map(|name| named::project(options, name));
        let project = project.and_then(|project| project.map_err(|sentence| note("project", sentence)).ok());
        let name = manifest.profile.as_deref().or_else(|| project?.profile.as_deref());
        let profile = name.map(|name| named::profile(options, name));
        let profile = profile.and_then(|profile| profile.map_err(|sentence| note("profile", sentence)).ok());
        let givers = Givers { profile: profile.map(|source| &source.profile), project, defaults: &options.defaults };
        let effective = manifest::merge(manifest.clone(), givers);
        if let Some(Err(sentence)) = effective.manifest.engine.as_deref().map(|name| named::engine(options, name)) {
            note("engine", sentence);
        }
        let unsupported = manifest::unsupported(&effective.manifest);
        found.extend(unsupported.into_iter().map(|unsupported| (unsupported.key.to_owned(), unsupported.message)));
        // An untrusted task on this machine is not missing machinery only: it is what must never happen.
        let against_policy = manifest.trust == Some(Trust::Untrusted);
        (Self { profile, project, found, against_policy }, effective)
    }

    fn told(&self) -> Option<Problem> {
        if self.found.is_empty() {
            return None;
        }
        let sentences: Vec<&str> = self.found.iter().map(|(_, sentence)| sentence.as_str()).collect();
        let errors: Vec<_> =
            self.found.iter().map(|(key, sentence)| json!({ "key": key, "message": sentence })).collect();
        let code = if self.against_policy { ErrorCode::Forbidden } else { ErrorCode::InvalidRequest };
        Some(Problem::new(code, sentences.join("\n")).with(json!({ "errors": errors })))
    }
}

fn content_of(task: &TaskFile, repo: Option<&str>) -> String {
    let content = serde_json::to_vec(&(&task.manifest, &task.body, repo)).expect("manifests and texts are JSON");
    fingerprint(&content)
}
