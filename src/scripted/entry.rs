//! The hidden verb that plays a script: where the prompt is, and which run this is.

use std::{env, ffi::OsString, fs, io, path::PathBuf};

use super::perform::Stage;

/// The hidden verb `fleet scripted --prompt-file FILE`. Answers the exit code of the process: 0 when every step was done, that
/// of an `exit` step, 1 when a step failed, 2 when the script or the arguments make no sense.
pub(crate) fn main(arguments: impl IntoIterator<Item = OsString>) -> i32 {
    let prepared = prompt_file(arguments).and_then(|file| {
        let prompt = fs::read_to_string(&file).map_err(|error| format!("reading {}: {error}", file.display()))?;
        let folder = env::current_dir().map_err(|error| format!("finding the current directory: {error}"))?;
        Ok((prompt, folder))
    });
    match prepared {
        Ok((prompt, folder)) => {
            let run = env::var("FLEET_RUN").ok().and_then(|run| run.parse().ok()).unwrap_or(1);
            Stage { folder, output: &mut io::stdout(), errors: &mut io::stderr() }.play(&prompt, run)
        }
        Err(why) => {
            eprintln!("scripted: {why}");
            2
        }
    }
}

fn prompt_file(arguments: impl IntoIterator<Item = OsString>) -> Result<PathBuf, String> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    match &arguments[..] {
        [flag, file] if flag == "--prompt-file" => Ok(PathBuf::from(file)),
        _ => Err("usage: fleet scripted --prompt-file FILE".to_owned()),
    }
}
