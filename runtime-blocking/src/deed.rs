//! A command in words, for the plan, for what `apply` says, and for the log.

use buildscaler_core::{Action, Command, Failure, Input, LookEnd, Outcome};
use serde::Serialize;

/// What a command does, to what, and why. It holds no manifest, and so no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Deed {
    /// `create`, `stop`, `delete`, `look at`, `write`, `register` or `record`.
    #[serde(rename = "do")]
    pub(crate) verb: &'static str,
    /// The pod or the agent.
    pub(crate) subject: String,
    /// The queue it is done for, where the command says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) queue: Option<String>,
    /// A word of the core's closed list.
    pub(crate) reason: &'static str,
}

impl Deed {
    /// The words for a command.
    pub(crate) fn of(command: &Command) -> Self {
        let (verb, subject, queue) = match &command.action {
            Action::ObserveCluster => ("look at", "Kubernetes".into(), None),
            Action::ObserveBuildkite { .. } => ("look at", "Buildkite".into(), None),
            Action::CreatePod(pod) => (
                "create",
                format!("pod {}/{}", pod.namespace, pod.name),
                Some(pod.queue.as_str().to_owned()),
            ),
            Action::StopAgent { agent } => ("stop", format!("agent {}", agent.as_str()), None),
            Action::DeletePod { namespace, name, .. } => ("delete", format!("pod {namespace}/{name}"), None),
            Action::RegisterUsage { product_code, .. } => ("register", format!("usage of {product_code}"), None),
            Action::MeterUsage { dimension, .. } => ("record", format!("usage of {dimension}"), None),
            Action::ReadLease { namespace, name, .. } => ("look at", format!("lease {namespace}/{name}"), None),
            Action::WriteLease(write) => ("write", format!("lease {}/{}", write.namespace, write.name), None),
        };
        Self {
            verb,
            subject,
            queue,
            reason: command.reason.as_str(),
        }
    }

    /// Logs how the command ended.
    pub(crate) fn log_end(&self, answer: &Input) {
        let Self { verb, subject, .. } = self;
        match failure(answer) {
            Some(error) => tracing::warn!(reason = self.reason, %error, "{verb} {subject}: failed"),
            None => tracing::debug!(reason = self.reason, "{verb} {subject}: done"),
        }
    }
}

/// Why what the answer tells of did not succeed; none if it did.
pub(crate) fn failure(answer: &Input) -> Option<&Failure> {
    match answer {
        Input::Cluster { view, .. } => view.templates.failure().or_else(|| view.pods.failure()),
        Input::Buildkite { look, .. } => match &look.end {
            LookEnd::Complete | LookEnd::More(_) => None,
            LookEnd::Failed(_, failure) => Some(failure),
        },
        Input::Outcome { outcome, .. } => match outcome {
            Outcome::Done => None,
            Outcome::Failed(failure) => Some(failure),
        },
        Input::Lease { view, .. } => view.failure(),
        Input::Tick | Input::Shutdown => None,
    }
}

/// Whether a command changes nothing of the fleet.
pub(crate) fn is_look(command: &Command) -> bool {
    match &command.action {
        Action::ObserveCluster | Action::ObserveBuildkite { .. } | Action::ReadLease { .. } | Action::WriteLease(_) => {
            true
        }
        Action::CreatePod(_)
        | Action::StopAgent { .. }
        | Action::DeletePod { .. }
        | Action::RegisterUsage { .. }
        | Action::MeterUsage { .. } => false,
    }
}
