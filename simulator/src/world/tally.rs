//! Counting along: what summaries and series are made of.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use buildscaler_core::{FindingKind, Queue, Reason, Timestamp};

use crate::buildkite::FakeBuildkite;
use crate::measure::{QueueSummary, Sample, Series, Summary};

/// The counts of a run so far.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    queues: BTreeMap<Queue, Count>,
    pub(crate) findings: BTreeSet<FindingKind>,
    pub(crate) reasons: BTreeSet<Reason>,
    pub(crate) events: u64,
    pub(crate) steps: u64,
    /// Pods of all queues, and the most there ever were.
    pods: u64,
    most: u64,
    samples: Series,
}

#[derive(Debug, Default)]
struct Count {
    created: u64,
    pods: u64,
    most: u64,
    agents: u32,
    busy: u32,
    pod_time: Duration,
    busy_time: Duration,
    interrupted: u64,
    interrupted_by_the_world: u64,
}

impl Tally {
    pub(crate) fn sampling(every: Duration) -> Self {
        Self {
            samples: Series {
                every,
                queues: BTreeMap::new(),
            },
            ..Self::default()
        }
    }

    fn of(&mut self, queue: &Queue) -> &mut Count {
        if !self.queues.contains_key(queue) {
            self.queues.insert(queue.clone(), Count::default());
        }
        self.queues.entry(queue.clone()).or_default()
    }

    /// Books a pod; returns what stories call it.
    pub(crate) fn pod_created(&mut self, queue: &Queue) -> String {
        self.pods += 1;
        self.most = self.most.max(self.pods);
        let count = self.of(queue);
        count.created += 1;
        count.pods += 1;
        count.most = count.most.max(count.pods);
        format!("{queue}-{}", count.created)
    }

    pub(crate) fn pod_over(&mut self, queue: &Queue, created_at: Timestamp, now: Timestamp) {
        self.pods = self.pods.saturating_sub(1);
        let count = self.of(queue);
        count.pods = count.pods.saturating_sub(1);
        count.pod_time += now.since(created_at);
    }

    /// Books the time of a pod that has not ended yet.
    pub(crate) fn pod_time_until_end(&mut self, queue: &Queue, created_at: Timestamp, now: Timestamp) {
        self.of(queue).pod_time += now.since(created_at);
    }

    pub(crate) fn agent_connected(&mut self, queue: &Queue) {
        self.of(queue).agents += 1;
    }

    pub(crate) fn agent_gone(&mut self, queue: &Queue) {
        let count = self.of(queue);
        count.agents = count.agents.saturating_sub(1);
    }

    pub(crate) fn agent_busy(&mut self, queue: &Queue) {
        self.of(queue).busy += 1;
    }

    pub(crate) fn agent_done(&mut self, queue: &Queue, since: Timestamp, now: Timestamp) {
        let count = self.of(queue);
        count.busy = count.busy.saturating_sub(1);
        count.busy_time += now.since(since);
    }

    pub(crate) fn interrupted(&mut self, queue: &Queue, by_the_world: bool) {
        let count = self.of(queue);
        if by_the_world {
            count.interrupted_by_the_world += 1;
        } else {
            count.interrupted += 1;
        }
    }

    /// Takes a sample of every queue.
    pub(crate) fn sample(&mut self, buildkite: &FakeBuildkite, now: Timestamp) {
        let demand = buildkite.demand();
        for queue in demand.keys() {
            self.of(queue);
        }
        let so_far = self.samples.queues.values().map(Vec::len).max().unwrap_or(0);
        for (queue, count) in &self.queues {
            let wanted = demand.get(queue).copied().unwrap_or_default();
            let samples = self
                .samples
                .queues
                .entry(queue.clone())
                .or_insert_with(|| vec![Sample::default(); so_far]);
            samples.push(Sample {
                waiting: wanted.scheduled,
                running: wanted.running,
                pods: u32::try_from(count.pods).unwrap_or(u32::MAX),
                agents: count.agents,
                idle: count.agents.saturating_sub(count.busy),
                longest_wait_ms: wanted.oldest.map_or(0, |oldest| {
                    u64::try_from(now.since(oldest).as_millis()).unwrap_or(u64::MAX)
                }),
            });
        }
    }

    /// How many pods a queue has.
    pub(crate) fn pods_of(&self, queue: &Queue) -> u64 {
        self.queues.get(queue).map_or(0, |count| count.pods)
    }

    pub(crate) const fn pods(&self) -> u64 {
        self.pods
    }

    /// Sums up; pods that have not ended count up to `now`.
    pub(crate) fn end(self, buildkite: &FakeBuildkite, length: Duration, now: Timestamp) -> (Summary, Series) {
        let mut queues: BTreeMap<Queue, QueueSummary> = BTreeMap::new();
        for (queue, count) in self.queues {
            let summary = queues.entry(queue).or_default();
            summary.pods_created = count.created;
            summary.pods_at_once = count.most;
            summary.pods_at_end = count.pods;
            summary.pod_time = count.pod_time;
            summary.busy_time = count.busy_time;
            summary.interrupted = count.interrupted;
            summary.interrupted_by_the_world = count.interrupted_by_the_world;
        }
        for wait in buildkite.waits() {
            let summary = queues.entry(wait.queue.clone()).or_default();
            summary.jobs += 1;
            summary.unstarted += u64::from(wait.started_at.is_none() && wait.over_at.is_none());
            summary.waits.push(wait.length(now));
        }
        for (queue, finished) in buildkite.finished_jobs() {
            queues.entry(queue).or_default().finished += finished;
        }
        let mut total = QueueSummary::default();
        for summary in queues.values_mut() {
            summary.waits.sort_unstable();
            total.add(summary);
        }
        total.waits.sort_unstable();
        total.pods_at_once = self.most;
        let summary = Summary {
            length,
            total,
            queues,
            events: self.events,
            steps: self.steps,
            ..Summary::default()
        };
        (summary, self.samples)
    }
}

impl QueueSummary {
    fn add(&mut self, other: &Self) {
        self.jobs += other.jobs;
        self.finished += other.finished;
        self.unstarted += other.unstarted;
        self.interrupted += other.interrupted;
        self.interrupted_by_the_world += other.interrupted_by_the_world;
        self.waits.extend_from_slice(&other.waits);
        self.pods_created += other.pods_created;
        self.pods_at_end += other.pods_at_end;
        self.pod_time += other.pod_time;
        self.busy_time += other.busy_time;
    }
}
