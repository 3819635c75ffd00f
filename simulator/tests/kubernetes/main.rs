//! The fake Kubernetes API, by behaviour.
//!
//! What it has in common with a real API server is checked by the conformance
//! suite of the testbed. Here is the rest: the clock, the switches, the scale,
//! and what the loopback server adds.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may die of what it did not expect"
)]

mod admission;
mod clock;
mod loopback;
mod scale;
mod versions;
mod world;
