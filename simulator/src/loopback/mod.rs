//! Serves the fakes over HTTP on 127.0.0.1, for clients that are real.
//!
//! The only place of this crate with a clock and sockets.

pub mod buildkite;
mod http;
pub mod kubernetes;
pub mod marketplace;
pub mod stage;

pub use http::{Shared, wall_clock};
