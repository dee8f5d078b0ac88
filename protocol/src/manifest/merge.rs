//! Completing a manifest from its profile, its project and the defaults: precedence job, profile, project, default.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    model::{DepsMode, Kind, Manifest, Priority},
    policy::{Backoff, CommandLine, Retry, ReviewPolicy, Series},
};
use crate::{api::Origin, convention::CommitRule, front_matter::kebab_case, profile::Profile, project::Project};

/// What `[defaults]` of the configuration gives to every job.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Defaults {
    pub engine: Option<String>,
    pub verify: Option<CommandLine>,
    pub review_policy: Option<ReviewPolicy>,
    pub yolo: Option<bool>,
    pub commits: Option<CommitRule>,
    /// Further runs of a task that wants to be tried again and does not say how often.
    pub retry_max: Option<u32>,
    /// What `backoff: exp` means.
    pub backoff: Option<Series>,
}

/// A completed manifest, and where each field of it came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Effective {
    pub manifest: Manifest,
    /// By the field's key in a task file; keys that nobody gave are not there.
    pub origins: BTreeMap<String, Origin>,
}

/// What a job may leave to others, the nearest first.
#[derive(Debug, Clone, Copy)]
pub struct Givers<'a> {
    pub profile: Option<&'a Profile>,
    pub project: Option<&'a Project>,
    pub defaults: &'a Defaults,
}

/// Completes `manifest`: what the job leaves out comes from the profile, what both leave out from the project, and then
/// from the defaults.
///
/// A field is taken whole: a job's `budget: {usd: 1}` replaces a profile's budget with all its ceilings. An empty list is
/// a list left out. The default engine is used where nobody chose an engine, a class or preferences; where only a class was
/// chosen, it is the preference. A retry policy that does not say how often, or waits `exp`, is completed. Priority, kind,
/// deps-mode and review-policy always have a value afterwards.
///
/// A job's `cwd` lies in the project's repository, so the two stand in for `repo`, which is then left open.
pub fn merge(manifest: Manifest, givers: Givers<'_>) -> Effective {
    let mut merged = Merge { origins: keys(&manifest).map(|key| (key, Origin::Job)).collect(), manifest };
    if let Some(profile) = givers.profile {
        merged.inherit(profile);
    }
    if let Some(project) = givers.project {
        merged.belong(project);
    }
    merged.complete(givers.defaults);
    Effective { manifest: merged.manifest, origins: merged.origins }
}

struct Merge {
    manifest: Manifest,
    origins: BTreeMap<String, Origin>,
}

impl Merge {
    fn inherit(&mut self, profile: &Profile) {
        let (m, from) = (&mut self.manifest, &mut Filler { origins: &mut self.origins, origin: Origin::Profile });
        from.value("verify", &mut m.verify, profile.verify.as_ref());
        from.list("capabilities", &mut m.capabilities, &profile.capabilities);
        from.value("engine-class", &mut m.engine_class, profile.engine_class.as_ref());
        from.list("prefers-engine", &mut m.prefers_engine, &profile.prefers_engine);
        from.value("allowed-scope", &mut m.allowed_scope, profile.allowed_scope.as_ref());
        from.value("review-policy", &mut m.review_policy, profile.review_policy.as_ref());
        from.value("retry", &mut m.retry, profile.retry.as_ref());
        from.value("budget", &mut m.budget, profile.budget.as_ref());
    }

    fn belong(&mut self, project: &Project) {
        let (m, from) = (&mut self.manifest, &mut Filler { origins: &mut self.origins, origin: Origin::Project });
        if m.cwd.is_none() {
            from.value("repo", &mut m.repo, Some(&project.repo));
        }
        from.value("base", &mut m.base, project.base.as_ref());
        from.value("profile", &mut m.profile, project.profile.as_ref());
        from.value("verify", &mut m.verify, project.verify.as_ref());
        from.value("review-policy", &mut m.review_policy, project.review_policy.as_ref());
        from.list("secrets", &mut m.secrets, &project.secrets);
        from.value("budget", &mut m.budget, project.budget.as_ref());
        from.value("commits", &mut m.commits, project.commits.as_ref());
    }

    fn complete(&mut self, defaults: &Defaults) {
        let (m, from) = (&mut self.manifest, &mut Filler { origins: &mut self.origins, origin: Origin::Default });
        // A class or a preference is a choice of engine too, and was made nearer to the job than the default; of a class
        // the default engine is still the first to try.
        let chosen = m.engine.is_some() || m.engine_class.is_some() || !m.prefers_engine.is_empty();
        if !chosen {
            from.value("engine", &mut m.engine, defaults.engine.as_ref());
        } else if m.engine.is_none() {
            from.list("prefers-engine", &mut m.prefers_engine, defaults.engine.as_slice());
        }
        from.value("verify", &mut m.verify, defaults.verify.as_ref());
        let review = defaults.review_policy.as_ref().unwrap_or(&ReviewPolicy::Auto);
        from.value("review-policy", &mut m.review_policy, Some(review));
        from.value("yolo", &mut m.yolo, defaults.yolo.as_ref());
        from.value("commits", &mut m.commits, defaults.commits.as_ref());
        if let Some(retry) = &mut m.retry {
            complete(retry, defaults);
        }
        from.value("priority", &mut m.priority, Some(&Priority::default()));
        from.value("kind", &mut m.kind, Some(&Kind::default()));
        from.value("deps-mode", &mut m.deps_mode, Some(&DepsMode::default()));
    }
}

/// Writes the defaults into the policy itself: a job keeps to what it was taken in with.
fn complete(retry: &mut Retry, defaults: &Defaults) {
    retry.max.get_or_insert(defaults.retry_max.unwrap_or(Retry::MAX));
    if let (Backoff::Exp, Some(series)) = (retry.backoff, defaults.backoff)
        && series != Series::USUAL
    {
        retry.backoff = Backoff::Series(series);
    }
}

/// Fills what is open, and writes down from where.
struct Filler<'a> {
    origins: &'a mut BTreeMap<String, Origin>,
    origin: Origin,
}

impl Filler<'_> {
    fn value<T: Clone>(&mut self, key: &str, field: &mut Option<T>, given: Option<&T>) {
        if field.is_none() && given.is_some() {
            *field = given.cloned();
            self.origins.insert(key.to_owned(), self.origin);
        }
    }

    fn list(&mut self, key: &str, field: &mut Vec<String>, given: &[String]) {
        if field.is_empty() && !given.is_empty() {
            *field = given.to_vec();
            self.origins.insert(key.to_owned(), self.origin);
        }
    }
}

/// The keys that a manifest gives, as a task file spells them; without the unknown ones.
fn keys(manifest: &Manifest) -> impl Iterator<Item = String> {
    let json = match serde_json::to_value(manifest) {
        Ok(Value::Object(json)) => json,
        _ => serde_json::Map::new(),
    };
    json.into_iter().map(|(key, _)| kebab_case(&key)).filter(|key| super::Field::named(key).is_some())
}
