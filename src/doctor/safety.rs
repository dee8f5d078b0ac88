//! What protects the user from an agent, said as it is.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use nix::unistd::{AccessFlags, access};

use super::{check::Check, engines, subject::Subject};
use crate::confinement::Level;

pub(super) fn runtime(_: &Subject) -> Check {
    Check::ok(
        "runtime",
        "local, the only one there is yet: agents run on this machine, each in a private clone, and end with their run",
    )
}

pub(super) fn confinement(subject: &Subject) -> Check {
    const NAME: &str = "confinement";
    let level = match &subject.confinement {
        Ok(level) => level,
        Err(error) => {
            let remedy = "use a kernel with Landlock, or leave `confinement.mode` out and run unconfined";
            return Check::fail(NAME, format!("nothing runs: {error}"), remedy);
        }
    };
    let recorded = level.recorded();
    let Level::Landlock(_) = level else {
        let found = format!("{recorded}: an agent runs with all your rights");
        if subject.yolo == Some(true) {
            let found = format!("{found}, and `defaults.yolo` gives each engine its approve-everything flag");
            let remedy = "leave `defaults.yolo` out, and write `yolo: true` into the tasks that you trust that far";
            return Check::warn(NAME, found, remedy);
        }
        let found = format!("{found}; engines get their approve-everything flag only where a task says `yolo: true`");
        return Check::warn(
            NAME,
            found,
            "use Linux 6.12 or newer with Landlock, leave `confinement.mode` out, or give agents a user of their own",
        );
    };
    let loose = match subject.yolo {
        None if level.lets_engines_loose() => "engines get their approve-everything flag unless a task says otherwise",
        Some(true) => "engines get their approve-everything flag, by `defaults.yolo`",
        None | Some(false) => "engines get their approve-everything flag only where a task says `yolo: true`",
    };
    let found = format!(
        "{recorded}: an agent writes its workspace, a temporary folder and its engine's folders; it reads these and the \
         toolchains, not your credentials, other workspaces or fleet's state; {loose}"
    );
    if let (Some(socket), true) = (subject.sockets.first(), level.lets_sockets_be_used()) {
        let found = format!("{found}. But whoever may use {} rules this machine, and agents may", socket.display());
        return Check::warn(NAME, found, "run fleet as a user who may not, or on Linux 7.1");
    }
    match level.gap() {
        Some(gap) => Check::warn(NAME, format!("{found}. But {gap}"), "use a newer kernel"),
        None => Check::ok(NAME, found),
    }
}

/// Sockets of container engines that this user may write to.
pub(crate) fn container_sockets(environment: &BTreeMap<String, String>) -> Vec<PathBuf> {
    let own = environment.get("XDG_RUNTIME_DIR").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let rootless = own.iter().flat_map(|own| ["docker.sock", "podman/podman.sock"].map(|name| own.join(name)));
    let system =
        ["/var/run/docker.sock", "/run/podman/podman.sock", "/run/containerd/containerd.sock"].map(PathBuf::from);
    let usable = |socket: &PathBuf| access(Path::new(socket), AccessFlags::W_OK).is_ok();
    system.into_iter().chain(rootless).filter(usable).collect()
}

/// What each engine that is here may write besides.
pub(super) fn reach(subject: &Subject) -> Check {
    const NAME: &str = "engine folders";
    let here = subject.engines.iter().filter(|engine| engines::is_here(subject, engine));
    let places = here.filter_map(|engine| {
        let places: Vec<&str> = engine.folders.iter().chain(&engine.files).map(String::as_str).collect();
        (!places.is_empty()).then(|| format!("{} writes {}", engine.name, places.join(", ")))
    });
    let places: Vec<String> = places.collect();
    match (&subject.confinement, places.is_empty()) {
        (Ok(Level::Landlock(_)), false) => Check::ok(NAME, places.join("; ")),
        (Ok(Level::Landlock(_)), true) => Check::ok(NAME, "no engine that is here has folders of its own"),
        (Ok(Level::Unconfined(_)) | Err(_), _) => Check::skip(NAME, "nothing is confined"),
    }
}
