//! What is started for a job.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn argv(definition: &Definition, request: &Request<'_>) -> Vec<String> {
    invocation(definition, request).expect("can be started").argv
}

fn wishes<'a>(job: &'a Job, session: SessionPlan<'a>, approval: Approval) -> Request<'a> {
    Request { model: Some("big"), max_turns: Some(7), max_usd: Some(2.5), approval, session, ..job.request() }
}

#[test]
fn each_built_in_engine_is_started_as_documented() {
    let job = Job::new();
    let new = SessionPlan::New("5e55");
    let careful = |name| argv(&builtin(name), &wishes(&job, new, Approval::Careful)).join(" ");
    let codex = "codex -c check_for_update_on_startup=false -c analytics.enabled=false -c features.plugins=false exec";
    for (name, expected) in [
        (
            "claude",
            "claude -p --output-format stream-json --verbose --model big --max-turns 7 --max-budget-usd 2.5 \
             --session-id 5e55 --permission-mode acceptEdits"
                .to_owned(),
        ),
        (
            "codex",
            format!("{codex} --json --skip-git-repo-check --model big -c sandbox_mode=\"workspace-write\" -"),
        ),
        (
            "devin",
            "devin -p --prompt-file /run/1/prompt.md --respect-workspace-trust false --model big --permission-mode normal"
                .to_owned(),
        ),
        ("copilot", "copilot --output-format json --no-ask-user --model big --allow-tool=write".to_owned()),
        (
            "gemini",
            "gemini --output-format stream-json --model big --session-id 5e55 --approval-mode auto_edit".to_owned(),
        ),
        ("opencode", "opencode run --format json --model big".to_owned()),
        (
            "aider",
            "aider --message-file /run/1/prompt.md --no-check-update --no-show-model-warnings --analytics-disable \
             --no-stream --no-pretty --model big --yes-always --no-suggest-shell-commands"
                .to_owned(),
        ),
        ("scripted", "/opt/fleet scripted --prompt-file /run/1/prompt.md".to_owned()),
    ] {
        assert_eq!(careful(name), expected);
    }
}

#[test]
fn each_engine_that_can_goes_on_with_its_session() {
    let job = Job::new();
    let resume = SessionPlan::Resume("5e55");
    for (name, expected) in [
        ("claude", "--resume 5e55"),
        ("codex", "exec resume --json --skip-git-repo-check --model big -c sandbox_mode=\"workspace-write\" 5e55 -"),
        ("devin", "--resume 5e55"),
        ("copilot", "--resume=5e55"),
        ("gemini", "--resume 5e55"),
        ("opencode", "--session 5e55"),
    ] {
        let invocation = invocation(&builtin(name), &wishes(&job, resume, Approval::Careful)).expect("starts");
        assert!(invocation.argv.join(" ").contains(expected), "{name}: {:?}", invocation.argv);
        assert_eq!((invocation.resumed, invocation.session.as_deref()), (true, Some("5e55")), "{name}");
        assert!(!invocation.argv.iter().any(|argument| argument == "--session-id"), "{name}");
    }
    let aider = invocation(&builtin("aider"), &wishes(&job, resume, Approval::Careful)).expect("starts");
    assert_eq!((aider.resumed, aider.session), (false, None));
    assert!(aider.warnings.iter().any(|warning| warning.contains("cannot continue a session")));
}

#[test]
fn the_approving_flag_is_there_only_when_everything_is_approved() {
    let job = Job::new();
    for (name, flag) in [
        ("claude", "--dangerously-skip-permissions"),
        ("codex", "--dangerously-bypass-approvals-and-sandbox"),
        ("devin", "dangerous"),
        ("copilot", "--allow-all-tools"),
        ("gemini", "yolo"),
        ("opencode", "--auto"),
    ] {
        for session in [SessionPlan::Unnamed, SessionPlan::Resume("5e55")] {
            let with = |approval| argv(&builtin(name), &wishes(&job, session, approval)).iter().any(|a| a == flag);
            assert!(with(Approval::Everything), "{name}");
            assert!(!with(Approval::Careful) && !with(Approval::CarefulConfined), "{name}");
        }
    }
}

