//! What an agent is told: persona, the task's body byte for byte, and what it must know of earlier runs. Pure.
//!
//! A first run of a plain task is told its body and, where the repository has notes for those who work in it, their names.

use std::fmt::Write;

use fleet_protocol::{Manifest, Run, job::Feedback};
use serde::{Deserialize, Serialize};

use crate::workspace::FileStat;

/// So many files of the work so far are named.
const FILES: usize = 40;

/// A commit of an earlier run, for the list that a retry is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EarlierCommit {
    /// Full hex id.
    pub(crate) id: String,
    /// First line of its message.
    pub(crate) subject: String,
}

/// A finished dependency, for the runs that build on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dependency {
    pub(crate) title: String,
    pub(crate) outcome: String,
    pub(crate) branch: Option<String>,
}

/// Everything that may go into an agent's input.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts<'a> {
    pub(crate) persona: Option<&'a str>,
    pub(crate) body: &'a str,
    pub(crate) manifest: &'a Manifest,
    /// Oldest first.
    pub(crate) earlier: &'a [Run],
    /// The end of what the last failed run's verify command or agent printed.
    pub(crate) last_output: Option<&'a str>,
    pub(crate) commits: &'a [EarlierCommit],
    pub(crate) feedback: &'a [Feedback],
    pub(crate) dependencies: &'a [Dependency],
    /// Set when the checkpoint could not be used and the work starts from the base again.
    pub(crate) fresh_because: Option<&'a str>,
    /// Files in which the base has moved against the work; the agent is asked to bring both together.
    pub(crate) conflicts: &'a [String],
    /// Files of the repository that say how to work in it.
    pub(crate) notes: &'a [String],
    /// What the work of earlier runs changed so far.
    pub(crate) work: &'a [FileStat],
}

/// The whole input for a session that knows nothing yet.
pub(crate) fn compose(parts: &Parts<'_>) -> String {
    let mut text = String::new();
    if let Some(persona) = parts.persona.filter(|persona| !persona.trim().is_empty()) {
        text.push_str(persona.trim_end());
        text.push_str("\n\n");
    }
    text.push_str(parts.body);
    let rest = [
        wishes(parts.manifest),
        list("Notes of this repository, to be read first", parts.notes.iter().map(|note| note.as_str())),
        dependencies(parts.dependencies),
        history(parts),
        work(parts.work),
        last_words(parts.earlier),
        feedback(parts.feedback),
    ]
    .concat();
    if !rest.is_empty() {
        if !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(&rest);
    }
    text
}

/// The input for a session that already holds the task: only what is new.
pub(crate) fn follow_up(parts: &Parts<'_>) -> String {
    let rest = [history(parts), feedback(parts.feedback)].concat();
    format!("The task is the same as before; go on with it.\n{rest}")
}

fn wishes(manifest: &Manifest) -> String {
    let mut text = String::new();
    for (heading, items) in [
        ("Acceptance criteria", &manifest.acceptance),
        ("Files this is about", &manifest.target_files),
        ("Commands that test it", &manifest.test_commands),
    ] {
        text.push_str(&list(heading, items.iter().map(String::as_str)));
    }
    if let Some(rule) = &manifest.commits {
        let _ = write!(text, "\n## Commits\n\nThe first line of each commit's message matches `{}`.\n", rule.pattern);
    }
    text
}

fn dependencies(dependencies: &[Dependency]) -> String {
    let lines: Vec<String> = dependencies
        .iter()
        .map(|one| match &one.branch {
            Some(branch) => format!("{} ({}, branch `{branch}`)", one.title, one.outcome),
            None => format!("{} ({})", one.title, one.outcome),
        })
        .collect();
    list("What this builds on", lines.iter().map(String::as_str))
}

