//! KEDA's `ScaledJob` (`scale_jobs.go`, `scaledjob/metrics.go`) under two of
//! its strategies.
//!
//! Every 30 s it creates Kubernetes Jobs, each for one build job, and never
//! deletes one that runs. The strategy decides what is missing, and each goes
//! with one sort of metric: `default` subtracts all unfinished Jobs, so its
//! metric has to count running build jobs; `accurate` subtracts only those that
//! are pending, so its metric counts queued ones. KEDA has no scaler for
//! Buildkite: the metric is the one that its nearest kin would have.
//!
//! A pod is pending here until its agent is connected, which is the kinder
//! reading; the queue is not told of a pod whose job was cancelled, so that pod
//! waits for the next job.

use std::time::Duration;

use super::{Condition, Move, Rival, Seen, Stay};

/// How a `ScaledJob` reckons what is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// All unfinished Jobs count against queued and running build jobs.
    Default,
    /// Pending Jobs count against queued build jobs.
    Accurate,
}

/// A `ScaledJob` per queue, with `minReplicaCount` 0 and a target of 1.
#[derive(Clone, Copy, Debug)]
pub struct KedaScaledJob {
    /// How it reckons.
    pub strategy: Strategy,
}

impl Rival for KedaScaledJob {
    fn interval(&self) -> Duration {
        Duration::from_secs(30)
    }

    fn look(&mut self, seen: &Seen<'_>) -> Vec<Move> {
        let unfinished = i64::from(seen.alive());
        let pending = i64::from(seen.count(Condition::Pending) + seen.count(Condition::Starting));
        let most = i64::from(seen.ceiling);
        let metric = match self.strategy {
            Strategy::Default => i64::from(seen.scheduled) + i64::from(seen.running),
            Strategy::Accurate => i64::from(seen.scheduled),
        };
        let scale = metric.min(most);
        let missing = match self.strategy {
            Strategy::Default => scale - unfinished,
            Strategy::Accurate if scale + unfinished - pending > most => most - unfinished,
            Strategy::Accurate => scale - pending,
        };
        match u32::try_from(missing.min(metric)) {
            Ok(count) if count > 0 => vec![Move::Create {
                count,
                stay: Stay::OneJob,
            }],
            Ok(_) | Err(_) => Vec::new(),
        }
    }
}
