//! The objects that the checks create.

use serde_json::{Value, json};

/// A pod that no scheduler looks at, so that it stays where it was put.
pub(crate) fn pod(name: &str, labels: &Value) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": name, "labels": labels },
        "spec": {
            "restartPolicy": "Never",
            "schedulerName": "nobody",
            "containers": [{ "name": "agent", "image": "example.com/agent:1" }],
        },
    })
}

/// The same, bound to a node.
pub(crate) fn bound_pod(name: &str, node: &str) -> Value {
    let mut pod = pod(name, &json!({}));
    pod["spec"]["nodeName"] = json!(node);
    pod
}

/// A template as a user would write it: a Job without parallelism.
pub(crate) fn template(name: &str) -> Value {
    json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "labels": { "app.elotl.co": "buildscaler", "buildscaler.elotl.co/queue": "default" },
        },
        "spec": {
            "parallelism": 0,
            "template": {
                "spec": {
                    "restartPolicy": "Never",
                    "containers": [{ "name": "agent", "image": "buildkite/agent:3" }],
                },
            },
        },
    })
}

/// A node that is ready and has room.
pub(crate) fn node(name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": { "name": name, "labels": { "kubernetes.io/hostname": name } },
        "status": {
            "allocatable": { "cpu": "64", "memory": "256Gi", "pods": "110" },
            "capacity": { "cpu": "64", "memory": "256Gi", "pods": "110" },
            "conditions": [{
                "type": "Ready", "status": "True", "reason": "KubeletReady", "message": "",
                "lastHeartbeatTime": null, "lastTransitionTime": null,
            }],
        },
    })
}

/// The reference that makes `owner` the owner, not the controller, of something.
pub(crate) fn owned_by(owner: &Value) -> Value {
    json!([{
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
    }])
}

/// The four labels by which the Job controller knows its pods.
pub(crate) const CONTROLLER_LABELS: [&str; 4] = [
    "batch.kubernetes.io/controller-uid",
    "batch.kubernetes.io/job-name",
    "controller-uid",
    "job-name",
];

pub(crate) fn has_condition(object: &Value, kind: &str, status: &str) -> bool {
    let conditions = object["status"]["conditions"].as_array();
    conditions
        .into_iter()
        .flatten()
        .any(|condition| condition["type"] == kind && condition["status"] == status)
}
