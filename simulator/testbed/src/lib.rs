//! The real parts for tests: a Kubernetes control plane, kubelets and Buildkite agents on loopback.
//!
//! Everything here is for tests and demonstrations, listens on 127.0.0.1 only
//! and ends with the value that owns it. It decides nothing about scaling.

pub mod kubelet;
