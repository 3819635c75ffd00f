//! GitLab's autoscaler policy (fleeting and taskscaler), one policy without
//! schedule windows, one job per instance.
//!
//! Beside the instances in use it keeps `idle_count` idle ones, or
//! `scale_factor` times those in use if that is more, that part limited by
//! `scale_factor_limit`. In preemptive mode (the default where `idle_count` is
//! above zero) a job is asked for only when an instance is free, so jobs that
//! wait are no reason to grow: the pool grows because the idle ones were taken.
//! Otherwise jobs are taken first and instances made for them. An instance
//! that is not needed leaves when it was idle for `idle_time`.

use std::time::Duration;

use super::{Condition, Move, Rival, Seen, Stay};

/// How often a runner asks for jobs (`check_interval`).
const CHECK: Duration = Duration::from_secs(3);

/// An autoscaler policy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GitlabFleeting {
    /// Idle instances to keep.
    pub idle_count: u32,
    /// How long an instance that is not needed may be idle.
    pub idle_time: Duration,
    /// Idle instances to keep per instance in use.
    pub scale_factor: f64,
    /// The most that `scale_factor` may ask for; 0 means no limit.
    pub scale_factor_limit: u32,
    /// Whether jobs are taken only when an instance is free.
    pub preemptive: bool,
}

impl GitlabFleeting {
    /// The documentation's example: five idle instances.
    pub const WARM: Self = Self {
        idle_count: 5,
        idle_time: Duration::from_secs(1200),
        scale_factor: 0.0,
        scale_factor_limit: 0,
        preemptive: true,
    };

    /// No idle instances beyond those that were in use lately.
    pub const ON_DEMAND: Self = Self {
        idle_count: 0,
        preemptive: false,
        ..Self::WARM
    };

    fn idle_wanted(&self, in_use: u32) -> u32 {
        let scaled = (f64::from(in_use) * self.scale_factor).ceil();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a count times a small factor; casts saturate"
        )]
        let scaled = scaled as u32;
        let limited = match self.scale_factor_limit {
            0 => scaled,
            limit => scaled.min(limit),
        };
        self.idle_count.max(limited)
    }
}

impl Rival for GitlabFleeting {
    fn interval(&self) -> Duration {
        CHECK
    }

    fn look(&mut self, seen: &Seen<'_>) -> Vec<Move> {
        let busy = seen.count(Condition::Busy);
        let in_use = if self.preemptive {
            busy
        } else {
            busy.saturating_add(seen.scheduled)
        };
        let target = in_use.saturating_add(self.idle_wanted(in_use)).min(seen.ceiling);
        let instances = seen.staying();
        if instances < target {
            return vec![Move::Create {
                count: target - instances,
                stay: Stay::ForGood,
            }];
        }
        let surplus = (instances - target) as usize;
        let outworn = seen
            .pods
            .iter()
            .filter(|pod| pod.condition == Condition::Idle && seen.now.since(pod.since) >= self.idle_time);
        outworn.take(surplus).map(|pod| Move::Stop(pod.id)).collect()
    }
}
