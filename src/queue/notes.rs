//! What the keeper tells people, in a small file beside theirs: `add.md.note.txt`.
//!
//! Texts only. Each says what happened, why, and what is possible instead.

use fleet_protocol::{
    Action, Bucket,
    manifest::{self, Mistake},
};

use super::{
    folder::{NAME_MAX, cut},
    moves,
    plan::Card,
};

/// How every note begins; a file without it is not ours and never touched.
pub(super) const MARK: &str = "fleet: a note about ";
const ENDING: &str = ".note.txt";

/// The name of the note beside a file.
pub(super) fn note_name(file: &str) -> String {
    format!("{}{ENDING}", cut(file, NAME_MAX - ENDING.len()))
}

/// Whether a file of this name could be a note of ours.
pub(super) fn is_note_name(name: &str) -> bool {
    name.ends_with(ENDING)
}

/// The first line of a note about `file`.
pub(super) fn heading(file: &str) -> String {
    format!("{MARK}{file}\n")
}

/// A move that is not possible, or was refused by the store (`why`).
pub(super) fn refused(card: &Card, from: Bucket, to: Bucket, why: Option<&str>) -> String {
    let wanted = match (why, moves::requested(card.stage, to)) {
        (Some(why), _) => why.to_owned(),
        (None, Some(action)) => format!("`{action}` is not possible for it now"),
        (None, None) => format!("moving a job from {from} to {to} has no meaning"),
    };
    format!("It was moved from {from} to {to} and has been put back: {}.\n{}", trim(&wanted), possible(card))
}

/// A move that was asked for, done, and led somewhere else than where the file was put.
pub(super) fn led_elsewhere(card: &Card, action: Action, to: Bucket, now: Bucket) -> String {
    format!(
        "It was moved to {to}, which asked for `{action}`. That was done; the job is in {now} now.\n{}",
        possible(card)
    )
}

/// A move of a job that had meanwhile gone on.
pub(super) fn overtaken(card: &Card, to: Bucket) -> String {
    let now = card.stage.bucket();
    format!(
        "It was moved to {to} while the job itself went on to {now}. Nothing was asked for; the file is where the \
             job is.\n{}",
        possible(card)
    )
}

/// One job's file in several buckets, none of them the right one.
pub(super) fn ambiguous(card: &Card) -> String {
    format!(
        "It was found in several folders, so it is not clear what was wanted. Nothing was asked for.\n{}",
        possible(card)
    )
}

/// A file that was deleted.
pub(super) fn vanished(card: &Card) -> String {
    format!(
        "It was deleted, and has been written again from the store: deleting the file does not end the job.\n{}",
        possible(card)
    )
}

/// A submitted file that was written to.
pub(super) fn edited(card: &Card) -> String {
    let id = &card.id;
    format!(
        "It differs from what was submitted as job {id}. A submitted job keeps what it was submitted with, so the \
             change has no effect; it is kept as it is. To have it done, put it into inbox under another name. \
             `fleet show {id}` tells what the job runs by.\n"
    )
}

/// A second file with the name of a job, outside the inbox.
pub(super) fn copy(card: &Card, found: Bucket) -> String {
    let (id, bucket, file) = (&card.id, card.stage.bucket(), &card.file);
    format!(
        "It lay in {found}, but {file} is job {id}, whose file is in {bucket}. A job has one file; this one was set \
             aside here. To queue it as a job of its own, move it into inbox.\n"
    )
}

/// Something that lay where a job's file belongs.
pub(super) fn in_the_way(bucket: Bucket) -> String {
    format!("It lay in {bucket} where a job's file belongs, and was set aside here. To queue it, move it into inbox.\n")
}

/// A file outside the inbox that belongs to no job.
pub(super) fn stranger(bucket: Bucket) -> String {
    format!(
        "No job belongs to this file; it lies in {bucket} and nothing happens to it. To queue it, move it into inbox.\n"
    )
}

/// Something in the inbox that cannot be a task.
pub(super) fn not_a_task(what: &str) -> String {
    format!("It was not taken in: {what}. A task is a plain markdown file.\n")
}

/// An empty file in the inbox.
pub(super) fn empty() -> String {
    "It is empty. It is taken in as soon as something is written into it.\n".to_owned()
}

/// A file that could not be submitted at all.
pub(super) fn refused_at_the_door(why: &str) -> String {
    format!("It was not taken in, and no agent was started: {}.\nCorrect it and move it into inbox.\n", trim(why))
}

/// A file whose job was submitted before.
pub(super) fn submitted_before(id: &str) -> String {
    format!(
        "It was not submitted again: its idempotency key is that of job {id}. Give it another key, or none, and move \
             it into inbox.\n"
    )
}

/// A task with mistakes, every one at its place, in the words of `message`: the store's answer, one mistake a line. Those
/// that the text alone shows have their hint on a line of its own.
pub(super) fn malformed(text: &str, file: &str, message: Option<&str>) -> String {
    let in_text = manifest::examine(text, file).mistakes();
    let why = if in_text.0.is_empty() { "It cannot be done as it is" } else { "It is malformed" };
    let mut note = format!("{why}, so the job failed with `invalid_manifest`; no agent was started.\n\n");
    let told = message.map_or_else(|| in_text.to_string(), str::to_owned);
    for line in told.lines() {
        match in_text.0.iter().find(|mistake| mistake.to_string() == line) {
            Some(Mistake { line, column, message, help, .. }) => {
                note.push_str(&format!("{file}:{line}:{column}: {message}\n"));
                if let Some(help) = help {
                    note.push_str(&format!("    {help}\n"));
                }
            }
            None if line.starts_with(|c: char| c.is_ascii_digit()) => note.push_str(&format!("{file}:{line}\n")),
            None => note.push_str(&format!("{}.\n", trim(line))),
        }
    }
    note.push_str("\nCorrect it and move it into inbox: it is then taken in as a new job.\n");
    if in_text.0.is_empty() || told != in_text.to_string() {
        note.push_str("Where not the file was at fault but the configuration, `fleet submit` it again as it is.\n");
    }
    note
}

/// A file that got another name because its own belongs to another job.
pub(super) fn renamed(old: &str, id: &str) -> String {
    format!("It was dropped as {old}, a name that another job has. It is job {id} and has this name now.\n")
}

fn possible(card: &Card) -> String {
    let id = &card.id;
    let moves = moves::possible(card.stage, &card.actions);
    let mut text = format!("Job {id} is in {} (stage {}).", card.stage.bucket(), card.stage);
    if moves.is_empty() {
        text.push_str(" No move is possible for it now.");
    } else {
        let moves: Vec<String> = moves.iter().map(|(to, action)| format!("to {to} ({action})")).collect();
        text.push_str(&format!(" It can be moved {}.", moves.join(" or ")));
    }
    text.push('\n');
    for action in &card.actions {
        text.push_str(&format!("    fleet {action} {id}\n"));
    }
    text
}

fn trim(sentence: &str) -> &str {
    sentence.trim_end().trim_end_matches('.')
}
