//! ARC's older autoscaler by the share of busy runners
//! (`PercentageRunnersBusy`, `actions.summerwind.net/autoscaling.go`).
//!
//! Every minute: where 80 % of the wanted runners are busy, there shall be 1.3
//! times as many; where less than 30 % are, 0.7 times as many, but not within
//! ten minutes after the last growth. It never looks at the queue, so it needs
//! at least one runner, and a burst is met 30 % at a time. A runner takes one
//! job and is replaced at once.

use std::collections::BTreeMap;
use std::time::Duration;

use buildscaler_core::{Queue, Timestamp};

use super::{Condition, Move, Rival, Seen, Stay};

const PERIOD: Duration = Duration::from_secs(60);
const SCALE_DOWN_DELAY: Duration = Duration::from_secs(600);
const UP_AT: f64 = 0.8;
const UP_FACTOR: f64 = 1.3;
const DOWN_BELOW: f64 = 0.3;
const DOWN_FACTOR: f64 = 0.7;
const MIN_RUNNERS: u32 = 1;

/// A runner deployment with its autoscaler, per queue.
#[derive(Clone, Debug, Default)]
pub struct ArcPercentageBusy {
    deployments: BTreeMap<Queue, Deployment>,
}

#[derive(Clone, Copy, Debug)]
struct Deployment {
    desired: u32,
    decided_at: Option<Timestamp>,
    grown_at: Option<Timestamp>,
}

impl Deployment {
    fn decide(&mut self, seen: &Seen<'_>) {
        self.decided_at = Some(seen.now);
        let busy = f64::from(seen.count(Condition::Busy)) / f64::from(self.desired.max(1));
        let wanted = if busy >= UP_AT {
            (f64::from(self.desired) * UP_FACTOR).ceil()
        } else if busy < DOWN_BELOW {
            (f64::from(self.desired) * DOWN_FACTOR).floor()
        } else {
            return;
        };
        let wanted = whole(wanted).clamp(MIN_RUNNERS, seen.ceiling.max(MIN_RUNNERS));
        if wanted > self.desired {
            self.grown_at = Some(seen.now);
            self.desired = wanted;
        } else if self.grown_at.is_none_or(|at| seen.now.since(at) >= SCALE_DOWN_DELAY) {
            self.desired = wanted;
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count that was a u32 and is scaled by at most 1.3; casts saturate"
)]
const fn whole(number: f64) -> u32 {
    number as u32
}

impl Rival for ArcPercentageBusy {
    fn interval(&self) -> Duration {
        Duration::from_secs(10)
    }

    fn look(&mut self, seen: &Seen<'_>) -> Vec<Move> {
        let deployment = self.deployments.entry(seen.queue.clone()).or_insert(Deployment {
            desired: MIN_RUNNERS,
            decided_at: None,
            grown_at: None,
        });
        if deployment.decided_at.is_none_or(|at| seen.now.since(at) >= PERIOD) {
            deployment.decide(seen);
        }
        let (runners, desired) = (seen.staying(), deployment.desired);
        if runners < desired {
            return vec![Move::Create {
                count: desired - runners,
                stay: Stay::OneJob,
            }];
        }
        let surplus = (runners - desired) as usize;
        let idle = seen.pods.iter().filter(|pod| pod.condition == Condition::Idle);
        idle.take(surplus).map(|pod| Move::Stop(pod.id)).collect()
    }
}
