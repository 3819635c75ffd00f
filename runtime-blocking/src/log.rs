//! Sets up the log: lines on stderr, for people or for machines.

use std::io::{IsTerminal, stderr};

use buildscaler_args::LogFormat;
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt, registry};

/// Sends every event of this program from `level` on to stderr, once per process.
///
/// Only our own events: libraries might say at any level what we promise not
/// to (Invariant 22), and what they fail at comes back to us as errors.
pub(crate) fn start(format: LogFormat, level: Level) {
    let ours = Targets::new().with_target(env!("CARGO_CRATE_NAME"), level);
    let layer = fmt::layer().with_writer(stderr).with_target(false);
    let layer = match format {
        LogFormat::Json => layer.json().flatten_event(true).boxed(),
        LogFormat::Text => layer.with_ansi(stderr().is_terminal()).boxed(),
    };
    // An error says that the process has a log already.
    drop(registry().with(layer.with_filter(ours)).try_init());
}
