//! `fleet demo`: see it work, without a key or a network.

use std::path::{Path, PathBuf};

use fleet_protocol::{ExitCode, Stage, id::MIN_PREFIX};

use super::{
    context::Context,
    error::CliError,
    output::Talk,
    sanitise,
    style::{self, paint},
};
use crate::{
    demo::{Chapter, Story, Watching},
    wiring::{self, DemoRequest, Played},
};

/// Play a demonstration that needs no key and no network.
///
/// A small real repository and three tasks: one passes, one fails its check and mends it on the second run, one asks for a
/// person's review. With `--engine` a real agent does them.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  fleet demo
  fleet demo --engine claude      the same tasks, by a real agent
  fleet demo --dir ~/fleet-demo   keep it there")]
pub(super) struct Args {
    /// Engine that does the tasks.
    #[arg(long, value_name = "NAME", default_value = "scripted")]
    engine: String,
    /// Folder to make the repository in; it must not exist.
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

pub(super) async fn run(args: &Args, context: &Context) -> Result<ExitCode, CliError> {
    context.out.say(&format!("Three tasks for a small repository, engine `{}`:\n", args.engine));
    let watching = if context.out.talk == Talk::Silent { Watching::No } else { Watching::Yes };
    let request = DemoRequest { engine: args.engine.clone(), folder: args.dir.clone(), watching };
    let played = wiring::demo(&request).await?;
    if context.out.is_json() {
        let jobs: Vec<_> = played.stories.iter().map(|story| &story.job).collect();
        context.out.json(&serde_json::json!({ "jobs": jobs, "folder": played.folder }))?;
    } else {
        context.out.data(&told(&played))?;
    }
    match played.stories.iter().find(|story| !story.ended_well()) {
        None => Ok(ExitCode::Success),
        Some(story) => {
            let message = format!("{} did not end where it should", name(story));
            Err(CliError::new(ExitCode::Failed, "failed", message).help(format!(
                "cd {} && fleet logs {}",
                quoted(&played.folder),
                story.job.id
            )))
        }
    }
}

fn told(played: &Played) -> String {
    let stories: String = played.stories.iter().map(story).collect();
    format!("{stories}{}", next(played))
}

/// What became of a job: a heading, a line a run, and under a failed run why it failed.
fn story(story: &Story) -> String {
    let outcome = match story.job.stage {
        Stage::Testing => "proven, ready to ship",
        Stage::Review => "done, waits for a person's yes",
        other => other.as_str(),
    };
    let heading = format!(
        "{}  {}\n",
        paint(style::STRONG, &format!("{:<12}", name(story))),
        paint(style::of_stage(story.job.stage), outcome)
    );
    let last = story.chapters.len();
    let chapters: String = story.chapters.iter().enumerate().map(|(at, run)| chapter(run, at + 1 == last)).collect();
    format!("{heading}{chapters}\n")
}

/// Cells of `queued → assigned → building → testing`, the longest common path.
const PATH: usize = 38;

fn chapter(chapter: &Chapter, is_last: bool) -> String {
    let path = path(&chapter.stages);
    let verify = chapter.run.evidence.as_ref().and_then(|evidence| evidence.verify.as_ref());
    let proof = match verify {
        Some(verify) if verify.exit_code == Some(0) => paint(style::GOOD, &format!("✓ {}", verify.command)),
        Some(verify) => paint(style::BAD, &format!("✗ {}", verify.command)),
        None => chapter.run.message.as_deref().map(sanitise::plain).unwrap_or_default(),
    };
    let complaint = match &chapter.complaint {
        Some(complaint) => {
            let told = if is_last { "" } else { "  (the next run is told)" };
            format!("         {}{}\n", sanitise::plain(complaint), paint(style::DIM, told))
        }
        None => String::new(),
    };
    format!("  run {}  {path}  {proof}\n{complaint}", chapter.run.number)
}

/// The stages in their order, padded; the one that the run led to has its colour.
fn path(stages: &[Stage]) -> String {
    let Some((end, way)) = stages.split_last() else { return " ".repeat(PATH) };
    let way: String = way.iter().map(|stage| format!("{stage} → ")).collect();
    let rest = PATH.saturating_sub(way.chars().count() + end.as_str().len());
    format!("{way}{}{}", paint(style::of_stage(*end), end.as_str()), " ".repeat(rest))
}

fn name(story: &Story) -> &str {
    story.job.file.trim_end_matches(".md")
}

/// Cells of the commands to try, up to the words that say what each is for.
const COMMAND: usize = 40;

/// What a person may try next, as lines to copy.
fn next(played: &Played) -> String {
    let mut lines = vec![(format!("cd {}", quoted(&played.folder)), "")];
    if !is_on_path(&played.exe) {
        lines.push((format!("alias fleet={}", quoted(&played.exe)), ""));
    }
    lines.push(("fleet status".to_owned(), "the board; or: ls tasks/*"));
    for story in &played.stories {
        let id = &story.job.id.as_str()[..MIN_PREFIX];
        match story.job.stage {
            Stage::Testing => {
                lines.push(match story.chapters.len() {
                    1 => (format!("fleet diff {id}"), "what it changed"),
                    _ => (format!("fleet logs {id} --run 1 --stream verify"), "why its first run failed"),
                });
                lines.push((format!("fleet ship {id}"), "merge it"));
            }
            Stage::Review => lines.push((format!("fleet approve {id}"), "or: request-changes, reject")),
            _ => lines.push((format!("fleet logs {id}"), "what its agent said")),
        }
    }
    let lines: String = lines
        .iter()
        .map(|(command, why)| match *why {
            "" => format!("  {command}\n"),
            why => format!("  {command:<COMMAND$}  {}\n", paint(style::DIM, &format!("# {why}"))),
        })
        .collect();
    format!("Try next:\n\n{lines}")
}

/// Whether a shell would find the program by its name.
fn is_on_path(exe: &Path) -> bool {
    let name = exe.file_name().unwrap_or_default();
    std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).any(|folder| folder.join(name) == exe)
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let path = path.display().to_string();
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+:@".contains(c);
    if path.chars().all(is_plain) { path } else { format!("'{}'", path.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_different_lengths_end_in_one_column() {
        let width = |stages: &[Stage]| anstream::adapter::strip_str(&path(stages)).to_string().chars().count();
        let usual = [Stage::Queued, Stage::Assigned, Stage::Building, Stage::Testing];
        assert_eq!([width(&usual), width(&usual[..2]), width(&[])], [PATH; 3]);
        assert!(path(&usual).contains("queued → assigned → building → "));
    }

    #[test]
    fn a_folder_is_quoted_only_where_a_shell_would_stumble() {
        assert_eq!(quoted(Path::new("/tmp/fleet-demo")), "/tmp/fleet-demo");
        assert_eq!(quoted(Path::new("/home/ann/my demo")), "'/home/ann/my demo'");
        assert_eq!(quoted(Path::new("/it's")), r"'/it'\''s'");
    }
}
