//! What there is to read on the metrics port.

use axum::Router;
use axum::routing::get;

use crate::run::Observer;
use crate::serve::About;

/// The observer and the routes.
pub(crate) fn part(about: &About<'_>) -> (impl Observer + use<>, Router) {
    let text = format!(
        "buildscaler {} for organization {}, {}, looking every {} s\nsee /metrics\n",
        env!("CARGO_PKG_VERSION"),
        about.organization,
        about.namespace.unwrap_or("all namespaces"),
        about.config.sync_interval.as_secs(),
    );
    ((), Router::new().route("/", get(move || async move { text })))
}
