//! What is really so, read off the fakes and the cluster and not off the controller.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use buildscaler_core::{Queue, Timestamp, Uid, labels};
use buildscaler_simulator::buildkite::{Agent, AgentState, FakeBuildkite};
use k8s_openapi::api::core::v1::Pod;

/// What a pod is at, seen from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Doing {
    /// Its agent has a job.
    Busy,
    /// Its agent waits for one.
    Idle,
    /// Its agent has not connected yet.
    Starting,
    /// Its agent was there and is leaving or has left.
    Leaving,
}

/// A pod in the picture; `old` if its template was replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cell {
    pub(crate) doing: Doing,
    pub(crate) old: bool,
}

/// A queue at one time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    /// Jobs that wait for an agent.
    pub(crate) waiting: usize,
    /// How long the first of them has waited.
    pub(crate) oldest_wait: Duration,
    /// Jobs that have ended.
    pub(crate) done: usize,
    /// The pods that have not ended.
    pub(crate) pods: Vec<Cell>,
}

impl Row {
    pub(crate) fn count(&self, doing: Doing) -> usize {
        self.pods.iter().filter(|cell| cell.doing == doing).count()
    }
}

/// What pods cost, summed over time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    /// The time of all pods together.
    pub(crate) pods: Duration,
    /// Of that, with a job.
    pub(crate) busy: Duration,
    /// Of that, on the way to one.
    pub(crate) starting: Duration,
}

/// The queues now, and what has been counted since the start.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    pub(crate) rows: BTreeMap<Queue, Row>,
    pub(crate) cost: Cost,
    /// Every pod there ever was, by queue.
    pub(crate) created: BTreeMap<Queue, BTreeSet<String>>,
    last: Option<Timestamp>,
}

impl Survey {
    /// Looks again. `templates` are the uids of the current ones.
    pub(crate) fn look(&mut self, now: Timestamp, fake: &FakeBuildkite, pods: &[Pod], templates: &BTreeSet<String>) {
        let mut rows: BTreeMap<Queue, Row> = BTreeMap::new();
        for found in fake.jobs().filter(|found| found.runnable_at.is_some()) {
            let row = rows.entry(found.queue()).or_default();
            row.done += usize::from(found.state.is_over());
            if let (Some(since), None, false) = (found.runnable_at, found.started_at, found.state.is_over()) {
                row.waiting += 1;
                row.oldest_wait = row.oldest_wait.max(now.since(since));
            }
        }
        let agents = by_pod(fake);
        for pod in pods {
            let (Some(uid), Some(queue)) = (&pod.metadata.uid, label(pod, labels::QUEUE)) else {
                continue;
            };
            let created = self.created.entry(queue.into()).or_default();
            created.insert(uid.clone());
            if has_ended(pod) {
                continue;
            }
            rows.entry(queue.into()).or_default().pods.push(Cell {
                doing: doing(fake, agents.get(uid.as_str()).copied()),
                old: label(pod, labels::JOB_UID).is_some_and(|uid| !templates.contains(uid)),
            });
        }
        rows.values_mut().for_each(|row| row.pods.sort());
        self.charge(self.last.map_or(Duration::ZERO, |last| now.since(last)));
        self.rows = rows;
        self.last = Some(now);
    }

    /// Books that what was seen last has lasted so long.
    fn charge(&mut self, lasted: Duration) {
        for cell in self.rows.values().flat_map(|row| &row.pods) {
            self.cost.pods += lasted;
            match cell.doing {
                Doing::Busy => self.cost.busy += lasted,
                Doing::Starting => self.cost.starting += lasted,
                Doing::Idle | Doing::Leaving => {}
            }
        }
    }

    /// Pods that have not ended.
    pub(crate) fn live(&self) -> usize {
        self.rows.values().map(|row| row.pods.len()).sum()
    }

    /// The queue of a pod, even if it is gone.
    pub(crate) fn queue_of(&self, pod: &Uid) -> Option<Queue> {
        let mut created = self.created.iter();
        created.find_map(|(queue, uids)| uids.contains(pod.as_str()).then(|| queue.clone()))
    }

    /// Pods there ever were.
    pub(crate) fn pods_created(&self) -> usize {
        self.created.values().map(BTreeSet::len).sum()
    }
}

/// The most requests that the REST API was asked in any 60 seconds.
pub(crate) fn busiest_minute(fake: &FakeBuildkite) -> usize {
    let times: Vec<Timestamp> = fake.observed().requests().iter().map(|request| request.at).collect();
    let within = |(nth, start): (usize, &Timestamp)| {
        let end = start.after(Duration::from_secs(60));
        times.partition_point(|at| *at < end) - nth
    };
    times.iter().enumerate().map(within).max().unwrap_or(0)
}

fn by_pod(fake: &FakeBuildkite) -> BTreeMap<&str, &Agent> {
    let pod_of = |tag: &'_ String| tag.split_once('=').is_some_and(|(key, _)| key == labels::POD_UID_TAG);
    let linked = fake.agents().filter_map(|agent| {
        let (_, uid) = agent.tags.iter().find(|tag| pod_of(tag))?.split_once('=')?;
        Some((uid, agent))
    });
    linked.collect()
}

fn doing(fake: &FakeBuildkite, agent: Option<&Agent>) -> Doing {
    let Some(agent) = agent else {
        return Doing::Starting;
    };
    if fake.held_by(&agent.id).is_some() {
        return Doing::Busy;
    }
    match agent.state {
        AgentState::NeverConnected => Doing::Starting,
        AgentState::Connected => Doing::Idle,
        AgentState::Stopping | AgentState::Stopped | AgentState::Disconnected | AgentState::Lost => Doing::Leaving,
    }
}

fn label<'a>(pod: &'a Pod, key: &str) -> Option<&'a str> {
    pod.metadata.labels.as_ref()?.get(key).map(String::as_str)
}

fn has_ended(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}
