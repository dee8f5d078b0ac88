//! Task files and JSON, from the outside.

use proptest::prelude::*;
use serde_json::json;

use super::{
    samples::{bodies, manifests},
    *,
};
use crate::{size::ByteSize, span::Span};

fn task(front: &str) -> TaskFile {
    let text = format!("---\n{front}\n---\n# Heading\n");
    parse(&text, "file.md").unwrap_or_else(|mistakes| panic!("{front}\n{mistakes}"))
}

fn manifest(front: &str) -> Manifest {
    task(front).manifest
}

/// Every mistake of a front matter as `line:column: message (help)`.
fn mistakes(front: &str) -> Vec<String> {
    let text = format!("---\n{front}\n---\n# Heading\n");
    parse(&text, "file.md").expect_err(front).0.iter().map(ToString::to_string).collect()
}

#[test]
fn the_example_of_the_documentation_is_read() {
    let text = "---
engine: my-agent
priority: high
verify: ./check.sh
deps: [other-task]
timeout: 45m
budget: { wall: 30m, usd: 2.5, tokens: 2000000 }
retry: { max: 2, backoff: 5s, on: [timeout, crash] }
idempotency-key: nightly-2026-11-20
---
# Add input validation to the signup form
...
";
    let task = parse(text, "x.md").expect("a task");
    assert_eq!(task.title, "Add input validation to the signup form");
    assert_eq!(task.body, "# Add input validation to the signup form\n...\n");
    assert_eq!(task.warnings, []);
    let expected = Manifest {
        engine: Some("my-agent".into()),
        priority: Some(Priority::High),
        verify: Some(CommandLine::Line("./check.sh".into())),
        deps: vec!["other-task".into()],
        timeout: Some(Span::from_secs(45 * 60)),
        budget: Some(Budget { wall: Some(Span::from_secs(1800)), usd: Some(2.5), tokens: Some(2_000_000) }),
        retry: Some(Retry {
            max: Some(2),
            backoff: Backoff::Fixed(Span::from_secs(5)),
            on: vec![RetryOn::Timeout, RetryOn::Crash],
            resume: true,
        }),
        idempotency_key: Some("nightly-2026-11-20".into()),
        ..Manifest::default()
    };
    assert_eq!(task.manifest, expected);
}

#[test]
fn a_body_is_kept_byte_for_byte() {
    for body in ["", "\n", "---\nx\n---\n", "a\r\nb\r\n", "\u{feff}é 日本\n", "no end", "\t x \n\n", "---"] {
        for front in ["---\nengine: a\n---\n", "---\r\nengine: a\r\n---\r\n", "---\n---\n"] {
            assert_eq!(parse(&format!("{front}{body}"), "x").expect("a task").body, body, "{front:?}");
        }
    }
    let large = "é\r\n---\n".repeat(1 << 17);
    assert_eq!(parse(&format!("---\n---\n{large}"), "x").expect("a task").body, large);
}

#[test]
fn the_title_comes_from_key_heading_or_file() {
    for (text, title) in [
        ("---\ntitle: From the key\n---\n# Heading\n", "From the key"),
        ("---\ntitle: \"Fix: it \"\n---\n", "Fix: it"),
        ("---\nengine: a\n---\ntext\n## Heading ##\n", "Heading"),
        ("```\n# not this\n```\n# Heading\n", "Heading"),
        ("just text\n", "add-validation"),
        ("", "add-validation"),
    ] {
        assert_eq!(parse(text, "add-validation.md").expect(text).title, title, "{text:?}");
    }
}

#[test]
fn text_is_taken_as_written() {
    assert_eq!(manifest("verify: true").verify, Some(CommandLine::Line("true".into())));
    assert_eq!(manifest("verify: 'npm test'").verify, Some(CommandLine::Line("npm test".into())));
    assert_eq!(manifest("title: 1.50").title.as_deref(), Some("1.50"));
    assert_eq!(manifest("idempotency-key: 0012").idempotency_key.as_deref(), Some("0012"));
    assert_eq!(manifest("tags: [yes, 1e3, 2026-11-20]").tags, ["yes", "1e3", "2026-11-20"]);
    assert_eq!(manifest("retry: {on: [crash]}").retry.expect("retry").on, [RetryOn::Crash]);
    assert_eq!(manifest("verify: |\n  a\n  b").verify, Some(CommandLine::Line("a\nb\n".into())));
}

