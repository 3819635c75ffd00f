//! What was asked for and cannot be seen yet: pods created, agents asked to
//! stop, pods deleted. One command at a time for each (Invariant 11), and no
//! second one until a view shows what became of the first (Invariant 16).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::agent::{Agent, ConnectionState};
use crate::failure::Failure;
use crate::index::Index;
use crate::names::{AgentId, Queue, Uid};
use crate::pod::Pod;
use crate::step::Outcome;
use crate::time::Timestamp;

/// How far a watch cache may lag behind an answered write.
const LAG: Duration = Duration::from_secs(30);
/// The same for a create that was not answered. It is soon repeated: its name
/// is computed, so if it was carried out after all the second is refused.
const DOUBT: Duration = Duration::from_secs(2);
/// How long an agent may stay `connected` after its stop was accepted before
/// it is asked again.
const DEAF: Duration = Duration::from_secs(60);
/// How long a pod name that somebody else's object bears is left alone.
const TAKEN: Duration = Duration::from_secs(600);

/// The holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Holds {
    /// By `namespace/name`.
    creates: BTreeMap<String, Create>,
    taken: BTreeMap<String, Timestamp>,
    stops: BTreeMap<AgentId, Stop>,
    deletes: BTreeMap<Uid, Delete>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Create {
    queue: Queue,
    /// When its answer came; none while it is in flight.
    settled: Option<Timestamp>,
    answer: Answer,
}