#[test]
fn an_engine_s_own_sandbox_gives_way_to_ours_where_it_cannot_be_made_within() {
    let job = Job::new();
    let with = |name, approval| argv(&builtin(name), &wishes(&job, SessionPlan::Unnamed, approval)).join(" ");
    assert!(with("codex", Approval::Careful).contains("sandbox_mode=\"workspace-write\""));
    assert!(with("codex", Approval::CarefulConfined).contains("sandbox_mode=\"danger-full-access\""));
    assert_eq!(
        with("claude", Approval::Careful),
        with("claude", Approval::CarefulConfined),
        "the others stay as they are"
    );
}

#[test]
fn is_sandbox_is_said_only_by_an_approving_root() {
    let job = Job::new();
    for (approval, runs_as, said) in [
        (Approval::Everything, RunsAs::Root, true),
        (Approval::Everything, RunsAs::User, false),
        (Approval::Careful, RunsAs::Root, false),
    ] {
        let request = Request { approval, runs_as, ..job.request() };
        let env = invocation(&builtin("claude"), &request).expect("starts").env;
        assert_eq!(env.contains_key("IS_SANDBOX"), said, "{approval:?} {runs_as:?}");
    }
}

#[test]
fn wishes_that_an_engine_cannot_fulfil_are_warned_of() {
    let job = Job::new();
    let mine = configured("command = ['./agent.sh']");
    let warnings =
        invocation(&mine, &wishes(&job, SessionPlan::Unnamed, Approval::Everything)).expect("starts").warnings;
    for part in ["`big` is ignored", "max-turns 7 is ignored", "`yolo` changes nothing"] {
        assert!(warnings.iter().any(|warning| warning.contains(part)), "{part}: {warnings:?}");
    }
    let mine = configured("command = ['./agent.sh', '--model', '{model}', '--turns={max-turns}']\napprove = ['--yes']");
    let invocation = invocation(&mine, &wishes(&job, SessionPlan::Unnamed, Approval::Everything)).expect("starts");
    assert_eq!(invocation.warnings, [""; 0]);
    assert_eq!(invocation.argv, ["./agent.sh", "--model", "big", "--turns=7", "--yes"]);
}

#[test]
fn a_prompt_that_could_be_taken_for_a_flag_or_is_too_long_is_no_argument() {
    let mut job = Job::new();
    let mine = configured("command = ['./agent.sh']\nprompt = 'argument'");
    let dashes = configured("command = ['./agent.sh', '--']\nprompt = 'argument'");
    assert_eq!(argv(&mine, &job.request()), ["./agent.sh", "Do it."]);

    job.prompt = "--help".to_owned();
    assert!(argv(&mine, &job.request())[1].contains("/run/1/prompt.md"));
    assert_eq!(argv(&dashes, &job.request()), ["./agent.sh", "--", "--help"]);

    job.prompt = format!("--help {}", "x".repeat(2 << 20));
    for definition in [&mine, &dashes] {
        let arguments = argv(definition, &job.request());
        assert!(arguments.iter().all(|argument| argument.len() < 4_096));
        assert!(arguments.last().is_some_and(|last| last.contains("/run/1/prompt.md")));
    }
    for definition in Catalogue::builtin().iter() {
        let argv = argv(definition, &job.request());
        assert!(
            argv.iter().all(|argument| !argument.contains("--help")),
            "{}: it goes by file or stdin",
            definition.name
        );
    }
}

#[test]
fn values_from_a_task_cannot_smuggle_in_flags() {
    let job = Job::new();
    let claude = builtin("claude");
    let model = Request { model: Some("--dangerously-skip-permissions"), ..job.request() };
    let refused = |what| Err(EngineError::LooksLikeFlag { what, value: "--dangerously-skip-permissions".to_owned() });
    assert_eq!(invocation(&claude, &model), refused("model"));
    let session = SessionPlan::Resume("--dangerously-skip-permissions");
    assert_eq!(invocation(&claude, &Request { session, ..job.request() }), refused("session id"));
}

