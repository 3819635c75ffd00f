//! What the fake Buildkite has in common with the real one, one behaviour a
//! test.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may die of what it did not expect"
)]

mod agent_api;
mod blind_spots;
mod builds;
mod consistency;
mod dispatch;
mod faults;
mod loopback;
mod lost_agents;
mod paging;
mod permissions;
mod rate_limits;
mod stops;
mod wire;
mod world;
