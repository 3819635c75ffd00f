//! What the controller counts and measures, for Prometheus.
//!
//! Every metric there is stands in [`catalogue`], from which the documentation
//! is checked. Label values are bounded: queues are those that have a template
//! or a pod, up to a number; everything else is a closed list.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use self::meter::Meter;

mod catalogue;
mod commands;
mod labels;
mod looks;
mod meter;
mod passages;
mod scene;
#[cfg(test)]
mod story;
mod waits;

/// What a scrape is answered in.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// How long an answer may be given again, so that it costs no more to be
/// scraped by many.
const FRESH: Duration = Duration::from_secs(1);

/// The observer and the routes.
pub(super) fn part() -> (Meter, Router) {
    let mut registry = Registry::default();
    let meter = Meter::new(&mut registry);
    let exposition = Arc::new(Exposition {
        registry,
        last: Mutex::new(None),
    });
    let routes = Router::new().route("/metrics", get(scrape)).with_state(exposition);
    (meter, routes)
}

/// The metrics, and how they were last told.
#[derive(Debug)]
struct Exposition {
    registry: Registry,
    last: Mutex<Option<(Instant, Bytes)>>,
}

impl Exposition {
    fn text(&self, now: Instant) -> Result<Bytes, std::fmt::Error> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, text)) = last.as_ref().filter(|(at, _)| now.duration_since(*at) < FRESH) {
            return Ok(text.clone());
        }
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        let text = Bytes::from(text);
        *last = Some((now, text.clone()));
        Ok(text)
    }
}

async fn scrape(State(exposition): State<Arc<Exposition>>) -> Response {
    match exposition.text(Instant::now()) {
        Ok(text) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}
