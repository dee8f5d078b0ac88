//! G10: what it costs to renew many leases.

use std::{collections::BTreeMap, time::Instant};

use fleet_protocol::{
    api::{LeaseName, RenewManyAnswer, RenewManyRequest},
    route,
};
use http::StatusCode;

use super::{
    desk::Desk,
    lab::Lab,
    report::{Goal, Row},
    rounds::{Samples, in_turns},
};

/// Seconds within which each lease is renewed once.
const INTERVAL: f64 = 10.0;

pub(crate) fn rows(lab: &Lab) -> Vec<Row> {
    let leases = lab.of(10_000, 1_000);
    let desk = Desk::open(&lab.folder("leases"));
    let requests = lab.runtime.block_on(async {
        desk.fill(leases, "").await;
        let mut by_factory: BTreeMap<String, Vec<LeaseName>> = BTreeMap::new();
        for claimed in desk.claim_by_all(leases).await {
            let name = LeaseName { job_id: claimed.job.id, lease_epoch: claimed.lease.epoch };
            by_factory.entry(claimed.run.factory).or_default().push(name);
        }
        let requests = by_factory.into_values().map(|leases| RenewManyRequest { leases });
        requests.map(|request| serde_json::to_vec(&request).expect("a request is JSON")).collect::<Vec<_>>()
    });
    let mut renew = || {
        let start = Instant::now();
        lab.runtime.block_on(async {
            for request in &requests {
                let (status, body) =
                    desk.post(route::LEASES_RENEW, ("application/json", None), request.clone().into()).await;
                assert_eq!(status, StatusCode::OK, "{}", String::from_utf8_lossy(&body));
                let answer: RenewManyAnswer = serde_json::from_slice(&body).expect("an answer is of its shape");
                assert!(answer.leases.iter().all(|lease| lease.error.is_none()), "a renewal was refused");
            }
        });
        start.elapsed().as_secs_f64()
    };
    let seconds = in_turns(lab.rounds(), &mut [&mut renew]).remove(0);
    let share = INTERVAL * leases as f64 / 10_000.0;
    vec![Row {
        name: "renewals (G10)",
        measured: "renewing 10,000 leases once, one request for each of 64 factories, all of it (smoke: 1,000)",
        against: "the interval of 10 s (smoke: 1 s)",
        unit: "s",
        goal: Goal::Most(0.03),
        samples: Samples { denominator: vec![share; seconds.len()], measured: seconds },
    }]
}
