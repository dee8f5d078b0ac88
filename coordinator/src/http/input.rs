//! What a request says besides its body: who asks, for which product, about which job, with which query.

use std::sync::Arc;

use axum::{
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::{HeaderMap, Uri, header::HeaderName, request::Parts},
    response::{IntoResponse, Response},
};
use fleet_protocol::{
    ErrorCode, JobId, Problem,
    route::{ACTOR_HEADER, IDEMPOTENCY_HEADER, PRODUCT_HEADER},
};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::{
    answer,
    strict::{self, Strict},
};
use crate::service::{Caller, Repeat, Service, fingerprint};

/// Longest name of a product, an actor or a key.
const LONGEST_NAME: usize = 200;

/// Why a request is not even looked at.
pub(super) struct Refused(pub(super) Problem);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        answer::problem(&self.0)
    }
}

/// Who asks; for requests without a body.
pub(super) struct Asker(pub(super) Caller);

impl FromRequestParts<Arc<Service>> for Asker {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, service: &Arc<Service>) -> Result<Self, Refused> {
        caller(&parts.headers, service).map(Self).map_err(Refused)
    }
}

/// Who asks for a change, and what it says.
pub(super) struct Asked<T>(pub(super) Caller, pub(super) T);

impl<T: Strict> FromRequest<Arc<Service>> for Asked<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, service: &Arc<Service>) -> Result<Self, Refused> {
        let (parts, body) = request.into_parts();
        if strict::media_type(&parts.headers).is_some_and(|kind| kind != "application/json") {
            return Err(Refused(Problem::new(ErrorCode::InvalidRequest, "send the request as application/json")));
        }
        let bytes = strict::bytes(body, T::LIMIT).await.map_err(Refused)?;
        let caller = repeatable_caller(&parts, &bytes, service).map_err(Refused)?;
        Ok(Self(caller, strict::parse(&bytes).map_err(Refused)?))
    }
}

/// Who asks, with the request's idempotency key if it has one.
pub(super) fn repeatable_caller(parts: &Parts, body: &[u8], service: &Service) -> Result<Caller, Problem> {
    let mut caller = caller(&parts.headers, service)?;
    if let Some(key) = name(&parts.headers, IDEMPOTENCY_HEADER)? {
        let mut request = format!("{} {}\n", parts.method, parts.uri).into_bytes();
        request.extend_from_slice(body);
        caller.repeat = Some(Repeat { key, request: fingerprint(&request) });
    }
    Ok(caller)
}

fn caller(headers: &HeaderMap, service: &Service) -> Result<Caller, Problem> {
    let product = name(headers, PRODUCT_HEADER)?.unwrap_or_else(|| service.options.product.clone());
    let actor = name(headers, ACTOR_HEADER)?.unwrap_or_else(|| "operator:unknown".to_owned());
    if !actor.starts_with("operator:") && !actor.starts_with("factory:") {
        let message = format!("`{ACTOR_HEADER}` is neither `operator:NAME` nor `factory:NAME`");
        return Err(Problem::new(ErrorCode::InvalidRequest, message));
    }
    Ok(Caller { product, actor, repeat: None })
}

fn name(headers: &HeaderMap, header: &'static str) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(HeaderName::from_static(header)) else { return Ok(None) };
    // Names of people need not be ASCII.
    let text = str::from_utf8(value.as_bytes()).ok().map(str::trim);
    match text.filter(|text| !text.is_empty() && text.len() <= LONGEST_NAME && !text.contains(char::is_control)) {
        Some(text) => Ok(Some(text.to_owned())),
        None => Err(Problem::new(ErrorCode::InvalidRequest, format!("`{header}` is empty, too long or no text"))),
    }
}

/// The segments of the path that stand for something, by name.
pub(super) struct Segments(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Segments {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(segments)) => Ok(Self(segments)),
            Err(error) => Err(Refused(Problem::new(ErrorCode::NotFound, format!("no such path: {error}")))),
        }
    }
}

impl Segments {
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// The job that the path names. What cannot be an id is no job.
    pub(super) fn job(&self) -> Result<JobId, Problem> {
        let text = self.get("id");
        text.parse().map_err(|error| Problem::new(ErrorCode::NotFound, format!("no job: {error}")))
    }
}

/// The query of a request.
pub(super) struct Asking<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asking<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        query(&parts.uri).map(Self).map_err(Refused)
    }
}

/// Reads a query; every parameter that is unknown or wrong is told.
pub(super) fn query<T: DeserializeOwned>(uri: &Uri) -> Result<T, Problem> {
    let error = match Query::try_from_uri(uri) {
        Ok(Query(query)) => return Ok(query),
        Err(error) => error,
    };
    let pairs = uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    let wrong: Vec<(String, String)> = pairs
        .filter_map(|pair| {
            let alone: Uri = format!("/?{pair}").parse().ok()?;
            let error = Query::<T>::try_from_uri(&alone).err()?;
            Some((pair.split('=').next().unwrap_or_default().to_owned(), error.body_text()))
        })
        .collect();
    if wrong.is_empty() {
        return Err(Problem::new(ErrorCode::InvalidRequest, error.body_text()));
    }
    let told: Vec<&str> = wrong.iter().map(|(_, message)| message.as_str()).collect();
    let errors: Vec<_> = wrong.iter().map(|(field, message)| json!({ "field": field, "message": message })).collect();
    Err(Problem::new(ErrorCode::InvalidRequest, told.join("\n")).with(json!({ "errors": errors })))
}
