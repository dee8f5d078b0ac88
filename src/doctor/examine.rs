//! The order in which everything is looked at: from what all else stands on to what only matters now and then.

use super::{
    ceilings, check::Check, database, engines, folders, installation, machine, privacy, repository, runs, safety,
    subject::Subject,
};

type Look = fn(&Subject) -> Check;

/// Before the engines.
const FIRST: &[Look] = &[
    installation::program,
    installation::configuration,
    installation::profiles,
    installation::coordinator,
    folders::state,
    privacy::state_files,
    privacy::secret_files,
    database::database,
    folders::queue,
    machine::disk_space,
    machine::workspaces,
    machine::open_file_limit,
    machine::clock,
    ceilings::processes,
    ceilings::ceilings,
    repository::git_program,
    repository::git_identity,
    repository::repository,
    repository::submodules,
    repository::large_files,
];

/// After them.
const LAST: &[Look] = &[
    engines::choice,
    engines::agent_session,
    safety::runtime,
    safety::confinement,
    safety::reach,
    runs::runner,
    runs::orphaned,
];

/// Makes every check, and tells each as soon as it is done. Blocks: programs are asked for their versions.
pub(crate) fn examine(subject: &Subject, tell: &mut dyn FnMut(Check)) {
    for look in FIRST {
        tell(look(subject));
    }
    for engine in subject.engines.iter() {
        tell(engines::engine(subject, engine));
        if let Some(check) = engines::credentials(subject, engine) {
            tell(check);
        }
    }
    for check in engines::unknown(subject) {
        tell(check);
    }
    for look in LAST {
        tell(look(subject));
    }
}
