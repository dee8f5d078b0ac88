//! Precedence, field by field: only the profile or the project, both, neither.

use serde_json::json;

use super::*;
use crate::{api::Origin, profile::Profile, project::Project};

const JOB: &str = "---
verify: job
capabilities: [job]
engine-class: chat-coder
prefers-engine: [job]
allowed-scope: [job]
review-policy: manual
retry: 7
budget: { usd: 7 }
---
";

const PROFILE: &str = "---
default-verify: profile
capabilities: [profile]
engine-class: agentic-coder
prefers-engine: [profile]
allowed-scope: [profile]
review-policy: { approvals: 2 }
retry: 2
budget: { wall: 2m }
---
You.
";

const INHERITED: [&str; 8] =
    ["verify", "capabilities", "engine-class", "prefers-engine", "allowed-scope", "review-policy", "retry", "budget"];

fn job() -> Manifest {
    parse(JOB, "x").expect("a task").manifest
}

fn profile() -> Profile {
    crate::profile::parse(PROFILE, "x").expect("a profile")
}

fn completed(manifest: Manifest, profile: Option<&Profile>, defaults: &Defaults) -> Effective {
    merge(manifest, Givers { profile, project: None, defaults })
}

/// What projects give besides the name of a profile, each key with a value.
fn project() -> Project {
    let table = json!({
        "repo": "/srv/shop", "base": "project", "verify": "project", "review-policy": {"approvals": 3},
        "secrets": ["PROJECT"], "budget": {"wall": "3m"}, "commits": {"pattern": "^p", "message": "p"},
    });
    Project::read("shop", table.as_object().expect("an object")).expect("a project")
}

/// The value of a key, as JSON.
fn value(manifest: &Manifest, key: &str) -> serde_json::Value {
    serde_json::to_value(manifest).expect("json")[crate::front_matter::camel_case(key)].clone()
}

#[test]
fn only_the_profile_gives_it() {
    let effective = completed(Manifest::default(), Some(&profile()), &Defaults::default());
    let as_job = parse(&PROFILE.replace("default-verify", "verify"), "x").expect("a task").manifest;
    for key in INHERITED {
        assert_eq!(value(&effective.manifest, key), value(&as_job, key), "{key}");
        assert_eq!(effective.origins.get(key), Some(&Origin::Profile), "{key}");
    }
}

#[test]
fn where_both_give_it_the_job_wins_with_the_whole_value() {
    let effective = completed(job(), Some(&profile()), &Defaults::default());
    for key in INHERITED {
        assert_eq!(value(&effective.manifest, key), value(&job(), key), "{key}");
        assert_eq!(effective.origins.get(key), Some(&Origin::Job), "{key}");
    }
}

#[test]
fn where_neither_gives_it_only_what_always_has_a_value_is_filled() {
    let empty = crate::profile::parse("You.\n", "x").expect("a profile");
    for profile in [None, Some(&empty)] {
        let effective = completed(Manifest::default(), profile, &Defaults::default());
        let filled = json!({"priority": "medium", "kind": "leaf", "depsMode": "hard", "reviewPolicy": "auto"});
        assert_eq!(serde_json::to_value(&effective.manifest).expect("json"), filled);
        assert_eq!(effective.origins.len(), 4);
        assert!(effective.origins.values().all(|origin| *origin == Origin::Default));
    }
}

#[test]
fn defaults_fill_what_job_and_profile_leave_open() {
    let defaults = Defaults {
        engine: Some("default".into()),
        verify: Some(CommandLine::Line("default".into())),
        review_policy: Some(ReviewPolicy::Manual),
        yolo: Some(true),
        ..Defaults::default()
    };
    let effective = completed(Manifest::default(), None, &defaults);
    assert_eq!(effective.manifest.engine.as_deref(), Some("default"));
    assert_eq!(effective.manifest.verify, defaults.verify);
    assert_eq!(effective.manifest.review_policy, defaults.review_policy);
    assert_eq!(effective.manifest.yolo, Some(true));
    assert_eq!(effective.origins["engine"], Origin::Default);

    let effective = completed(Manifest { yolo: Some(false), ..Manifest::default() }, Some(&profile()), &defaults);
    assert_eq!(effective.manifest.verify, Some(CommandLine::Line("profile".into())));
    assert_eq!(effective.manifest.yolo, Some(false));
    assert_eq!((effective.origins["verify"], effective.origins["yolo"]), (Origin::Profile, Origin::Job));
}

