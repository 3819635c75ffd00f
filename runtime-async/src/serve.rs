//! Health, metrics and what else can be read over HTTP.
//!
//! Everything here is read-only and may be asked by anybody who reaches the
//! port, so it says nothing secret (Invariant 22). The server has a thread and
//! a runtime of its own: it answers while the control loop hangs, and nobody
//! who asks can hold the loop up.
//!
//! A part is two things: an [`Observer`] that the loop shows its steps to, and
//! a [`Router`] that reads what the observer noted. Each part has its module;
//! [`start`] is where they are put together.

use std::net::SocketAddr;

use axum::Router;
use thiserror::Error;

use crate::run::Observer;
use crate::status;

mod connections;
mod guard;
pub(crate) mod health;
pub(crate) mod metrics;
mod options;
mod server;

pub(crate) use options::ServeArgs;
pub(crate) use server::Server;

/// What the parts are told of the controller before it begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About<'a> {
    /// The slug of the Buildkite organization.
    pub(crate) organization: &'a str,
    /// The only namespace that is looked at; none is all of them.
    pub(crate) namespace: Option<&'a str>,
    /// What the core was told.
    pub(crate) config: &'a buildscaler_core::Config,
}

/// Why nothing can be served.
#[derive(Debug, Error)]
pub(crate) enum ServeError {
    /// An address is taken, or is none of this machine's.
    #[error("cannot listen on {address} (--{option}-address, --{option}-port): {error}")]
    Bind {
        /// The first word of the options that say so.
        option: &'static str,
        /// Where.
        address: SocketAddr,
        /// What the operating system says.
        error: std::io::Error,
    },
    /// The operating system gives no thread.
    #[error("the operating system refuses a thread to serve from: {0}")]
    Thread(std::io::Error),
}

/// Serves from now on, until the [`Server`] is dropped, what the observer sees.
pub(crate) fn start(args: &ServeArgs, about: &About<'_>) -> Result<(Server, impl Observer + use<>), ServeError> {
    let (pulse, probes) = health::part();
    let (meter, metrics) = metrics::part();
    let (page, pages) = status::part(about);
    let server = Server::start(args, probes, Router::new().merge(metrics).merge(pages))?;
    // The meter is the innermost, so that it times the core and nothing else.
    Ok((server, (pulse, (page, meter))))
}
