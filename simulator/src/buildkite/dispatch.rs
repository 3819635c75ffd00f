//! Which job goes to which agent.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use buildscaler_core::{Queue, Timestamp};

use super::FakeBuildkite;
use super::direct::News;
use super::ids::{self, Kind};
use super::model::{BuildkiteJob, JobState, Shown};
use super::switches::Dispatch;
use super::truth::LifeEvent;

/// The order in which a queue's jobs are given out: priority, then age.
pub(crate) type ReadyKey = (Reverse<i64>, u64);

/// A queue and whether an operator paused it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct QueueRecord {
    pub(crate) id: String,
    pub(crate) paused: bool,
}

impl FakeBuildkite {
    /// Pauses the dispatch of a queue.
    pub fn pause_queue(&mut self, now: Timestamp, queue: &Queue) {
        self.advance(now);
        self.queue_record(queue).paused = true;
    }

    /// Resumes the dispatch of a queue.
    pub fn resume_queue(&mut self, now: Timestamp, queue: &Queue) {
        let now = self.advance(now);
        self.queue_record(queue).paused = false;
        self.dispatch(now);
    }

    /// The record of a queue; a queue exists once somebody speaks of it.
    pub(crate) fn queue_record(&mut self, queue: &Queue) -> &mut QueueRecord {
        let next = u64::try_from(self.queues.len()).unwrap_or(u64::MAX);
        self.queues.entry(queue.clone()).or_insert_with(|| QueueRecord {
            id: ids::uuid(Kind::Queue, next + 1),
            paused: false,
        })
    }

    pub(crate) fn is_paused(&self, queue: &Queue) -> bool {
        self.queues.get(queue).is_some_and(|record| record.paused)
    }

    pub(crate) fn has_paused_queues(&self) -> bool {
        self.queues.values().any(|record| record.paused)
    }

    /// Gives waiting jobs to idle agents, where that happens ahead of pings.
    pub(crate) fn dispatch(&mut self, now: Timestamp) {
        match self.switches.dispatch {
            Dispatch::AtPing => {}
            Dispatch::Ahead => {
                let queues: Vec<Queue> = self.ready.keys().cloned().collect();
                for queue in queues {
                    self.dispatch_queue(&queue, now);
                }
            }
        }
    }

    fn dispatch_queue(&mut self, queue: &Queue, now: Timestamp) {
        let nobody = self.idle.get(queue).is_none_or(BTreeSet::is_empty);
        if nobody || self.is_paused(queue) {
            return;
        }
        let waiting: Vec<ReadyKey> = self.ready.get(queue).into_iter().flatten().copied().collect();
        for (_, sequence) in waiting {
            let Some(idle) = self.idle.get(queue).filter(|idle| !idle.is_empty()) else {
                return;
            };
            let Some(rules) = self.jobs.get(&sequence).map(|found| &found.spec.rules) else {
                continue;
            };
            let agent = idle
                .iter()
                .map(|(_, _, agent)| *agent)
                .find(|agent| self.agents.get(agent).is_some_and(|agent| agent.satisfies(rules)));
            if let Some(agent) = agent {
                self.assign(sequence, agent, now);
            }
        }
    }

    /// Gives the agent the first job of its queues that it can run.
    pub(crate) fn dispatch_to(&mut self, agent: u64, now: Timestamp) {
        let Some(found) = self.agents.get(&agent).filter(|found| found.is_free()) else {
            return;
        };
        let queues = found.queues().filter(|queue| !self.is_paused(queue));
        let waiting = queues.flat_map(|queue| self.ready.get(&queue).into_iter().flatten().copied());
        let best = waiting
            .filter(|(_, sequence)| {
                self.jobs
                    .get(sequence)
                    .is_some_and(|waiting| found.satisfies(&waiting.spec.rules))
            })
            .min();
        if let Some((_, sequence)) = best {
            self.assign(sequence, agent, now);
        }
    }

    pub(crate) fn assign(&mut self, sequence: u64, agent: u64, now: Timestamp) {
        self.unready(sequence);
        let Some(holder) = self.agents.get_mut(&agent) else {
            return;
        };
        holder.holds = Some(sequence);
        let id = holder.id.clone();
        if let Some(found) = self.jobs.get_mut(&sequence) {
            found.state = JobState::Assigned;
            found.agent = Some(agent);
        }
        self.agent_changed(agent, now);
        self.tell(News::Assigned(id.clone()));
        self.note(sequence, LifeEvent::Assigned(id), now);
    }

    /// Takes a job off the list of those that wait for an agent.
    pub(crate) fn unready(&mut self, sequence: u64) {
        let Some(found) = self.jobs.get(&sequence) else { return };
        let (queue, key) = (found.queue(), (Reverse(found.spec.priority), sequence));
        if let Some(waiting) = self.ready.get_mut(&queue) {
            waiting.remove(&key);
            if waiting.is_empty() {
                self.ready.remove(&queue);
            }
        }
    }

    /// Brings the index of idle agents and the list's past up to date.
    pub(crate) fn agent_changed(&mut self, sequence: u64, now: Timestamp) {
        let lag = self.switches.agent_list_lag;
        let Some(agent) = self.agents.get_mut(&sequence) else {
            return;
        };
        let shown = Shown {
            state: agent.state,
            holds: agent.holds,
        };
        agent.shown.push(shown, lag, now);
        if agent.state.is_listed() {
            self.present.insert(sequence);
        }
        let before = agent.idle_as.take();
        agent.idle_as = agent.is_free().then(|| agent.idle_key());
        let (after, queues) = (agent.idle_as, agent.queues().collect::<Vec<_>>());
        for queue in queues {
            let idle = self.idle.entry(queue).or_default();
            if let Some(key) = before {
                idle.remove(&key);
            }
            idle.extend(after);
        }
    }

    pub(crate) fn job_by_id(&self, id: &str) -> Option<&BuildkiteJob> {
        self.jobs.get(&ids::sequence(Kind::BuildkiteJob, id)?)
    }
}
