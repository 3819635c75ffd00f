//! What an agent makes of its container, read off the pod's manifest.

use std::time::Duration;

use buildscaler_core::{Uid, labels};
use serde_json::Value;

use crate::rivals::Stay;

/// What becomes of a pod's agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AgentSettings {
    /// Its tags, as the container's environment spells them; `$(…)` for the
    /// pod's uid is still to be filled in.
    pub(crate) tags: Vec<String>,
    pub(crate) stay: Stay,
    pub(crate) image: String,
    /// `terminationGracePeriodSeconds`
    pub(crate) grace: Duration,
}

impl AgentSettings {
    /// Reads a pod's spec.
    pub(crate) fn read(spec: &Value) -> Self {
        let containers = spec["containers"].as_array().map_or(&[][..], Vec::as_slice);
        let named = containers.iter().find(|container| container["name"] == "agent");
        let container = named.or(containers.first()).unwrap_or(&Value::Null);
        let variable = |name: &str| {
            let env = container["env"].as_array()?;
            env.iter().find(|entry| entry["name"] == name)?["value"].as_str()
        };
        let tags = variable(labels::TAGS_VARIABLE).unwrap_or_default();
        let idle = variable(labels::IDLE_TIMEOUT_VARIABLE).and_then(|seconds| seconds.parse().ok());
        const DEFAULT_GRACE: u64 = 30;
        Self {
            tags: tags
                .split(',')
                .filter(|tag| !tag.is_empty())
                .map(str::to_owned)
                .collect(),
            stay: match idle {
                Some(0) | None => Stay::ForGood,
                Some(seconds) => Stay::UntilIdle(Duration::from_secs(seconds)),
            },
            image: container["image"].as_str().unwrap_or_default().to_owned(),
            grace: Duration::from_secs(spec["terminationGracePeriodSeconds"].as_u64().unwrap_or(DEFAULT_GRACE)),
        }
    }

    /// The tags with the pod's uid in them.
    pub(crate) fn tags_of(&self, uid: &Uid) -> Vec<String> {
        let reference = format!("$({})", labels::POD_UID_VARIABLE);
        self.tags
            .iter()
            .map(|tag| tag.replace(&reference, uid.as_str()))
            .collect()
    }
}
