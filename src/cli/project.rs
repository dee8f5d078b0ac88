//! `fleet project`: repositories by name, with what their jobs inherit.

use clap::Subcommand;
use fleet_protocol::{ExitCode, Project};

use super::{context::Context, error::CliError, field, table::Table};

/// List and show projects: repositories by name, with what their jobs inherit.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Clone, Subcommand)]
enum What {
    /// List the projects there are: [projects.NAME] in the configuration.
    #[command(after_help = "Examples:\n  fleet project list\n  fleet project list --json | jq -r '.projects[].name'")]
    List,
    /// Print what a project gives to its jobs.
    #[command(after_help = "Examples:\n  fleet project show shop\n  fleet project show shop --json | jq -r .repo")]
    Show {
        #[arg(value_name = "NAME")]
        name: String,
    },
}

pub(super) async fn run(args: &Args, context: &Context) -> Result<ExitCode, CliError> {
    match &args.what {
        What::List => list(context).await,
        What::Show { name } => show(name, context).await,
    }
}

async fn list(context: &Context) -> Result<ExitCode, CliError> {
    let list = context.client()?.projects().await?;
    if context.out.is_json() {
        context.out.json(&list)?;
        return Ok(ExitCode::Success);
    }
    if list.projects.is_empty() {
        context.out.say("no projects; [projects.NAME] in fleet.toml makes one");
        return Ok(ExitCode::Success);
    }
    let mut table = Table::new(&["NAME", "REPOSITORY", "BASE", "DESCRIPTION"]);
    for project in &list.projects {
        table.row(vec![
            project.name.as_str().into(),
            project.repo.as_str().into(),
            project.base.as_deref().unwrap_or("-").into(),
            project.description.as_deref().unwrap_or("").into(),
        ]);
    }
    context.out.data(&table.render(context.out.width))?;
    Ok(ExitCode::Success)
}

async fn show(name: &str, context: &Context) -> Result<ExitCode, CliError> {
    let projects = context.client()?.projects().await?.projects;
    let Some(project) = projects.iter().find(|project| project.name == name) else {
        let error = CliError::new(ExitCode::NotFound, "not_found", format!("no project `{name}`"));
        return Err(match fleet_protocol::nearest(name, projects.iter().map(|project| project.name.as_str())) {
            Some(near) => error.help(format!("did you mean `{near}`?")),
            None => error.help("`fleet project list` lists them"),
        });
    };
    if context.out.is_json() {
        context.out.json(project)?;
    } else {
        context.out.data(&shown(project))?;
    }
    Ok(ExitCode::Success)
}

/// Its keys as the configuration spells them, those that say something.
fn shown(project: &Project) -> String {
    let mut table = Table::new(&["KEY", "VALUE"]);
    table.row(vec!["name".into(), project.name.as_str().into()]);
    let json = serde_json::to_value(project).expect("a project is plain data");
    for (key, value) in json.as_object().into_iter().flatten().filter(|(key, _)| *key != "name") {
        let says_nothing = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
        if !says_nothing {
            table.row(vec![field::name(key).into(), field::value(value).into()]);
        }
    }
    table.render(None)
}
