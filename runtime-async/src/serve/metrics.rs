//! What the controller counts and measures, for Prometheus.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use buildscaler_core::{Controller, Input, LookEnd, Step, Timestamp};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::About;
use crate::run::Observer;

/// What a scrape is answered in.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The observer and the routes.
pub(super) fn part(_about: &About<'_>) -> (Meter, Router) {
    let mut registry = Registry::default();
    let meter = Meter::new(&mut registry);
    let routes = Router::new()
        .route("/metrics", get(scrape))
        .with_state(Arc::new(registry));
    (meter, routes)
}

/// Counts and measures.
#[derive(Debug)]
pub(super) struct Meter {
    runs: Counter,
    errors: Counter,
}

impl Meter {
    fn new(registry: &mut Registry) -> Self {
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("buildscaler_build", "What runs", build);
        let runs = Counter::default();
        registry.register(
            "sync_loop_runs",
            "Looks at Buildkite that ended, well or not",
            runs.clone(),
        );
        let errors = Counter::default();
        registry.register(
            "sync_loop_errors",
            "Looks at Buildkite or Kubernetes that failed",
            errors.clone(),
        );
        Self { runs, errors }
    }
}

impl Observer for Meter {
    fn told(&mut self, _now: Timestamp, input: &Input) {
        match input {
            Input::Buildkite { look, .. } => match look.end {
                LookEnd::Complete => {
                    self.runs.inc();
                }
                LookEnd::More(_) => {}
                LookEnd::Failed(..) => {
                    self.runs.inc();
                    self.errors.inc();
                }
            },
            Input::Cluster { view, .. } => {
                if view.templates.failure().or(view.pods.failure()).is_some() {
                    self.errors.inc();
                }
            }
            Input::Tick | Input::Outcome { .. } | Input::Lease { .. } | Input::Shutdown => {}
        }
    }

    fn stepped(&mut self, _now: Timestamp, _step: &Step, _controller: &Controller) {}
}

async fn scrape(State(registry): State<Arc<Registry>>) -> Response {
    let mut text = String::new();
    match encode(&mut text, &registry) {
        Ok(()) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
