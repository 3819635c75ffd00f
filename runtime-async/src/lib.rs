//! Buildscaler as an in-cluster controller, on tokio.
//!
//! This crate carries out what the core decides, and decides nothing itself:
//! it watches Kubernetes, sends requests, tells the time and writes the log.
//! [`run`] is the whole controller; the binary `buildscaler` is that and the
//! command line. A program that wants the controller inside it makes
//! [`Settings`] and calls [`run`], with an [`Observer`] if it wants to look on.

mod buildkite;
mod clock;
mod crier;
mod journal;
mod kubernetes;
mod log;
mod metering;
mod mirror;
mod reflector;
mod run;
mod serve;
mod settings;
mod shutdown;
mod startup;
mod status;
mod tape;
mod transport;
mod watcher;
mod whereabouts;

pub use metering::{KeyError, Metering, PublicKey};
pub use run::{Observer, RunError, run};
pub use settings::{Settings, SettingsError};
pub use startup::main;

/// Chooses ring for every TLS connection of this process, once.
///
/// Without it the first client to be made would have to guess, and panics
/// where it cannot.
pub fn install_tls() {
    // An error says that a provider was chosen before.
    drop(rustls::crypto::ring::default_provider().install_default());
}
