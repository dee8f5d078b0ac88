//! Signs of life during long work: a spinner on a terminal, a line for each change elsewhere.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::{
    context::Context,
    output::{Audience, Talk},
};

/// Shows what is going on until it is dropped.
pub(super) struct Progress<'c> {
    context: &'c Context,
    spinner: Option<ProgressBar>,
    last: String,
}

impl<'c> Progress<'c> {
    pub(super) fn start(context: &'c Context) -> Self {
        let animated =
            context.out.listener == Audience::Terminal && context.out.talk == Talk::Plain && context.can_animate();
        let spinner = animated.then(|| {
            let spinner = ProgressBar::new_spinner();
            let style = ProgressStyle::with_template("{spinner} {msg} ({elapsed})").expect("the template is valid");
            spinner.set_style(style);
            spinner.enable_steady_tick(Duration::from_millis(200));
            spinner
        });
        Self { context, spinner, last: String::new() }
    }

    /// Says what is going on now; the same again says nothing new.
    pub(super) fn update(&mut self, message: &str) {
        if self.last == message {
            return;
        }
        message.clone_into(&mut self.last);
        match &self.spinner {
            Some(spinner) => spinner.set_message(message.to_owned()),
            None => self.context.out.say(message),
        }
    }

    /// Runs `act` without the spinner in the way.
    pub(super) fn aside<T>(&self, act: impl FnOnce() -> T) -> T {
        match &self.spinner {
            Some(spinner) => spinner.suspend(act),
            None => act(),
        }
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        if let Some(spinner) = &self.spinner {
            spinner.finish_and_clear();
        }
    }
}
