//! The real parts for tests: a Kubernetes control plane, kubelets and Buildkite agents on loopback.
//!
//! Everything here is for tests and demonstrations, listens on 127.0.0.1 only
//! and ends with the value that owns it. It decides nothing about scaling.

pub mod agent;
pub mod binaries;
pub mod certificates;
mod child;
pub mod control_plane;
mod error;
pub mod kubelet;

pub use child::mortal;
pub use control_plane::ControlPlane;
pub use error::TestbedError;

/// Chooses ring for TLS, unless the process has chosen already.
pub(crate) fn install_tls_provider() {
    // The only failure is that a provider is installed, which is what is wanted.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
