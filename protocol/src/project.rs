//! A project: a name for a repository, with what its jobs get that say nothing themselves.
//!
//! Its keys mean what they mean in a task file and keep to the same rules. A project holds no values of secrets, only
//! their names.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    convention::CommitRule,
    front_matter::{At, Entry, Fault, Form, Key, Mistake, Reader, node_from_json},
    manifest::{self, Budget, CommandLine, ReviewPolicy, rules},
};

/// A project. What it leaves out stays open.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Project {
    pub name: String,
    /// One line for lists.
    pub description: Option<String>,
    /// An absolute path or a git address, once it is registered; as written before that.
    pub repo: String,
    /// The branch to start from and to ship into.
    pub base: Option<String>,
    pub profile: Option<String>,
    pub verify: Option<CommandLine>,
    pub review_policy: Option<ReviewPolicy>,
    /// Names only.
    pub secrets: Vec<String>,
    pub budget: Option<Budget>,
    /// What messages of commits must look like.
    pub commits: Option<CommitRule>,
}

/// Every key of a project, besides its name.
pub const KEYS: [&str; 9] =
    ["description", "repo", "base", "profile", "verify", "review-policy", "secrets", "budget", "commits"];

/// Something wrong with a project, and the key that it is about; none when it is about the project as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misread {
    pub key: Option<String>,
    /// Without a position.
    pub mistake: Mistake,
}

impl Project {
    /// Reads the keys of [`KEYS`] and passes over others. Every mistake is told.
    pub fn read(name: &str, table: &Map<String, Value>) -> Result<Self, Vec<Misread>> {
        let mut project = Self { name: name.to_owned(), ..Self::default() };
        let mut wrong = Vec::new();
        let as_a_whole = |fault| vec![Misread { key: None, mistake: whole(fault) }];
        if let Err(fault) = rules::name(name) {
            wrong.extend(as_a_whole(fault));
        }
        if !table.contains_key("repo") {
            let help = "write `repo`: a path, relative to this file, or a git address";
            wrong.extend(as_a_whole(Fault::new("names no repository", help)));
        }
        for (key, value) in table.iter().filter(|(key, _)| KEYS.contains(&key.as_str())) {
            let mistakes = project.take(key, value).into_iter();
            wrong.extend(mistakes.map(|mistake| Misread { key: Some(key.clone()), mistake }));
        }
        if wrong.is_empty() { Ok(project) } else { Err(wrong) }
    }

    fn take(&mut self, key: &str, value: &Value) -> Vec<Mistake> {
        let mut reader = Reader::new(Form::FrontMatter, Vec::new());
        let node = node_from_json(value);
        let entry = Entry { key: Key { at: At::default(), text: key.to_owned() }, value: node.clone() };
        match key {
            "description" => self.description = reader.checked(key, &node, rules::line),
            "repo" => self.repo = reader.checked(key, &node, rules::repository).unwrap_or_default(),
            "base" => self.base = reader.checked(key, &node, rules::branch),
            "profile" => self.profile = reader.checked(key, &node, rules::name),
            "verify" => self.verify = manifest::command(&mut reader, key, &node),
            "review-policy" => self.review_policy = manifest::review_policy(&mut reader, key, &node),
            "secrets" => self.secrets = manifest::secrets(&mut reader, key, &node),
            "budget" => self.budget = manifest::budget(&mut reader, key, &node),
            "commits" => self.commits = manifest::commits(&mut reader, key, &node),
            _ => unreachable!("only the keys of KEYS are read; a test gives each one"),
        }
        manifest::refuse_secrets(&mut reader, &[entry]);
        reader.finish().err().unwrap_or_default().0
    }
}

fn whole(fault: Fault) -> Mistake {
    Mistake { line: 0, column: 0, key: None, message: fault.problem, help: Some(fault.help) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{convention::Otherwise, span::Span};

    fn read(table: Value) -> Result<Project, Vec<Misread>> {
        let Value::Object(table) = table else { panic!("an object") };
        Project::read("shop", &table)
    }

    #[test]
    fn every_key_is_read() {
        let project = read(json!({
            "description": "The shop", "repo": "../shop", "base": "main", "profile": "qa",
            "verify": ["npm", "test"], "review-policy": "manual", "secrets": ["NPM_TOKEN"], "budget": {"wall": "30m"},
            "commits": {"pattern": "^x", "message": "x {subject}"},
        }))
        .expect("a project");
        let expected = Project {
            name: "shop".into(),
            description: Some("The shop".into()),
            repo: "../shop".into(),
            base: Some("main".into()),
            profile: Some("qa".into()),
            verify: Some(CommandLine::Argv(vec!["npm".into(), "test".into()])),
            review_policy: Some(ReviewPolicy::Manual),
            secrets: vec!["NPM_TOKEN".into()],
            budget: Some(Budget { wall: Some(Span::from_secs(1800)), ..Budget::default() }),
            commits: Some(CommitRule {
                pattern: "^x".into(),
                message: "x {subject}".into(),
                otherwise: Otherwise::Reword,
            }),
        };
        assert_eq!(project, expected);
        assert_eq!(serde_json::to_value(&project).expect("json").as_object().expect("an object").len(), KEYS.len() + 1);
    }

    #[test]
    fn every_mistake_is_told_by_the_rules_of_a_task_file() {
        let wrong = read(json!({
            "base": "-x", "profile": "../qa", "verify": [], "review-policy": "odd", "secrets": {"A": "hunter2"},
            "budget": {"usd": -1, "wal": "1h"},
        }))
        .expect_err("mistakes");
        let keys: Vec<&str> = wrong.iter().map(|misread| misread.key.as_deref().unwrap_or("-")).collect();
        assert_eq!(keys, ["-", "base", "budget", "budget", "profile", "review-policy", "secrets", "verify"]);
        assert_eq!(wrong[0].mistake.message, "names no repository");
        assert!(!format!("{wrong:?}").contains("hunter2"), "{wrong:?}");
    }

    #[test]
    fn a_value_that_looks_like_a_secret_is_refused_and_not_repeated() {
        let token = format!("gh{}", "p_0123456789abcdefghij");
        let wrong = read(json!({ "repo": ".", "verify": format!("TOKEN={token} ./check.sh") })).expect_err("refused");
        assert_eq!(wrong.len(), 1, "{wrong:?}");
        assert!(wrong[0].mistake.may_stand_on_a_secret());
        assert!(!wrong[0].mistake.message.contains("0123456789"), "{wrong:?}");
    }

    #[test]
    fn a_name_keeps_to_the_rule_of_names() {
        let table = Map::from_iter([("repo".to_owned(), json!("."))]);
        assert!(Project::read("my shop", &table).is_err());
        assert!(Project::read("shop.v2", &table).is_ok());
    }
}
