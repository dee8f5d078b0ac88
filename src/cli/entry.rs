//! From arguments to exit code: parse, configure, log, run the verb, tell what went wrong.

use std::{
    ffi::OsString,
    io::{self, Write},
    path::PathBuf,
    process,
};

use fleet_protocol::ExitCode;

use super::{
    act,
    args::{Cli, Colour, Global, Verb},
    command::{self, Unparsed},
    completions,
    context::{Asking, Context, Terminal},
    error::CliError,
    help, man,
    output::{Format, Output, Talk},
};
use crate::{
    cli,
    config::{Config, Environment, Mode, Overrides, Request, env, keys, resolve},
    telemetry::Telemetry,
};

/// Runs the command line; `arguments` start with the program's name.
pub(crate) fn main(arguments: Vec<OsString>) -> process::ExitCode {
    if command::asks_for_version(&arguments) {
        // A closed pipe is no failure.
        let _ = io::stdout().write_all(command::version().as_bytes());
        return process::ExitCode::SUCCESS;
    }
    // Mistakes in the arguments themselves must already be told in the form that was asked for.
    let format = if arguments.iter().any(|argument| argument == "--json") { Format::Json } else { Format::Human };
    let early = Output::of_process(format, Colour::Auto, Talk::Plain);
    let environment = match Environment::capture() {
        Ok(environment) => environment,
        Err(error) => return end(&early, Err(CliError::usage(error.to_string()))),
    };
    match command::parse(arguments, &environment) {
        Ok(cli) => run(cli, environment),
        Err(Unparsed::Switch(error)) => end(&early, Err(error.into())),
        Err(Unparsed::Clap(error)) if error.use_stderr() && early.is_json() => {
            let message = error.render().to_string();
            let message = message.trim_start_matches("error: ").lines().next().unwrap_or_default().to_owned();
            end(&early, Err(CliError::usage(message).help("`fleet help` lists verbs and topics")))
        }
        Err(Unparsed::Clap(error)) => {
            // A closed pipe while help is printed is no failure.
            let _ = error.print();
            process::ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(ExitCode::Usage.code()))
        }
    }
}

fn run(cli: Cli, environment: Environment) -> process::ExitCode {
    let Cli { global, verb } = cli;
    let format = if global.json { Format::Json } else { Format::Human };
    let talk = if global.quiet { Talk::Silent } else { Talk::Plain };
    let colour = match &verb {
        // The stream would take out what was asked for.
        Verb::Logs(args) if args.is_raw() => Colour::Always,
        _ => global.color,
    };
    let mut out = Output::of_process(format, colour, talk);
    match verb {
        Verb::Completions(args) => return end(&out, completions::run(&args, &out)),
        Verb::Man(args) => return end(&out, man::run(&args, &out)),
        Verb::Help(args) => return end(&out, help::run(&args, &out)),
        _ => {}
    }
    let terminal = match environment.get(env::TERM.name) {
        Some("dumb") | None => Terminal::Dumb,
        Some(_) => Terminal::Usual,
    };
    let config = match configure(&global, &verb, environment) {
        Ok(config) => config,
        Err(error) => return end(&out, Err(error)),
    };
    let telemetry = telemetry(&config, &global, &verb);
    if let Err(error) = telemetry.start() {
        return end(&out, Err(error.into()));
    }
    if verb.is_service() && telemetry.is_json() && out.talk == Talk::Plain {
        out.talk = Talk::Logged;
    }
    for warning in &config.warnings {
        out.warn(&warning.with_help());
    }
    let asking = if global.no_input { Asking::Never } else { Asking::Allowed };
    let context = match Context::new(config, out, asking, terminal) {
        Ok(context) => context.that_makes(verb.makes()),
        // The streams went with the context that did not come to be.
        Err(error) => return end(&Output::of_process(format, colour, talk), Err(error)),
    };
    end(&context.out, execute(&context, verb))
}

pub(super) fn execute(context: &Context, verb: Verb) -> Result<ExitCode, CliError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| CliError::io("cannot start the program's own threads", &error))?;
    let done = runtime.block_on(Box::pin(dispatch(context, verb)));
    if context.ends_at_once() {
        // Else its end waits for blocking work, such as a folder that is being deleted.
        runtime.shutdown_background();
    }
    done
}

