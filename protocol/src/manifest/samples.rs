//! Arbitrary manifests and bodies for property tests: everything the rules allow.

use std::{collections::BTreeMap, num::NonZeroU32};

use proptest::{collection::vec, option::of, prelude::*};
use serde_json::Value;

use super::*;
use crate::{
    convention::{CommitRule, Otherwise},
    size::ByteSize,
    span::Span,
};

/// Any manifest that is right.
pub(super) fn manifests() -> impl Strategy<Value = Manifest> {
    (names(), routing(), work(), policies(), later(), extra()).prop_map(
        |(names, routing, work, policies, later, extra)| Manifest {
            engine: names.engine,
            engine_class: names.engine_class,
            prefers_engine: names.prefers_engine,
            model: names.model,
            max_turns: names.max_turns,
            profile: names.profile,
            yolo: names.yolo,
            tags: routing.tags,
            priority: routing.priority,
            priority_number: routing.priority_number,
            deps: routing.deps,
            deps_mode: routing.deps_mode,
            capabilities: routing.capabilities,
            lock: routing.lock,
            hold: routing.hold,
            idempotency_key: routing.idempotency_key,
            verify: policies.verify,
            timeout: policies.timeout,
            budget: policies.budget,
            retry: policies.retry,
            review_policy: policies.review_policy,
            allowed_scope: policies.allowed_scope,
            commits: policies.commits,
            artifacts: later.artifacts,
            limits: later.limits,
            schedule: later.schedule,
            runtime: later.runtime,
            trust: later.trust,
            kind: later.kind,
            extra,
            ..work
        },
    )
}

/// Bodies with everything that is easily lost: fences, line ends, marks, other alphabets.
pub(super) fn bodies() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("---".to_owned()),
        Just("---\n\nengine: x\n---\n".to_owned()),
        Just("\n".to_owned()),
        Just("\r\n".to_owned()),
        Just("\r".to_owned()),
        Just("\u{feff}".to_owned()),
        Just("# Title: \"quoted\"\n".to_owned()),
        Just("key: value\n".to_owned()),
        "\\PC{0,20}",
        any::<String>(),
    ];
    vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

fn names() -> impl Strategy<Value = Manifest> {
    let class = prop_oneof![Just("agentic-coder".to_owned()), Just("chat-coder".to_owned())];
    (of(name()), of(class), vec(name(), 0..3), of(word()), of(1u32..), of(name()), any::<Option<bool>>()).prop_map(
        |(engine, engine_class, prefers_engine, model, max_turns, profile, yolo)| Manifest {
            engine,
            engine_class,
            prefers_engine,
            model,
            max_turns,
            profile,
            yolo,
            ..Manifest::default()
        },
    )
}

fn routing() -> impl Strategy<Value = Manifest> {
    let priority = prop_oneof![
        Just((None, None)),
        any_of(Priority::ALL).prop_map(|word| (Some(word), None)),
        (1u8..=5).prop_map(|number| (Priority::from_number(number), Some(number))),
    ];
    let capability =
        prop_oneof!["[a-z]{1,6}", "[a-z]{1,6}:[a-z0-9.]{1,6}", "[a-z]{1,6}(>=|<=|>|<|=)[0-9]{1,3}(\\.[0-9]{1,3})?"];
    (
        vec(word(), 0..4),
        priority,
        vec(word(), 0..4),
        of(any_of(DepsMode::ALL)),
        vec(capability, 0..4),
        of(line()),
        any::<Option<bool>>(),
        of(word()),
    )
        .prop_map(
            |(tags, (priority, priority_number), deps, deps_mode, capabilities, lock, hold, idempotency_key)| {
                Manifest {
                    tags,
                    priority,
                    priority_number,
                    deps,
                    deps_mode,
                    capabilities,
                    lock,
                    hold,
                    idempotency_key,
                    ..Manifest::default()
                }
            },
        )
}

fn work() -> impl Strategy<Value = Manifest> {
    let place = prop_oneof![
        Just((None, None)),
        path().prop_map(|cwd| (Some(cwd), None)),
        path().prop_map(|repo| (None, Some(repo))),
    ];
    (
        of(line()),
        place,
        of(name()),
        vec(prose(), 0..4),
        vec(path(), 0..3),
        vec(prose(), 0..3),
        vec(word(), 0..3),
        of(line()),
    )
        .prop_map(|(title, (cwd, repo), base, acceptance, target_files, test_commands, prefers, tracker_item)| {
            Manifest {
                title,
                cwd,
                repo,
                base,
                acceptance,
                target_files,
                test_commands,
                prefers,
                tracker_item,
                ..Manifest::default()
            }
        })
}

