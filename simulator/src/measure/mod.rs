//! What is measured of a run: waits, pods and their cost, requests.

mod unmet;

use std::collections::BTreeMap;
use std::time::Duration;

use buildscaler_core::{Queue, Timestamp};
use serde::Serialize;

/// What a run came to.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    /// How long the run was, in virtual time.
    pub length: Duration,
    /// All queues together.
    pub total: QueueSummary,
    /// Each queue by itself.
    pub queues: BTreeMap<Queue, QueueSummary>,
    /// Requests to Buildkite, answered or not.
    pub buildkite_requests: u64,
    /// Requests to Kubernetes, lists included.
    pub kubernetes_requests: u64,
    /// Events that the world went through.
    pub events: u64,
    /// Steps that the controller took.
    pub steps: u64,
}

/// What a run came to for one queue.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct QueueSummary {
    /// Jobs that became dispatchable.
    pub jobs: u64,
    /// Of them, those that an agent has run to their end, good or bad.
    pub finished: u64,
    /// Of them, those that no agent has begun.
    pub unstarted: u64,
    /// Builds' jobs cut off by whoever keeps the fleet. Zero, for ours.
    pub interrupted: u64,
    /// Jobs cut off by the world itself: a lost node, a killed pod.
    pub interrupted_by_the_world: u64,
    /// How long jobs waited for an agent, ascending; those that still wait at
    /// the end count with what they have waited.
    pub waits: Vec<Duration>,
    /// Pods created.
    pub pods_created: u64,
    /// Most pods at once.
    pub pods_at_once: u64,
    /// Pods that had not ended at the end.
    pub pods_at_end: u64,
    /// Time of all pods, from creation to end.
    pub pod_time: Duration,
    /// Of it, the time in which their agents had a job.
    pub busy_time: Duration,
}

impl QueueSummary {
    /// The wait that `percent` of the jobs did not exceed (nearest rank).
    pub fn wait(&self, percent: u32) -> Duration {
        let rank = (self.waits.len() * percent as usize).div_ceil(100).max(1);
        self.waits.get(rank - 1).copied().unwrap_or_default()
    }

    /// The part of the pods' time in which they had no job, from 0 to 1.
    pub fn idle_share(&self) -> f64 {
        if self.pod_time.is_zero() {
            return 0.0;
        }
        1.0 - self.busy_time.as_secs_f64() / self.pod_time.as_secs_f64()
    }
}

/// How a run went, in samples at even distances of virtual time.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Series {
    /// The distance between two samples.
    pub every: Duration,
    /// The samples of each queue, one vector as long as the next.
    pub queues: BTreeMap<Queue, Vec<Sample>>,
}

/// One queue at one time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sample {
    /// Jobs that want an agent.
    pub waiting: u32,
    /// Jobs that an agent has.
    pub running: u32,
    /// Pods that have not ended.
    pub pods: u32,
    /// Connected agents.
    pub agents: u32,
    /// Of them, those without a job.
    pub idle: u32,
    /// The longest wait at this time, in milliseconds.
    pub longest_wait_ms: u64,
}

/// A Buildkite job's life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JobLife {
    /// Its queue.
    pub queue: Queue,
    /// When it wanted an agent.
    pub runnable_at: Timestamp,
    /// When an agent began it.
    pub started_at: Option<Timestamp>,
    /// When it was over, however.
    pub over_at: Option<Timestamp>,
}

/// A pod's life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PodLife {
    /// What the story calls it.
    pub alias: String,
    /// Its queue.
    pub queue: Queue,
    /// Its image, which tells templates apart.
    pub image: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// When its agent connected.
    pub connected_at: Option<Timestamp>,
    /// When its agent's last job ended.
    pub idle_since: Option<Timestamp>,
    /// When its last process ended.
    pub ended_at: Option<Timestamp>,
}

/// Everything that one run yields.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// What it came to.
    pub summary: Summary,
    /// How it went.
    pub series: Series,
    /// The jobs that wanted an agent, the oldest first.
    pub jobs: Vec<JobLife>,
    /// The pods, the oldest first.
    pub pods: Vec<PodLife>,
    /// What happened, one line per event.
    pub story: Vec<String>,
    /// Where it fell short of what was expected.
    pub unmet: Vec<String>,
}
