//! Answers: of one shape each, and the same one again for a request that is repeated.

use axum::{
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_TYPE, HeaderName},
    },
    response::{IntoResponse, Response},
};
use fleet_protocol::{Problem, problem::ProblemBody, route::REASON_HEADER};
use serde::Serialize;

use crate::{
    service::{Caller, ClaimOutcome, Failure, Service},
    store::Answer,
};

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// A problem, with the status that its code stands for.
pub(super) fn problem(problem: &Problem) -> Response {
    let status = StatusCode::from_u16(problem.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    json(status, &ProblemBody { error: problem.clone() })
}

/// A problem of the protocol that has a status of its own and no code of its own.
pub(super) fn problem_as(status: StatusCode, problem: Problem) -> Response {
    json(status, &ProblemBody { error: problem })
}

pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    written(status, serde_json::to_string(body).expect("answers are JSON"))
}

fn written(status: StatusCode, body: String) -> Response {
    (status, [(CONTENT_TYPE, JSON)], body).into_response()
}

/// Text as it is kept, byte for byte.
pub(super) fn markdown(text: Result<String, Failure>) -> Response {
    match text {
        Ok(text) => (StatusCode::OK, [(CONTENT_TYPE, "text/markdown; charset=utf-8")], text).into_response(),
        Err(failure) => failed(failure),
    }
}

/// What a look brought.
pub(super) fn look(outcome: Result<impl Serialize, Failure>) -> Response {
    match outcome {
        Ok(body) => json(StatusCode::OK, &body),
        Err(failure) => failed(failure),
    }
}

/// What a claim brought: a job, or the reason why there is none.
pub(super) fn claim(outcome: Result<ClaimOutcome, Failure>) -> Response {
    match outcome {
        Ok(ClaimOutcome::Granted(claimed)) => json(StatusCode::OK, &claimed),
        Ok(ClaimOutcome::Nothing(reason)) => {
            let reason = HeaderValue::from_static(reason.as_str());
            (StatusCode::NO_CONTENT, [(HeaderName::from_static(REASON_HEADER), reason)]).into_response()
        }
        Err(failure) => failed(failure),
    }
}

pub(super) fn failed(failure: Failure) -> Response {
    match failure {
        Failure::Problem(found) => problem(&found),
        Failure::Answered => unreachable!("only changes are remembered, and `once` answers those"),
    }
}

/// Makes a change whose answer is remembered with it: a repeat gets that answer, and changes nothing.
pub(super) async fn once<T: Serialize>(
    service: &Service,
    caller: &Caller,
    work: impl Future<Output = Result<(StatusCode, T), Failure>>,
) -> Response {
    match service.answered(caller) {
        Ok(Some(answer)) => return again(answer),
        Ok(None) => {}
        Err(failure) => return failed(failure),
    }
    match work.await {
        Ok((status, body)) => json(status, &body),
        // The same request was under way twice, and the other one came first.
        Err(Failure::Answered) => match service.answered(caller) {
            Ok(Some(answer)) => again(answer),
            Ok(None) => unreachable!("an answer that was in the way is there"),
            Err(failure) => failed(failure),
        },
        Err(failure) => failed(failure),
    }
}

fn again(answer: Answer) -> Response {
    written(StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK), answer.body)
}
