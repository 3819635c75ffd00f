//! What a pod's spec and status mean.

#![expect(clippy::expect_used, reason = "a test may fail")]

use buildscaler_core::{Pod, PodStage};
use serde_json::{Value, json};

/// A pod of ours, bound to a node, with `change` merged over it.
fn pod(change: Value) -> Pod {
    let mut pod = json!({
        "metadata": {"uid": "uid-1", "name": "agent-1", "namespace": "builds",
                     "creationTimestamp": "2026-11-01T09:00:00Z",
                     "labels": {"app.elotl.co": "buildscaler", "buildscaler.elotl.co/queue": "linux"}},
        "spec": {"nodeName": "node-1", "restartPolicy": "Never", "containers": [{"name": "agent"}, {"name": "side"}]},
        "status": {"phase": "Running"},
    });
    merge(&mut pod, change);
    buildscaler_wire::pod(&pod).expect("a pod")
}

fn merge(into: &mut Value, change: Value) {
    match (into, change) {
        (Value::Object(into), Value::Object(change)) => {
            for (key, value) in change {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, change) => *into = change,
    }
}

fn status(phase: &str, agent: Value) -> Value {
    json!({"status": {"phase": phase, "containerStatuses": [
        // A sidecar that always runs, listed first.
        {"name": "side", "state": {"running": {"startedAt": "2026-11-01T09:00:09Z"}}, "started": true},
        agent,
    ]}})
}

fn agent(state: Value) -> Value {
    json!({"name": "agent", "state": state})
}

fn waiting(reason: &str) -> Value {
    agent(json!({"waiting": {"reason": reason, "message": "secret-marker"}}))
}

fn ended(code: i64) -> Value {
    agent(json!({"terminated": {"exitCode": code, "reason": "Error"}}))
}

#[test]
fn a_pod_without_a_node_is_unscheduled_whatever_its_phase_lacks() {
    for phase in [json!("Pending"), json!(""), json!(null)] {
        let pod = pod(json!({"spec": {"nodeName": null}, "status": {"phase": phase}}));
        assert_eq!(pod.stage, PodStage::Unscheduled);
    }
}

/// Seen to fail when the first status was taken for the agent's.
#[test]
fn the_agent_container_tells_starting_from_running() {
    let running = agent(json!({"running": {}}));
    for (change, expected) in [
        (status("Pending", waiting("ContainerCreating")), PodStage::Starting),
        (status("Pending", running.clone()), PodStage::Running),
        (status("Running", waiting("ContainerCreating")), PodStage::Starting),
        (status("Running", running), PodStage::Running),
        (
            status("Running", json!({"name": "agent", "state": {}, "started": true})),
            PodStage::Running,
        ),
        (
            status(
                "Running",
                json!({"name": "agent", "restartCount": 1, "state": {"waiting": {}}}),
            ),
            PodStage::Running,
        ),
        (json!({"status": {"phase": "Pending"}}), PodStage::Starting),
    ] {
        assert_eq!(pod(change.clone()).stage, expected, "{change}");
    }
}

#[test]
fn what_is_not_known_may_be_running() {
    assert_eq!(pod(json!({"status": {"phase": "Running"}})).stage, PodStage::Running);
    for phase in ["Unknown", "Levitating"] {
        assert_eq!(
            pod(json!({"spec": {"nodeName": null}, "status": {"phase": phase}})).stage,
            PodStage::Running
        );
    }
    assert_eq!(pod(status("Pending", ended(1))).stage, PodStage::Running);
}

#[test]
fn the_end_of_a_pod_needs_no_node() {
    for (phase, stage) in [("Succeeded", PodStage::Succeeded), ("Failed", PodStage::Failed)] {
        assert_eq!(
            pod(json!({"spec": {"nodeName": null}, "status": {"phase": phase}})).stage,
            stage
        );
    }
}

/// Seen to fail when restarts were not looked at.
#[test]
fn an_agent_has_ended_only_where_it_cannot_be_started_again() {
    let containers = |policy: Value| json!({"spec": {"containers": [policy]}});
    for (spec, expected) in [
        (json!({}), PodStage::AgentEnded),
        (json!({"spec": {"restartPolicy": "OnFailure"}}), PodStage::Running),
        (json!({"spec": {"restartPolicy": null}}), PodStage::Running),
        (
            containers(json!({"name": "agent", "restartPolicy": "Always"})),
            PodStage::Running,
        ),
        (
            containers(json!({"name": "agent", "restartPolicy": "Never"})),
            PodStage::AgentEnded,
        ),
        (
            containers(json!({"name": "agent", "restartPolicy": "Never",
                              "restartPolicyRules": [{"action": "Restart"}]})),
            PodStage::Running,
        ),
        (json!({"spec": {"containers": []}}), PodStage::Running),
    ] {
        let mut change = status("Running", ended(0));
        merge(&mut change, spec.clone());
        assert_eq!(pod(change).stage, expected, "{spec}");
    }
}

#[test]
fn without_a_container_called_agent_it_is_the_first_by_name() {
    let mut change = status(
        "Running",
        json!({"name": "main", "state": {"terminated": {"exitCode": 0}}}),
    );
    merge(
        &mut change,
        json!({"spec": {"containers": [{"name": "main"}, {"name": "side"}]}}),
    );
    assert_eq!(pod(change).stage, PodStage::AgentEnded);
}

#[test]
fn trouble_is_told_by_its_reason_alone() {
    for reason in [
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
        "CrashLoopBackOff",
    ] {
        assert_eq!(pod(status("Pending", waiting(reason))).trouble.as_deref(), Some(reason));
        let init = json!({"status": {"phase": "Pending", "initContainerStatuses": [waiting(reason)]}});
        assert_eq!(pod(init).trouble.as_deref(), Some(reason));
    }
    for reason in ["ContainerCreating", "PodInitializing"] {
        assert_eq!(pod(status("Pending", waiting(reason))).trouble, None);
    }
}

#[test]
fn a_pod_that_finds_no_node_is_in_trouble() {
    let condition = |status: &str, reason: &str| {
        pod(
            json!({"spec": {"nodeName": null}, "status": {"phase": "Pending", "conditions": [
            {"type": "PodScheduled", "status": status, "reason": reason}]}}),
        )
    };
    assert_eq!(
        condition("False", "Unschedulable").trouble.as_deref(),
        Some("Unschedulable")
    );
    assert_eq!(
        condition("False", "SchedulingGated").trouble.as_deref(),
        Some("SchedulingGated")
    );
    assert_eq!(condition("True", "Unschedulable").trouble, None);
    assert_eq!(condition("False", "Later").trouble, None);
}

#[test]
fn a_failed_pod_says_why() {
    let evicted = json!({"status": {"phase": "Failed", "reason": "Evicted", "message": "secret-marker"}});
    assert_eq!(pod(evicted).trouble.as_deref(), Some("Evicted"));
    assert_eq!(
        pod(status("Failed", ended(137))).trouble.as_deref(),
        Some("Error, exit code 137")
    );
    let init = json!({"status": {"phase": "Failed", "initContainerStatuses": [
        {"name": "init", "state": {"terminated": {"exitCode": 1}}}]}});
    assert_eq!(pod(init).trouble.as_deref(), Some("Error, exit code 1"));
    assert_eq!(pod(json!({"status": {"phase": "Failed"}})).trouble, None);
    assert_eq!(pod(status("Succeeded", ended(0))).trouble, None);
}

#[test]
fn the_hostname_is_what_the_kubelet_makes_of_it() {
    let long = format!("{}-.tail", "a".repeat(61));
    for (change, expected) in [
        (json!({}), Some("agent-1".to_owned())),
        (json!({"spec": {"hostname": "given"}}), Some("given".into())),
        (
            json!({"spec": {"hostname": "given", "hostnameOverride": "over"}}),
            Some("over".into()),
        ),
        (json!({"spec": {"hostname": ""}}), Some("agent-1".into())),
        (json!({"metadata": {"name": long}}), Some("a".repeat(61))),
        (json!({"spec": {"hostNetwork": true}}), None),
    ] {
        assert_eq!(pod(change.clone()).hostname, expected, "{change}");
    }
}

/// Seen to fail when any owner counted: a `controller: false` adopts nothing.
#[test]
fn a_pod_is_adopted_by_a_controller_or_its_finalizer() {
    let owner =
        |controller: Value| json!({"metadata": {"ownerReferences": [{"kind": "Job", "controller": controller}]}});
    assert!(pod(owner(json!(true))).adopted);
    assert!(!pod(owner(json!(false))).adopted);
    assert!(!pod(owner(json!(null))).adopted);
    assert!(pod(json!({"metadata": {"finalizers": ["batch.kubernetes.io/job-tracking"]}})).adopted);
    assert!(!pod(json!({"metadata": {"finalizers": ["example.com/other"]}})).adopted);
}

#[test]
fn labels_and_deletion_are_read() {
    let pod = pod(
        json!({"metadata": {"deletionTimestamp": "2026-11-01T10:00:00Z", "labels": {
        "buildscaler.elotl.co/queue": "", "buildscaler.elotl.co/job-uid": "job-1",
        "buildscaler.elotl.co/template-hash": "hash-1"}}}),
    );
    assert!(pod.deleting);
    assert_eq!(pod.queue, None);
    assert_eq!(pod.template_uid.as_ref().map(|uid| uid.as_str()), Some("job-1"));
    assert_eq!(pod.template_hash.as_ref().map(|hash| hash.as_str()), Some("hash-1"));
}

#[test]
fn what_is_no_pod_is_refused() {
    for object in [
        json!({}),
        json!(null),
        json!([]),
        json!({"metadata": {"name": "a"}, "spec": {"containers": []}}),
    ] {
        assert!(buildscaler_wire::pod(&object).is_err());
    }
}
