//! `fleet diff`: what a job changed.

use fleet_protocol::ExitCode;

use super::{
    context::Context,
    error::CliError,
    job_view,
    sanitise::{self, Sgr},
    style::{self, paint},
    table::{Cell, Table},
};
use crate::wiring::{self, Difference};

/// Show what a job changed against its base.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  fleet diff k3f9
  fleet diff k3f9 --stat
  fleet diff k3f9 | git apply --check")]
pub(super) struct Args {
    /// An id, a unique prefix of one, or an idempotency key.
    #[arg(value_name = "JOB")]
    job: String,
    /// Only the files and how many lines changed in each.
    #[arg(long)]
    stat: bool,
}

pub(super) async fn run(args: &Args, context: &Context) -> Result<ExitCode, CliError> {
    let job = context.job(&args.job).await?;
    let difference = wiring::diff(&context.config, &job).await?;
    if context.out.is_json() {
        context.out.json(&difference)?;
    } else if args.stat {
        context.out.data(&stat(&difference, context))?;
    } else {
        context.out.data(&patch(&difference.patch, context))?;
    }
    Ok(ExitCode::Success)
}

fn stat(difference: &Difference, context: &Context) -> String {
    let mut table = Table::new(&["ADDED", "DELETED", "FILE"]);
    for file in &difference.files {
        table.row(vec![
            Cell::styled(format!("+{}", file.added), style::GOOD),
            Cell::styled(format!("-{}", file.deleted), style::BAD),
            file.path.as_str().into(),
        ]);
    }
    let stat = difference.stat;
    let table = table.render(context.out.width);
    format!("{table}{}, +{} -{}\n", job_view::files(stat.files), stat.added, stat.deleted)
}

/// Coloured and made harmless where a terminal may read it; byte for byte for programs.
fn patch(patch: &str, context: &Context) -> String {
    if context.out.audience == super::output::Audience::Program && context.out.sgr == Sgr::Strip {
        return patch.to_owned();
    }
    patch
        .lines()
        .map(|line| {
            let style = match line.as_bytes() {
                [b'd', b'i', b'f', b'f', ..] | [b'+', b'+', b'+', ..] | [b'-', b'-', b'-', ..] => style::STRONG,
                [b'@', b'@', ..] => style::INFO,
                [b'+', ..] => style::GOOD,
                [b'-', ..] => style::BAD,
                _ => style::PLAIN,
            };
            format!("{}\n", paint(style, &sanitise::line(line, Sgr::Strip)))
        })
        .collect()
}
