//! How pods are deleted: A6.

use serde_json::{Value, json};

use crate::objects::{bound_pod, pod};
use crate::suite::Check;
use crate::target::Target;

pub(crate) fn checks() -> Vec<Check> {
    vec![
        Check::new("a6_a_wrong_uid_is_a_conflict", a6_a_wrong_uid_is_a_conflict),
        Check::new("a6_a_stale_version_is_a_conflict", a6_a_stale_version_is_a_conflict),
        Check::new("a6_an_unscheduled_pod_goes_at_once", a6_an_unscheduled_pod_goes_at_once),
        Check::new("a6_a_finished_pod_goes_at_once", a6_a_finished_pod_goes_at_once),
        Check::new(
            "a6_a_bound_pod_stays_until_it_has_ended",
            a6_a_bound_pod_stays_until_it_has_ended,
        ),
        Check::new("a6_grace_can_only_become_shorter", a6_grace_can_only_become_shorter),
        Check::new("a6_a_spec_does_not_change", a6_a_spec_does_not_change),
        Check::new(
            "a6_a_status_is_changed_apart_from_the_rest",
            a6_a_status_is_changed_apart_from_the_rest,
        ),
        Check::new(
            "a6_a_collection_is_deleted_by_labels",
            a6_a_collection_is_deleted_by_labels,
        ),
    ]
}

async fn a6_a_wrong_uid_is_a_conflict(target: Target) {
    let pod = target.admin.post(&target.pods(), &pod("p", &json!({}))).await.object();
    let other = "00000000-0000-4000-8000-000000000000";
    let options = json!({ "preconditions": { "uid": other } });
    let status = target
        .admin
        .delete(&target.pod("p"), &options)
        .await
        .refused(409, "Conflict");
    let uid = pod["metadata"]["uid"].as_str().unwrap_or_default();
    let why = format!(
        "the UID in the precondition ({other}) does not match the UID in record ({uid}). \
         The object might have been deleted and then recreated"
    );
    assert_eq!(
        status["message"],
        format!("Operation cannot be fulfilled on Pod \"p\": {why}")
    );
    assert_eq!(status["details"], json!({ "name": "p", "kind": "Pod" }));
    let options = json!({ "preconditions": { "uid": uid } });
    target.admin.delete(&target.pod("p"), &options).await.object();
    target.gone(&target.pod("p")).await;
}

async fn a6_a_stale_version_is_a_conflict(target: Target) {
    let old = target.admin.post(&target.pods(), &pod("p", &json!({}))).await.object();
    let new = target
        .admin
        .patch(&target.pod("p"), &json!({ "metadata": { "labels": { "a": "b" } } }))
        .await
        .object();
    let version = |pod: &Value| json!({ "preconditions": { "resourceVersion": pod["metadata"]["resourceVersion"] } });
    let status = target
        .admin
        .delete(&target.pod("p"), &version(&old))
        .await
        .refused(409, "Conflict");
    let why = format!(
        "the ResourceVersion in the precondition ({}) does not match the ResourceVersion in record ({}). \
         The object might have been modified",
        old["metadata"]["resourceVersion"].as_str().unwrap_or_default(),
        new["metadata"]["resourceVersion"].as_str().unwrap_or_default()
    );
    assert_eq!(
        status["message"],
        format!("Operation cannot be fulfilled on Pod \"p\": {why}")
    );
    target.admin.delete(&target.pod("p"), &version(&new)).await.object();
}

async fn a6_an_unscheduled_pod_goes_at_once(target: Target) {
    target.admin.post(&target.pods(), &pod("p", &json!({}))).await.object();
    let last = target.admin.delete(&target.pod("p"), &json!({})).await.object();
    assert_eq!(last["kind"], "Pod");
    target.admin.get(&target.pod("p")).await.refused(404, "NotFound");
}

async fn a6_a_finished_pod_goes_at_once(target: Target) {
    target
        .admin
        .post(&target.pods(), &bound_pod("p", &target.own("nowhere")))
        .await
        .object();
    let done = json!({ "status": { "phase": "Succeeded" } });
    target
        .admin
        .patch(&format!("{}/status", target.pod("p")), &done)
        .await
        .object();
    target.admin.delete(&target.pod("p"), &json!({})).await.object();
    target.admin.get(&target.pod("p")).await.refused(404, "NotFound");
}

