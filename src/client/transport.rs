//! Carries a request to the router and its answer back.

use axum::{Router, body::Body};
use bytes::Bytes;
use fleet_protocol::{
    ErrorCode, Problem,
    problem::ProblemBody,
    route::{ACTOR_HEADER, IDEMPOTENCY_HEADER, PRODUCT_HEADER},
};
use http::{Method, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::BodyExt;
use tower::ServiceExt;

/// Where requests go: the router in this process.
#[derive(Clone)]
pub(super) struct Transport {
    router: Router,
    product: String,
    actor: String,
}

/// One request.
pub(super) struct Call<'a> {
    pub(super) method: Method,
    /// With its query.
    pub(super) path: &'a str,
    pub(super) content_type: &'static str,
    /// Makes it safe to repeat.
    pub(super) key: Option<&'a str>,
    pub(super) body: Bytes,
}

impl<'a> Call<'a> {
    /// A JSON request.
    pub(super) const fn json(method: Method, path: &'a str, body: Bytes) -> Self {
        Self { method, path, content_type: "application/json", key: None, body }
    }

    /// Asks for what is at `path`.
    pub(super) const fn get(path: &'a str) -> Self {
        Self::json(Method::GET, path, Bytes::new())
    }
}

/// An answer that is not an error, its body whole.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: http::HeaderMap,
    pub(super) body: Bytes,
}

impl Transport {
    pub(super) fn embedded(router: Router, product: String, actor: String) -> Self {
        Self { router, product, actor }
    }

    /// Sends one request; an answer that is an error comes back as its problem.
    pub(super) async fn send(&self, call: Call<'_>) -> Result<Answer, Problem> {
        let mut request = Request::builder()
            .method(call.method)
            .uri(call.path)
            .header(PRODUCT_HEADER, &self.product)
            .header(ACTOR_HEADER, &self.actor)
            .header(CONTENT_TYPE, call.content_type);
        if let Some(key) = call.key {
            request = request.header(IDEMPOTENCY_HEADER, key);
        }
        let request = request.body(Body::from(call.body)).map_err(|error| {
            Problem::new(ErrorCode::InvalidRequest, format!("a request that cannot be sent: {error}"))
        })?;
        let response = self.router.clone().oneshot(request).await.unwrap_or_else(|never| match never {});
        read(response).await
    }
}

async fn read(response: Response<Body>) -> Result<Answer, Problem> {
    let (parts, body) = response.into_parts();
    let body = body
        .collect()
        .await
        .map_err(|error| Problem::new(ErrorCode::Unavailable, format!("the answer broke off: {error}")))?
        .to_bytes();
    if parts.status.is_success() {
        return Ok(Answer { status: parts.status, headers: parts.headers, body });
    }
    let problem = serde_json::from_slice::<ProblemBody>(&body).map(|body| body.error).unwrap_or_else(|_| {
        Problem::new(
            ErrorCode::Unavailable,
            format!("an answer with status {} that is no problem document", parts.status),
        )
    });
    Err(problem)
}