#[test]
fn a_retry_policy_is_completed_by_the_configured_tries_and_waits() {
    let series: Series = "10s x3 to 2m".parse().unwrap();
    let defaults = Defaults { retry_max: Some(7), backoff: Some(series), ..Defaults::default() };
    let retried =
        |retry: Option<Retry>| completed(Manifest { retry, ..Manifest::default() }, None, &defaults).manifest.retry;
    let expected = Retry { max: Some(7), backoff: Backoff::Series(series), ..Retry::default() };
    assert_eq!(retried(Some(Retry::default())), Some(expected));
    let own = Retry { max: Some(0), backoff: Backoff::Fixed(crate::Span::from_secs(5)), ..Retry::default() };
    assert_eq!(retried(Some(own.clone())), Some(own), "what a task says itself holds");
    assert_eq!(retried(None), None, "a task that wants no retry gets none");
    let asked = Manifest { retry: Some(Retry::default()), ..Manifest::default() };
    let usual = completed(asked, None, &Defaults::default());
    assert_eq!(usual.manifest.retry.map(|retry| (retry.max, retry.backoff)), Some((Some(3), Backoff::Exp)));
}

#[test]
fn the_default_engine_does_not_beat_a_choice_that_somebody_made() {
    let defaults = Defaults { engine: Some("default".into()), ..Defaults::default() };
    let engine = |manifest: Manifest| {
        let effective = completed(manifest, None, &defaults);
        (effective.manifest.engine, effective.manifest.prefers_engine)
    };
    let class = Some("agentic-coder".to_owned());
    let prefers = vec!["mine".to_owned()];
    let open = Manifest::default;
    assert_eq!(engine(open()), (Some("default".into()), vec![]));
    assert_eq!(engine(Manifest { engine: Some("mine".into()), ..open() }), (Some("mine".into()), vec![]));
    assert_eq!(engine(Manifest { prefers_engine: prefers.clone(), ..open() }), (None, prefers.clone()));
    assert_eq!(engine(Manifest { engine_class: class.clone(), ..open() }), (None, vec!["default".into()]));
    assert_eq!(engine(Manifest { engine_class: class, prefers_engine: prefers.clone(), ..open() }), (None, prefers));
    assert_eq!(completed(open(), Some(&profile()), &defaults).manifest.engine, None);
}

#[test]
fn an_effective_manifest_reads_back_to_itself() {
    let effective = completed(job(), Some(&profile()), &Defaults::default()).manifest;
    let again = parse(&render(&effective, "body"), "x").expect("a task").manifest;
    assert_eq!(again, effective);
    assert_eq!(completed(again, Some(&profile()), &Defaults::default()).manifest, effective);
}

#[test]
fn origins_are_named_as_in_a_task_file() {
    let manifest = parse("---\npriority: 2\nidempotency-key: a\nowner: x\n---\n", "x").expect("a task").manifest;
    let origins = completed(manifest, None, &Defaults::default()).origins;
    let given: Vec<&str> = origins.iter().filter(|(_, o)| **o == Origin::Job).map(|(key, _)| key.as_str()).collect();
    assert_eq!(given, ["idempotency-key", "priority"]);
}

#[test]
fn a_project_stands_between_profile_and_defaults() {
    let defaults =
        Defaults { verify: Some(CommandLine::Line("default".into())), yolo: Some(true), ..Defaults::default() };
    let (profile, project) = (profile(), project());
    let origins = |manifest: Manifest, profile| {
        let givers = Givers { profile, project: Some(&project), defaults: &defaults };
        let effective = merge(manifest, givers);
        move |key: &str| {
            let verify = effective.manifest.verify.as_ref().expect("a verify command").to_string();
            (effective.origins.get(key).copied(), if key == "verify" { verify } else { String::new() })
        }
    };
    let given = origins(Manifest::default(), None);
    for key in ["repo", "base", "review-policy", "secrets", "budget", "commits"] {
        assert_eq!(given(key).0, Some(Origin::Project), "{key}");
    }
    assert_eq!(given("verify"), (Some(Origin::Project), "project".to_owned()), "it beats the default");
    assert_eq!(given("yolo").0, Some(Origin::Default));
    let given = origins(Manifest::default(), Some(&profile));
    assert_eq!(given("verify"), (Some(Origin::Profile), "profile".to_owned()), "the profile beats it");
    assert_eq!((given("budget").0, given("base").0), (Some(Origin::Profile), Some(Origin::Project)));
    let own = manifest_of(
        "repo: /else\nbase: mine\nverify: job\nsecrets: [MINE]\nbudget: {usd: 1}\nreview-policy: auto\ncommits: {pattern: j, message: j}",
    );
    let given = origins(own, Some(&profile));
    for key in ["repo", "base", "verify", "secrets", "budget", "review-policy", "commits"] {
        assert_eq!(given(key).0, Some(Origin::Job), "{key}");
    }
}

#[test]
fn a_folder_of_the_project_stays_one() {
    let (project, defaults) = (project(), Defaults::default());
    let givers = Givers { profile: None, project: Some(&project), defaults: &defaults };
    let effective = merge(manifest_of("project: shop\ncwd: services/api"), givers);
    assert_eq!(effective.manifest.repo, None, "a task file cannot name both");
    let again = parse(&render(&effective.manifest, "body"), "x").expect("a task").manifest;
    assert_eq!(merge(again, givers).manifest, effective.manifest);
}

fn manifest_of(front: &str) -> Manifest {
    parse(&format!("---\n{front}\n---\n"), "x").expect("a task").manifest
}
