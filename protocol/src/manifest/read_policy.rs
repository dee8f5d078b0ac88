//! Reading the fields that task files and profiles share. Each has one long form and, where people expect it, a short one.

use super::{
    policy::{Backoff, Budget, CommandLine, Limits, Retry, ReviewPolicy, Scope, ScopeMode},
    rules,
};
use crate::{
    convention::{BadRule, CommitRule, Convention, Otherwise},
    front_matter::{Content, Fault, Node, Reader, shown},
    profile::EngineClass,
    size::ByteSize,
    span::Span,
};

/// Capabilities: a list of requirements.
pub(crate) fn capabilities(reader: &mut Reader, key: &str, node: &Node) -> Vec<String> {
    reader.list(key, node, |reader, key, item| reader.checked(key, item, rules::capability))
}

/// An engine class, as its word.
pub(crate) fn engine_class(reader: &mut Reader, key: &str, node: &Node) -> Option<String> {
    reader.word::<EngineClass>(key, node).map(|class| class.as_str().to_owned())
}

/// A command: a line, or a list of arguments whose first is the program.
pub(crate) fn command(reader: &mut Reader, key: &str, node: &Node) -> Option<CommandLine> {
    let Content::List(items) = &node.content else {
        return reader.checked(key, node, rules::command).map(CommandLine::Line);
    };
    let program = items.first().is_some_and(|first| reader.checked(key, first, rules::command).is_some());
    if items.is_empty() {
        reader.fault(
            key,
            node.at,
            Fault::new("is an empty list", "write a line, or a list of a program and its arguments"),
        );
    }
    let rest = items.iter().skip(1).filter_map(|item| reader.checked(key, item, rules::argument)).collect::<Vec<_>>();
    let first = items.first().filter(|_| program && rest.len() + 1 == items.len())?;
    let program = reader.text(key, first)?;
    Some(CommandLine::Argv(std::iter::once(program).chain(rest).collect()))
}

/// A length of time longer than nothing.
pub(super) fn span(reader: &mut Reader, key: &str, node: &Node) -> Option<Span> {
    const HELP: &str = "write a whole number and a unit, for example 90s, 45m, 2h or 1d";
    let span: Span = reader.parsed(key, node, "a duration", HELP)?;
    if span.millis() == 0 {
        reader.fault(key, node.at, Fault::new("must be longer than nothing", HELP));
        return None;
    }
    Some(span)
}

/// A number above zero.
fn amount(reader: &mut Reader, key: &str, node: &Node, wanted: &str) -> Option<f64> {
    reader.number(key, node, f64::MIN_POSITIVE, wanted).filter(|number| {
        let finite = number.is_finite();
        if !finite {
            reader.fault(key, node.at, Fault::new("is too large", format!("write {wanted}")));
        }
        finite
    })
}

/// `budget: {usd, tokens, wall}`.
pub(crate) fn budget(reader: &mut Reader, key: &str, node: &Node) -> Option<Budget> {
    let mut budget = Budget::default();
    for entry in reader.entries(key, node, &["wall", "usd", "tokens"]) {
        let (key, node) = (&format!("{key}.{}", entry.key.text), &entry.value);
        match entry.key.text.as_str() {
            "wall" => budget.wall = span(reader, key, node),
            "usd" => budget.usd = amount(reader, key, node, "an amount above 0"),
            _ => budget.tokens = reader.number(key, node, 1, "a whole number above 0"),
        }
    }
    (budget != Budget::default()).then_some(budget)
}

/// `limits: {memory, cpus}`.
pub(super) fn limits(reader: &mut Reader, key: &str, node: &Node) -> Option<Limits> {
    let mut limits = Limits::default();
    for entry in reader.entries(key, node, &["memory", "cpus"]) {
        let (key, node) = (&format!("{key}.{}", entry.key.text), &entry.value);
        match entry.key.text.as_str() {
            "memory" => limits.memory = memory(reader, key, node),
            _ => limits.cpus = amount(reader, key, node, "a number above 0"),
        }
    }
    (limits != Limits::default()).then_some(limits)
}

fn memory(reader: &mut Reader, key: &str, node: &Node) -> Option<ByteSize> {
    const HELP: &str = "write a whole number and a unit, for example 512MiB or 4GiB";
    let size: ByteSize = reader.parsed(key, node, "a size", HELP)?;
    if size.0 == 0 {
        reader.fault(key, node.at, Fault::new("must be more than nothing", HELP));
        return None;
    }
    Some(size)
}

/// `retry: {max, backoff, on, resume}`, or a number alone for `max`.
pub(crate) fn retry(reader: &mut Reader, key: &str, node: &Node) -> Option<Retry> {
    const MAX: &str = "a whole number";
    if let Content::Scalar(_) = node.content {
        return reader.number(key, node, 0, MAX).map(|max| Retry { max: Some(max), ..Retry::default() });
    }
    let mut retry = Retry::default();
    for entry in reader.entries(key, node, &["max", "backoff", "on", "resume"]) {
        let (key, node) = (&format!("{key}.{}", entry.key.text), &entry.value);
        match entry.key.text.as_str() {
            "max" => retry.max = reader.number(key, node, 0, MAX),
            "backoff" => {
                let help = "write a duration such as 30s, exp, or a series such as 30s x2 to 1h";
                let backoff: Option<Backoff> = reader.parsed(key, node, "a backoff", help);
                retry.backoff = backoff.unwrap_or(retry.backoff);
            }
            "on" => {
                retry.on = reader.list(key, node, |reader, key, item| reader.word(key, item));
                if matches!(&node.content, Content::List(items) if items.is_empty()) {
                    let help = "name failures, leave `on` out for the usual ones, or write max: 0";
                    reader.fault(key, node.at, Fault::new("names no failure", help));
                }
            }
            _ => retry.resume = reader.flag(key, node).unwrap_or(retry.resume),
        }
    }
    matches!(node.content, Content::Map(_)).then_some(retry)
}

