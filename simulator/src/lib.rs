//! The outside world of Buildscaler: fakes of Kubernetes, Buildkite and AWS
//! Marketplace, and worlds made of the first two in which the controller is
//! driven through scenarios.
//!
//! The fakes are state machines without IO: a request and the time go in, a
//! response comes out. They read no clock and open no socket; only
//! [`loopback`] does, to serve them to real clients over HTTP.

pub mod buildkite;
pub mod compare;
pub mod explore;
pub mod fault;
pub mod generate;
pub mod import;
pub mod kubernetes;
pub mod lift;
pub mod loopback;
pub mod marketplace;
pub mod measure;
pub mod report;
pub mod rivals;
mod run;
pub mod scenario;
mod world;

pub use run::{Fidelity, Keeper, Options, run};
pub use world::Witness;