/// What came back of a create.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Answer {
    Created,
    Conflict,
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stop {
    settled: Option<Timestamp>,
    /// Whether Buildkite said yes, or nothing.
    accepted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Delete {
    settled: Option<Timestamp>,
    gentle: bool,
}

/// The key of a pod by name.
pub(crate) fn pod_key(namespace: &str, name: &str) -> String {
    format!("{namespace}/{name}")
}

impl Holds {
    pub(crate) fn hold_create(&mut self, key: String, queue: Queue) {
        self.creates.insert(
            key,
            Create {
                queue,
                settled: None,
                answer: Answer::Nothing,
            },
        );
    }

    /// Books the end of a create; one that surely failed leaves no hold.
    pub(crate) fn settle_create(&mut self, key: &str, outcome: &Outcome, now: Timestamp) {
        let Some(create) = self.creates.get_mut(key) else {
            return;
        };
        create.settled = Some(now);
        match outcome {
            Outcome::Done => create.answer = Answer::Created,
            Outcome::Failed(Failure::AlreadyExists { .. }) => create.answer = Answer::Conflict,
            Outcome::Failed(Failure::FateUnknown { .. }) => create.answer = Answer::Nothing,
            Outcome::Failed(_) => {
                self.creates.remove(key);
            }
        }
    }

    pub(crate) fn hold_stop(&mut self, agent: AgentId) {
        self.stops.insert(
            agent,
            Stop {
                settled: None,
                accepted: false,
            },
        );
    }

    /// Books the end of a stop. An agent that is going or gone counts as
    /// stopped; the next listing tells.
    pub(crate) fn settle_stop(&mut self, agent: &AgentId, outcome: &Outcome, now: Timestamp) {
        let accepted = match outcome {
            Outcome::Done | Outcome::Failed(Failure::NotFound { .. }) => true,
            Outcome::Failed(Failure::FateUnknown { .. }) => false,
            Outcome::Failed(_) => {
                self.stops.remove(agent);
                return;
            }
        };
        self.stops.insert(
            agent.clone(),
            Stop {
                settled: Some(now),
                accepted,
            },
        );
    }

    pub(crate) fn hold_delete(&mut self, uid: Uid, gentle: bool) {
        self.deletes.insert(uid, Delete { settled: None, gentle });
    }

    /// Books the end of a delete. "Not found" and a failed precondition both
    /// mean that this pod is gone. One that was not answered may be repeated:
    /// its precondition makes that harmless.
    pub(crate) fn settle_delete(&mut self, uid: &Uid, outcome: &Outcome, now: Timestamp) {
        match outcome {
            Outcome::Done | Outcome::Failed(Failure::NotFound { .. } | Failure::AlreadyExists { .. }) => {
                if let Some(delete) = self.deletes.get_mut(uid) {
                    delete.settled = Some(now);
                }
            }
            Outcome::Failed(_) => {
                self.deletes.remove(uid);
            }
        }
    }

    /// Lets go of what a complete list of pods, sorted by uid, settles.
    pub(crate) fn see_pods(&mut self, pods: &[Arc<Pod>], now: Timestamp) {
        if !self.creates.is_empty() {
            for pod in pods {
                self.creates.remove(&pod_key(&pod.namespace, &pod.name));
            }
            let taken = &mut self.taken;
            self.creates.retain(|key, create| {
                let patience = if create.answer == Answer::Nothing { DOUBT } else { LAG };
                let overdue = create.settled.is_some_and(|settled| now.since(settled) >= patience);
                if overdue && create.answer == Answer::Conflict {
                    taken.insert(key.clone(), now.after(TAKEN));
                }
                !overdue
            });
        }
        self.taken.retain(|_, until| now < *until);
        self.deletes.retain(|uid, delete| {
            let Some(settled) = delete.settled else { return true };
            match pods.binary_search_by(|pod| pod.uid.cmp(uid)) {
                Ok(place) => pods[place].deleting || now.since(settled) < LAG,
                Err(_) => false,
            }
        });
    }

    /// Lets go of what a complete listing of agents settles.
    pub(crate) fn see_agents(&mut self, agents: &[Agent], begun_at: Timestamp) {
        if self.stops.is_empty() {
            return;
        }
        let index = Index::of(agents.iter().map(|agent| agent.id.as_bytes()));
        self.stops.retain(|id, stop| {
            let Some(settled) = stop.settled.filter(|settled| *settled <= begun_at) else {
                return true;
            };
            let patience = if stop.accepted { DEAF } else { Duration::ZERO };
            index.find(id.as_bytes()).is_some_and(|place| {
                agents[place].state == ConnectionState::Connected && begun_at.since(settled) < patience
            })
        });
    }

    /// The same holds as if everything in flight had gone without an answer:
    /// whoever remembers them will not get it.
    pub(crate) fn without_answers(&self, now: Timestamp) -> Self {
        let mut holds = self.clone();
        for create in holds.creates.values_mut() {
            create.settled.get_or_insert(now);
        }
        for stop in holds.stops.values_mut() {
            stop.settled.get_or_insert(now);
        }
        holds.deletes.retain(|_, delete| delete.settled.is_some());
        holds
    }

    /// Whether nothing is in flight, and nothing was answered after `end`.
    pub(crate) fn are_consistent(&self, end: Timestamp) -> bool {
        let creates = self.creates.values().map(|create| create.settled);
        let stops = self.stops.values().map(|stop| stop.settled);
        let deletes = self.deletes.values().map(|delete| delete.settled);
        let mut answers = creates.chain(stops).chain(deletes);
        answers.all(|settled| settled.is_some_and(|settled| settled <= end))
    }

    /// Pods of each queue that were asked for and are not seen yet.
    pub(crate) fn creates_by_queue(&self) -> BTreeMap<&Queue, u32> {
        let mut counts = BTreeMap::new();
        for create in self.creates.values() {
            *counts.entry(&create.queue).or_insert(0) += 1;
        }
        counts
    }

    /// Whether a pod of this key may not be created now.
    pub(crate) fn bars_create(&self, key: &str) -> bool {
        self.creates.contains_key(key) || self.taken.contains_key(key)
    }

    /// Whether the agent has been asked to stop.
    pub(crate) fn was_asked(&self, agent: &AgentId) -> bool {
        !self.stops.is_empty() && self.stops.contains_key(agent)
    }

    /// Whether a delete of the pod has been sent.
    pub(crate) fn was_deleted(&self, uid: &Uid) -> bool {
        !self.deletes.is_empty() && self.deletes.contains_key(uid)
    }

    /// Whether a gentle delete of the pod, and none since, was answered by `at`.
    pub(crate) fn was_deleted_gently(&self, uid: &Uid, at: Timestamp) -> bool {
        self.deletes
            .get(uid)
            .is_some_and(|delete| delete.gentle && delete.settled.is_some_and(|settled| settled <= at))
    }

    /// Whether another delete of the pod may not be sent: one may only to shorten the
    /// grace period of a gentle one.
    pub(crate) fn bars_delete(&self, uid: &Uid, gentle: bool) -> bool {
        self.deletes
            .get(uid)
            .is_some_and(|delete| delete.settled.is_none() || gentle || !delete.gentle)
    }
}
