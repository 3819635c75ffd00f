//! KEDA's `ScaledObject`: a Deployment of agents behind the horizontal pod
//! autoscaler, with a target of 1 build job per pod.
//!
//! KEDA looks every 30 s and switches between nothing and one pod: on with the
//! first build job, off after 300 s without any. In between the autoscaler
//! (every 15 s) follows the metric: up by at most a doubling or four pods a
//! look, down to the highest wish of the last 300 s, and not at all within 10 %
//! of the target. The ReplicaSet then picks the victims without knowing who is
//! busy: pods without an agent first, then at random, and what they run is cut
//! off when their grace period ends.
//!
//! Two metrics are usual and fail in opposite ways. Queued and running build
//! jobs together (as the scalers for GitHub and Forgejo count) keep enough pods
//! and cut builds off as the load falls; queued ones alone (Azure Pipelines)
//! forget the busy pods altogether.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use buildscaler_core::{Queue, Timestamp};

use super::{Condition, Move, PodId, Rival, Seen, Stay};

const LOOK: Duration = Duration::from_secs(15);
/// KEDA's own period, in looks.
const LOOKS_OF_KEDA: u64 = 2;
const COOLDOWN: Duration = Duration::from_secs(300);
const STABILIZATION: Duration = Duration::from_secs(300);

/// What the metric counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Build jobs that wait and those that run.
    QueuedAndRunning,
    /// Build jobs that wait.
    Queued,
}

/// A `ScaledObject` per queue.
#[derive(Clone, Debug)]
pub struct KedaHpa {
    metric: Metric,
    seed: u64,
    deployments: BTreeMap<Queue, Deployment>,
}

#[derive(Clone, Debug, Default)]
struct Deployment {
    replicas: u32,
    looks: u64,
    active_at: Option<Timestamp>,
    wishes: VecDeque<(Timestamp, u32)>,
}

impl KedaHpa {
    /// With this metric; victims are drawn from the seed.
    pub const fn new(metric: Metric, seed: u64) -> Self {
        Self {
            metric,
            seed,
            deployments: BTreeMap::new(),
        }
    }

    /// The ReplicaSet's choice: without an agent first, then anyone.
    fn victims(&mut self, seen: &Seen<'_>, count: usize) -> Vec<Move> {
        let (mut starting, mut running): (Vec<PodId>, Vec<PodId>) = (Vec::new(), Vec::new());
        for pod in seen.pods {
            match pod.condition {
                Condition::Pending | Condition::Starting => starting.push(pod.id),
                Condition::Idle | Condition::Busy => running.push(pod.id),
                Condition::Leaving => {}
            }
        }
        let mut victims: Vec<PodId> = starting.into_iter().rev().take(count).collect();
        while victims.len() < count && !running.is_empty() {
            let chosen = self.random() % running.len() as u64;
            victims.push(running.swap_remove(usize::try_from(chosen).unwrap_or(0)));
        }
        victims.into_iter().map(Move::Delete).collect()
    }

    /// The next number of SplitMix64.
    const fn random(&mut self) -> u64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.seed ^ (self.seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl Deployment {
    /// KEDA's part: between nothing and one.
    fn activate(&mut self, metric: u32, now: Timestamp) {
        if metric > 0 {
            self.active_at = Some(now);
            self.replicas = self.replicas.max(1);
        } else if self.active_at.is_none_or(|at| now.since(at) >= COOLDOWN) {
            self.replicas = 0;
            self.wishes.clear();
        }
    }

    /// The autoscaler's part: from one on.
    fn follow(&mut self, metric: u32, ceiling: u32, now: Timestamp) {
        let off_target = 1.0 - f64::from(metric) / f64::from(self.replicas);
        let wish = if off_target.abs() <= 0.1 { self.replicas } else { metric };
        self.wishes.push_back((now, wish));
        while self
            .wishes
            .front()
            .is_some_and(|(at, _)| now.since(*at) > STABILIZATION)
        {
            self.wishes.pop_front();
        }
        let recent = self.wishes.iter().map(|(_, wish)| *wish).max().unwrap_or(wish);
        let wanted = if wish >= self.replicas {
            let doubled = self.replicas.saturating_mul(2);
            wish.min(doubled.max(self.replicas.saturating_add(4)))
        } else {
            recent.min(self.replicas)
        };
        self.replicas = wanted.clamp(1, ceiling.max(1));
    }
}

impl Rival for KedaHpa {
    fn interval(&self) -> Duration {
        LOOK
    }

    fn look(&mut self, seen: &Seen<'_>) -> Vec<Move> {
        let metric = match self.metric {
            Metric::QueuedAndRunning => seen.scheduled.saturating_add(seen.running),
            Metric::Queued => seen.scheduled,
        };
        let deployment = self.deployments.entry(seen.queue.clone()).or_default();
        if deployment.replicas > 0 {
            deployment.follow(metric, seen.ceiling, seen.now);
        }
        if deployment.looks.is_multiple_of(LOOKS_OF_KEDA) {
            deployment.activate(metric, seen.now);
        }
        deployment.looks += 1;
        let (replicas, pods) = (deployment.replicas, seen.staying());
        if pods < replicas {
            return vec![Move::Create {
                count: replicas - pods,
                stay: Stay::ForGood,
            }];
        }
        self.victims(seen, (pods - replicas) as usize)
    }
}
