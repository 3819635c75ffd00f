//! Counts by queue, for those who hold an agent token.

use std::collections::BTreeMap;

use http::{HeaderValue, Response};
use serde_json::{Map, Value, json};

use super::super::FakeBuildkite;
use super::super::model::{AgentState, JobState};
use super::super::reply;

/// What is counted for a queue, and for all of them.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    idle: u64,
    busy: u64,
    scheduled: u64,
    running: u64,
    waiting: u64,
}

impl FakeBuildkite {
    pub(super) fn metrics(&self, only: Option<&str>) -> Response<Vec<u8>> {
        let queues = self.counts();
        let total = match only {
            Some(queue) => queues.get(queue).copied().unwrap_or_default(),
            None => queues.values().fold(Counts::default(), |sum, counts| sum.plus(*counts)),
        };
        let (mut agents, mut jobs) = (total.agents(), total.jobs());
        if only.is_none() {
            let by_queue = |count: fn(Counts) -> Value| {
                queues
                    .iter()
                    .map(|(queue, counts)| (queue.clone(), count(*counts)))
                    .collect::<Map<_, _>>()
            };
            agents["queues"] = Value::Object(by_queue(Counts::agents));
            jobs["queues"] = Value::Object(by_queue(Counts::jobs));
        }
        let mut response = reply::ok(&json!({
            "agents": agents, "jobs": jobs, "organization": {"slug": self.organization},
            "cluster": {"name": "Default"},
        }));
        let poll = HeaderValue::from(self.switches.metrics_poll.as_secs());
        response
            .headers_mut()
            .insert("buildkite-agent-metrics-poll-duration", poll);
        response
    }

    fn counts(&self) -> BTreeMap<String, Counts> {
        let mut queues: BTreeMap<String, Counts> = BTreeMap::new();
        for agent in self
            .agents
            .values()
            .filter(|agent| agent.state == AgentState::Connected)
        {
            for queue in agent.queues() {
                let counts = queues.entry(queue.as_str().to_owned()).or_default();
                let counted = if agent.holds.is_some() {
                    &mut counts.busy
                } else {
                    &mut counts.idle
                };
                *counted += 1;
            }
        }
        for found in self.jobs.values().filter(|found| !found.state.is_over()) {
            let counts = queues.entry(found.queue().as_str().to_owned()).or_default();
            match found.state {
                JobState::Scheduled => counts.scheduled += 1,
                JobState::Waiting | JobState::Limited => counts.waiting += 1,
                JobState::Assigned | JobState::Accepted | JobState::Running | JobState::Canceling => {
                    counts.running += 1;
                }
                JobState::Blocked | JobState::Passed | JobState::Failed | JobState::Canceled | JobState::Broken => {}
            }
        }
        queues
    }
}

impl Counts {
    const fn plus(self, other: Self) -> Self {
        Self {
            idle: self.idle + other.idle,
            busy: self.busy + other.busy,
            scheduled: self.scheduled + other.scheduled,
            running: self.running + other.running,
            waiting: self.waiting + other.waiting,
        }
    }

    fn agents(self) -> Value {
        json!({"idle": self.idle, "busy": self.busy, "total": self.idle + self.busy})
    }

    fn jobs(self) -> Value {
        json!({"scheduled": self.scheduled, "running": self.running, "waiting": self.waiting,
            "total": self.scheduled + self.running + self.waiting})
    }
}
