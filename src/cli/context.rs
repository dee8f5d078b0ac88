//! What a verb works with: the configuration, the streams, and the coordinator, opened when it is first needed.

use std::{
    io::{self, BufRead, IsTerminal},
    path::PathBuf,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use fleet_protocol::Job;
use jiff::Timestamp;

use super::{
    error::CliError,
    output::{Audience, Output},
};
use crate::{
    client::Client,
    config::{Config, Place},
    wiring::{self, Clock, Embedded},
};

/// Whether a person may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asking {
    Allowed,
    /// No terminal, or `--no-input`.
    Never,
}

/// What a verb works with.
pub(super) struct Context {
    pub(super) config: Config,
    pub(super) out: Output,
    asking: Asking,
    /// `TERM`, as far as it matters here.
    terminal: Terminal,
    clock: Arc<dyn Clock>,
    makes: Makes,
    embedded: OnceLock<Embedded>,
    /// Whether the end waits for nothing.
    at_once: AtomicBool,
}

/// What a verb may make on disk where there is no fleet yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Makes {
    /// Queue folders and state.
    State,
    /// Nothing: it only looks, and then there is nothing to see.
    Nothing,
}

/// What stands at the other end of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Terminal {
    Usual,
    /// `TERM=dumb`: nothing moves.
    Dumb,
}

impl Context {
    pub(super) fn new(config: Config, out: Output, asking: Asking, terminal: Terminal) -> Result<Self, CliError> {
        let clock = wiring::clock(&config)?;
        Ok(Self {
            config,
            out,
            asking,
            terminal,
            clock,
            makes: Makes::State,
            embedded: OnceLock::new(),
            at_once: AtomicBool::new(false),
        })
    }

    /// The same for a verb that makes only this.
    pub(super) const fn that_makes(mut self, makes: Makes) -> Self {
        self.makes = makes;
        self
    }

    /// Answers from this coordinator instead of opening the fleet's own (tests).
    #[cfg(test)]
    pub(super) fn with_embedded(self, embedded: Embedded) -> Self {
        assert!(self.embedded.set(embedded).is_ok(), "nothing was open");
        self
    }

    /// Where queue and state lie.
    pub(super) fn place(&self) -> Result<&Place, CliError> {
        Ok(self.config.place()?)
    }

    /// The coordinator. What the fleet needs on disk is made the first time, and said; a verb that makes nothing gets an
    /// empty one where there is none.
    pub(super) fn embedded(&self) -> Result<&Embedded, CliError> {
        if let Some(open) = self.embedded.get() {
            return Ok(open);
        }
        let opened = if self.makes == Makes::Nothing && !wiring::has_state(&self.config)? {
            wiring::open_nothing(&self.config)?
        } else {
            let made = wiring::set_up(self.place()?)?;
            self.say_made(&made);
            wiring::open(&self.config)?
        };
        Ok(self.embedded.get_or_init(|| opened))
    }

    /// Says once what was made without being asked for.
    pub(super) fn say_made(&self, made: &[PathBuf]) {
        if !made.is_empty() {
            let names: Vec<String> = made.iter().map(|path| path.display().to_string()).collect();
            self.out.say(&format!("made {}", names.join(", ")));
        }
    }

    pub(super) fn client(&self) -> Result<&Client, CliError> {
        Ok(&self.embedded()?.client)
    }

    /// The job that a person means.
    pub(super) async fn job(&self, name: &str) -> Result<Job, CliError> {
        Ok(self.client()?.find(name).await?)
    }

    /// Makes the folder follow a change. The change itself is done, so trouble here is only told.
    pub(super) async fn redraw(&self) -> Result<(), CliError> {
        if let Err(fault) = wiring::redraw(&self.config, self.embedded()?).await {
            self.out.warn(&format!("the queue folder does not show it yet: {fault}"));
        }
        Ok(())
    }

    /// Makes the folder show jobs that were just submitted.
    pub(super) async fn draw_newcomers(&self, jobs: &[Job]) -> Result<(), CliError> {
        if let Err(fault) = wiring::draw_newcomers(&self.config, self.embedded()?, jobs).await {
            self.out.warn(&format!("the queue folder does not show it yet: {fault}"));
        }
        Ok(())
    }

    /// The program is to end without waiting for what still blocks.
    pub(super) fn end_at_once(&self) {
        self.at_once.store(true, Ordering::Relaxed);
    }

    pub(super) fn ends_at_once(&self) -> bool {
        self.at_once.load(Ordering::Relaxed)
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A moment as the reader of stdout wants it.
    pub(super) fn when(&self, at: Timestamp) -> String {
        super::when::shown(at, self.now(), self.out.audience)
    }

    pub(super) fn can_animate(&self) -> bool {
        self.terminal == Terminal::Usual
    }

    /// Asks a person for one line; none where nobody can be asked, or nothing was answered.
    pub(super) fn ask(&self, question: &str) -> Result<Option<String>, CliError> {
        if self.asking == Asking::Never || self.out.listener != Audience::Terminal || !io::stdin().is_terminal() {
            return Ok(None);
        }
        self.out.prompt(question);
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer).map_err(|error| CliError::io("cannot read from stdin", &error))?;
        let answer = answer.trim();
        Ok((!answer.is_empty()).then(|| answer.to_owned()))
    }
}