fn history(parts: &Parts<'_>) -> String {
    let mut text = String::new();
    let told: Vec<String> = parts.earlier.iter().filter_map(told).collect();
    text.push_str(&list("Earlier runs of this task", told.iter().map(String::as_str)));
    if let Some(why) = parts.fresh_because {
        let _ = write!(
            text,
            "\nThe work of earlier runs could not be used ({why}); this run starts from the base again.\n"
        );
    }
    let commits: Vec<String> = parts
        .commits
        .iter()
        .map(|commit| format!("{} {}", &commit.id[..commit.id.len().min(12)], commit.subject))
        .collect();
    text.push_str(&list("Commits of earlier runs, already in this workspace", commits.iter().map(String::as_str)));
    if let Some(output) = parts.last_output.filter(|output| !output.trim().is_empty()) {
        let fence = fence_for(output);
        let _ =
            write!(text, "\n## The end of what the last run printed\n\n{fence}text\n{}\n{fence}\n", output.trim_end());
    }
    text.push_str(&list(
        "The base has moved; these files conflict with it and need both sides brought together",
        parts.conflicts.iter().map(String::as_str),
    ));
    text
}

/// What the checkpoint holds, file by file.
fn work(files: &[FileStat]) -> String {
    let more = files.len().saturating_sub(FILES);
    let lines = files.iter().take(FILES).map(|file| format!("`{}` (+{} −{})", file.path, file.added, file.deleted));
    let lines: Vec<String> = lines.chain((more > 0).then(|| format!("and {more} more files"))).collect();
    list("The work so far, already in this workspace", lines.iter().map(String::as_str))
}

/// What the agent of the latest run that said anything said last: its own notes on how far it came.
fn last_words(earlier: &[Run]) -> String {
    let said = |run: &Run| {
        let summary = run.insights.as_ref()?.summary.clone()?;
        (!summary.trim().is_empty()).then_some((run.number, summary))
    };
    let Some((number, summary)) = earlier.iter().rev().find_map(said) else { return String::new() };
    let fence = fence_for(&summary);
    format!("\n## What run {number} said last\n\n{fence}text\n{}\n{fence}\n", summary.trim_end())
}

/// One line about a run that ended, or nothing about one that was only handed back.
fn told(run: &Run) -> Option<String> {
    let result = run.result?;
    if result.is_handback() {
        return None;
    }
    let why = run.message.as_deref().map(|message| format!(": {message}")).unwrap_or_default();
    Some(format!("run {} ended with `{result}`{why}", run.number))
}

fn feedback(feedback: &[Feedback]) -> String {
    let lines: Vec<String> =
        feedback.iter().map(|one| format!("{}: {}", one.actor, one.text.trim().replace('\n', "\n  "))).collect();
    list("Changes asked for in review", lines.iter().map(String::as_str))
}

fn list<'a>(heading: &str, items: impl Iterator<Item = &'a str>) -> String {
    let mut text = String::new();
    for (i, item) in items.enumerate() {
        if i == 0 {
            let _ = write!(text, "\n## {heading}\n\n");
        }
        let _ = writeln!(text, "- {item}");
    }
    text
}

