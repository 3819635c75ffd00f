//! Why a pod does not start, or how it failed.

use super::PodRow;
use super::status::ContainerStatus;

/// Waiting reasons that do not pass by themselves.
const STUCK: &[&str] = &[
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
    "CrashLoopBackOff",
];
const UNPLACED: &[&str] = &["Unschedulable", "SchedulingGated"];

impl PodRow {
    /// The reason that Kubernetes gives. Its message stays behind: it may
    /// quote the pod.
    pub(super) fn trouble(&self) -> Option<String> {
        if self.status.phase.as_deref() == Some("Failed") {
            return self.failure();
        }
        self.stuck().or_else(|| self.unplaced())
    }

    fn stuck(&self) -> Option<String> {
        self.statuses()
            .filter_map(|status| status.state.waiting.as_ref()?.reason.clone())
            .find(|reason| STUCK.contains(&reason.as_str()))
    }

    fn unplaced(&self) -> Option<String> {
        let condition = self.condition("PodScheduled")?;
        let reason = condition.reason.as_ref()?;
        (condition.status == "False" && UNPLACED.contains(&reason.as_str())).then(|| reason.clone())
    }

    fn failure(&self) -> Option<String> {
        if let Some(reason) = self.status.reason.as_ref().filter(|reason| !reason.is_empty()) {
            return Some(reason.clone());
        }
        // The agent's own end says more than that of a sidecar.
        let ended = |status: &ContainerStatus| {
            let ended = status.state.terminated.as_ref()?;
            let reason = ended.reason.as_deref().unwrap_or("Error");
            (ended.exit_code != 0).then(|| format!("{reason}, exit code {}", ended.exit_code))
        };
        self.agent_status()
            .and_then(ended)
            .or_else(|| self.statuses().find_map(ended))
    }

    fn statuses(&self) -> impl Iterator<Item = &ContainerStatus> {
        let init = self.status.init_container_statuses.iter().flatten();
        init.chain(self.status.container_statuses.iter().flatten())
    }
}
