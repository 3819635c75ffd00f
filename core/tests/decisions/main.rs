//! What the core decides, seen through its only door.
//!
//! Invariants are stated over effects: a witness who knows what was shown
//! objects to what was done. Behaviours are told one by one. Each comment
//! names the deliberate bug with which its test was seen to fail.

#![expect(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test may fail")]

mod absence;
mod annotations;
mod announcing;
mod breaker;
mod budget;
mod determinism;
mod draining;
mod dry_run;
mod environment;
mod failures;
mod judging;
mod late_ceilings;
mod leadership;
mod manifests;
mod metering;
mod policies;
mod remembering;
mod safety;
mod scaling_down;
mod scaling_up;
mod serving;
mod small_world;
mod support;
mod totality;
mod unknown;
mod unlinked;
mod verdict_table;
mod warm_agents;
