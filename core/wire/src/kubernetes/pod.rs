//! From a Kubernetes pod to ours.

use std::collections::BTreeMap;
use std::sync::Arc;

use buildscaler_core::{Pod, Queue, TemplateHash, Uid, labels};
use serde::Deserialize;
use serde_json::Value;

use super::list::Row;
use crate::date;
use crate::malformed::Malformed;

mod stage;
mod status;
mod trouble;

use status::{Condition, ContainerStatus, Status};

/// Letters of a hostname that the kubelet keeps.
const HOSTNAME_LENGTH: usize = 63;

/// Reads a pod, as the API server writes it.
///
/// # Errors
/// If it is no pod that an API server could have written.
pub fn pod(pod: &Value) -> Result<Pod, Malformed> {
    PodRow::deserialize(pod)?.into_pod()
}

/// A pod, without what is not needed: nothing else of it is kept in memory.
#[derive(Deserialize)]
pub(super) struct PodRow {
    metadata: Metadata,
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    uid: String,
    namespace: String,
    name: String,
    creation_timestamp: String,
    deletion_timestamp: Option<String>,
    labels: Option<BTreeMap<String, String>>,
    owner_references: Option<Vec<OwnerReference>>,
    finalizers: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct OwnerReference {
    controller: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    node_name: Option<String>,
    hostname: Option<String>,
    hostname_override: Option<String>,
    host_network: Option<bool>,
    restart_policy: Option<String>,
    containers: Vec<Container>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Container {
    name: String,
    restart_policy: Option<String>,
    restart_policy_rules: Option<Vec<serde::de::IgnoredAny>>,
}

impl Row for PodRow {
    type Kept = Arc<Pod>;
    const LIST: &'static str = "PodList";

    fn keep(self) -> Result<Self::Kept, Malformed> {
        self.into_pod().map(Arc::new)
    }
}

impl PodRow {
    fn into_pod(self) -> Result<Pod, Malformed> {
        let label = |key: &str| {
            let value = self.metadata.labels.as_ref()?.get(key)?;
            (!value.is_empty()).then_some(value.as_str())
        };
        let stage = self.stage();
        let (trouble, message) = match self.trouble(stage) {
            Some(trouble) => (Some(trouble.reason), trouble.message),
            None => (None, None),
        };
        Ok(Pod {
            queue: label(labels::QUEUE).map(Queue::from),
            template_uid: label(labels::JOB_UID).map(Uid::from),
            template_hash: label(labels::TEMPLATE_HASH).map(TemplateHash::from),
            created_at: date::required("creationTimestamp", &self.metadata.creation_timestamp)?,
            deleting: self.metadata.deletion_timestamp.is_some(),
            stage,
            hostname: self.hostname(),
            trouble,
            message,
            adopted: self.is_adopted(),
            uid: Uid::from(self.metadata.uid),
            namespace: self.metadata.namespace,
            name: self.metadata.name,
        })
    }

    /// What the kubelet calls the host; with the node's network it is the
    /// node's name, which tells pods of one node not apart.
    fn hostname(&self) -> Option<String> {
        if self.spec.host_network == Some(true) {
            return None;
        }
        let given = [&self.spec.hostname_override, &self.spec.hostname]
            .into_iter()
            .flatten()
            .find(|given| !given.is_empty());
        let cut: String = given
            .unwrap_or(&self.metadata.name)
            .chars()
            .take(HOSTNAME_LENGTH)
            .collect();
        Some(cut.trim_end_matches(['-', '.']).to_owned())
    }

    fn is_adopted(&self) -> bool {
        let owned = self
            .metadata
            .owner_references
            .iter()
            .flatten()
            .any(|owner| owner.controller == Some(true));
        let tracked = self
            .metadata
            .finalizers
            .iter()
            .flatten()
            .any(|finalizer| finalizer == labels::JOB_TRACKING);
        owned || tracked
    }

    /// The container called `agent`, or else the first. Its status is found by
    /// name: webhooks add containers, and the kubelet sorts statuses.
    fn agent_container(&self) -> Option<&Container> {
        let containers = &self.spec.containers;
        containers
            .iter()
            .find(|container| container.name == "agent")
            .or(containers.first())
    }

    fn agent_status(&self) -> Option<&ContainerStatus> {
        let container = self.agent_container()?;
        self.status
            .container_statuses
            .iter()
            .flatten()
            .find(|status| status.name == container.name)
    }

    fn condition(&self, name: &str) -> Option<&Condition> {
        self.status
            .conditions
            .iter()
            .flatten()
            .find(|condition| condition.r#type == name)
    }
}
