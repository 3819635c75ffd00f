//! The status page: what the controller sees, decides and lacks.
//!
//! `/` is for people, `/status.json` for programs, and `/why/NAME` explains one
//! Buildkite job, agent or pod to both. The loop's observer only notes what
//! passes; whatever is costly happens where it is asked for, on the thread that
//! serves.

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;

use self::model::Status;
use self::notes::{Notebook, Onlooker};
use self::when::When;
use crate::run::Observer;
use crate::serve::About;

mod decisions;
mod deed;
mod history;
mod look;
mod model;
mod notes;
mod page;
mod sights;
mod telling;
#[cfg(test)]
mod tests;
mod veil;
mod when;
mod why;
mod words;

/// The observer and the routes.
pub(crate) fn part(about: &About<'_>) -> (impl Observer + use<>, Router) {
    let onlooker = Onlooker::new(about);
    let routes = routes(onlooker.notebook());
    (onlooker, routes)
}

fn routes(notebook: Notebook) -> Router {
    Router::new()
        .route("/", get(overview))
        .route("/status.json", get(status))
        .route("/why", get(why_asked))
        .route("/why/", get(why_asked))
        .route("/why/{*name}", get(why_named))
        .with_state(notebook)
}

async fn overview(State(notebook): State<Notebook>, headers: HeaderMap) -> Response {
    let status = Status::of(&notebook.read(), When::now());
    if wants_json(&headers) {
        json(StatusCode::OK, &status)
    } else {
        html(StatusCode::OK, page::overview(&status))
    }
}

async fn status(State(notebook): State<Notebook>) -> Response {
    json(StatusCode::OK, &Status::of(&notebook.read(), When::now()))
}

async fn why_named(State(notebook): State<Notebook>, Path(name): Path<String>, headers: HeaderMap) -> Response {
    match name.strip_suffix(".json") {
        Some(name) => why(&notebook, name, true),
        None => why(&notebook, &name, wants_json(&headers)),
    }
}

/// The form of the page asks with `?name=`.
async fn why_asked(State(notebook): State<Notebook>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let query = query.unwrap_or_default();
    let mut fields = url::form_urlencoded::parse(query.as_bytes());
    let name = fields
        .find(|(key, _)| key == "name")
        .map(|(_, name)| name)
        .unwrap_or_default();
    why(&notebook, &name, wants_json(&headers))
}

fn why(notebook: &Notebook, name: &str, as_json: bool) -> Response {
    #[derive(Serialize)]
    struct Unknown<'n> {
        version: u32,
        asked: &'n str,
        error: &'static str,
    }
    let error = "nothing is known by this name: ask for a pod (namespace/name, name or uid), an agent (id or host name) \
                 or a Buildkite job (id) that is there now";
    let asked = name.trim();
    let version = model::VERSION;
    match (self::why::explain(&notebook.read(), asked, When::now()), as_json) {
        (Some(told), true) => json(StatusCode::OK, &told),
        (Some(told), false) => html(StatusCode::OK, page::explanation(&told)),
        (None, true) => json(StatusCode::NOT_FOUND, &Unknown { version, asked, error }),
        (None, false) if asked.is_empty() => html(StatusCode::OK, page::unknown(asked)),
        (None, false) => html(StatusCode::NOT_FOUND, page::unknown(asked)),
    }
}

/// Whether a program asks that does not want HTML.
fn wants_json(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter();
    let accepted: Vec<&str> = accepted.filter_map(|value| value.to_str().ok()).collect();
    let wants = |kind: &str| accepted.iter().any(|value| value.contains(kind));
    wants("application/json") && !wants("text/html")
}

fn html(status: StatusCode, page: String) -> Response {
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        ),
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(page::policy()),
        ),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            HeaderValue::from_static("same-origin"),
        ),
    ];
    (status, headers, page).into_response()
}

fn json(status: StatusCode, value: &impl Serialize) -> Response {
    match serde_json::to_string(value) {
        Ok(text) => {
            let kind = HeaderValue::from_static("application/json");
            (status, [(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