#[test]
fn the_environment_is_an_allow_list() {
    let mut job = Job::new();
    for name in ["ANTHROPIC_API_KEY", "OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY", "SSH_AUTH_SOCK", "GITHUB_TOKEN", "PWD"]
    {
        job.environment.insert(name.to_owned(), format!("value of {name}"));
    }
    let names = |definition: &Definition| -> Vec<String> {
        let env = invocation(definition, &job.request()).expect("starts").env;
        env.into_keys().filter(|name| !["CLAUDE_CODE_MAX_RETRIES"].contains(&name.as_str())).collect()
    };
    let base = ["FLEET_RUN", "HOME", "LC_ALL", "NO_COLOR", "PATH", "TEMP", "TERM", "TMP", "TMPDIR"];
    assert_eq!(names(&configured("command = ['a']")), base);
    let allowed = names(&configured("command = ['a']\nenv = ['AWS_*', 'MISSING']"));
    assert_eq!(allowed, [&["AWS_SECRET_ACCESS_KEY"][..], &base].concat());
    assert!(names(&builtin("claude")).contains(&"ANTHROPIC_API_KEY".to_owned()));
    assert!(!names(&builtin("claude")).contains(&"OPENAI_API_KEY".to_owned()));
}

#[test]
fn tokens_of_forges_are_withheld_from_patterns_and_helpers_secrets_from_everything() {
    let mut job = Job::new();
    for name in ["GH_TOKEN", "GITHUB_TOKEN", "GH_HOST", "MY_PUSH"] {
        job.environment.insert(name.to_owned(), "canary".to_owned());
    }
    let seen = |job: &Job, env: &str| {
        let engine = configured(&format!("command = ['a']\nenv = {env}"));
        let env = invocation(&engine, &job.request()).expect("starts").env;
        env.into_iter().filter(|(_, value)| value == "canary").map(|(name, _)| name).collect::<Vec<_>>()
    };
    assert_eq!(seen(&job, "['GH_*', 'GITHUB_*', 'MY_*']"), ["GH_HOST", "MY_PUSH"]);
    assert_eq!(seen(&job, "['*']"), ["GH_HOST", "MY_PUSH"]);
    assert_eq!(seen(&job, "['GH_TOKEN']"), ["GH_TOKEN"], "named, it was meant");
    job.withheld = ["GH_TOKEN".to_owned(), "MY_PUSH".to_owned()].into();
    assert_eq!(seen(&job, "['GH_TOKEN', 'MY_PUSH', 'MY_*', 'GH_HOST']"), ["GH_HOST"]);
}

#[test]
fn secrets_are_in_the_environment_and_nowhere_else() {
    let mut job = Job::new();
    job.prompt = "the prompt itself".to_owned();
    job.secrets.insert("NPM_TOKEN".to_owned(), "npm-canary".to_owned());
    job.environment.insert("ANTHROPIC_API_KEY".to_owned(), "key-canary".to_owned());
    for definition in [builtin("claude"), configured("command = ['a']\nprompt = 'argument'")] {
        let invocation = invocation(&definition, &job.request()).expect("starts");
        assert_eq!(invocation.env["NPM_TOKEN"], "npm-canary");
        assert!(invocation.redactions.contains(&"npm-canary".to_owned()));
        assert_eq!(invocation.redactions.contains(&"key-canary".to_owned()), definition.name == "claude");
        let shown = format!("{invocation:?} {:?} {:?}", invocation.shown(), job.request().prompt);
        for hidden in ["canary", "the prompt itself"] {
            assert!(!shown.contains(hidden), "{hidden}: {shown}");
        }
        assert!(!invocation.argv.join(" ").contains("canary"));
    }
}

