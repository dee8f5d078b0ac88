//! `fleet init`: a queue, a place for state, and a commented configuration.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use fleet_protocol::ExitCode;

use super::{context::Context, error::CliError};
use crate::{
    config::{Place, TEMPLATE},
    wiring::set_up,
};

/// Make a fleet here: queue folder, state and a commented fleet.toml.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  fleet init            in this folder
  fleet init ~/project  in another one, made if missing
  fleet init && cp task.md tasks/inbox/ && fleet run --once")]
pub(super) struct Args {
    /// Folder to make it in.
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
}

impl Args {
    /// The folder, absolute.
    pub(super) fn folder(&self, cwd: &Path) -> PathBuf {
        let folder = cwd.join(&self.dir);
        folder.components().as_path().to_owned()
    }
}

pub(super) fn run(Args { .. }: &Args, context: &Context) -> Result<ExitCode, CliError> {
    // The configuration was read from DIR, see `Args::folder`.
    let root = context.config.cwd.clone();
    fs::create_dir_all(&root).map_err(|error| CliError::io(format!("cannot create {}", root.display()), &error))?;
    let file = root.join("fleet.toml");
    let mut made = Vec::new();
    if create(&file)? {
        made.push(file);
    }
    made.extend(set_up(&place(context, &root))?);
    if made.is_empty() {
        context.out.say("nothing to do: the fleet is already here");
    } else {
        context.say_made(&made);
        context.out.say("next: drop a task into the inbox, or `fleet submit task.md`; then `fleet run`");
    }
    Ok(ExitCode::Success)
}

/// Writes the template unless a file is there, whatever is in it.
fn create(file: &Path) -> Result<bool, CliError> {
    match fs::File::options()
        .write(true)
        .create_new(true)
        .open(file)
        .and_then(|mut it| it.write_all(TEMPLATE.as_bytes()))
    {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(CliError::io(format!("cannot write {}", file.display()), &error)),
    }
}

/// Where the folders go: as configured when a fleet is here already, else as a new one.
fn place(context: &Context, root: &Path) -> Place {
    match context.config.place() {
        Ok(place) if place.root == root => place.clone(),
        _ => context.config.new_place(root),
    }
}
