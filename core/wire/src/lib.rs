//! What Buildscaler says to Kubernetes and Buildkite, as HTTP values.
//!
//! This crate does no IO and reads no clock. An [`Exchange`] turns one command
//! of the core into requests, takes the replies, and ends in the input that
//! the core waits for. A runtime only carries bytes:
//!
//! ```
//! # use buildscaler_core::{Command, Input, Timestamp};
//! # use buildscaler_wire::{Exchange, Reply, Request, Surroundings};
//! # fn run(command: Command, at: &Surroundings, send: impl Fn(Request) -> Reply, now: impl Fn() -> Timestamp) -> Input {
//! let mut exchange = Exchange::begin(command, at, now());
//! while let Some(request) = exchange.next_request(now()) {
//!     let reply = send(request);
//!     exchange.absorb(reply, now());
//! }
//! exchange.finish(now())
//! # }
//! ```
//!
//! Whatever the servers answer, decoding does not panic, paging ends, and a
//! page that failed makes its whole view unknown (Invariant 24).

mod answer;
mod buildkite;
mod date;
mod exchange;
mod kubernetes;
mod malformed;
mod telling;
mod transport;

pub use buildkite::{failure as buildkite_failure, readings as buildkite_limits};
pub use date::parse as parse_date;
pub use exchange::{Exchange, Surroundings, unmetered};
pub use kubernetes::{pod, template, watch};
pub use malformed::{Malformed, told};
pub use telling::Telling;
pub use transport::{Api, Reply, Request, SendError, SendErrorKind};
