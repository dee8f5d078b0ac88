//! `docs/protocol.md` lists the routes that there are, with the methods that they take.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use axum::body::Body;
use fleet_coordinator::{Coordinator, Options, Randomness, SystemClock};
use http::{Method, Request, StatusCode};
use tower::ServiceExt;

use super::markdown::{read, table};

/// Path template to its methods, as the page has them.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let mut routes: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in table(&read("docs/protocol.md"), "Routes") {
        let (method, path) = row[0].trim_matches('`').split_once(' ').expect("`METHOD /path`");
        assert!(routes.entry(path.to_owned()).or_default().insert(method.to_owned()), "{method} {path} twice");
    }
    routes
}

#[test]
fn the_routes_are_those_of_the_protocol() {
    let source = read("protocol/src/route.rs");
    let constants: BTreeSet<String> = source
        .lines()
        .filter(|line| line.starts_with("pub const "))
        .filter_map(|line| line.split('"').nth(1))
        .filter(|value| value.starts_with("/api"))
        .map(str::to_owned)
        .collect();
    assert_eq!(documented().into_keys().collect::<BTreeSet<_>>(), constants);
}

#[tokio::test]
async fn each_route_takes_the_methods_that_the_page_gives_it_and_no_others() {
    let state = tempfile::tempdir().expect("a temporary folder");
    let randomness: Randomness = Arc::new(|| 7);
    let coordinator =
        Coordinator::open(state.path(), Options::default(), Arc::new(SystemClock), randomness).expect("a coordinator");
    for (path, methods) in documented() {
        let path = path.replace("{id}", "0000000000").replace("{action}", "ship");
        let path = path.replace("{name}", "developer").replace("{version}", "1");
        for method in [Method::GET, Method::POST, Method::PATCH, Method::PUT, Method::DELETE] {
            let request =
                Request::builder().method(&method).uri(&path).body(Body::empty()).expect("a request can be made");
            let answer = coordinator.router().oneshot(request).await.expect("the router answers");
            let refused = answer.status() == StatusCode::METHOD_NOT_ALLOWED;
            assert_eq!(!refused, methods.contains(method.as_str()), "{method} {path}: {}", answer.status());
        }
    }
}
