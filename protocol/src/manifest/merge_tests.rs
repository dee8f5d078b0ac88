//! Precedence, field by field: only the profile, both, neither.

use serde_json::json;

use super::*;
use crate::{api::Origin, profile::Profile};

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

/// The value of a key, as JSON.
fn value(manifest: &Manifest, key: &str) -> serde_json::Value {
    serde_json::to_value(manifest).expect("json")[crate::front_matter::camel_case(key)].clone()
}

#[test]
fn only_the_profile_gives_it() {
    let effective = merge(Manifest::default(), Some(&profile()), &Defaults::default());
    let as_job = parse(&PROFILE.replace("default-verify", "verify"), "x").expect("a task").manifest;
    for key in INHERITED {
        assert_eq!(value(&effective.manifest, key), value(&as_job, key), "{key}");
        assert_eq!(effective.origins.get(key), Some(&Origin::Profile), "{key}");
    }
}

#[test]
fn where_both_give_it_the_job_wins_with_the_whole_value() {
    let effective = merge(job(), Some(&profile()), &Defaults::default());
    for key in INHERITED {
        assert_eq!(value(&effective.manifest, key), value(&job(), key), "{key}");
        assert_eq!(effective.origins.get(key), Some(&Origin::Job), "{key}");
    }
}

#[test]
fn where_neither_gives_it_only_what_always_has_a_value_is_filled() {
    let empty = crate::profile::parse("You.\n", "x").expect("a profile");
    for profile in [None, Some(&empty)] {
        let effective = merge(Manifest::default(), profile, &Defaults::default());
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
    let effective = merge(Manifest::default(), None, &defaults);
    assert_eq!(effective.manifest.engine.as_deref(), Some("default"));
    assert_eq!(effective.manifest.verify, defaults.verify);
    assert_eq!(effective.manifest.review_policy, defaults.review_policy);
    assert_eq!(effective.manifest.yolo, Some(true));
    assert_eq!(effective.origins["engine"], Origin::Default);

    let effective = merge(Manifest { yolo: Some(false), ..Manifest::default() }, Some(&profile()), &defaults);
    assert_eq!(effective.manifest.verify, Some(CommandLine::Line("profile".into())));
    assert_eq!(effective.manifest.yolo, Some(false));
    assert_eq!((effective.origins["verify"], effective.origins["yolo"]), (Origin::Profile, Origin::Job));
}

#[test]
fn a_retry_policy_is_completed_by_the_configured_tries_and_waits() {
    let series: Series = "10s x3 to 2m".parse().unwrap();
    let defaults = Defaults { retry_max: Some(7), backoff: Some(series), ..Defaults::default() };
    let completed =
        |retry: Option<Retry>| merge(Manifest { retry, ..Manifest::default() }, None, &defaults).manifest.retry;
    let expected = Retry { max: Some(7), backoff: Backoff::Series(series), ..Retry::default() };
    assert_eq!(completed(Some(Retry::default())), Some(expected));
    let own = Retry { max: Some(0), backoff: Backoff::Fixed(crate::Span::from_secs(5)), ..Retry::default() };
    assert_eq!(completed(Some(own.clone())), Some(own), "what a task says itself holds");
    assert_eq!(completed(None), None, "a task that wants no retry gets none");
    let usual = merge(Manifest { retry: Some(Retry::default()), ..Manifest::default() }, None, &Defaults::default());
    assert_eq!(usual.manifest.retry.map(|retry| (retry.max, retry.backoff)), Some((Some(3), Backoff::Exp)));
}

#[test]
fn the_default_engine_does_not_beat_a_choice_that_somebody_made() {
    let defaults = Defaults { engine: Some("default".into()), ..Defaults::default() };
    let engine = |manifest: Manifest| {
        let effective = merge(manifest, None, &defaults);
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
    assert_eq!(merge(open(), Some(&profile()), &defaults).manifest.engine, None);
}

#[test]
fn an_effective_manifest_reads_back_to_itself() {
    let effective = merge(job(), Some(&profile()), &Defaults::default()).manifest;
    let again = parse(&render(&effective, "body"), "x").expect("a task").manifest;
    assert_eq!(again, effective);
    assert_eq!(merge(again, Some(&profile()), &Defaults::default()).manifest, effective);
}

#[test]
fn origins_are_named_as_in_a_task_file() {
    let manifest = parse("---\npriority: 2\nidempotency-key: a\nowner: x\n---\n", "x").expect("a task").manifest;
    let origins = merge(manifest, None, &Defaults::default()).origins;
    let given: Vec<&str> = origins.iter().filter(|(_, o)| **o == Origin::Job).map(|(key, _)| key.as_str()).collect();
    assert_eq!(given, ["idempotency-key", "priority"]);
}
