//! What an engine is: how it is started, fed, read, approved and recognised.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use serde::{Deserialize, Serialize};

use super::template;

/// One engine, complete. Made of a built-in definition, `[engines.NAME]` of the configuration, or both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Definition {
    pub(crate) name: String,
    /// Argument vector template of a new session; see [`template`] for the placeholders.
    pub(crate) command: Vec<String>,
    /// The whole template of a resumed session, where that is another command rather than another flag.
    pub(crate) resume_command: Vec<String>,
    pub(crate) prompt: PromptMode,
    pub(crate) output: Output,
    pub(crate) class: String,
    /// Arguments added when a model was asked for.
    pub(crate) model: Vec<String>,
    /// Arguments added when the number of turns is limited.
    pub(crate) max_turns: Vec<String>,
    /// Arguments added when a new session has a price ceiling.
    pub(crate) max_usd: Vec<String>,
    /// Arguments added that give a new session its id.
    pub(crate) session: Vec<String>,
    /// Arguments added that continue a session.
    pub(crate) resume: Vec<String>,
    /// Arguments added when the agent may do everything unasked.
    pub(crate) approve: Vec<String>,
    /// Variables set besides, when approving as root.
    pub(crate) approve_as_root: BTreeMap<String, String>,
    /// Arguments added instead of `approve` otherwise.
    pub(crate) careful: Vec<String>,
    /// Arguments instead of `careful` where we confine the run and the engine's own sandbox cannot be made within.
    pub(crate) careful_confined: Vec<String>,
    /// Names of variables that the agent may see besides the base; a trailing `*` matches any ending.
    pub(crate) env: Vec<String>,
    /// Variables with fixed values.
    pub(crate) set: BTreeMap<String, String>,
    /// Arguments that make the program print its version; empty: it is not asked.
    pub(crate) version: Vec<String>,
    pub(crate) credentials: Credentials,
    /// Folders of its own, which its confined runs write: `~/` is the home directory, a leading `$NAME` a variable. Made
    /// where they are missing.
    pub(crate) folders: Vec<String>,
    /// Files of its own outside of them, where they exist.
    pub(crate) files: Vec<String>,
    /// Address of a model gateway to use instead of the vendor's.
    pub(crate) gateway: Option<String>,
    /// The variable that takes the gateway's address.
    pub(crate) gateway_env: Option<String>,
    /// Arguments that take the gateway's address.
    pub(crate) gateway_args: Vec<String>,
    /// Variables whose presence shows that `fleet` itself runs inside a session of this engine.
    pub(crate) nested: Vec<String>,
    /// Never chosen unless named.
    pub(crate) only_by_name: bool,
}

/// How the prompt reaches the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum PromptMode {
    /// As standard input.
    #[default]
    Stdin,
    /// As a file whose path the command names by `{prompt-file}`.
    File,
    /// As the last argument.
    Argument,
}

/// Which reader understands the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Output {
    /// Lines for people, with or without markers.
    #[default]
    Text,
    /// Claude's stream-json (and its look-alikes).
    Claude,
    /// `codex exec --json`.
    Codex,
    /// `opencode run --format json`.
    Opencode,
    /// `gemini --output-format stream-json`.
    Gemini,
    /// `copilot --output-format json`.
    Copilot,
    /// Text with aider's line of token counts.
    Aider,
}

/// Where an engine's login can be seen, for diagnosis. Nothing in here is read by this module.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Credentials {
    /// Variables that hold a key.
    pub(crate) env: Vec<String>,
    /// Files that hold a login; `~/` is the home directory.
    pub(crate) files: Vec<String>,
}

/// How an engine gets at a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Access {
    /// By a gateway's address.
    Gateway(String),
    /// By a key in this variable.
    Key(String),
    /// By a login kept in this file.
    Login(String),
    /// Nothing is known of how this engine logs in.
    Undeclared,
    /// It logs in somehow, and neither key, login nor gateway is there.
    Missing,
}

impl Definition {
    /// An engine with nothing but a name.
    pub(crate) fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            command: Vec::new(),
            resume_command: Vec::new(),
            prompt: PromptMode::default(),
            output: Output::default(),
            class: "agentic-coder".to_owned(),
            model: Vec::new(),
            max_turns: Vec::new(),
            max_usd: Vec::new(),
            session: Vec::new(),
            resume: Vec::new(),
            approve: Vec::new(),
            approve_as_root: BTreeMap::new(),
            careful: Vec::new(),
            careful_confined: Vec::new(),
            env: Vec::new(),
            set: BTreeMap::new(),
            version: Vec::new(),
            credentials: Credentials::default(),
            folders: Vec::new(),
            files: Vec::new(),
            gateway: None,
            gateway_env: None,
            gateway_args: Vec::new(),
            nested: Vec::new(),
            only_by_name: false,
        }
    }

    /// The program to look for: a name, a path, or `{fleet}`.
    pub(crate) fn program(&self) -> &str {
        self.command.first().map_or("", String::as_str)
    }

    /// The whole command that prints the version.
    pub(crate) fn version_probe(&self) -> Option<Vec<String>> {
        if self.version.is_empty() {
            return None;
        }
        Some([self.program().to_owned()].into_iter().chain(self.version.iter().cloned()).collect())
    }

    /// Whether a session can be continued.
    pub(crate) fn can_resume(&self) -> bool {
        !self.resume.is_empty() || !self.resume_command.is_empty()
    }

    /// Whether the id of a new session can be chosen by us.
    pub(crate) fn takes_session_id(&self) -> bool {
        !self.session.is_empty() || self.mentions("session")
    }

    /// Whether a model can be asked for.
    pub(crate) fn takes_model(&self) -> bool {
        !self.model.is_empty() || self.mentions("model")
    }

    /// Whether turns can be limited.
    pub(crate) fn takes_max_turns(&self) -> bool {
        !self.max_turns.is_empty() || self.mentions("max-turns")
    }

    fn mentions(&self, placeholder: &str) -> bool {
        self.command.iter().any(|element| template::mentions(element, placeholder))
    }

    /// How it gets at a model, given which variables are set and which files exist (asked with `~/` as written).
    pub(crate) fn access(&self, variables: &BTreeSet<String>, exists: &dyn Fn(&Path) -> bool) -> Access {
        if let Some(address) = &self.gateway {
            return Access::Gateway(address.clone());
        }
        let known = |name: &&String| variables.contains(*name) || self.set.contains_key(*name);
        if let Some(name) = self.gateway_env.iter().find(known) {
            return Access::Gateway(format!("${name}"));
        }
        if let Some(name) = self.credentials.env.iter().find(known) {
            return Access::Key(name.clone());
        }
        if let Some(file) = self.credentials.files.iter().find(|file| exists(Path::new(file))) {
            return Access::Login(file.clone());
        }
        if self.credentials == Credentials::default() { Access::Undeclared } else { Access::Missing }
    }
}
