//! The original Buildscaler.
//!
//! Its source is not public: these are the rules that its README, its flags
//! and the names of its metrics let one infer. Every `--sync-interval` it
//! counts, per queue, the pods that `needed_pods_total` asks for (running and
//! scheduled jobs, up to `--max-active-builds`), creates what is missing, stops
//! agents that were idle for longer than `--disconnect-after-idle-timeout` as
//! long as more pods live than are needed, and deletes pods without an agent
//! after ten minutes.
//!
//! Pods on their way out are not counted as live, which is the kinder reading.
//! Its other weaknesses, an agent list cut short and two templates of one
//! queue, do not show here, since a rival sees the truth.

use std::time::Duration;

use super::{Condition, Move, Rival, Seen, Stay};
use crate::scenario::Scenario;

/// The original Buildscaler with its flags.
#[derive(Clone, Copy, Debug)]
pub struct Original {
    /// `--sync-interval`
    pub sync_interval: Duration,
    /// `--disconnect-after-idle-timeout`
    pub idle_timeout: Duration,
    /// How old a pod without an agent may get.
    pub startup_timeout: Duration,
}

impl Original {
    /// With the flags that the scenario gives to ours.
    pub fn new(scenario: &Scenario) -> Self {
        let config = scenario.controller.config(&scenario.world.buildkite);
        Self {
            sync_interval: config.sync_interval,
            idle_timeout: config.idle_timeout,
            startup_timeout: config.agent_startup_timeout,
        }
    }
}

impl Rival for Original {
    fn interval(&self) -> Duration {
        self.sync_interval
    }

    fn look(&mut self, seen: &Seen<'_>) -> Vec<Move> {
        let need = seen.running.saturating_add(seen.scheduled).min(seen.ceiling);
        let mut live = seen.staying();
        let mut moves = Vec::new();
        if live < need {
            moves.push(Move::Create {
                count: need - live,
                stay: Stay::ForGood,
            });
        }
        for pod in seen.pods {
            let lasted = seen.now.since(pod.since);
            match pod.condition {
                Condition::Idle if lasted >= self.idle_timeout && live > need => {
                    moves.push(Move::Stop(pod.id));
                    live -= 1;
                }
                Condition::Pending | Condition::Starting if seen.now.since(pod.created_at) > self.startup_timeout => {
                    moves.push(Move::Delete(pod.id));
                }
                Condition::Pending | Condition::Starting | Condition::Idle | Condition::Busy | Condition::Leaving => {}
            }
        }
        moves
    }
}
