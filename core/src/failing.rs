//! How pods fail to bring an agent up, and what an operator is told of it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::blueprint::template_finding;
use crate::finding::{Finding, FindingKind};
use crate::names::Queue;
use crate::pod::{Pod, PodStage};
use crate::template::Template;
use crate::time::Timestamp;
use crate::verdict::Presence;

/// A template whose pods fail, as metrics and pages show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailingTemplate {
    /// The template, as `namespace/name`.
    pub template: String,
    /// The queue it serves.
    pub queue: Queue,
    /// Failed starts in a row.
    pub failed: u32,
    /// Since when pods are made one at a time only, to try.
    pub since: Timestamp,
    /// The earliest time of the next one.
    pub next_trial_at: Timestamp,
    /// The latest of the failed starts.
    pub last: Option<FailedStart>,
}

/// A pod that did not bring an agent up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedStart {
    /// The pod's name.
    pub pod: String,
    /// What sort of failure it is.
    pub cause: StartFailure,
    /// The reason that Kubernetes gives, such as `ErrImagePull`.
    pub reason: Option<String>,
    /// The words it gives with it.
    pub message: Option<String>,
}

/// The ways in which a pod does not bring an agent up; a closed list, so that
/// it can label metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum StartFailure {
    /// Its image cannot be had.
    Image,
    /// A Secret, a `ConfigMap` or a key that it names is not there.
    Configuration,
    /// A container of it cannot be started, or ends again and again.
    Container,
    /// It ended, and not well, before an agent was seen.
    Ended,
    /// Its container runs, and no agent connects.
    Silent,
    /// It was still being prepared (its image, its volumes) when the startup
    /// timeout was over.
    Slow,
}

impl StartFailure {
    /// The failure in snake case, as metrics and logs show it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Configuration => "configuration",
            Self::Container => "container",
            Self::Ended => "ended",
            Self::Silent => "silent",
            Self::Slow => "slow",
        }
    }

    fn of(pod: &Pod) -> Self {
        match (pod.stage, pod.trouble.as_deref()) {
            (PodStage::Failed | PodStage::AgentEnded | PodStage::Succeeded, _) => Self::Ended,
            (
                PodStage::Unscheduled | PodStage::Starting | PodStage::Running,
                Some("ErrImagePull" | "ImagePullBackOff" | "InvalidImageName" | "ErrImageNeverPull"),
            ) => Self::Image,
            (PodStage::Unscheduled | PodStage::Starting | PodStage::Running, Some("CreateContainerConfigError")) => {
                Self::Configuration
            }
            (PodStage::Unscheduled | PodStage::Starting | PodStage::Running, Some(_)) => Self::Container,
            (PodStage::Unscheduled | PodStage::Starting, None) => Self::Slow,
            (PodStage::Running, None) => Self::Silent,
        }
    }

    /// What is said where Kubernetes gives no reason.
    fn words(self) -> &'static str {
        match self {
            Self::Image => "its image cannot be had",
            Self::Configuration => "its configuration is not complete",
            Self::Container => "a container of it does not start",
            Self::Ended => "it ended before an agent was seen",
            Self::Silent => "no agent connected within the startup timeout",
            Self::Slow => "its image or its volumes were not ready within the startup timeout",
        }
    }

    fn advice(self) -> &'static str {
        match self {
            Self::Image => "check the image's name and tag, the registry, and imagePullSecrets",
            Self::Configuration => "create the Secret or ConfigMap that the template names, or mend the name",
            Self::Container => "see `kubectl describe pod`, and mend the template's command, volumes or limits",
            Self::Ended => {
                "see `kubectl logs`; most often the agent's token is wrong, or the template's command is not the agent's"
            }
            Self::Silent => "see `kubectl logs`: the agent must reach Buildkite, with a token of this cluster",
            Self::Slow => "raise --agent-startup-timeout, make the image smaller, or see `kubectl describe pod`",
        }
    }
}

/// How the start of a pod went of which no agent was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// An agent may still come of it.
    Open,
    /// It ended well: its agent may have come, worked and left meanwhile.
    Well,
    /// No agent comes of it without something being mended.
    Failed,
}

impl Start {
    /// Judges a pod of which no agent was seen. One that waits for a node is
    /// not at fault, nor is one whose image is on its way; one that somebody
    /// deletes was not given the time.
    pub(crate) fn of(pod: &Pod, presence: impl FnOnce() -> Presence) -> Self {
        if pod.deleting {
            return Self::Open;
        }
        let failed = match pod.stage {
            PodStage::Unscheduled => false,
            PodStage::Starting | PodStage::Running => pod.trouble.is_some() || presence() == Presence::Overdue,
            PodStage::AgentEnded if pod.trouble.is_none() => return Self::Well,
            PodStage::Succeeded => return Self::Well,
            PodStage::AgentEnded | PodStage::Failed => true,
        };
        if failed { Self::Failed } else { Self::Open }
    }
}

impl FailedStart {
    /// What is remembered of this pod.
    pub(crate) fn of(pod: &Pod) -> Self {
        Self {
            pod: pod.name.clone(),
            cause: StartFailure::of(pod),
            reason: pod.trouble.clone(),
            message: pod.message.clone(),
        }
    }

    fn words(&self) -> String {
        let reason = self.reason.as_deref().unwrap_or(self.cause.words());
        match &self.message {
            Some(message) => format!("{reason}: {message}"),
            None => reason.to_owned(),
        }
    }
}

/// The finding about a template whose pods fail.
pub(crate) fn template_failing(
    template: &Template,
    failed: u32,
    last: &FailedStart,
    coming: u32,
    next: Duration,
) -> Finding {
    let next = if coming > 0 {
        format!("the next when none of the {coming} is left that Kubernetes still tries to start")
    } else if next.is_zero() {
        "the next after the next look".to_owned()
    } else {
        format!("the next in {} s", next.as_millis().div_ceil(1000))
    };
    template_finding(
        FindingKind::TemplateFailing,
        template,
        format!(
            "{failed} pods in a row came to nothing, {} the latest: {}; until an agent of this template connects only \
             one pod at a time is made to try it, {next}; {}",
            last.pod,
            last.words(),
            last.cause.advice()
        ),
    )
}

/// The finding about pods that take most of the startup timeout.
pub(crate) fn slow_start(template: &Template, pods: u32, oldest: &Pod, timeout: Duration, now: Timestamp) -> Finding {
    template_finding(
        FindingKind::SlowStart,
        template,
        format!(
            "{pods} pods of it are still being prepared, {} for {} s: the image is still being pulled, or a volume is \
             not there; after {} s they are given up, so raise --agent-startup-timeout or make the image smaller",
            oldest.name,
            now.since(oldest.created_at).as_secs(),
            timeout.as_secs()
        ),
    )
}
