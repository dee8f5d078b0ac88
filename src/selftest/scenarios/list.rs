//! Every story there is. The long ones come first, so that the last player does not wait for one alone.

use super::{
    bounds, checkout, demo, deps, folder, leases, limits, manifest, profiles, proof, retry, runners, runs, scheduling,
    terminal,
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
        proof::stories(),
        retry::stories(),
        deps::stories(),
        scheduling::stories(),
        profiles::stories(),
        leases::stories(),
        manifest::stories(),
        terminal::stories(),
        demo::stories(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
