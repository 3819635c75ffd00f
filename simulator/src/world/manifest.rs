//! A scenario's template as the Job that a user applies.

use serde_json::{Map, Value, json};

use super::fidelity::NAMESPACE;
use crate::scenario::TemplateSpec;

/// The Job, `apiVersion` to `spec`.
pub(crate) fn job_manifest(spec: &TemplateSpec) -> Value {
    let queue = spec.queue.as_deref().unwrap_or(&spec.name);
    let annotations: Map<String, Value> = spec
        .annotations
        .iter()
        .map(|(key, value)| (format!("buildscaler.elotl.co/{key}"), json!(value)))
        .collect();
    let mut container = json!({
        "name": "agent", "image": spec.image,
        "envFrom": [{"secretRef": {"name": "buildkite-agent-token"}}],
    });
    if !spec.tags.is_empty() {
        container["env"] = json!([{"name": "BUILDKITE_AGENT_TAGS", "value": spec.tags.join(",")}]);
    }
    let mut pod = json!({"restartPolicy": "Never", "containers": [container]});
    if let Some(seconds) = spec.grace_seconds {
        pod["terminationGracePeriodSeconds"] = json!(seconds);
    }
    json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {
            "name": spec.name, "namespace": NAMESPACE, "annotations": annotations,
            "labels": {"app.elotl.co": "buildscaler", "buildscaler.elotl.co/queue": queue},
        },
        "spec": {"parallelism": spec.parallelism, "template": {"spec": pod}},
    })
}