#[test]
fn short_forms_are_read() {
    assert_eq!(manifest("retry: 2").retry, Some(Retry { max: Some(2), ..Retry::default() }));
    assert_eq!(manifest("retry: {}").retry, Some(Retry::default()));
    assert_eq!(
        manifest("retry: {backoff: exp, resume: false}").retry,
        Some(Retry { resume: false, ..Retry::default() })
    );
    let argv = CommandLine::Argv(vec!["cargo".into(), "test".into(), String::new()]);
    assert_eq!(manifest("verify: [cargo, test, '']").verify, Some(argv));
    assert_eq!(manifest("deps: one").deps, ["one"]);
    assert_eq!(manifest("deps:\n- one\n- two").deps, ["one", "two"]);
    assert_eq!(manifest("capabilities: node>=20").capabilities, ["node>=20"]);
    let scope = |mode| Some(Scope { paths: vec!["src/**".into()], mode });
    assert_eq!(manifest("allowed-scope: src/**").allowed_scope, scope(ScopeMode::Warn));
    assert_eq!(manifest("allowed-scope: [src/**]").allowed_scope, scope(ScopeMode::Warn));
    assert_eq!(manifest("allowed-scope: {paths: src/**, mode: enforce}").allowed_scope, scope(ScopeMode::Enforce));
    assert_eq!(manifest("limits: {memory: 4GiB, cpus: .5}").limits, {
        Some(Limits { memory: Some(ByteSize(4 << 30)), cpus: Some(0.5) })
    });
    assert_eq!(manifest("schedule: 0 9 * * 1-5").schedule, Some(json!("0 9 * * 1-5")));
}

#[test]
fn review_policies_have_three_forms() {
    let quorum = |approvals, reviewers: &[&str]| ReviewPolicy::Quorum {
        approvals,
        reviewers: reviewers.iter().map(ToString::to_string).collect(),
    };
    for (written, meant) in [
        ("auto", ReviewPolicy::Auto),
        ("manual", ReviewPolicy::Manual),
        ("{approvals: 2, reviewers: [ann, bo]}", quorum(2, &["ann", "bo"])),
        ("{approvals: 2}", quorum(2, &[])),
        ("{reviewers: ann}", quorum(1, &["ann"])),
    ] {
        assert_eq!(manifest(&format!("review-policy: {written}")).review_policy, Some(meant), "{written}");
    }
    for written in ["none", "[ann]", "{}", "{approvals: 0}", "{approvals: 2, reviewers: [Ann, 'ann ']}", "{people: 1}"]
    {
        assert_eq!(mistakes(&format!("review-policy: {written}")).len(), 1, "{written}");
    }
}

#[test]
fn priorities_are_words_or_numbers_and_the_number_is_kept() {
    let words = ["critical", "high", "medium", "low", "low"];
    for (number, word) in (1u8..).zip(words) {
        let read = manifest(&format!("priority: {number}"));
        assert_eq!((read.priority, read.priority_number), (word.parse().ok(), Some(number)));
        assert_eq!(manifest(&format!("priority: {word}")).priority, word.parse().ok());
    }
    for wrong in ["0", "6", "12", "1.5", "urgent", "High", "[high]"] {
        assert_eq!(mistakes(&format!("priority: {wrong}")).len(), 1, "{wrong}");
    }
}

#[test]
fn every_mistake_is_told_at_its_place_in_one_pass() {
    let found = mistakes(
        "timeout: 5\nyolo: yes\ncapabilities: [git, \"node>>20\"]\nretry:\n  max: two\n  on: [crsh]\n  bakoff: 1s\n\
         budget: {usd: -1, tokens: 1.5, wall: 0s}\ncwd: a\nrepo: b\nengine: a\nengine: b\nkind: tree\ndeps: {a: b}\n\
         artifacts: [/etc/passwd, ../x]\nallowed-scope: [\"src/[\"]\nsecrets: {A: hunter2}\nbase: a..b\nmax-turns: \"3\"\n\
         größe: ü\ntags: [é, \"a b\"]",
    );
    let places: Vec<&str> = found.iter().map(|mistake| mistake.split(": ").next().unwrap_or_default()).collect();
    assert_eq!(
        places,
        [
            "2:10", "3:7", "4:21", "6:8", "7:8", "8:3", "9:15", "9:27", "9:38", "11:1", "13:1", "14:7", "15:7",
            "16:13", "16:26", "17:17", "18:10", "19:7", "20:12", "22:11"
        ],
        "{found:#?}"
    );
    assert!(!found.iter().any(|mistake| mistake.contains("hunter2")));
}

