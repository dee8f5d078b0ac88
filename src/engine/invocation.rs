//! A job becomes an invocation: argument vector, complete environment, standard input.
//!
//! The prompt never can be taken for a flag and never meets a limit: it goes by standard input or by file; as an argument
//! it goes only where that is safe, else the argument is a sentence that names the file. Standard input is always a file
//! or nothing, because an engine that is left an open pipe may wait for its end.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::Path,
};

use super::{
    definition::{Definition, PromptMode},
    environment,
    template::{self, Values},
};

/// The longest prompt given as an argument. Linux takes 128 KiB for one argument; other systems less for all together.
const LONGEST_ARGUMENT: usize = 96 * 1024;

/// What one run wants of its engine.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    /// Looked at only where it has to be an argument.
    pub(crate) prompt: PromptText<'a>,
    /// Holds the whole prompt, whatever the mode.
    pub(crate) prompt_file: &'a Path,
    pub(crate) workspace: &'a Path,
    /// A folder of this run alone, deleted after it: killed engines leave much behind.
    pub(crate) tmpdir: &'a Path,
    /// Instead of the user's own home, and with it the user's own logins.
    pub(crate) home: Option<&'a Path>,
    /// This program.
    pub(crate) fleet: &'a Path,
    pub(crate) model: Option<&'a str>,
    pub(crate) max_turns: Option<u32>,
    pub(crate) max_usd: Option<f64>,
    pub(crate) approval: Approval,
    pub(crate) runs_as: RunsAs,
    pub(crate) session: SessionPlan<'a>,
    /// The worker's own environment, to choose from.
    pub(crate) environment: &'a BTreeMap<String, String>,
    /// The secrets that the job names.
    pub(crate) secrets: &'a BTreeMap<String, String>,
    /// Names of variables that no agent sees, whatever its engine may have.
    pub(crate) withheld: &'a BTreeSet<String>,
    /// The run's own variables: `FLEET_RUN`, `GIT_AUTHOR_NAME` and the like.
    pub(crate) variables: &'a BTreeMap<String, String>,
}

/// A prompt that does not show itself.
#[derive(Clone, Copy)]
pub(crate) struct PromptText<'a>(pub(crate) &'a str);

impl fmt::Debug for PromptText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} bytes>", self.0.len())
    }
}

/// What the agent may do without being asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Approval {
    /// What the engine thinks harmless.
    Careful,
    /// The same, in a run that is confined by us.
    CarefulConfined,
    /// Everything (`yolo`).
    Everything,
}

/// Who the agent runs as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RunsAs {
    User,
    Root,
}

/// What is to become of the engine's conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SessionPlan<'a> {
    /// A new one with this id, where the engine lets us choose; else with the id it will tell.
    New(&'a str),
    /// Go on with this one.
    Resume(&'a str),
    /// A new one.
    Unnamed,
}

/// What to run. Holds secrets and the prompt, so `Debug` shows neither.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Invocation {
    pub(crate) argv: Vec<String>,
    /// All of it: nothing is inherited.
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) stdin: Stdin,
    /// A session is continued; false too when that was asked of an engine that cannot.
    pub(crate) resumed: bool,
    /// The id that the new or continued session is told to have.
    pub(crate) session: Option<String>,
    /// Values to be masked wherever output is kept.
    pub(crate) redactions: Vec<String>,
    /// Wishes that this engine cannot fulfil, one sentence each.
    pub(crate) warnings: Vec<String>,
    prompt_argument: Option<usize>,
}

/// What standard input is. Never a pipe: see the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stdin {
    Null,
    PromptFile,
}

