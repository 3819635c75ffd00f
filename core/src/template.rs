//! A Template: the Kubernetes Job from whose pod template agents are made.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::blueprint::agent_container;
use crate::hash;
use crate::labels;
use crate::names::{Queue, TemplateHash, Uid};
use crate::selector::LabelSelector;
use crate::time::Timestamp;

/// A Kubernetes Job that carries our label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    /// The Job's uid; a Job that is deleted and made again has another.
    pub uid: Uid,
    /// Where the Job lives, and so its pods.
    pub namespace: String,
    /// The Job's name.
    pub name: String,
    /// The label `buildscaler.elotl.co/queue`; none if it is absent or empty.
    pub queue: Option<Queue>,
    /// `spec.parallelism`; the API server fills in 1 where it is left out.
    pub parallelism: i64,
    /// `metadata.creationTimestamp`, at one second's resolution.
    pub created_at: Timestamp,
    /// Whether `metadata.deletionTimestamp` is set: the Job is as good as gone.
    pub deleting: bool,
    /// Whether the Job is Complete or Failed (a deadline with no pod at all
    /// does that). It still serves.
    pub finished: bool,
    /// `spec.selector`, against which every pod is tested before it is made.
    pub selector: LabelSelector,
    /// Annotations below `buildscaler.elotl.co/`, keys without that prefix.
    pub annotations: BTreeMap<String, String>,
    /// `spec.template`, as it came: fields newer than any binding survive.
    pub pod_template: PodTemplate,
    /// The fingerprint of `pod_template` without what the API server added.
    pub hash: TemplateHash,
}

/// A pod template as opaque JSON, which may hold what its author takes for
/// secret: its `Debug` shows nothing (Invariant 22).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PodTemplate(pub Value);

impl fmt::Debug for PodTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PodTemplate(…)")
    }
}

impl PodTemplate {
    /// The container in which pods of this template run their agent, if there
    /// is one.
    pub fn agent_container(&self) -> Option<&Value> {
        let containers = self.0.pointer("/spec/containers")?.as_array()?;
        containers.get(agent_container::place(containers))
    }

    /// The fingerprint of this template, without the labels that the API
    /// server adds to it.
    ///
    /// 64 bits (FNV-1a over the canonical JSON, keys sorted) in 13 letters and
    /// digits, fit for a label: it tells versions of one Job apart, where
    /// chance matters and malice does not, since whoever may write the Job may
    /// run any pod.
    pub fn fingerprint(&self) -> TemplateHash {
        let mut template = self.0.clone();
        if let Some(labels) = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
            for key in labels::CONTROLLER_LABELS {
                labels.remove(key);
            }
        }
        TemplateHash::from(hash::letters(&[template.to_string().as_bytes()]))
    }
}