#[test]
fn a_gateway_s_address_reaches_the_engine_in_its_own_way() {
    let job = Job::new();
    let started = |name: &str| {
        let mut definition = builtin(name);
        definition.gateway = Some("http://127.0.0.1:4000".to_owned());
        assert_eq!(definition.validate(), [], "{name}");
        invocation(&definition, &job.request()).expect("starts")
    };
    for (name, variable) in [
        ("claude", "ANTHROPIC_BASE_URL"),
        ("copilot", "COPILOT_PROVIDER_BASE_URL"),
        ("gemini", "GOOGLE_GEMINI_BASE_URL"),
        ("aider", "OPENAI_API_BASE"),
    ] {
        assert_eq!(started(name).env[variable], "http://127.0.0.1:4000", "{name}");
    }
    let setting = "model_providers.fleet.base_url=\"http://127.0.0.1:4000\"".to_owned();
    assert!(started("codex").argv.contains(&setting));
}

#[test]
fn how_an_engine_gets_at_a_model_can_be_told() {
    let nothing = BTreeSet::new();
    let claude = builtin("claude");
    assert_eq!(claude.access(&nothing, &|_| false), Access::Missing);
    let file = "~/.claude/.credentials.json";
    assert_eq!(claude.access(&nothing, &|path| path == Path::new(file)), Access::Login(file.to_owned()));
    let key = BTreeSet::from(["ANTHROPIC_API_KEY".to_owned()]);
    assert_eq!(claude.access(&key, &|_| false), Access::Key("ANTHROPIC_API_KEY".to_owned()));
    let gateway = Definition { gateway: Some("http://m".to_owned()), ..claude };
    assert_eq!(gateway.access(&key, &|_| false), Access::Gateway("http://m".to_owned()));
    assert_eq!(configured("command = ['a']").access(&nothing, &|_| false), Access::Undeclared);
}

#[test]
fn inside_another_session_of_the_engine_its_mark_is_withheld_and_told() {
    let mut job = Job::new();
    job.environment.insert("CLAUDECODE".to_owned(), "1".to_owned());
    let claude = invocation(&builtin("claude"), &job.request()).expect("starts");
    assert!(!claude.env.contains_key("CLAUDECODE"));
    assert!(claude.warnings.iter().any(|warning| warning.contains("CLAUDECODE is set")));
    assert_eq!(invocation(&builtin("codex"), &job.request()).expect("starts").warnings, [""; 0]);
}

proptest! {
    #[test]
    fn a_prompt_argument_is_the_prompt_or_names_its_file(prompt in "\\PC{0,60}|-{1,2}[a-z]{0,9}") {
        let mut job = Job::new();
        job.prompt.clone_from(&prompt);
        let argv = argv(&configured("command = ['a']\nprompt = 'argument'"), &job.request());
        prop_assert!(!argv[1].starts_with('-'));
        prop_assert!(argv[1] == prompt || argv[1].contains("/run/1/prompt.md"));
    }

    #[test]
    fn no_output_breaks_a_reader(lines in proptest::collection::vec("\\PC{0,80}|\\{\"type\":\"(result|assistant|error|item.completed|message|text)\"(,\"(message|item|part|usage|error|content)\":(1|null|\"x\"|\\[1\\]|\\{\\})){0,3}\\}", 0..8)) {
        let outputs =
            [Output::Text, Output::Claude, Output::Codex, Output::Opencode, Output::Gemini, Output::Copilot, Output::Aider];
        for output in outputs {
            let (_, end) = feed(output, Usage::UNKNOWN, &lines.join("\n"), Exit::Code(1), &lines.join("\n"));
            prop_assert!(end.failure(false).is_some());
        }
    }
}

