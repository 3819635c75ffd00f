//! What a command changes, to what, and why: of commands that were sent, and of
//! those that a dry run keeps back.

use buildscaler_core::{Action, AgentId, Reason, Uid};

use super::look::Sighted;
use super::notes::Judged;

/// A change of a pod or an agent.
#[derive(Clone, Debug)]
pub(crate) struct Deed {
    pub(crate) act: Act,
    pub(crate) queue: Option<String>,
    /// `namespace/name`, of deletes and creates.
    pub(crate) pod: Option<String>,
    pub(crate) uid: Option<Uid>,
    pub(crate) agent: Option<AgentId>,
    pub(crate) reason: Reason,
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Act {
    Create,
    Stop,
    Delete,
    /// With this grace period, in seconds.
    DeleteWithin(u32),
}

impl Act {
    /// For programs.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create_pod",
            Self::Stop => "stop_agent",
            Self::Delete | Self::DeleteWithin(_) => "delete_pod",
        }
    }
}

impl Deed {
    /// What an action changes, with the queue that is not in the action but is
    /// known from what was seen; none if it changes nothing here.
    pub(crate) fn of(action: &Action, reason: Reason, look: &Sighted, pods: &[Judged]) -> Option<Self> {
        let blank = |act| Self {
            act,
            queue: None,
            pod: None,
            uid: None,
            agent: None,
            reason,
        };
        match action {
            // Neither looks nor the controller's own affairs change anything here.
            Action::ObserveCluster
            | Action::ObserveBuildkite { .. }
            | Action::RegisterUsage { .. }
            | Action::MeterUsage { .. }
            | Action::ReadLease { .. }
            | Action::WriteLease(_) => None,
            Action::CreatePod(create) => Some(Self {
                queue: Some(create.queue.to_string()),
                pod: Some(format!("{}/{}", create.namespace, create.name)),
                ..blank(Act::Create)
            }),
            Action::StopAgent { agent } => {
                let queue = look.agent(agent).and_then(|seat| seat.queue.as_ref());
                Some(Self {
                    queue: queue.map(ToString::to_string),
                    agent: Some(agent.clone()),
                    ..blank(Act::Stop)
                })
            }
            Action::DeletePod {
                namespace,
                name,
                uid,
                grace_seconds,
            } => {
                let known = pods.binary_search_by(|judged| judged.pod.uid.cmp(uid)).ok();
                let queue = known.and_then(|place| pods[place].pod.queue.as_ref());
                Some(Self {
                    queue: queue.map(ToString::to_string),
                    pod: Some(format!("{namespace}/{name}")),
                    uid: Some(uid.clone()),
                    ..blank(grace_seconds.map_or(Act::Delete, Act::DeleteWithin))
                })
            }
        }
    }

    /// The pod as `namespace/name`, or the agent's id.
    pub(crate) fn subject(&self) -> String {
        let agent = || self.agent.as_ref().map(ToString::to_string);
        self.pod.clone().or_else(agent).unwrap_or_default()
    }
}
