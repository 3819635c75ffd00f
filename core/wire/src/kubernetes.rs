//! What is said to the Kubernetes API server.

mod cluster;
mod event;
mod lease;
mod list;
mod pod;
mod request;
mod status;
mod template;
pub mod watch;
mod write;

pub(crate) use cluster::ClusterScript;
pub(crate) use lease::LeaseScript;
pub use pod::pod;
pub use template::template;
pub(crate) use write::WriteScript;
