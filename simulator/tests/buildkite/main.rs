//! What the fake Buildkite has in common with the real one, one behaviour a
//! test.

mod agent_api;
mod blind_spots;
mod builds;
mod dispatch;
mod faults;
mod loopback;
mod lost_agents;
mod paging;
mod permissions;
mod rate_limits;
mod stops;
mod world;