#[test]
fn mistakes_say_what_would_be_right() {
    for (front, message) in [
        (
            "timeout: 5",
            "2:10: `timeout`: `5` is not a duration (write a whole number and a unit, for example 90s, 45m, 2h or 1d)",
        ),
        ("kind: compsite", "2:7: `kind`: unknown kind `compsite` (did you mean `composite`? known: leaf, composite)"),
        ("kind: x", "2:7: `kind`: unknown kind `x` (known: leaf, composite)"),
        ("engine: a\nengine: b", "3:1: `engine` is given twice, first on line 2 (keep one of them)"),
        ("cwd: a\nrepo: b", "3:1: `repo`: cannot be given together with `cwd` (line 2) (keep one of them)"),
        ("budget: {uds: 1}", "2:10: `budget`: unknown key `uds` (did you mean `usd`?)"),
        ("yolo: yes", "2:7: `yolo`: `yes` is neither true nor false (write true or false, without quotes)"),
        (
            "deps: a, b",
            "2:7: `deps`: `a, b` is not one word (write one word without spaces, commas or a leading `-`; several are a list: [one, two])",
        ),
        ("engine: [a]", "2:9: `engine`: takes text, not a list (write text)"),
        ("budget: 5", "2:9: `budget`: takes a mapping (write { wall: …, usd: …, tokens: … })"),
        ("verify: []", "2:9: `verify`: is an empty list (write a line, or a list of a program and its arguments)"),
        ("runtime: dokcer", "2:10: `runtime`: unknown runtime `dokcer` (did you mean `docker`? known: local, docker)"),
    ] {
        assert_eq!(mistakes(front), [message]);
    }
}

#[test]
fn mistakes_before_a_syntax_error_are_told_with_it() {
    let found = mistakes("timeout: 5\ntitle: Fix: it\n");
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("2:10: `timeout`") && found[1].starts_with("3:11: this is not YAML"), "{found:?}");
    assert!(found[1].contains("in quotes"));
}

#[test]
fn places_are_the_same_with_either_line_end() {
    let front = "---\ntitle: é 日本\ntags: [é, \"a b\"]\ntimeout: 5\n---\n";
    let unix = parse(front, "x").expect_err("mistakes");
    let dos = parse(&front.replace('\n', "\r\n"), "x").expect_err("mistakes");
    assert_eq!(unix, dos);
    assert_eq!(unix.0.iter().map(|m| (m.line, m.column)).collect::<Vec<_>>(), [(3, 11), (4, 10)]);
}

#[test]
fn unknown_keys_are_kept_and_warned_about() {
    let task = task("verfiy: cargo test\nowner: {name: Ann, id: 7, on: [1.5, yes, ~]}\nidempotency_key: a");
    assert_eq!(task.manifest.verify, None);
    assert_eq!(task.manifest.extra["owner"], json!({"name": "Ann", "id": 7, "on": [1.5, "yes", null]}));
    assert_eq!(task.manifest.extra["verfiy"], json!("cargo test"));
    let warnings: Vec<String> = task.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warnings.len(), 3);
    assert_eq!(warnings[0], "2:1: unknown key `verfiy`: it is kept and has no effect (did you mean `verify`?)");
    assert!(warnings[1].starts_with("3:1: unknown key `owner`"));
    assert!(warnings[2].contains("did you mean `idempotency-key`?"));
}

