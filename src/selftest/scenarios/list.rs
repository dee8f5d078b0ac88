//! Every story there is. The long ones come first, so that the last player does not wait for one alone.

use super::{
    bounds, checkout, confinement, demo, deps, folder, keeping, leases, limits, manifest, profiles, projects, proof,
    retry, runners, runs, scheduling, secrets, terminal,
};
use crate::selftest::story::Scenario;

pub(in crate::selftest) fn all() -> Vec<Box<dyn Scenario>> {
    [
        limits::stories(),
        bounds::stories(),
        runners::stories(),
        folder::stories(),
        runs::stories(),
        checkout::stories(),
        keeping::stories(),
        confinement::stories(),
        proof::stories(),
        retry::stories(),
        deps::stories(),
        scheduling::stories(),
        profiles::stories(),
        projects::stories(),
        leases::stories(),
        secrets::stories(),
        manifest::stories(),
        terminal::stories(),
        demo::stories(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
