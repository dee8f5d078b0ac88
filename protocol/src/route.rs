//! Route templates, in axum's spelling. One definition for the router and for every client.

/// `GET` liveness; no token.
pub const HEALTH: &str = "/api/health";
/// `GET` readiness: the store can be written; no token.
pub const READY: &str = "/api/ready";
/// `GET` version; no token.
pub const VERSION: &str = "/api/version";
/// `POST` submit, `GET` list.
pub const JOBS: &str = "/api/fleet/jobs";
/// `GET` one job, `PATCH` by its holder.
pub const JOB: &str = "/api/fleet/jobs/{id}";
/// `GET` the body, as `text/markdown`, byte for byte.
pub const JOB_BODY: &str = "/api/fleet/jobs/{id}/body";
/// `GET` the task file as submitted, byte for byte.
pub const JOB_SOURCE: &str = "/api/fleet/jobs/{id}/source";
/// `POST` an operator's act.
pub const JOB_ACTION: &str = "/api/fleet/jobs/{id}/actions/{action}";
/// `GET` why it does or does not run.
pub const JOB_EXPLAIN: &str = "/api/fleet/jobs/{id}/explain";
/// `GET` the runs.
pub const JOB_RUNS: &str = "/api/fleet/jobs/{id}/runs";
/// `GET` the history.
pub const JOB_EVENTS: &str = "/api/fleet/jobs/{id}/events";
/// `POST` by its holder, `GET` by anyone: a run's output.
pub const JOB_LOGS: &str = "/api/fleet/jobs/{id}/logs";
/// `POST` renew one lease.
pub const LEASE_RENEW: &str = "/api/fleet/jobs/{id}/lease/renew";
/// `POST` give a lease back.
pub const LEASE_RELEASE: &str = "/api/fleet/jobs/{id}/lease/release";
/// `POST` renew many leases.
pub const LEASES_RENEW: &str = "/api/fleet/leases/renew";
/// `POST` ask for work (long poll).
pub const CLAIM: &str = "/api/fleet/claim";
/// `GET` counts, running jobs, alerts.
pub const STATUS: &str = "/api/fleet/status";
/// `GET` one number that changes with every change of the queue; `?after=N&waitMs=M` waits for it.
pub const QUEUE_STATE: &str = "/api/fleet/queue-state";
/// `GET` the projects there are.
pub const PROJECTS: &str = "/api/fleet/projects";
/// `GET` one project.
pub const PROJECT: &str = "/api/fleet/projects/{name}";
/// `GET` the text of a profile version.
pub const PROFILE_VERSION: &str = "/api/fleet/profiles/{name}/{version}";

/// Header that says why a claim came back empty.
pub const REASON_HEADER: &str = "x-fleet-reason";
/// Header that names the product.
pub const PRODUCT_HEADER: &str = "x-product-id";
/// Header that makes a mutation safe to repeat.
pub const IDEMPOTENCY_HEADER: &str = "idempotency-key";
/// Header that names the person or program behind a request, where no token does.
pub const ACTOR_HEADER: &str = "x-fleet-actor";

/// Fills a template: `fill(JOB, &[id])` → `/api/fleet/jobs/k3f9…`. Values must be safe path segments.
pub fn fill(template: &str, values: &[&str]) -> String {
    let mut values = values.iter();
    template
        .split('/')
        .map(|part| if part.starts_with('{') { *values.next().expect("a value for each placeholder") } else { part })
        .collect::<Vec<_>>()
        .join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_fill_in_order() {
        assert_eq!(fill(JOB_ACTION, &["abcd", "ship"]), "/api/fleet/jobs/abcd/actions/ship");
        assert_eq!(fill(JOBS, &[]), JOBS);
    }
}
