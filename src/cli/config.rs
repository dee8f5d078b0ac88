//! `fleet config`: what is configured, and where it comes from.

use clap::Subcommand;
use fleet_protocol::ExitCode;
use serde_json::{Value, json};

use super::{
    context::Context,
    error::CliError,
    style,
    table::{Cell, Table},
};
use crate::{
    config::{Entry, Origin, keys},
    wiring,
};

/// Show, check and find the configuration.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Clone, Subcommand)]
enum What {
    /// Print every setting in force; secrets are masked.
    #[command(
        after_help = "Examples:\n  fleet config show\n  fleet config show --origin\n  fleet --set worker.max=2 config show --origin"
    )]
    Show {
        /// Say where each value comes from.
        #[arg(long)]
        origin: bool,
    },
    /// Check the whole configuration; every mistake is told at once.
    #[command(after_help = "Examples:\n  fleet config validate\n  fleet --config ci.toml config validate")]
    Validate,
    /// Print the path of the file in use.
    #[command(after_help = "Examples:\n  fleet config path\n  $EDITOR \"$(fleet config path)\"")]
    Path,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<ExitCode, CliError> {
    match args.what {
        What::Show { origin } => show(origin, context),
        What::Validate => validate(context),
        What::Path => path(context),
    }
}

fn show(origin: bool, context: &Context) -> Result<ExitCode, CliError> {
    let config = &context.config;
    if context.out.is_json() {
        let settings: Vec<Value> = config.entries.iter().map(to_json).collect();
        context.out.json(&json!({ "file": config.file, "settings": settings }))?;
        return Ok(ExitCode::Success);
    }
    let mut table = if origin { Table::new(&["KEY", "FROM", "VALUE"]) } else { Table::new(&["KEY", "VALUE"]) };
    for entry in &config.entries {
        let mut row: Vec<Cell> = vec![entry.name.as_str().into()];
        if origin {
            let from = match entry.origin {
                Origin::Default => Cell::styled("default", style::DIM),
                _ => entry.origin.to_string().into(),
            };
            row.push(from);
        }
        row.push(value(&entry.value).into());
        table.row(row);
    }
    context.out.data(&table.render(None))?;
    Ok(ExitCode::Success)
}

fn to_json(entry: &Entry) -> Value {
    let meaning = keys::find(&entry.name).map(|info| info.doc);
    json!({ "key": entry.name, "value": entry.value, "origin": entry.origin.to_string(), "meaning": meaning })
}

fn value(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Other mistakes ended the program before; what is left are names and engines, and to say what was found right.
fn validate(context: &Context) -> Result<ExitCode, CliError> {
    let config = &context.config;
    wiring::check_names(config)?;
    let set: Vec<&Entry> = config.entries.iter().filter(|entry| entry.origin != Origin::Default).collect();
    if context.out.is_json() {
        let settings: Vec<Value> = set.iter().map(|entry| to_json(entry)).collect();
        let warnings: Vec<String> = config.warnings.iter().map(ToString::to_string).collect();
        context.out.json(&json!({ "valid": true, "file": config.file, "settings": settings, "warnings": warnings }))?;
        return Ok(ExitCode::Success);
    }
    let file = config.file.as_ref().map_or_else(|| "no file".to_owned(), |file| file.display().to_string());
    let mut text = format!("valid: {file}, {} settings besides the defaults\n", set.len());
    for name in ["product", "queue", "home", "worker.max", "defaults.engine", "defaults.verify"] {
        if let Some(entry) = config.entries.iter().find(|entry| entry.name == name) {
            text.push_str(&format!("  {name} = {}\n", value(&entry.value)));
        }
    }
    context.out.data(&text)?;
    Ok(ExitCode::Success)
}

fn path(context: &Context) -> Result<ExitCode, CliError> {
    let Some(file) = &context.config.file else {
        return Err(CliError::new(ExitCode::NotFound, "not_found", "no configuration file is in use")
            .help("`fleet init` writes a commented fleet.toml"));
    };
    if context.out.is_json() {
        context.out.json(&json!({ "file": file }))?;
    } else {
        context.out.data(&format!("{}\n", file.display()))?;
    }
    Ok(ExitCode::Success)
}