/// A code fence longer than any in `text`, so that output cannot break out of its block.
fn fence_for(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    "`".repeat(longest.max(2) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use fleet_protocol::{
        JobId, JobResult,
        convention::{CommitRule, Otherwise},
        job::Usage,
        run::Insights,
    };
    use jiff::Timestamp;

    fn parts<'a>(body: &'a str, manifest: &'a Manifest) -> Parts<'a> {
        Parts {
            persona: None,
            body,
            manifest,
            earlier: &[],
            last_output: None,
            commits: &[],
            feedback: &[],
            dependencies: &[],
            fresh_because: None,
            conflicts: &[],
            notes: &[],
            work: &[],
        }
    }

    fn run(number: u32, result: JobResult, message: &str) -> Run {
        Run {
            job_id: JobId::from_random(1),
            number,
            session_id: None,
            error_class: None,
            confinement: None,
            engine: None,
            factory: "local".to_owned(),
            lease_epoch: 1,
            started_at: None,
            ended_at: None,
            result: Some(result),
            message: Some(message.to_owned()),
            exit_code: None,
            usage: Usage::UNKNOWN,
            diff: None,
            evidence: None,
            insights: None,
            checkpoint: None,
        }
    }

    #[test]
    fn a_plain_task_s_first_run_is_told_its_body_byte_for_byte() {
        let manifest = Manifest::default();
        for body in ["", "---\r\nno front matter\r\n", "# Größe\n\ttabs and  spaces \n\n\n"] {
            assert_eq!(compose(&parts(body, &manifest)), body);
        }
    }

    #[test]
    fn the_persona_comes_first_and_the_body_stays_whole() {
        let manifest = Manifest::default();
        let text = compose(&Parts { persona: Some("You are careful.\n"), ..parts("--help\r\n", &manifest) });
        assert_eq!(text, "You are careful.\n\n--help\r\n");
    }

    #[test]
    fn a_retry_is_told_the_failure_the_commits_and_the_end_of_the_output() {
        let manifest = Manifest { acceptance: vec!["it builds".to_owned()], ..Manifest::default() };
        let earlier =
            [run(1, JobResult::VerifyFailed, "`make test` ended with 2"), run(2, JobResult::Preempted, "drained")];
        let commits = [EarlierCommit { id: "0123456789abcdef".to_owned(), subject: "first try".to_owned() }];
        let text = compose(&Parts {
            earlier: &earlier,
            commits: &commits,
            last_output: Some("expected 1, got 2\n```\n"),
            ..parts("Do it.", &manifest)
        });
        for expected in [
            "Do it.\n",
            "- it builds",
            "run 1 ended with `verify_failed`: `make test` ended with 2",
            "0123456789ab first try",
            "expected 1, got 2",
            "````text",
        ] {
            assert!(text.contains(expected), "{expected} in:\n{text}");
        }
        assert!(!text.contains("run 2"), "a run that was handed back is nothing to learn from:\n{text}");
    }

    #[test]
    fn an_agent_is_told_what_its_messages_must_look_like() {
        let rule = CommitRule {
            pattern: "^SHOP-[0-9]+ ".to_owned(),
            message: "SHOP-1 {subject}".to_owned(),
            otherwise: Otherwise::Reword,
        };
        let manifest = Manifest { commits: Some(rule), ..Manifest::default() };
        let text = compose(&parts("Do it.", &manifest));
        assert_eq!(text, "Do it.\n\n## Commits\n\nThe first line of each commit's message matches `^SHOP-[0-9]+ `.\n");
    }

    #[test]
    fn a_retry_is_told_the_work_so_far_and_what_was_said_last() {
        let manifest = Manifest::default();
        let summary = |text: &str| Some(Insights { summary: Some(text.to_owned()), ..Insights::default() });
        let first = Run { insights: summary("I got half way.\n```"), ..run(1, JobResult::Timeout, "too slow") };
        let earlier = [first, run(2, JobResult::Preempted, "drained")];
        let files: Vec<FileStat> =
            (0..42).map(|nth| FileStat { path: format!("src/{nth}.rs"), added: 3, deleted: 1 }).collect();
        let parts = Parts { earlier: &earlier, work: &files, ..parts("Do it.", &manifest) };
        let text = compose(&parts);
        let expected =
            ["What run 1 said last", "````text\nI got half way.", "- `src/0.rs` (+3 −1)", "- and 2 more files"];
        for expected in expected {
            assert!(text.contains(expected), "{expected} in:\n{text}");
        }
        assert!(!text.contains("src/40.rs"), "{text}");
        assert!(!follow_up(&parts).contains("half way"), "a session that goes on remembers what it said");
    }

    #[test]
    fn the_notes_of_the_repository_are_named() {
        let manifest = Manifest::default();
        let notes = ["AGENTS.md".to_owned(), "web/AGENTS.md".to_owned()];
        let text = compose(&Parts { notes: &notes, ..parts("Do it.\n", &manifest) });
        assert!(text.starts_with("Do it.\n\n## Notes of this repository"), "{text}");
        assert!(text.ends_with("- AGENTS.md\n- web/AGENTS.md\n"), "{text}");
    }

    #[test]
    fn review_comments_reach_the_next_run() {
        let manifest = Manifest::default();
        let feedback = [Feedback {
            actor: "operator:ann".to_owned(),
            at: Timestamp::UNIX_EPOCH,
            text: "rename it\nand test it".to_owned(),
        }];
        let parts = Parts { feedback: &feedback, ..parts("Do it.", &manifest) };
        for text in [compose(&parts), follow_up(&parts)] {
            assert!(text.contains("- operator:ann: rename it\n  and test it"), "{text}");
        }
    }
}
