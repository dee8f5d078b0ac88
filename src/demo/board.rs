//! The moving board of the demo: one living line a job on a terminal, one line a change elsewhere.

use std::{collections::HashMap, time::Duration};

use fleet_protocol::{Job, JobId, Stage};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::play::Watching;

/// Shows jobs as they move, on stderr. What is left of it on a terminal when it closes is nothing: the story follows.
pub(super) struct Board {
    watching: Watching,
    lines: MultiProgress,
    shown: HashMap<JobId, (ProgressBar, Option<Stage>, u32)>,
}

/// How often a living line turns.
const TURN: Duration = Duration::from_millis(120);

impl Board {
    pub(super) fn new(watching: Watching) -> Self {
        Self { watching, lines: MultiProgress::new(), shown: HashMap::new() }
    }

    /// Brings every job's line up to date.
    pub(super) fn show(&mut self, jobs: &[Job]) {
        if self.watching == Watching::No {
            return;
        }
        for job in jobs {
            let (bar, stage, runs) = self.shown.entry(job.id.clone()).or_insert_with(|| {
                let bar = self.lines.add(ProgressBar::new_spinner());
                // The template is a constant; it is right or the demo's own test fails.
                bar.set_style(ProgressStyle::with_template("  {spinner:.cyan} {msg}").expect("a valid template"));
                (bar, None, 0)
            });
            if (*stage, *runs) == (Some(job.stage), job.runs) {
                continue;
            }
            (*stage, *runs) = (Some(job.stage), job.runs);
            let line = line(job);
            if bar.is_hidden() {
                anstream::eprintln!("  {line}");
            } else {
                bar.set_message(line);
                if job.stage.is_parked() {
                    bar.disable_steady_tick();
                } else {
                    bar.enable_steady_tick(TURN);
                }
            }
        }
    }

    /// Takes the living lines away.
    pub(super) fn close(self) {
        for (bar, ..) in self.shown.values() {
            bar.finish_and_clear();
        }
    }
}

fn line(job: &Job) -> String {
    let name = job.file.trim_end_matches(".md");
    let run =
        if job.runs > 1 { format!("  run {}, told why run {} failed", job.runs, job.runs - 1) } else { String::new() };
    format!("{name:<14} {:<8}{run}", job.stage).trim_end().to_owned()
}