async fn dispatch(context: &Context, verb: Verb) -> Result<ExitCode, CliError> {
    if let Some((action, args)) = verb.act() {
        return act::run(action, args, context).await;
    }
    match verb {
        Verb::Init(args) => cli::init::run(&args, context),
        Verb::Submit(args) => cli::submit::run(&args, context).await,
        Verb::Run(args) => cli::run::run(&args, context).await,
        Verb::Status(args) => cli::status::run(&args, context).await,
        Verb::Stats(args) => cli::stats::run(&args, context).await,
        Verb::Watch(args) => cli::watch::run(&args, context).await,
        Verb::Jobs(args) => cli::jobs::run(&args, context).await,
        Verb::Show(args) => cli::show::run(&args, context).await,
        Verb::Runs(args) => cli::runs::run(&args, context).await,
        Verb::Logs(args) => cli::logs::run(&args, context).await,
        Verb::Events(args) => cli::events::run(&args, context).await,
        Verb::Diff(args) => cli::diff::run(&args, context).await,
        Verb::Explain(args) => cli::explain::run(&args, context).await,
        Verb::Debug(args) => cli::debug::run(&args, context).await,
        Verb::Recover(args) => cli::recover::run(&args, context).await,
        Verb::Clean(args) => cli::clean::run(&args, context).await,
        Verb::Profile(args) => cli::profile::run(&args, context).await,
        Verb::Project(args) => cli::project::run(&args, context).await,
        Verb::Config(args) => cli::config::run(&args, context),
        Verb::Db(args) => cli::db::run(&args, context),
        Verb::Doctor(args) => cli::doctor::run(&args, context).await,
        Verb::Selftest(args) => cli::selftest::run(&args, context).await,
        Verb::Demo(args) => cli::demo::run(&args, context).await,
        Verb::Completions(args) => completions::run(&args, &context.out),
        Verb::Man(args) => man::run(&args, &context.out),
        Verb::Help(args) => help::run(&args, &context.out),
        Verb::Ship(_)
        | Verb::Promote(_)
        | Verb::Approve(_)
        | Verb::RequestChanges(_)
        | Verb::Reject(_)
        | Verb::Requeue(_)
        | Verb::Redrive(_)
        | Verb::Cancel(_)
        | Verb::Stop(_)
        | Verb::Hold(_)
        | Verb::Release(_)
        | Verb::Pause(_)
        | Verb::Resume(_) => unreachable!("acts were dispatched above"),
    }
}

/// Tells a failure, and turns the outcome into the program's exit code.
fn end(out: &Output, outcome: Result<ExitCode, CliError>) -> process::ExitCode {
    let exit = match outcome {
        Ok(exit) => exit,
        Err(error) => {
            // Another runner at work is no trouble: who asked for quiet is told by the exit code alone.
            let is_expected = error.exit() == ExitCode::AlreadyRunning && out.talk == Talk::Silent;
            if let CliError::Report(report) = &error
                && !is_expected
            {
                out.tell(report);
            }
            error.exit()
        }
    };
    process::ExitCode::from(exit.code())
}

fn configure(global: &Global, verb: &Verb, environment: Environment) -> Result<Config, CliError> {
    let cwd = std::env::current_dir().map_err(|error| CliError::io("cannot tell the current folder", &error))?;
    let request = Request {
        cwd: start_folder(verb, cwd),
        file: global.config.clone(),
        overrides: overrides(global, verb)?,
        environment,
        account: account(),
        mode: if global.test_mode { Mode::Test } else { Mode::Normal },
    };
    let mut config = resolve(&request)?;
    if let Verb::Run(args) = verb {
        config.worker.capabilities.extend(args.caps.iter().cloned());
    }
    Ok(config)
}

/// Who runs this program, as the system's list of users has it; cron and services set no `USER`.
fn account() -> Option<String> {
    nix::unistd::User::from_uid(nix::unistd::getuid()).ok().flatten().map(|user| user.name)
}

/// Where the search for a configuration starts: `init DIR` is about DIR, whatever lies around the current folder.
pub(super) fn start_folder(verb: &Verb, cwd: PathBuf) -> PathBuf {
    match verb {
        Verb::Init(args) => args.folder(&cwd),
        _ => cwd,
    }
}

