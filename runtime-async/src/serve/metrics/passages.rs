//! How pods come to be agents: the times between the stages, as views show
//! them.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use buildscaler_core::{Agent, Pod, PodStage, Queue, Timestamp, Uid};

use super::labels::Queues;
use super::waits::{Part, Waits};

/// The pods that are on their way.
#[derive(Debug, Default)]
pub(super) struct Passages {
    /// The pods as last seen, by uid; none before the first view. What a view
    /// did not change is the same object, which makes comparing cheap.
    seen: Option<Vec<Arc<Pod>>>,
    under_way: BTreeMap<Uid, Passage>,
}

/// How far a pod has come, and since when.
#[derive(Debug)]
struct Passage {
    queue: Queue,
    hostname: Option<String>,
    stop: Stop,
    since: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// It was seen.
    Created,
    /// It has a node.
    Bound,
    /// Its agent's container has started.
    Started,
}

impl Passages {
    /// Takes note of a complete view of the pods. Those of the first one have
    /// come while nobody looked, so they are not followed.
    pub(super) fn see_pods(&mut self, pods: &[Arc<Pod>], now: Timestamp, queues: &Queues, waits: &Waits) {
        let mut pods = pods.to_vec();
        if !pods.is_sorted_by(|a, b| a.uid <= b.uid) {
            pods.sort_by(|a, b| a.uid.cmp(&b.uid));
        }
        if let Some(seen) = self.seen.take() {
            self.compare(&seen, &pods, now, &|queue: &Queue, part, took| {
                if let Some(name) = queues.name(queue) {
                    waits.part(name, part, took);
                }
            });
        }
        self.seen = Some(pods);
    }

    /// Walks along both lists, which are in the order of their uids.
    fn compare(&mut self, seen: &[Arc<Pod>], pods: &[Arc<Pod>], now: Timestamp, tell: Tell<'_>) {
        let (mut old, mut new) = (seen.iter().peekable(), pods.iter().peekable());
        loop {
            let order = match (old.peek(), new.peek()) {
                (Some(before), Some(pod)) => before.uid.cmp(&pod.uid),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => return,
            };
            let before = if order.is_le() { old.next() } else { None };
            let pod = if order.is_ge() { new.next() } else { None };
            match (before, pod) {
                (Some(before), Some(pod)) if Arc::ptr_eq(before, pod) => {}
                (Some(_), Some(pod)) => self.follow(pod, now, tell),
                (None, Some(pod)) => self.begin(pod, now, tell),
                (Some(gone), None) => {
                    self.under_way.remove(&gone.uid);
                }
                (None, None) => return,
            }
        }
    }

    fn begin(&mut self, pod: &Pod, now: Timestamp, tell: Tell<'_>) {
        let Some(queue) = pod.queue.clone().filter(|_| !pod.adopted) else {
            return;
        };
        let passage = Passage {
            queue,
            hostname: pod.hostname.clone(),
            stop: Stop::Created,
            since: now,
        };
        self.under_way.insert(pod.uid.clone(), passage);
        self.follow(pod, now, tell);
    }

    /// Moves on with a pod. Of stops that it passed between two views nobody
    /// knows when: all the time is the last one's.
    fn follow(&mut self, pod: &Pod, now: Timestamp, tell: Tell<'_>) {
        let Some(passage) = self.under_way.get_mut(&pod.uid) else {
            return;
        };
        let took = now.since(passage.since);
        let (stop, parts): (Stop, &[(Part, Duration)]) = match (passage.stop, pod.stage) {
            (_, PodStage::Failed) => {
                self.under_way.remove(&pod.uid);
                return;
            }
            (Stop::Created, PodStage::Unscheduled)
            | (Stop::Bound, PodStage::Unscheduled | PodStage::Starting)
            | (Stop::Started, _) => return,
            (Stop::Created, PodStage::Starting) => (Stop::Bound, &[(Part::Scheduling, took)]),
            (Stop::Created, PodStage::Running | PodStage::AgentEnded | PodStage::Succeeded) => (
                Stop::Started,
                &[(Part::Scheduling, Duration::ZERO), (Part::Image, took)],
            ),
            (Stop::Bound, PodStage::Running | PodStage::AgentEnded | PodStage::Succeeded) => {
                (Stop::Started, &[(Part::Image, took)])
            }
        };
        for (part, took) in parts {
            tell(&passage.queue, *part, *took);
        }
        (passage.stop, passage.since) = (stop, now);
    }

    /// Takes note of agents that a look showed: the passages of their pods are
    /// over.
    pub(super) fn see_agents(&mut self, agents: &[Agent], begun_at: Timestamp, queues: &Queues, waits: &Waits) {
        if self.under_way.is_empty() {
            return;
        }
        for agent in agents {
            // A view that is late may show an agent before its container.
            let Some((uid, passage)) = self.pod_of(agent).filter(|(_, passage)| passage.stop == Stop::Started) else {
                continue;
            };
            let connected_at = agent.connected_at.unwrap_or(begun_at);
            if let Some(queue) = queues.name(&passage.queue) {
                waits.part(queue, Part::Registration, connected_at.since(passage.since));
            }
            let uid = uid.clone();
            self.under_way.remove(&uid);
        }
    }

    fn pod_of(&self, agent: &Agent) -> Option<(&Uid, &Passage)> {
        match (&agent.pod_uid, &agent.hostname) {
            (Some(uid), _) => self.under_way.get_key_value(uid),
            (None, Some(hostname)) => {
                let mut pods = self.under_way.iter();
                pods.find(|(_, passage)| passage.hostname.as_ref() == Some(hostname))
            }
            (None, None) => None,
        }
    }
}

/// Who is told what took how long on which queue.
type Tell<'a> = &'a dyn Fn(&Queue, Part, Duration);
