//! JSON bodies, read so that every mistake is told at once.

use axum::{
    body::Body,
    http::{HeaderMap, header::CONTENT_TYPE},
};
use bytes::Bytes;
use fleet_protocol::{
    ErrorCode, Problem,
    api::{ActionRequest, ClaimRequest, LogAppend, PatchJob, ReleaseRequest, RenewManyRequest, RenewRequest},
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const MIB: usize = 1024 * 1024;

/// A body that is refused when it holds anything unknown.
pub(super) trait Strict: DeserializeOwned {
    /// The fields that must be there, each with a value that would do.
    fn required() -> Value;
    /// Most bytes.
    const LIMIT: usize = MIB;
}

impl Strict for ActionRequest {
    fn required() -> Value {
        json!({})
    }
}

impl Strict for ClaimRequest {
    fn required() -> Value {
        json!({ "factoryId": "f", "seats": 1, "seatsFree": 1 })
    }
}

impl Strict for PatchJob {
    fn required() -> Value {
        json!({ "leaseEpoch": 1 })
    }
}

impl Strict for RenewRequest {
    fn required() -> Value {
        json!({ "leaseEpoch": 1 })
    }
}

impl Strict for RenewManyRequest {
    fn required() -> Value {
        json!({ "leases": [] })
    }
}

impl Strict for ReleaseRequest {
    fn required() -> Value {
        json!({ "leaseEpoch": 1, "result": "preempted" })
    }
}

impl Strict for LogAppend {
    fn required() -> Value {
        json!({ "leaseEpoch": 1, "run": 1, "stream": "stdout", "offset": 0, "data": "" })
    }
    /// 1 MiB of output, every byte of it escaped.
    const LIMIT: usize = 6 * MIB + 1024;
}

/// The bytes of a body, up to `limit`.
pub(super) async fn bytes(body: Body, limit: usize) -> Result<Bytes, Problem> {
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(Problem::new(ErrorCode::TooLarge, format!("the request is longer than {limit} bytes")))
        }
        Err(error) => Err(Problem::new(ErrorCode::InvalidRequest, format!("the request broke off: {error}"))),
    }
}

/// The kind of a body: the media type without its parameters.
pub(super) fn media_type(headers: &HeaderMap) -> Option<&str> {
    headers.get(CONTENT_TYPE)?.to_str().ok()?.split(';').next().map(str::trim)
}

/// Reads a body; an empty one stands for an empty object.
pub(super) fn parse<T: Strict>(bytes: &[u8]) -> Result<T, Problem> {
    let bytes = if bytes.iter().all(u8::is_ascii_whitespace) { b"{}" } else { bytes };
    let error = match serde_json::from_slice(bytes) {
        Ok(request) => return Ok(request),
        Err(error) => error,
    };
    let invalid = |message: String| Problem::new(ErrorCode::InvalidRequest, message);
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(given)) => {
            let mistakes = mistakes::<T>(&given);
            if mistakes.is_empty() {
                return Err(invalid(error.to_string()));
            }
            let told: Vec<String> = mistakes.iter().map(|(field, message)| format!("`{field}`: {message}")).collect();
            let errors: Vec<Value> =
                mistakes.iter().map(|(field, message)| json!({ "field": field, "message": message })).collect();
            Err(invalid(told.join("\n")).with(json!({ "errors": errors })))
        }
        Ok(_) => Err(invalid("the request is not a JSON object".to_owned())),
        Err(error) => Err(invalid(format!("the request is not JSON: {error}"))),
    }
}

/// Each field on its own among fields that are right: what is wrong then is wrong with it.
fn mistakes<T: Strict>(given: &serde_json::Map<String, Value>) -> Vec<(String, String)> {
    let Value::Object(required) = T::required() else { return Vec::new() };
    let mut found = Vec::new();
    for (field, value) in given {
        let mut alone = required.clone();
        alone.insert(field.clone(), value.clone());
        if let Err(error) = serde_json::from_value::<T>(Value::Object(alone)) {
            found.push((field.clone(), error.to_string()));
        }
    }
    let missing = required.keys().filter(|field| !given.contains_key(*field));
    found.extend(missing.map(|field| (field.clone(), "is missing".to_owned())));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told<T: Strict>(text: &str) -> Vec<String> {
        let Err(problem) = parse::<T>(text.as_bytes()) else { panic!("{text} was taken") };
        assert_eq!(problem.code, ErrorCode::InvalidRequest);
        problem.details["errors"]
            .as_array()
            .map(|errors| errors.iter().map(|error| error["field"].as_str().unwrap_or_default().to_owned()).collect())
            .unwrap_or_default()
    }

    #[test]
    fn three_faults_give_three_entries() {
        let text = r#"{"leaseEpoch": "one", "stage": "flying", "nonsense": 1, "message": "fine"}"#;
        assert_eq!(told::<PatchJob>(text), ["leaseEpoch", "nonsense", "stage"]);
    }

    #[test]
    fn what_is_missing_is_told_with_what_is_wrong() {
        assert_eq!(told::<ClaimRequest>(r#"{"seats": -1}"#), ["seats", "factoryId", "seatsFree"]);
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for text in ["[]", "7", "{", "\"x\"", "{\"leaseEpoch\": 1, \"leaseEpoch\": 2}"] {
            assert!(told::<RenewRequest>(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn the_required_fields_are_enough_and_each_is_needed() {
        fn check<T: Strict>() {
            let Value::Object(required) = T::required() else { panic!("no object") };
            assert!(serde_json::from_value::<T>(Value::Object(required.clone())).is_ok());
            for field in required.keys() {
                let mut less = required.clone();
                less.remove(field);
                assert!(serde_json::from_value::<T>(Value::Object(less)).is_err(), "{field}");
            }
        }
        check::<ActionRequest>();
        check::<ClaimRequest>();
        check::<PatchJob>();
        check::<RenewRequest>();
        check::<RenewManyRequest>();
        check::<ReleaseRequest>();
        check::<LogAppend>();
    }
}