#[test]
fn a_key_without_a_value_is_left_out_with_a_warning() {
    let task = task("verify:\nengine: ~\nbudget: {usd: null, wall: 1m}\ndeps: []");
    let expected = Budget { wall: Some(Span::from_secs(60)), ..Budget::default() };
    assert_eq!(task.manifest, Manifest { budget: Some(expected), ..Manifest::default() });
    assert_eq!(task.warnings.iter().map(|w| w.line).collect::<Vec<_>>(), [2, 3, 4]);
    assert_eq!(manifest("title: \"null\"").title.as_deref(), Some("null"));
}

#[test]
fn values_of_secrets_are_refused_and_never_repeated() {
    assert_eq!(manifest("secrets: [NPM_TOKEN, B]").secrets, ["NPM_TOKEN", "B"]);
    let token = format!("gh{}", "p_hunter2hunter2hunter2");
    for front in [
        "secrets: {NPM_TOKEN: hunter2}".to_owned(),
        "secrets: [NPM_TOKEN=hunter2]".to_owned(),
        "secrets: \"hunter2 x\"".to_owned(),
        "repo: https://me:hunter2@example.org/x.git".to_owned(),
        format!("verify: TOKEN={token} ./check.sh"),
        format!("api-key: {token}"),
        format!("priority: {token}"),
        format!("owner: {{deep: [{token}]}}"),
    ] {
        let found = mistakes(&front);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(!found[0].contains("hunter2"), "{found:?}");
    }
}

#[test]
fn every_field_is_read_written_and_named_once() {
    for field in FIELDS {
        let front = format!("{}: {}", field.key, field.example);
        let read = task(&front);
        assert_eq!(read.warnings, [], "{front}");
        assert_ne!(read.manifest, Manifest::default(), "{front}");
        assert_eq!(read.manifest.extra.len(), 0, "{front}");
        assert!(render(&read.manifest, "").contains(&format!("\n{}: ", field.key)), "{front}");
        assert!(field.what.ends_with('.'), "{front}");
        assert_eq!(FIELDS.iter().filter(|other| other.key == field.key).count(), 1, "{front}");
    }
}

#[test]
fn what_is_refused_is_what_the_table_of_fields_says() {
    for field in FIELDS {
        let refused = unsupported(&manifest(&format!("{}: {}", field.key, field.example)));
        let keys: Vec<&str> = refused.iter().map(|unsupported| unsupported.key).collect();
        match field.support {
            Support::NotYet => assert_eq!(keys, [field.key]),
            Support::Partial(_) | Support::Honoured | Support::Recorded => {
                let expected: &[&str] = match field.key {
                    "kind" | "runtime" | "trust" => &[field.key],
                    _ => &[],
                };
                assert_eq!(keys, expected, "{}", field.key);
            }
        }
        assert!(refused.iter().all(|unsupported| unsupported.message.contains("not yet supported here: ")));
    }
}

#[test]
fn only_what_would_be_ignored_is_refused() {
    let refused = |front: &str| unsupported(&manifest(front)).len();
    for taken in [
        "kind: leaf",
        "runtime: local",
        "trust: trusted",
        "review-policy: manual",
        "review-policy: {approvals: 1}",
        "secrets: [A]",
        "tags: [a]",
        "tracker-item: A-1",
        "prefers: [a]",
        "owner: ann",
    ] {
        assert_eq!(refused(taken), 0, "{taken}");
    }
    assert_eq!(refused("review-policy: {approvals: 2}"), 1);
    assert_eq!(refused("review-policy: {reviewers: [ann]}"), 1);
    assert_eq!(refused("runtime: docker\nlimits: {cpus: 1}\nschedule: 0 9 * * 1"), 2);
}

#[test]
fn a_convention_that_cannot_be_kept_to_is_refused_at_its_place() {
    for (front, told) in [
        (
            "commits: { pattern: \"^(x\", message: x }",
            "1:21: `commits.pattern`: `^(x` is not a regular expression: unclosed group",
        ),
        (
            "commits: { pattern: ^x, message: y }",
            "1:34: `commits.message`: `y`, which it makes, does not match the pattern",
        ),
        ("commits: { pattern: ^x }", "1:10: `commits`: needs a `pattern` and a `message`"),
        ("commits: { pattern: ^x, message: x, otherwise: rewrod }", "did you mean `reword`?"),
        ("commits: ^x", "1:10: `commits`: takes a mapping"),
    ] {
        let found = mistakes(front);
        let told = told.replacen("1:", "2:", usize::from(told.starts_with("1:")));
        assert!(found.len() == 1 && found[0].contains(&told), "{found:?}");
    }
}

