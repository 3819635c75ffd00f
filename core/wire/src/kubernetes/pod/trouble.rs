//! Why a pod does not start, or how it failed.

use buildscaler_core::PodStage;

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
/// Letters of a message that are kept: its beginning says what is wrong.
const MESSAGE_LENGTH: usize = 200;

/// What Kubernetes says of a pod that does not do what it should.
pub(super) struct Trouble {
    pub(super) reason: String,
    /// In words, which may quote the pod.
    pub(super) message: Option<String>,
}

impl Trouble {
    fn new(reason: &str, message: Option<&String>) -> Self {
        Self {
            reason: reason.to_owned(),
            message: message.and_then(|message| shortened(message)),
        }
    }
}

/// The beginning of the message, on one line.
fn shortened(message: &str) -> Option<String> {
    let line: String = message
        .trim()
        .chars()
        .take(MESSAGE_LENGTH)
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect();
    (!line.is_empty()).then_some(line)
}

impl PodRow {
    /// The reason that Kubernetes gives, with its words.
    pub(super) fn trouble(&self, stage: PodStage) -> Option<Trouble> {
        match stage {
            PodStage::Failed => self.failure(),
            PodStage::AgentEnded => self.agent_status().and_then(ended),
            PodStage::Unscheduled | PodStage::Starting | PodStage::Running | PodStage::Succeeded => {
                self.stuck().or_else(|| self.unplaced())
            }
        }
    }

    fn stuck(&self) -> Option<Trouble> {
        self.statuses().find_map(|status| {
            let waiting = status.state.waiting.as_ref()?;
            let reason = waiting.reason.as_deref().filter(|reason| STUCK.contains(reason))?;
            Some(Trouble::new(reason, waiting.message.as_ref()))
        })
    }

    fn unplaced(&self) -> Option<Trouble> {
        let condition = self.condition("PodScheduled").filter(|one| one.status == "False")?;
        let reason = condition.reason.as_deref().filter(|reason| UNPLACED.contains(reason))?;
        Some(Trouble::new(reason, condition.message.as_ref()))
    }

    fn failure(&self) -> Option<Trouble> {
        if let Some(reason) = self.status.reason.as_ref().filter(|reason| !reason.is_empty()) {
            return Some(Trouble::new(reason, self.status.message.as_ref()));
        }
        // The agent's own end says more than that of a sidecar.
        self.agent_status()
            .and_then(ended)
            .or_else(|| self.statuses().find_map(ended))
    }

    fn statuses(&self) -> impl Iterator<Item = &ContainerStatus> {
        let init = self.status.init_container_statuses.iter().flatten();
        init.chain(self.status.container_statuses.iter().flatten())
    }
}

/// How a container ended, unless it ended well.
fn ended(status: &ContainerStatus) -> Option<Trouble> {
    let ended = status.state.terminated.as_ref().filter(|ended| ended.exit_code != 0)?;
    let reason = ended.reason.as_deref().unwrap_or("Error");
    let reason = format!("{reason}, exit code {}", ended.exit_code);
    Some(Trouble::new(&reason, ended.message.as_ref()))
}