/// The settings among the flags.
fn overrides(global: &Global, verb: &Verb) -> Result<Overrides, CliError> {
    let mut overrides = Overrides::default();
    for pair in &global.set {
        let Some((name, value)) = pair.split_once('=') else {
            return Err(CliError::usage(format!("--set {pair}: expected KEY=VALUE, for example --set worker.max=2")));
        };
        let Some(info) = keys::find(name) else {
            let error = CliError::usage(format!("--set {pair}: there is no key `{name}`"));
            return Err(match fleet_protocol::nearest(name, keys::ALL.iter().map(|info| info.name)) {
                Some(near) => error.help(format!("did you mean `{near}`?")),
                None => error.help("`fleet config show` lists the keys there are"),
            });
        };
        overrides.set(info, "--set", value);
    }
    let flags = [
        (keys::QUEUE.info, &global.queue),
        (keys::HOME.info, &global.home),
        (keys::PRODUCT.info, &global.product),
        (keys::LOG_FORMAT.info, &global.log_format),
    ];
    for (info, value) in flags {
        if let Some(value) = value {
            overrides.set(info, info.flag.unwrap_or("--set"), value);
        }
    }
    match global.verbose {
        0 => {}
        1 => overrides.set(keys::LOG_LEVEL.info, "-v", "info"),
        2 => overrides.set(keys::LOG_LEVEL.info, "-vv", "debug"),
        _ => overrides.set(keys::LOG_LEVEL.info, "-vvv", "trace"),
    }
    if let Verb::Run(cli::run::Args { max: Some(max), .. }) = verb {
        overrides.set(keys::WORKER_MAX.info, "--max", max);
    }
    Ok(overrides)
}

fn telemetry(config: &Config, global: &Global, verb: &Verb) -> Telemetry {
    let usual = match (global.quiet, verb.is_service()) {
        (true, _) => "error",
        (false, true) => "info",
        (false, false) => "warn",
    };
    Telemetry {
        filter: config.logging.level.clone().unwrap_or_else(|| usual.to_owned()),
        format: config.logging.format,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The origin and value of a setting when these arguments are given.
    fn setting(arguments: &[&str], variables: Environment, name: &str) -> (String, String) {
        let arguments = std::iter::once("fleet").chain(arguments.iter().copied()).map(OsString::from).collect();
        let Ok(Cli { global, verb }) = command::parse(arguments, &variables) else { panic!("the arguments are wrong") };
        let Ok(config) = configure(&global, &verb, variables) else { panic!("the configuration is not valid") };
        let entry = config.entries.iter().find(|entry| entry.name == name).expect("the setting");
        (entry.origin.to_string(), entry.value.to_string())
    }

    #[test]
    fn flags_that_are_settings_win_over_their_variables() {
        let variables = || Environment::from([("FLEET_WORKER_MAX", "3"), ("FLEET_LOG", "error")]);
        for (arguments, name, origin, value) in [
            (vec!["run"], "worker.max", "FLEET_WORKER_MAX", "3"),
            (vec!["run", "--max", "4"], "worker.max", "--max", "4"),
            (vec!["status", "--set", "worker.max=6"], "worker.max", "--set", "6"),
            (vec!["run", "--max", "4", "--set", "worker.max=6"], "worker.max", "--max", "4"),
            (vec!["status"], "logging.level", "FLEET_LOG", "\"error\""),
            (vec!["status", "-vv"], "logging.level", "-vv", "\"debug\""),
            (vec!["--product", "shop", "status"], "product", "--product", "\"shop\""),
        ] {
            assert_eq!(setting(&arguments, variables(), name), (origin.to_owned(), value.to_owned()), "{arguments:?}");
        }
    }

    #[test]
    fn a_setting_that_does_not_exist_is_refused_with_the_nearest() {
        let arguments = ["fleet", "--set", "worker.mx=1", "status"].map(OsString::from).to_vec();
        let Ok(Cli { global, verb }) = command::parse(arguments, &Environment::default()) else {
            panic!("the arguments are wrong")
        };
        let Err(CliError::Report(report)) = configure(&global, &verb, Environment::default()) else {
            panic!("it was taken")
        };
        assert_eq!((report.exit, report.help.as_deref()), (ExitCode::Usage, Some("did you mean `worker.max`?")));
    }
}
