//! `fleet demo`: where it is played, and with what.

use std::path::PathBuf;

use fleet_protocol::ExitCode;

use super::{embedded, fault::Fault};
use crate::{
    config::{self, Environment},
    demo::{Demo, Story, Watching, play},
};

/// What is asked for.
#[derive(Debug, Clone)]
pub(crate) struct DemoRequest {
    pub(crate) engine: String,
    /// A folder that does not exist yet; a temporary one without it.
    pub(crate) folder: Option<PathBuf>,
    pub(crate) watching: Watching,
}

/// A demo that was played. Its folder stays, for a look around.
pub(crate) struct Played {
    pub(crate) folder: PathBuf,
    /// This program.
    pub(crate) exe: PathBuf,
    pub(crate) stories: Vec<Story>,
}

/// Plays it.
pub(crate) async fn demo(request: &DemoRequest) -> Result<Played, Fault> {
    let failed = |message: String| Fault::new(ExitCode::Failed, message, None);
    let folder = match &request.folder {
        Some(folder) => {
            std::path::absolute(folder).map_err(|error| failed(format!("{}: {error}", folder.display())))?
        }
        None => std::env::temp_dir().join(format!("fleet-demo-{}", std::process::id())),
    };
    if folder.exists() {
        return Err(Fault::new(
            ExitCode::Conflict,
            format!("{} is there already", folder.display()),
            Some("name a folder that is not: --dir"),
        ));
    }
    let demo = Demo {
        engine: request.engine.clone(),
        folder: folder.clone(),
        exe: embedded::exe()?,
        watching: request.watching,
    };
    demo.prepare().map_err(|error| failed(error.to_string()))?;
    let environment = Environment::capture().map_err(|error| failed(error.to_string()))?;
    let request = config::Request {
        cwd: folder.clone(),
        environment: environment.without_places(),
        ..config::Request::default()
    };
    let config = config::resolve(&request).map_err(|error| failed(error.to_string()))?;
    super::folder::folder(&config)?.create()?;
    let embedded = embedded::open(&config)?;
    let stories = play(&demo, &embedded.client).await.map_err(|error| failed(error.to_string()))?;
    Ok(Played { folder, exe: demo.exe, stories })
}