/// `review-policy: auto | manual | {approvals, reviewers}`.
pub(crate) fn review_policy(reader: &mut Reader, key: &str, node: &Node) -> Option<ReviewPolicy> {
    const HELP: &str = "write auto, manual, or { approvals: 2, reviewers: [ann, bo] }";
    match &node.content {
        Content::Scalar(scalar) => match scalar.text.as_str() {
            "auto" => Some(ReviewPolicy::Auto),
            "manual" => Some(ReviewPolicy::Manual),
            other => {
                reader.fault(key, node.at, Fault::new(format!("unknown review policy `{}`", shown(other)), HELP));
                None
            }
        },
        Content::List(_) => {
            reader.fault(key, node.at, Fault::new("takes a word or a mapping, not a list", HELP));
            None
        }
        Content::Map(_) => quorum(reader, key, node),
    }
}

fn quorum(reader: &mut Reader, key: &str, node: &Node) -> Option<ReviewPolicy> {
    let mut approvals: Option<u32> = None;
    let mut reviewers: Vec<String> = Vec::new();
    let entries = reader.entries(key, node, &["approvals", "reviewers"]);
    for entry in &entries {
        let (key, node) = (&format!("{key}.{}", entry.key.text), &entry.value);
        match entry.key.text.as_str() {
            "approvals" => approvals = Some(reader.number(key, node, 1, "a whole number above 0")?),
            _ => reviewers = reader.list(key, node, |reader, key, item| reader.checked(key, item, rules::line)),
        }
    }
    if entries.is_empty() {
        if matches!(&node.content, Content::Map(all) if all.is_empty()) {
            reader.fault(key, node.at, Fault::new("asks for nobody", "give approvals, reviewers or both"));
        }
        return None;
    }
    let approvals = approvals.unwrap_or(1);
    let people: std::collections::BTreeSet<String> = reviewers.iter().map(|name| name.trim().to_lowercase()).collect();
    if !people.is_empty() && usize::try_from(approvals).is_ok_and(|needed| needed > people.len()) {
        let problem = format!("asks for {approvals} approvals of {} people", people.len());
        reader.fault(key, node.at, Fault::new(problem, "name more reviewers or ask for fewer approvals"));
    }
    Some(ReviewPolicy::Quorum { approvals, reviewers })
}

/// `allowed-scope: [globs]` or `{paths, mode}`.
pub(crate) fn scope(reader: &mut Reader, key: &str, node: &Node) -> Option<Scope> {
    let mut scope = Scope { paths: Vec::new(), mode: ScopeMode::default() };
    if let Content::Map(_) = node.content {
        for entry in reader.entries(key, node, &["paths", "mode"]) {
            let (key, node) = (&format!("{key}.{}", entry.key.text), &entry.value);
            match entry.key.text.as_str() {
                "paths" => scope.paths = globs(reader, key, node),
                _ => scope.mode = reader.word(key, node).unwrap_or_default(),
            }
        }
        if !matches!(&node.content, Content::Map(entries) if entries.iter().any(|entry| entry.key.text == "paths")) {
            reader.fault(key, node.at, Fault::new("names no paths", "write { paths: [src/**], mode: warn }"));
        }
    } else {
        scope.paths = globs(reader, key, node);
    }
    (!scope.paths.is_empty()).then_some(scope)
}

/// `commits: {pattern, message, otherwise}`.
pub(crate) fn commits(reader: &mut Reader, key: &str, node: &Node) -> Option<CommitRule> {
    const KEYS: [&str; 3] = ["pattern", "message", "otherwise"];
    let (mut pattern, mut message, mut otherwise) = (None, None, Otherwise::default());
    for entry in reader.entries(key, node, &KEYS) {
        let (key, node) = (&format!("{key}.{}", entry.key.text), &entry.value);
        match entry.key.text.as_str() {
            "pattern" => pattern = Some((node.at, reader.checked(key, node, rules::line)?)),
            "message" => message = Some((node.at, reader.checked(key, node, rules::line)?)),
            _ => otherwise = reader.word(key, node)?,
        }
    }
    let (Some((pattern_at, pattern)), Some((message_at, message))) = (pattern, message) else {
        if let Content::Map(_) = node.content {
            let help =
                "write { pattern: \"^(feat|fix): \", message: \"fix: {subject}\" }; `otherwise` is reword or refuse";
            reader.fault(key, node.at, Fault::new("needs a `pattern` and a `message`", help));
        }
        return None;
    };
    let rule = CommitRule { pattern, message, otherwise };
    let Err(bad) = Convention::try_from(rule.clone()) else { return Some(rule) };
    let (at, help) = match bad {
        BadRule::Pattern { .. } => (pattern_at, "see https://docs.rs/regex for what a pattern may hold"),
        BadRule::Message { .. } => (message_at, "write a line that matches; {subject} stands for what was said"),
    };
    reader.fault(&format!("{key}.{}", bad.key()), at, Fault::new(bad.to_string(), help));
    None
}

/// Globs that stay inside the workspace.
pub(super) fn globs(reader: &mut Reader, key: &str, node: &Node) -> Vec<String> {
    reader.list(key, node, |reader, key, item| reader.checked(key, item, rules::workspace_glob))
}
