//! What is said to Buildkite's REST API.

mod agents;
mod builds;
mod limits;
mod link;
mod look;
mod request;
mod rows;
mod status;
mod stop;

pub use limits::readings;
pub(crate) use look::LookScript;
pub use status::failure;
pub(crate) use stop::StopScript;
