//! What is compared of a run: a few numbers per queue and in all.

use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::measure::QueueSummary;

/// What a contestant came to, for one queue or in all. Written as JSON, waits
/// are in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Figures {
    /// Jobs that became dispatchable.
    pub jobs: u64,
    /// Of them, those that ended.
    pub finished: u64,
    /// The mean wait.
    #[serde(rename = "wait_mean_seconds", serialize_with = "seconds")]
    pub wait_mean: Duration,
    /// The wait that half of the jobs did not exceed.
    #[serde(rename = "wait_p50_seconds", serialize_with = "seconds")]
    pub wait_p50: Duration,
    /// The wait that 95 of 100 jobs did not exceed.
    #[serde(rename = "wait_p95_seconds", serialize_with = "seconds")]
    pub wait_p95: Duration,
    /// The longest wait.
    #[serde(rename = "wait_max_seconds", serialize_with = "seconds")]
    pub wait_max: Duration,
    /// Hours of all pods, from creation to end.
    pub pod_hours: f64,
    /// Of them, those in which the pods' agents had a job: nobody who finishes
    /// these jobs can do with fewer pod-hours.
    pub busy_hours: f64,
    /// The part of the pods' time without a job, from 0 to 1.
    pub idle_share: f64,
    /// Pods created.
    pub pods_created: u64,
    /// Jobs that the contestant cut off.
    pub interrupted: u64,
    /// Jobs that the world cut off: a lost node, a killed pod.
    pub interrupted_by_the_world: u64,
    /// How far from the bound it is; nothing where there is no bound.
    pub regret: Option<Regret>,
}

/// How far a contestant is from the clairvoyant bound. Written as JSON, the
/// wait is in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Regret {
    /// By how much longer the mean job waited; nothing if it waited less,
    /// which an interrupted workload can come to.
    #[serde(rename = "wait_mean_seconds", serialize_with = "seconds")]
    pub wait_mean: Duration,
    /// By how much longer the wait is that 95 of 100 jobs did not exceed.
    #[serde(rename = "wait_p95_seconds", serialize_with = "seconds")]
    pub wait_p95: Duration,
    /// How many pod-hours more it took. Below zero where it saved pods by
    /// letting jobs wait, which the bound does not do.
    pub pod_hours: f64,
}

impl Figures {
    /// The figures of a queue, or of all together.
    pub fn of(summary: &QueueSummary) -> Self {
        let waited: Duration = summary.waits.iter().sum();
        let count = u32::try_from(summary.waits.len()).unwrap_or(u32::MAX);
        Self {
            jobs: summary.jobs,
            finished: summary.finished,
            wait_mean: waited.checked_div(count).unwrap_or_default(),
            wait_p50: summary.wait(50),
            wait_p95: summary.wait(95),
            wait_max: summary.wait(100),
            pod_hours: hours(summary.pod_time),
            busy_hours: hours(summary.busy_time),
            idle_share: summary.idle_share(),
            pods_created: summary.pods_created,
            interrupted: summary.interrupted,
            interrupted_by_the_world: summary.interrupted_by_the_world,
            regret: None,
        }
    }

    /// The same with its distance from the bound.
    #[must_use]
    pub fn against(mut self, bound: &Self) -> Self {
        self.regret = Some(Regret {
            wait_mean: self.wait_mean.saturating_sub(bound.wait_mean),
            wait_p95: self.wait_p95.saturating_sub(bound.wait_p95),
            pod_hours: self.pod_hours - bound.pod_hours,
        });
        self
    }
}

fn hours(time: Duration) -> f64 {
    time.as_secs_f64() / 3600.0
}

fn seconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64())
}
