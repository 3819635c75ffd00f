//! Scaling policies: how many pods a queue should have.
//!
//! A policy only wishes. Which pods may go, and when, is for the verdict
//! table, so no policy can interrupt a build (Invariant 19). A policy is one
//! file below this module.

use std::fmt;
use std::time::Duration;

use crate::names::Queue;
use crate::time::Timestamp;

mod reactive;

pub use reactive::Reactive;

/// Wishes for a number of pods.
pub trait ScalingPolicy: fmt::Debug + Send {
    /// The number of pods wanted for a queue, busy ones included.
    ///
    /// It is asked once for each complete look at Buildkite. Ceilings and the
    /// safety of scaling down are not its concern.
    fn desired(&mut self, queue: &QueueView<'_>) -> u32;
}

/// What a policy is told of a queue. Pods of replaced templates count only
/// while they are busy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueView<'a> {
    /// The queue.
    pub queue: &'a Queue,
    /// The time of the plan.
    pub now: Timestamp,
    /// Jobs that want an agent now and have none.
    pub waiting: u32,
    /// How long the oldest of them has waited.
    pub longest_wait: Duration,
    /// Pods with a busy agent.
    pub busy: u32,
    /// Pods with an idle agent.
    pub idle: u32,
    /// Pods whose agent is on its way, those just asked for included.
    pub starting: u32,
}