#[test]
fn a_mistake_does_not_hide_what_is_odd() {
    let odd = warnings("---\nverfiy: x\npriority: soon\nmodel:\n---\n");
    let told: Vec<String> = odd.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].starts_with("2:1: ") && told[0].contains("did you mean `verify`?"), "{told:?}");
    assert!(told[1].starts_with("4:1: ") && told[1].contains("`model`: has no value"), "{told:?}");
    assert_eq!(warnings("---\nno end\n"), []);
}

#[test]
fn json_follows_the_same_rules_and_short_forms() {
    let task = from_json(
        &json!({
            "title": "T", "body": "---\nx\r\n", "priority": 2, "retry": 2, "reviewPolicy": {"reviewers": "ann"},
            "idempotencyKey": "k", "allowedScope": ["src/**"], "verify": true, "yolo": null, "owner": {"a": 1.0},
            "deps-mode": "soft", "extra": {"more": [1]},
        }),
        "",
    )
    .expect("a task");
    let mut same = manifest(
        "title: T\npriority: 2\nretry: 2\nreview-policy: {reviewers: ann}\nidempotency-key: k\n\
         allowed-scope: [src/**]\nverify: true\nowner: {a: 1.0}\nmore: [1]",
    );
    same.extra.insert("deps-mode".into(), json!("soft"));
    assert_eq!(task.manifest, same);
    assert_eq!(task.body, "---\nx\r\n");
    let warnings: Vec<String> = task.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].contains("did you mean `depsMode`?"), "{warnings:?}");

    let wrong = json!({"timeout": 5, "maxTurns": "3", "cwd": "a", "repo": "b", "body": 7, "priorityNumber": 9, "extra": {"deps": 1}});
    let found = from_json(&wrong, "").expect_err("mistakes");
    assert_eq!(found.0.len(), 6, "{found}");
    assert!(found.0.iter().all(|mistake| (mistake.line, mistake.column) == (0, 0)));
    assert!(found.to_string().contains("`maxTurns`: `3` is not a whole number above 0"));
    assert!(from_json(&json!([]), "").is_err());
}

#[test]
fn a_manifest_from_elsewhere_is_checked_by_the_same_rules() {
    let wrong = Manifest {
        engine: Some("a b".into()),
        deps: vec!["x y".into()],
        priority_number: Some(2),
        artifacts: vec!["/etc".into()],
        budget: Some(Budget { usd: Some(-1.0), ..Budget::default() }),
        ..Manifest::default()
    };
    let found: Vec<String> = validate(&wrong).iter().map(ToString::to_string).collect();
    assert_eq!(found.len(), 5, "{found:?}");
}

#[test]
fn what_says_nothing_is_rendered_as_its_body() {
    assert_eq!(render(&Manifest::default(), "# T\n"), "# T\n");
    assert_eq!(render(&Manifest::default(), "---\na: 1\n---\n"), "---\n---\n---\na: 1\n---\n");
    assert_eq!(render(&Manifest::default(), "---\n\n# T\n"), "---\n\n# T\n");
}

#[test]
fn a_rendered_task_file_reads_well() {
    let front = "title: \"Fix: it\"\nengine: claude\npriority: 2\ncapabilities: [\"node>=20\", \"os:linux\"]\n\
                 deps: [a, b]\nacceptance:\n  - \"an empty e-mail is refused, and the message says which field was left empty\"\n  \
                 - nothing else changes\nverify: cargo test\ntimeout: 45m\nbudget: { tokens: 7, usd: 2.5, wall: 30m }\n\
                 owner: \"1\"\n";
    assert_eq!(render(&manifest(front), "body"), format!("---\n{front}---\nbody"));
}

