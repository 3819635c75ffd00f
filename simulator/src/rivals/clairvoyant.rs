//! The clairvoyant bound: what perfect foresight would come to.
//!
//! It is computed, not simulated, and it is two bounds in one.
//!
//! **Waits.** An agent stands ready for every job at the moment it becomes
//! dispatchable, unless the queue's ceiling is reached. No policy waits less,
//! where the order of jobs does not depend on who is served (with dependencies
//! or concurrency limits *and* a ceiling that binds, Graham's anomalies make it
//! an estimate).
//!
//! **Pod-hours.** Among all fleets that serve the jobs with exactly these waits,
//! it is the cheapest: each pod is created the least start-up time ahead of its
//! first job and ends after its last, and an agent is kept between two jobs
//! where keeping it is cheaper than ending its pod and starting another. Which
//! agent takes which job is chosen so that the sum is least: the one that
//! finished last, since the price of a gap (`min(gap, start-up + exit)`) is
//! concave. A policy that lets jobs wait can come below it, down to the busy
//! hours: its regret is then negative.
//!
//! Image pulls, nodes, pings, faults and the ceiling of the whole fleet are left
//! out, so nothing real reaches it.

use std::collections::BTreeMap;
use std::time::Duration;

use buildscaler_core::{Queue, Timestamp};

use super::ideal::{self, Served};
use crate::measure::{QueueSummary, Summary};
use crate::scenario::{PodSettings, Range, Scenario};

/// Computes the bound of a scenario.
pub fn bound(scenario: &Scenario) -> Summary {
    let overhead = least_overhead(&scenario.world.pods);
    let mut queues: BTreeMap<Queue, Vec<Served>> = BTreeMap::new();
    for job in ideal::serve(scenario) {
        queues.entry(job.queue.clone()).or_default().push(job);
    }
    let end = Timestamp::from_millis(0).after(scenario.lasts.0);
    let queues: BTreeMap<Queue, QueueSummary> = queues
        .into_iter()
        .map(|(queue, jobs)| (queue, summarize(&jobs, overhead, end)))
        .collect();
    let mut total = QueueSummary::default();
    for summary in queues.values() {
        add(&mut total, summary);
    }
    total.waits.sort_unstable();
    Summary {
        length: scenario.lasts.0,
        total,
        queues,
        ..Summary::default()
    }
}

/// The least time that a pod spends without a job: start and exit.
fn least_overhead(pods: &PodSettings) -> Duration {
    let least = |range: Range| match range {
        Range::Fixed(span) => span.0,
        Range::Between { from, to } => from.min(to).0,
    };
    least(pods.scheduling) + least(pods.agent_start) + least(pods.exit)
}

fn summarize(jobs: &[Served], overhead: Duration, end: Timestamp) -> QueueSummary {
    let mut waits: Vec<Duration> = jobs
        .iter()
        .map(|job| job.started_at.unwrap_or(end).since(job.ready_at))
        .collect();
    waits.sort_unstable();
    let runs: Vec<(Timestamp, Timestamp)> = jobs
        .iter()
        .filter_map(|job| Some((job.started_at?, job.finished_at.unwrap_or(end))))
        .collect();
    let busy_time = runs.iter().map(|(from, until)| until.since(*from)).sum();
    let (pods, kept) = cheapest_fleet(&runs, overhead);
    QueueSummary {
        jobs: jobs.len() as u64,
        finished: jobs.iter().filter(|job| job.finished_at.is_some()).count() as u64,
        waits,
        pods_created: u64::from(pods),
        pod_time: busy_time + kept + overhead * pods,
        busy_time,
        ..QueueSummary::default()
    }
}

/// How many pods it takes, and how long their agents are kept between jobs.
fn cheapest_fleet(runs: &[(Timestamp, Timestamp)], overhead: Duration) -> (u32, Duration) {
    let mut starts: Vec<Timestamp> = runs.iter().map(|(from, _)| *from).collect();
    let mut ends: Vec<Timestamp> = runs.iter().map(|(_, until)| *until).collect();
    starts.sort_unstable();
    ends.sort_unstable();
    let (mut pods, mut kept) = (0, Duration::ZERO);
    let mut free: Vec<Timestamp> = Vec::new();
    let mut ends = ends.into_iter().peekable();
    for start in starts {
        while let Some(end) = ends.next_if(|end| *end <= start) {
            free.push(end);
        }
        match free.pop().map(|since| start.since(since)).filter(|gap| *gap < overhead) {
            Some(gap) => kept += gap,
            None => pods += 1,
        }
    }
    (pods, kept)
}

fn add(total: &mut QueueSummary, queue: &QueueSummary) {
    total.jobs += queue.jobs;
    total.finished += queue.finished;
    total.waits.extend(&queue.waits);
    total.pods_created += queue.pods_created;
    total.pod_time += queue.pod_time;
    total.busy_time += queue.busy_time;
}