#[test]
fn markers_in_an_agent_s_words_take_effect_and_broken_ones_are_noted() {
    let words = "Working.\n**FLEET_STATUS** {\"status\": \"half\"}\n- `FLEET_ARTIFACT {\"path\": \"a.html\"}`\nFLEET_USAGE oops\n\
                 FLEET_QUESTION {\"question\": \"Which?\"}\nFLEET_NO_CHANGES {}";
    let claude = serde_json::json!({"type": "assistant", "message": {"content": [{"type": "text", "text": words}]}});
    let codex = serde_json::json!({"type": "item.completed", "item": {"type": "agent_message", "text": words}});
    let opencode = serde_json::json!({"type": "text", "part": {"text": words}});
    for (output, text) in [
        (Output::Claude, claude.to_string()),
        (Output::Codex, codex.to_string()),
        (Output::Opencode, opencode.to_string()),
        (Output::Text, words.to_owned()),
    ] {
        let (observations, end) = feed(output, Usage::UNKNOWN, &text, Exit::Code(0), "");
        assert_eq!(end.status.as_deref(), Some("half"), "{output:?}");
        assert_eq!(end.artifacts, ["a.html"], "{output:?}");
        assert_eq!(end.question.map(|question| question.text).as_deref(), Some("Which?"), "{output:?}");
        assert!(end.no_changes_claimed, "{output:?}");
        let markers = observations.iter().filter(|o| matches!(o, Observation::Marker(_))).count();
        assert_eq!(markers, 4, "{output:?}");
        assert!(activities(&observations).iter().any(|line| line.contains("malformed FLEET_USAGE")), "{output:?}");
        assert_eq!(end.summary.as_deref(), Some("Working."), "{output:?}");
    }
}

#[test]
fn only_the_agent_s_own_words_are_markers() {
    let marker = "FLEET_NO_CHANGES {}";
    let tool =
        serde_json::json!({"type": "user", "message": {"content": [{"type": "tool_result", "content": marker}]}});
    let sub_agent = serde_json::json!({"type": "assistant", "parent_tool_use_id": "t",
        "message": {"content": [{"type": "text", "text": marker}]}});
    for event in [tool, sub_agent] {
        let (_, end) = feed(Output::Claude, Usage::UNKNOWN, &event.to_string(), Exit::Code(0), "");
        assert!(!end.no_changes_claimed, "{event}");
    }
    let mut reader = reader(Output::Text, Start { workspace: String::new(), before: Usage::UNKNOWN });
    reader.line(Stream::Stderr, marker);
    assert!(!reader.end(Exit::Code(0), marker).no_changes_claimed);
}

#[test]
fn usage_told_by_marker_counts_where_the_engine_measures_nothing() {
    let marker = "FLEET_USAGE {\"inputTokens\": 900, \"outputTokens\": 100, \"costUsd\": 0.5}";
    let (_, end) = feed(Output::Text, Usage::UNKNOWN, marker, Exit::Code(0), "");
    assert_eq!((end.usage.tokens(), end.usage.cost_usd), (1_000, Some(0.5)));
    let (_, end) = feed(Output::Text, Usage::UNKNOWN, "no usage here", Exit::Code(0), "");
    assert_eq!(end.usage, Usage::UNKNOWN);
}

#[test]
fn a_session_that_cannot_be_continued_is_told_apart() {
    let taken = "Error: Session ID 5e55 is already in use.";
    let lost = "Error: thread/resume: thread/resume failed: no rollout found for thread id 5e55";
    for (output, stderr) in [(Output::Claude, taken), (Output::Codex, lost)] {
        let (_, end) = feed(output, Usage::UNKNOWN, "", Exit::Code(1), stderr);
        assert_eq!(end.failure(false).map(|failure| failure.cause), Some(Cause::Session), "{stderr}");
    }
}

#[test]
fn a_failing_program_is_explained_by_its_last_words() {
    for (stdout, stderr, exit, class, part) in [
        ("working", "npm warn\nError: connect ECONNREFUSED 127.0.0.1:1", 1, Some("transient"), "ECONNREFUSED"),
        ("Error: quota exceeded", "", 1, Some("quota"), "quota exceeded (exit code 1)"),
        ("", "sh: 1: agent: not found", 127, Some("permanent"), "agent: not found"),
        ("I tried", "", 3, None, "I tried (exit code 3)"),
        ("", "", 3, None, "exit code 3"),
    ] {
        let (_, end) = feed(Output::Text, Usage::UNKNOWN, stdout, Exit::Code(exit), stderr);
        let failure = end.failure(true).expect("a bad exit is a failure");
        assert_eq!(failure.class.map(fleet_protocol::run::ErrorClass::as_str), class, "{stdout}{stderr}");
        assert!(failure.message.contains(part), "{}", failure.message);
    }
}
