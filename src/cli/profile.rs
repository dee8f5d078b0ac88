//! `fleet profile`: the personas there are.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use fleet_protocol::{
    ExitCode,
    manifest::{Mistake, Mistakes},
    profile::{Profile, parse},
};
use serde_json::json;

use super::{context::Context, error::CliError, excerpt::Source, table::Table};
use crate::wiring::{self, ListedProfile};

/// List, show and check profiles: personas with defaults.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Clone, Subcommand)]
enum What {
    /// List the profiles there are: the project's, yours, the built-in ones.
    #[command(after_help = "Examples:\n  fleet profile list\n  fleet profile list --json | jq -r '.profiles[].name'")]
    List,
    /// Print a profile's file.
    #[command(
        after_help = "Examples:\n  fleet profile show reviewer > profiles/my-reviewer.md\n  fleet profile show reviewer --version 3f9ab0c1d2e4     as a job had it; `fleet show JOB` names the version"
    )]
    Show {
        #[arg(value_name = "NAME")]
        name: String,
        /// The version that a job was submitted with, instead of the one there is now.
        #[arg(long, value_name = "HASH")]
        version: Option<String>,
    },
    /// Check profile files; all the profiles there are when none is named.
    #[command(after_help = "Examples:\n  fleet profile validate\n  fleet profile validate profiles/*.md")]
    Validate {
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
    },
}

pub(super) async fn run(args: &Args, context: &Context) -> Result<ExitCode, CliError> {
    match &args.what {
        What::List => list(context),
        What::Show { name, version: None } => show(name, context),
        What::Show { name, version: Some(version) } => {
            context.out.data(&context.client()?.profile_version(name, version).await?)?;
            Ok(ExitCode::Success)
        }
        What::Validate { files } => validate(files, context),
    }
}

fn list(context: &Context) -> Result<ExitCode, CliError> {
    let listed = wiring::profiles(&context.config)?;
    if context.out.is_json() {
        let profiles: Vec<_> = listed.iter().map(to_json).collect();
        context.out.json(&json!({ "profiles": profiles }))?;
        return Ok(ExitCode::Success);
    }
    let mut table = Table::new(&["NAME", "FROM", "ENGINE CLASS", "DESCRIPTION"]);
    for it in &listed {
        table.row(vec![
            it.profile.name.as_str().into(),
            it.source.into(),
            it.profile.engine_class.as_deref().unwrap_or("-").into(),
            it.profile.description.as_deref().unwrap_or("").into(),
        ]);
    }
    context.out.data(&table.render(context.out.width))?;
    Ok(ExitCode::Success)
}

fn to_json(listed: &ListedProfile) -> serde_json::Value {
    let mut profile = serde_json::to_value(&listed.profile).expect("a profile is plain data");
    profile["source"] = json!(listed.source);
    profile
}

fn show(name: &str, context: &Context) -> Result<ExitCode, CliError> {
    let listed = wiring::profiles(&context.config)?;
    let Some(found) = listed.iter().find(|it| it.profile.name == name) else {
        let error = CliError::new(ExitCode::NotFound, "not_found", format!("no profile `{name}`"));
        return Err(match fleet_protocol::nearest(name, listed.iter().map(|it| it.profile.name.as_str())) {
            Some(near) => error.help(format!("did you mean `{near}`?")),
            None => error.help("`fleet profile list` lists them"),
        });
    };
    if context.out.is_json() {
        context.out.json(&to_json(found))?;
    } else {
        context.out.data(&found.text)?;
    }
    Ok(ExitCode::Success)
}

/// A profile file as it is checked.
struct Candidate {
    shown: String,
    stem: String,
    text: String,
}

fn validate(files: &[PathBuf], context: &Context) -> Result<ExitCode, CliError> {
    let candidates = if files.is_empty() { known(context)? } else { read_all(files, context)? };
    let classes = wiring::engine_classes(&context.config)?;
    let mut wrong = Vec::new();
    let mut right = Vec::new();
    for candidate in &candidates {
        let mistakes = match parse(&candidate.text, &candidate.stem) {
            Ok(profile) => class_mistake(&profile, &candidate.text, &classes).into_iter().collect(),
            Err(Mistakes(mistakes)) => mistakes,
        };
        if mistakes.is_empty() {
            context.out.say(&format!("{}: ok", candidate.shown));
            right.push(&candidate.shown);
        } else {
            wrong.push(Source::of_mistakes(&candidate.shown, &candidate.text, &mistakes));
        }
    }
    if wrong.is_empty() {
        if context.out.is_json() {
            context.out.json(&json!({ "valid": right }))?;
        }
        return Ok(ExitCode::Success);
    }
    Err(CliError::mistakes(
        "invalid_request",
        format!("{} of {} profiles are not valid", wrong.len(), candidates.len()),
        wrong,
    ))
}

fn known(context: &Context) -> Result<Vec<Candidate>, CliError> {
    let listed = wiring::profiles(&context.config)?;
    Ok(listed
        .into_iter()
        .map(|it| Candidate {
            shown: format!("{} ({})", it.profile.name, it.source),
            stem: it.profile.name,
            text: it.text,
        })
        .collect())
}

fn read_all(files: &[PathBuf], context: &Context) -> Result<Vec<Candidate>, CliError> {
    let read = |file: &PathBuf| {
        let path: &Path = &context.config.cwd.join(file);
        let text = std::fs::read_to_string(path)
            .map_err(|error| CliError::io(format!("cannot read {}", file.display()), &error))?;
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Candidate { shown: file.display().to_string(), stem, text })
    };
    files.iter().map(read).collect()
}

/// An engine class that no engine here belongs to, at the line that names it.
fn class_mistake(profile: &Profile, text: &str, classes: &[String]) -> Option<Mistake> {
    let class = profile.engine_class.as_ref().filter(|class| !classes.contains(class))?;
    let (line, column) = text
        .lines()
        .enumerate()
        .find(|(_, line)| line.trim_start().starts_with("engine-class"))
        .map_or((1, 1), |(number, line)| {
            let column = line.find(class.as_str()).map_or(0, |offset| line[..offset].chars().count());
            (number + 1, column + 1)
        });
    let message = format!("no engine is of the class `{class}`");
    let key = Some("engine-class".to_owned());
    Some(Mistake { line, column, key, message, help: Some(format!("one of {}", classes.join(", "))) })
}