proptest! {
    #[test]
    fn render_then_parse_is_the_same(manifest in manifests(), body in bodies()) {
        prop_assert_eq!(validate(&manifest), []);
        let text = render(&manifest, &body);
        let read = match parse(&text, "x.md") {
            Ok(read) => read,
            Err(mistakes) => return Err(TestCaseError::fail(format!("{mistakes}\n{text}"))),
        };
        prop_assert_eq!(&read.manifest, &manifest, "{}", text);
        prop_assert_eq!(read.body, body);
    }

    #[test]
    fn json_there_and_back_is_the_same(manifest in manifests(), body in any::<String>()) {
        let mut value = serde_json::to_value(&manifest).expect("json");
        value["body"] = json!(body);
        let read = from_json(&value, "").map_err(|mistakes| TestCaseError::fail(mistakes.to_string()))?;
        prop_assert_eq!(&read.manifest, &manifest);
        prop_assert_eq!(read.body, body);
        let typed: Manifest = serde_json::from_value(value).expect("the wire type reads it too");
        prop_assert_eq!(typed, manifest);
    }

    #[test]
    fn parsing_never_panics(text in any::<String>(), name in any::<String>()) {
        let _ = parse(&text, &name);
    }

    #[test]
    fn parsing_what_looks_like_front_matter_never_panics(
        front in "([a-z]{1,5}|title|retry|verify|- |  |\t|\r?\n|: |[:#\\[\\]{}\"'&*!|>%@`,?~-]|\\PC){0,60}",
        body in "\\PC{0,10}",
    ) {
        if let Err(mistakes) = parse(&format!("---\n{front}\n---\n{body}"), "x.md") {
            prop_assert!(!mistakes.0.is_empty());
            prop_assert!(mistakes.0.iter().all(|mistake| mistake.line > 0 && mistake.column > 0), "{mistakes}");
        }
    }
}

#[test]
fn whoever_knows_more_adds_to_the_same_list_at_the_place_of_the_key() {
    let text = "---\nruntime: docker\npriority: soon\nengine: clade\ntags: [a]\n---\nx";
    let mut reading = examine(text, "file.md");
    assert!(reading.is_wrong("priority") && !reading.is_wrong("engine"));
    assert_eq!((reading.place("engine"), reading.place("tags")), (Some((4, 9)), Some((5, 7))));
    assert_eq!((reading.key_at(4, 9), reading.key_at(4, 1), reading.place("profile")), (Some("engine"), None, None));
    reading.fault("model", &["profile"], "stands nowhere here".to_owned(), None);
    reading.fault("engine", &["engine"], "no such engine".to_owned(), Some("try another".to_owned()));
    reading.fault("model", &["profile", "tags"], "comes from the tags".to_owned(), None);
    reading.fault("runtime", &["runtime"], "not here".to_owned(), None);
    assert!(reading.is_wrong("engine"));
    let told = reading.mistakes().to_string();
    let places: Vec<&str> = told.lines().map(|line| line.split([' ', '(']).next().unwrap_or_default()).collect();
    assert_eq!(places, ["2:10:", "3:11:", "4:9:", "5:7:", "stands"], "{told}");
    assert_eq!(reading.finish().expect_err("mistakes").to_string(), told);
}

#[test]
fn what_was_understood_beside_a_mistake_is_kept() {
    for (text, engine) in [
        ("---\nengine: clade\npriority: soon\n---\nx", Some("clade")),
        ("---\nengine: clade\ntags: [a\n---\nx", Some("clade")),
        ("---\nengine: clade\nx", None),
    ] {
        let reading = examine(text, "file.md");
        assert_eq!(reading.task.manifest.engine.as_deref(), engine, "{text}");
        assert!(!reading.mistakes().0.is_empty(), "{text}");
    }
}

#[test]
fn json_is_examined_without_places_and_with_its_own_spelling() {
    let mut reading = examine_json(&json!({ "maxTurns": 0, "reviewPolicy": "manual" }), "file.md");
    assert!(reading.is_wrong("max-turns"));
    reading.fault("review-policy", &["review-policy"], "not here".to_owned(), None);
    let keys: Vec<_> = reading.mistakes().0.into_iter().map(|mistake| (mistake.line, mistake.key)).collect();
    assert_eq!(keys, [(0, Some("maxTurns".to_owned())), (0, Some("reviewPolicy".to_owned()))]);
}
