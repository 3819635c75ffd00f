//! How far a pod has come.

use buildscaler_core::PodStage;

use super::status::ContainerStatus;
use super::{Container, PodRow};

impl PodRow {
    /// The stage, where doubt counts as a process that may be running: what
    /// runs is not removed.
    pub(super) fn stage(&self) -> PodStage {
        let agent = self.agent_status();
        let started = agent.is_some_and(has_started);
        match self.status.phase.as_deref() {
            Some("Succeeded") => PodStage::Succeeded,
            Some("Failed") => PodStage::Failed,
            None | Some("" | "Pending") if started => PodStage::Running,
            None | Some("" | "Pending") if self.is_bound() => PodStage::Starting,
            None | Some("" | "Pending") => PodStage::Unscheduled,
            Some("Running") => match agent {
                Some(status) if status.state.terminated.is_some() && !self.may_restart() => PodStage::AgentEnded,
                Some(_) if !started => PodStage::Starting,
                Some(_) | None => PodStage::Running,
            },
            Some(_) => PodStage::Running,
        }
    }

    fn is_bound(&self) -> bool {
        self.spec.node_name.as_ref().is_some_and(|node| !node.is_empty())
    }

    /// Whether the kubelet may start the agent container again.
    fn may_restart(&self) -> bool {
        let pod_restarts = self.spec.restart_policy.as_deref() != Some("Never");
        self.agent_container()
            .is_none_or(|container| restarts(container).unwrap_or(pod_restarts))
    }
}

/// What the container says about its restarts, if it does.
fn restarts(container: &Container) -> Option<bool> {
    if container
        .restart_policy_rules
        .as_ref()
        .is_some_and(|rules| !rules.is_empty())
    {
        return Some(true);
    }
    container.restart_policy.as_ref().map(|policy| policy != "Never")
}

fn has_started(status: &ContainerStatus) -> bool {
    let state = &status.state;
    state.running.is_some() || state.terminated.is_some() || status.started == Some(true) || status.restart_count > 0
}
