//! Answers, as both APIs shape them.

use buildscaler_core::Timestamp;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Value, json};

use super::refusal::Refusal;

/// An answer with a JSON body.
pub(crate) fn json(status: StatusCode, body: &Value) -> Response<Vec<u8>> {
    let mut response = Response::new(body.to_string().into_bytes());
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

/// The answer 200.
pub(crate) fn ok(body: &Value) -> Response<Vec<u8>> {
    json(StatusCode::OK, body)
}

/// An error, which is always an object with a `message`.
pub(crate) fn error(status: StatusCode, message: &str) -> Response<Vec<u8>> {
    json(status, &json!({ "message": message }))
}

/// The answer 204.
pub(crate) fn no_content() -> Response<Vec<u8>> {
    let mut response = Response::new(Vec::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// The answer to a path that leads nowhere.
pub(crate) fn not_found() -> Response<Vec<u8>> {
    error(StatusCode::NOT_FOUND, "Not Found")
}

/// RFC 3339 with milliseconds and `Z`, or null.
pub(crate) fn time(at: Option<Timestamp>) -> Value {
    let at = at.and_then(|at| jiff::Timestamp::from_millisecond(at.as_millis()).ok());
    at.map_or(Value::Null, |at| Value::String(format!("{at:.3}")))
}

/// The other shape of times, seen on access tokens and pipelines.
pub(crate) fn old_time(at: Option<Timestamp>) -> Value {
    let at = at.and_then(|at| jiff::Timestamp::from_millisecond(at.as_millis()).ok());
    at.map_or(Value::Null, |at| {
        Value::String(at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
    })
}

/// The answer to a call that was carried out or refused.
pub(crate) fn done(result: Result<(), Refusal>) -> Response<Vec<u8>> {
    match result {
        Ok(()) => no_content(),
        Err(refusal) => refused(refusal),
    }
}

/// The answer to a refused call.
pub(crate) fn refused(refusal: Refusal) -> Response<Vec<u8>> {
    error(refusal.status(), &refusal.to_string())
}