/// Why there is no invocation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EngineError {
    #[error("engine `{engine}` names no program")]
    NoProgram { engine: String },
    #[error("the {what} `{value}` begins with a dash and could be taken for a flag")]
    LooksLikeFlag { what: &'static str, value: String },
    #[error("the {what} contains a NUL character")]
    Nul { what: &'static str },
    #[error("the path {path} is not UTF-8, which engines cannot be given")]
    PathNotUtf8 { path: String },
}

/// What to run for `request` with this engine.
pub(crate) fn invocation(definition: &Definition, request: &Request<'_>) -> Result<Invocation, EngineError> {
    if definition.program().is_empty() {
        return Err(EngineError::NoProgram { engine: definition.name.clone() });
    }
    let resumed = matches!(request.session, SessionPlan::Resume(_)) && definition.can_resume();
    let session = match request.session {
        SessionPlan::Resume(id) if resumed => Some(id),
        SessionPlan::New(id) if definition.takes_session_id() => Some(id),
        _ => None,
    };
    check_value("model", request.model)?;
    check_value("session id", session)?;
    let prompt_file = utf8(request.prompt_file)?;
    let values = Values {
        model: request.model,
        max_turns: request.max_turns.map(|turns| turns.to_string()),
        max_usd: request.max_usd.filter(|_| !resumed).map(|usd| usd.to_string()),
        session,
        prompt_file: Some(prompt_file),
        workspace: Some(utf8(request.workspace)?),
        gateway: definition.gateway.as_deref(),
        fleet: Some(utf8(request.fleet)?),
    };

    let options = options(definition, &values, request.approval, resumed);
    let whole =
        if resumed && !definition.resume_command.is_empty() { &definition.resume_command } else { &definition.command };
    let mut argv = template::expand(whole, &values, &options);
    let mut prompt_argument = None;
    if definition.prompt == PromptMode::Argument {
        prompt_argument = Some(argv.len());
        argv.push(argument(request.prompt.0, prompt_file, argv.last().is_some_and(|last| last == "--")));
    }

    let home = request.home.map(utf8).transpose()?;
    let env = environment::environment(definition, request, (utf8(request.tmpdir)?, home));
    Ok(Invocation {
        argv,
        stdin: if definition.prompt == PromptMode::Stdin { Stdin::PromptFile } else { Stdin::Null },
        resumed,
        session: session.map(str::to_owned),
        redactions: environment::redactions(definition, request, &env),
        warnings: warnings(definition, request, resumed),
        env,
        prompt_argument,
    })
}

impl Invocation {
    /// The argument vector as it may be shown: without the prompt.
    pub(crate) fn shown(&self) -> Vec<&str> {
        let hide = |(position, argument)| match argument {
            _ if Some(position) == self.prompt_argument => "<prompt>",
            argument => String::as_str(argument),
        };
        self.argv.iter().enumerate().map(hide).collect()
    }
}

impl fmt::Debug for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invocation")
            .field("argv", &self.shown())
            .field("env", &self.env.keys().collect::<Vec<_>>())
            .field("stdin", &self.stdin)
            .field("resumed", &self.resumed)
            .field("session", &self.session)
            .field("warnings", &self.warnings)
            .finish_non_exhaustive()
    }
}

fn options(definition: &Definition, values: &Values<'_>, approval: Approval, resumed: bool) -> Vec<String> {
    let approving = match approval {
        Approval::Everything => &definition.approve,
        Approval::CarefulConfined if !definition.careful_confined.is_empty() => &definition.careful_confined,
        Approval::Careful | Approval::CarefulConfined => &definition.careful,
    };
    let none = &Vec::new();
    let groups = [
        if values.gateway.is_some() { &definition.gateway_args } else { none },
        if values.model.is_some() { &definition.model } else { none },
        if values.max_turns.is_some() { &definition.max_turns } else { none },
        if values.max_usd.is_some() { &definition.max_usd } else { none },
        match (values.session.is_some(), resumed) {
            (true, true) => &definition.resume,
            (true, false) => &definition.session,
            (false, _) => none,
        },
        approving,
    ];
    groups.into_iter().flat_map(|group| template::expand(group, values, &[])).collect()
}

/// The prompt itself, or a sentence that names its file: one that is too long, could be taken for a flag, or cannot be an
/// argument at all.
fn argument(prompt: &str, prompt_file: &str, after_dashes: bool) -> String {
    let fits = prompt.len() <= LONGEST_ARGUMENT && !prompt.contains('\0');
    let harmless = after_dashes || !prompt.starts_with('-');
    if fits && harmless && !prompt.is_empty() {
        return prompt.to_owned();
    }
    format!("Your whole task is in the file {prompt_file}. Read all of that file first, then do what it says.")
}

fn warnings(definition: &Definition, request: &Request<'_>, resumed: bool) -> Vec<String> {
    let name = &definition.name;
    let mut warnings = Vec::new();
    if let Some(model) = request.model.filter(|_| !definition.takes_model()) {
        warnings.push(format!("engine `{name}` cannot be told a model; `{model}` is ignored"));
    }
    if let Some(turns) = request.max_turns.filter(|_| !definition.takes_max_turns()) {
        warnings.push(format!("engine `{name}` cannot be limited in turns; max-turns {turns} is ignored"));
    }
    if matches!(request.session, SessionPlan::Resume(_)) && !resumed {
        warnings.push(format!("engine `{name}` cannot continue a session; it starts a new one"));
    }
    if request.approval == Approval::Everything && definition.approve.is_empty() {
        warnings.push(format!("engine `{name}` has no approve-everything arguments; `yolo` changes nothing"));
    }
    for mark in definition.nested.iter().filter(|mark| request.environment.contains_key(*mark)) {
        warnings.push(format!(
            "fleet runs inside a session of `{name}` itself ({mark} is set); the variable is not passed on"
        ));
    }
    warnings
}

fn check_value(what: &'static str, value: Option<&str>) -> Result<(), EngineError> {
    match value {
        Some(value) if value.starts_with('-') => Err(EngineError::LooksLikeFlag { what, value: value.to_owned() }),
        Some(value) if value.contains('\0') => Err(EngineError::Nul { what }),
        _ => Ok(()),
    }
}

fn utf8(path: &Path) -> Result<&str, EngineError> {
    path.to_str().ok_or_else(|| EngineError::PathNotUtf8 { path: path.display().to_string() })
}
