//! One pod for each job that wants an agent.

use super::{QueueView, ScalingPolicy};

/// Wants one pod for each waiting and each running job, and nothing more.
///
/// Idle agents and pods on their way are counted against the waiting jobs, so
/// a job is answered by at most one pod (`need = runnable − idle − starting`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reactive;

impl ScalingPolicy for Reactive {
    fn desired(&mut self, queue: &QueueView<'_>) -> u32 {
        queue.waiting.saturating_add(queue.busy)
    }
}
