//! `buildkite-agent-scaler` (`scaling_calculator.go`, `scaler.go`), as the
//! Elastic CI Stack ships it.
//!
//! Every ten seconds it sets an autoscaling group to scheduled plus running
//! jobs, one instance per job here (`k` = 1). Where fewer than half of the
//! instances have a connected agent, it takes that for trouble and asks for one
//! more each time, which can ratchet up while instances merely boot. A scale-out
//! is followed by a cooldown of 300 s in which it does not scale out again.
//! Scale-in is disabled in the shipped template: an agent that was idle for ten
//! minutes leaves, and its instance lowers the group's desired size by one.
//!
//! A pod stands for an instance. Instances on their way out still count.

use std::collections::BTreeMap;
use std::time::Duration;

use buildscaler_core::{Queue, Timestamp};

use super::{Condition, Move, Rival, Seen, Stay};

/// `buildkite-agent-scaler` with the parameters that matter here.
#[derive(Clone, Debug)]
pub struct BuildkiteAgentScaler {
    /// Below which part of connected agents it asks for one instance more.
    pub availability_threshold: f64,
    /// How long it does not scale out after it did.
    pub scale_out_cooldown: Duration,
    /// After how long an idle agent leaves.
    pub idle_period: Duration,
    groups: BTreeMap<Queue, Group>,
}

/// An autoscaling group.
#[derive(Clone, Copy, Debug, Default)]
struct Group {
    desired: u32,
    instances: u32,
    scaled_out_at: Option<Timestamp>,
}

impl BuildkiteAgentScaler {
    /// As the Elastic CI Stack ships it.
    pub const fn shipped() -> Self {
        Self {
            availability_threshold: 0.5,
            scale_out_cooldown: Duration::from_secs(300),
            idle_period: Duration::from_secs(600),
            groups: BTreeMap::new(),
        }
    }

    /// What the calculator wants, before the cooldown has its say.
    fn wanted(&self, seen: &Seen<'_>, group: Group, actual: u32) -> u32 {
        let need = seen.scheduled.saturating_add(seen.running);
        let expected = if actual == 0 { group.desired } else { actual };
        let connected = seen.count(Condition::Idle) + seen.count(Condition::Busy);
        let available = if expected == 0 {
            1.0
        } else {
            f64::from(connected) / f64::from(expected)
        };
        let short = need > 0 && available < self.availability_threshold && actual == group.desired;
        let wanted = if short { need.max(group.desired + 1) } else { need };
        wanted.min(seen.ceiling)
    }
}

impl Rival for BuildkiteAgentScaler {
    fn interval(&self) -> Duration {
        Duration::from_secs(10)
    }

    fn look(&mut self, seen: &Seen<'_>) -> Vec<Move> {
        let actual = seen.alive();
        let mut group = self.groups.get(seen.queue).copied().unwrap_or_default();
        // Whoever left since lowered the group's size on the way.
        let left = group.instances.saturating_sub(actual);
        group.desired = group.desired.saturating_sub(left);
        let wanted = self.wanted(seen, group, actual);
        let cooling = group
            .scaled_out_at
            .is_some_and(|at| seen.now.since(at) < self.scale_out_cooldown);
        let mut moves = Vec::new();
        if wanted > actual && wanted > group.desired && !cooling {
            group.desired = wanted;
            group.scaled_out_at = Some(seen.now);
            moves.push(Move::Create {
                count: wanted - actual,
                stay: Stay::UntilIdle(self.idle_period),
            });
        }
        group.instances = actual.max(group.desired);
        self.groups.insert(seen.queue.clone(), group);
        moves
    }
}
