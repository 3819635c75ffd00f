//! A stand-in for the kubelet: it runs the pods of its nodes without a container engine.

mod workload;

pub use workload::{ExitStatus, PodContext, Signals, Workload};
