//! A pod of ours, as Kubernetes shows it.

use serde::{Deserialize, Serialize};

use crate::names::{Queue, TemplateHash, Uid};
use crate::time::Timestamp;

/// A pod with the label `app.elotl.co=buildscaler`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pod {
    /// The pod's uid, sent as a precondition with every delete.
    pub uid: Uid,
    /// Where it lives.
    pub namespace: String,
    /// Its name, computed by the core for pods of this controller's making.
    pub name: String,
    /// The label `buildscaler.elotl.co/queue`; none if absent or empty.
    pub queue: Option<Queue>,
    /// The label `buildscaler.elotl.co/job-uid`: the Template it was made from.
    pub template_uid: Option<Uid>,
    /// The label `buildscaler.elotl.co/template-hash`.
    pub template_hash: Option<TemplateHash>,
    /// `metadata.creationTimestamp`, at one second's resolution.
    pub created_at: Timestamp,
    /// Whether `metadata.deletionTimestamp` is set.
    pub deleting: bool,
    /// How far it has come.
    pub stage: PodStage,
    /// What the agent's host is called: `spec.hostname`, or the name, cut to
    /// 63 characters; none with `hostNetwork`, where it is the node's.
    pub hostname: Option<String>,
    /// Why it does not start: a waiting reason such as `ImagePullBackOff`, or
    /// `Unschedulable`.
    pub trouble: Option<String>,
    /// The words that Kubernetes gives with the trouble, the first of them. They
    /// may quote the pod, so recordings leave them out.
    #[serde(default)]
    pub message: Option<String>,
    /// Whether another controller owns it (an ownerReference with
    /// `controller: true`, or the Job controller's tracking finalizer).
    pub adopted: bool,
}

/// How far a pod has come, judged by its agent container where that says more
/// than the phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum PodStage {
    /// Not bound to a node yet: no process can be running.
    Unscheduled,
    /// Bound, no container of it has started as far as its status says.
    Starting,
    /// Its agent container has started, or the phase is one we do not know.
    Running,
    /// The agent container has terminated for good while the phase is still
    /// Running: a sidecar holds the pod.
    AgentEnded,
    /// Phase Succeeded.
    Succeeded,
    /// Phase Failed.
    Failed,
}

impl PodStage {
    /// Whether no process of the pod can be running any more.
    pub fn is_finished(self) -> bool {
        match self {
            Self::Succeeded | Self::Failed => true,
            Self::Unscheduled | Self::Starting | Self::Running | Self::AgentEnded => false,
        }
    }
}
