//! `fleet man`: manual pages, from the same text as the help.

use std::path::PathBuf;

use fleet_protocol::ExitCode;

use super::{command, error::CliError, output::Output};

/// Print the manual page, or write one page per verb into a folder.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  fleet man | man -l -
  fleet man ~/.local/share/man/man1 && man fleet-submit")]
pub(super) struct Args {
    /// Folder to write fleet.1, fleet-submit.1, … into.
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(super) fn run(args: &Args, out: &Output) -> Result<ExitCode, CliError> {
    match &args.dir {
        Some(dir) => {
            let cannot = |error| CliError::io(format!("cannot write manual pages into {}", dir.display()), &error);
            std::fs::create_dir_all(dir).map_err(cannot)?;
            clap_mangen::generate_to(layout(), dir).map_err(cannot)?;
        }
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(layout())
                .render(&mut page)
                .map_err(|error| CliError::io("cannot write the manual page", &error))?;
            out.data(&String::from_utf8_lossy(&page))?;
        }
    }
    Ok(ExitCode::Success)
}

/// A page has room for what the short help leaves out; the generator shows such flags without their text.
fn layout() -> clap::Command {
    command::layout().mut_args(|arg| arg.hide_short_help(false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_global_flag_is_explained_on_the_page() {
        let mut page = Vec::new();
        clap_mangen::Man::new(layout()).render(&mut page).expect("a page");
        let page = String::from_utf8(page).expect("text").replace('\\', "");
        for arg in command::layout().get_arguments().filter(|arg| !arg.is_hide_set()) {
            let text = arg.get_help().expect("every flag has a text").to_string();
            let first = text.split_whitespace().take(3).collect::<Vec<_>>().join(" ");
            assert!(page.contains(&first), "{}: {first}", arg.get_id());
        }
    }
}
