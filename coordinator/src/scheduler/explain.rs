//! Why a job does or does not start, for people.

use std::collections::{BTreeMap, BTreeSet};

use fleet_protocol::{
    Job,
    api::{ClaimRequest, Explanation, FactoryVerdict, Reason},
};
use jiff::Timestamp;

use super::obstacle::{Obstacle, of_factory, of_job};

/// Explains `job` against what each known factory offered last. `blockers` is empty exactly when at least one of
/// `factories` would get the job if no other were before it; such a factory is `eligible`.
pub fn explain(job: &Job, factories: &[ClaimRequest], now: Timestamp) -> Explanation {
    let own = of_job(job, now);
    let judged: Vec<(&str, Vec<Obstacle>)> =
        factories.iter().map(|factory| (factory.factory_id.as_str(), of_factory(job, factory))).collect();
    let (blockers, next) = summary(&own, &judged);
    let factories = judged.iter().map(|(id, obstacles)| verdict(id, obstacles, own.is_empty())).collect();
    Explanation { blockers, factories, next }
}

/// Turn is by priority and age alone, so there are no terms and no score to show.
fn verdict(factory: &str, obstacles: &[Obstacle], startable: bool) -> FactoryVerdict {
    FactoryVerdict {
        factory_id: factory.to_owned(),
        eligible: startable && obstacles.is_empty(),
        blockers: obstacles.iter().map(Obstacle::reason).collect(),
        terms: BTreeMap::new(),
        score: 0.0,
    }
}

fn summary(own: &[Obstacle], judged: &[(&str, Vec<Obstacle>)]) -> (Vec<Reason>, String) {
    if let Some(first) = own.first() {
        return (own.iter().map(Obstacle::reason).collect(), first.remedy());
    }
    if let Some((factory, _)) = judged.iter().find(|(_, obstacles)| obstacles.is_empty()) {
        return (Vec::new(), format!("the next claim of factory `{factory}`, once the jobs before this one are taken"));
    }
    let mut seen = BTreeSet::new();
    let firsts: Vec<&Obstacle> = judged
        .iter()
        .filter_map(|(_, obstacles)| obstacles.first())
        .filter(|first| seen.insert(first.code()))
        .collect();
    let remedies: Vec<String> = firsts.iter().map(|first| first.remedy()).collect();
    if remedies.is_empty() {
        let message = "no factory asks for work".to_owned();
        return (vec![Reason { code: "no_factory".to_owned(), message }], "a factory that asks for work".to_owned());
    }
    (firsts.iter().map(|first| first.reason()).collect(), remedies.join(", or "))
}
