//! `fleet explain`: why a job runs or does not.

use fleet_protocol::{ExitCode, api::Explanation};

use super::{
    context::Context,
    error::CliError,
    sanitise::plain,
    style::{self, paint},
};

/// Say why a job does not start, or where it could.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  fleet explain k3f9
  fleet explain k3f9 --json | jq -r .next")]
pub(super) struct Args {
    /// An id, a unique prefix of one, or an idempotency key.
    #[arg(value_name = "JOB")]
    job: String,
}

pub(super) async fn run(args: &Args, context: &Context) -> Result<ExitCode, CliError> {
    let job = context.job(&args.job).await?;
    let explanation = context.client()?.explain(&job.id).await?;
    if context.out.is_json() {
        context.out.json(&explanation)?;
    } else {
        let stage = paint(style::of_stage(job.stage), job.stage.as_str());
        context.out.data(&format!("{} is in {stage}\n{}", job.id, shown(&explanation)))?;
    }
    Ok(ExitCode::Success)
}

fn shown(explanation: &Explanation) -> String {
    let mut text = String::new();
    for blocker in &explanation.blockers {
        text.push_str(&format!("{} {} ({})\n", paint(style::WARN, "wait"), plain(&blocker.message), blocker.code));
    }
    for factory in &explanation.factories {
        let name = plain(&factory.factory_id);
        if factory.eligible {
            let terms: Vec<String> = factory.terms.iter().map(|(term, value)| format!("{term} {value:.2}")).collect();
            let terms = if terms.is_empty() { String::new() } else { format!(" ({})", terms.join(", ")) };
            let ok = paint(style::GOOD, "ok  ");
            text.push_str(&format!("{ok} factory {name}: score {:.2}{terms}\n", factory.score));
        }
        for blocker in &factory.blockers {
            let no = paint(style::BAD, "no  ");
            text.push_str(&format!("{no} factory {name}: {} ({})\n", plain(&blocker.message), blocker.code));
        }
    }
    if !explanation.next.is_empty() {
        text.push_str(&format!("{} {}\n", paint(style::STRONG, "next:"), plain(&explanation.next)));
    }
    text
}
