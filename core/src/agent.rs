//! A Buildkite agent, as the REST API lists it.

use serde::{Deserialize, Serialize};

use crate::names::{AgentId, BuildkiteJobId, Queue, Uid};
use crate::time::Timestamp;

/// A registered agent. Buildkite lists connected and stopping ones only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// The agent's id, by which it is stopped.
    pub id: AgentId,
    /// What its host calls itself: the pod's hostname unless the template
    /// meddles with it. Needed only where no tag names the pod.
    pub hostname: Option<String>,
    /// Connected, or on its way out.
    pub state: ConnectionState,
    /// The job it runs; none is idle (or hidden from this token's user).
    pub running: Option<BuildkiteJobId>,
    /// Whether an operator paused it: neither capacity nor a target.
    pub paused: bool,
    /// `queue=` tags and the `queue` field. An agent that names none serves
    /// the queue `default`: then this is `[default]`.
    pub queues: Vec<Queue>,
    /// Its other tags (`meta_data`), as `key=value` or plain words.
    pub tags: Vec<String>,
    /// The value of its tag `pod-uid=`: the only unambiguous link to a pod.
    pub pod_uid: Option<Uid>,
    /// When it connected, by Buildkite's clock.
    pub connected_at: Option<Timestamp>,
}

/// The connection states that matter to a scaler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ConnectionState {
    /// Takes jobs.
    Connected,
    /// Asked to stop: finishes its job, takes no other.
    Stopping,
    /// Anything else, states of the future included: not capacity, no target.
    Other,
}

impl Agent {
    /// Whether it waits for a job and may be given one.
    pub fn is_idle(&self) -> bool {
        self.state == ConnectionState::Connected && !self.paused && self.running.is_none()
    }

    /// Whether a stop would reach it: paused agents are somebody's concern.
    pub fn may_be_stopped(&self) -> bool {
        self.state == ConnectionState::Connected && !self.paused
    }
}