async fn a6_a_bound_pod_stays_until_it_has_ended(target: Target) {
    target
        .admin
        .post(&target.pods(), &bound_pod("p", &target.own("nowhere")))
        .await
        .object();
    let marked = target.admin.delete(&target.pod("p"), &json!({})).await.object();
    assert!(marked["metadata"]["deletionTimestamp"].is_string());
    assert_eq!(marked["metadata"]["deletionGracePeriodSeconds"], 30);
    let read = target.admin.get(&target.pod("p")).await.object();
    assert_eq!(
        read["metadata"]["deletionTimestamp"],
        marked["metadata"]["deletionTimestamp"]
    );
    // An end in the status does not remove it: the kubelet does, with no grace left.
    let done = json!({ "status": { "phase": "Succeeded" } });
    target
        .admin
        .patch(&format!("{}/status", target.pod("p")), &done)
        .await
        .object();
    target.admin.delete(&target.pod("p"), &json!({})).await.object();
    target.admin.get(&target.pod("p")).await.object();
    target
        .admin
        .delete(&target.pod("p"), &json!({ "gracePeriodSeconds": 0 }))
        .await
        .object();
    target.admin.get(&target.pod("p")).await.refused(404, "NotFound");
}

async fn a6_grace_can_only_become_shorter(target: Target) {
    target
        .admin
        .post(&target.pods(), &bound_pod("p", &target.own("nowhere")))
        .await
        .object();
    let grace = async |seconds: i64| {
        let options = json!({ "gracePeriodSeconds": seconds });
        target.admin.delete(&target.pod("p"), &options).await.object()["metadata"].clone()
    };
    let first = grace(20).await;
    assert_eq!(first["deletionGracePeriodSeconds"], 20);
    let longer = grace(100).await;
    assert_eq!(longer["deletionGracePeriodSeconds"], 20);
    assert_eq!(longer["deletionTimestamp"], first["deletionTimestamp"]);
    let shorter = grace(10).await;
    assert_eq!(shorter["deletionGracePeriodSeconds"], 10);
    assert!(shorter["deletionTimestamp"].as_str() < first["deletionTimestamp"].as_str());
}

async fn a6_a_spec_does_not_change(target: Target) {
    target.admin.post(&target.pods(), &pod("p", &json!({}))).await.object();
    let patch = json!({ "spec": { "hostname": "other" } });
    let status = target
        .admin
        .patch(&target.pod("p"), &patch)
        .await
        .refused(422, "Invalid");
    assert_eq!(status["details"]["causes"][0]["field"], "spec");
    assert_eq!(status["details"]["causes"][0]["reason"], "FieldValueForbidden");
    let strategic = "application/strategic-merge-patch+json";
    let patch = json!({ "spec": { "containers": [{ "name": "agent", "image": "example.com/agent:2" }] } });
    let patched = target
        .admin
        .patch_as(&target.pod("p"), strategic, &patch)
        .await
        .object();
    assert_eq!(patched["spec"]["containers"][0]["image"], "example.com/agent:2");
    assert_eq!(patched["spec"]["containers"].as_array().map(Vec::len), Some(1));
}

async fn a6_a_status_is_changed_apart_from_the_rest(target: Target) {
    let mut sneaky = pod("p", &json!({}));
    sneaky["status"] = json!({ "phase": "Running" });
    let created = target.admin.post(&target.pods(), &sneaky).await.object();
    assert_eq!(created["status"]["phase"], "Pending");
    let patched = target
        .admin
        .patch(&target.pod("p"), &json!({ "status": { "phase": "Running" } }))
        .await
        .object();
    assert_eq!(patched["status"]["phase"], "Pending");
    assert_eq!(
        patched["metadata"]["resourceVersion"], created["metadata"]["resourceVersion"],
        "nothing was written"
    );
    let status = format!("{}/status", target.pod("p"));
    let strategic = "application/strategic-merge-patch+json";
    for kind in ["Ready", "Initialized"] {
        let patch = json!({ "status": { "phase": "Running", "conditions": [{ "type": kind, "status": "True" }] } });
        target.admin.patch_as(&status, strategic, &patch).await.object();
    }
    let read = target.admin.get(&target.pod("p")).await.object();
    assert_eq!(read["status"]["phase"], "Running");
    let kinds = read["status"]["conditions"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|it| it["type"].clone())
        .collect::<Vec<_>>();
    assert_eq!(kinds.len(), 2, "conditions are merged by their type: {kinds:?}");
}

async fn a6_a_collection_is_deleted_by_labels(target: Target) {
    for (name, labels) in [("a", json!({ "x": "1" })), ("b", json!({ "x": "1" })), ("c", json!({}))] {
        target.admin.post(&target.pods(), &pod(name, &labels)).await.object();
    }
    target
        .admin
        .delete(&format!("{}?labelSelector=x%3D1", target.pods()), &json!({}))
        .await
        .object();
    target.gone(&target.pod("a")).await;
    target.gone(&target.pod("b")).await;
    target.admin.get(&target.pod("c")).await.object();
}