fn policies() -> impl Strategy<Value = Manifest> {
    let command = prop_oneof![
        prose().prop_map(CommandLine::Line),
        (prose(), vec(text(), 0..3)).prop_map(|(program, arguments)| {
            CommandLine::Argv(std::iter::once(program).chain(arguments).collect())
        }),
    ];
    let review = prop_oneof![
        Just(ReviewPolicy::Auto),
        Just(ReviewPolicy::Manual),
        (1u32..9).prop_map(|approvals| ReviewPolicy::Quorum { approvals, reviewers: vec![] }),
        (1u32..3)
            .prop_map(|approvals| ReviewPolicy::Quorum { approvals, reviewers: vec!["ann".into(), "Bo: x".into()] }),
    ];
    let scope = (vec(path(), 1..4), any_of(ScopeMode::ALL)).prop_map(|(paths, mode)| Scope { paths, mode });
    let wait = || any::<u32>().prop_map(|ms| Span::from_millis(ms.into()));
    let series = (wait(), any::<NonZeroU32>(), wait()).prop_map(|(first, factor, most)| Series { first, factor, most });
    let backoff = prop_oneof![Just(Backoff::Exp), wait().prop_map(Backoff::Fixed), series.prop_map(Backoff::Series)];
    let retry = (of(any::<u32>()), backoff, vec(any_of(RetryOn::ALL), 1..4), any::<bool>())
        .prop_map(|(max, backoff, on, resume)| Retry { max, backoff, on, resume });
    let budget = (of(amount()), of(1u64..), of(span())).prop_filter_map("says something", |(usd, tokens, wall)| {
        Some(Budget { usd, tokens, wall }).filter(|budget| *budget != Budget::default())
    });
    let commits = any_of(Otherwise::ALL).prop_map(|otherwise| CommitRule {
        pattern: "^(feat|fix)(\\(.+\\))?: \"'#".to_owned(),
        message: "fix: \"'# {subject}".to_owned(),
        otherwise,
    });
    (of(command), of(span()), of(budget), of(retry), of(review), of(scope), of(commits)).prop_map(
        |(verify, timeout, budget, retry, review_policy, allowed_scope, commits)| Manifest {
            commits,
            verify,
            timeout,
            budget,
            retry,
            review_policy,
            allowed_scope,
            ..Manifest::default()
        },
    )
}

fn later() -> impl Strategy<Value = Manifest> {
    let limits = (of((1u64..).prop_map(ByteSize)), of(amount())).prop_filter_map("says something", |(memory, cpus)| {
        Some(Limits { memory, cpus }).filter(|limits| *limits != Limits::default())
    });
    let schedule = prop_oneof![
        Just(Value::from("0 9 * * 1-5")),
        line().prop_map(|zone| serde_json::json!({"cron": "*/5 * * * *", "timezone": zone, "n": [1, null, true]})),
    ];
    let words = (of(any_of(RuntimeName::ALL)), of(any_of(Trust::ALL)), of(any_of(Kind::ALL)));
    (vec(path(), 0..3), of(limits), of(schedule), words).prop_map(
        |(artifacts, limits, schedule, (runtime, trust, kind))| Manifest {
            artifacts,
            limits,
            schedule,
            runtime,
            trust,
            kind,
            ..Manifest::default()
        },
    )
}

fn extra() -> impl Strategy<Value = BTreeMap<String, Value>> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_filter_map("JSON has it", |number| serde_json::Number::from_f64(number).map(Value::Number)),
        text().prop_map(Value::from),
        "[0-9]{1,3}(\\.[0-9]|e[0-9]|[smhd])?|true|null|~|yes|0x1f".prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(text(), inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    });
    let key = text().prop_filter("unknown", |key| Field::named(key).is_none());
    prop::collection::btree_map(key, value, 0..3)
}

fn any_of<T: Copy + std::fmt::Debug + 'static>(words: &'static [T]) -> impl Strategy<Value = T> {
    prop::sample::select(words)
}

fn name() -> impl Strategy<Value = String> {
    "[A-Za-z0-9][A-Za-z0-9_-]{0,12}"
}

fn word() -> impl Strategy<Value = String> {
    "[^\\p{C}\\p{Z}\\s,-][^\\p{C}\\p{Z}\\s,]{0,12}"
}

fn path() -> impl Strategy<Value = String> {
    "[a-zé0-9]{1,5}(/[a-z '\"#:]{0,4}[a-z*]){0,2}"
}

/// Any text; long ones and odd characters now and then.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "\\PC{0,30}",
        2 => "[ \\n\\r\\t:#'\"\\\\{}\\[\\]&*!|>%@`,?-]{0,12}",
        1 => any::<String>().prop_map(|text| text.replace('\0', "")),
        1 => "[a-z ]{1000,1100}",
    ]
}

fn prose() -> impl Strategy<Value = String> {
    text().prop_map(|text| format!("x{text}"))
}

fn line() -> impl Strategy<Value = String> {
    text().prop_map(|text| format!("x{}", text.replace(char::is_control, "")))
}

fn span() -> impl Strategy<Value = Span> {
    (1u64..10_000_000_000).prop_map(Span::from_millis)
}

fn amount() -> impl Strategy<Value = f64> {
    prop_oneof![(1u32..100_000).prop_map(|cents| f64::from(cents) / 100.0), f64::MIN_POSITIVE..1e300]
}
