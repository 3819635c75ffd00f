//! What the Job controller and the garbage collector do to pods: B1 to B8, B12.

use std::time::Duration;

use serde_json::{Value, json};

use crate::client::eventually;
use crate::objects::{CONTROLLER_LABELS, bound_pod, has_condition, owned_by, pod, template};
use crate::suite::Check;
use crate::target::Target;

pub(crate) fn checks() -> Vec<Check> {
    vec![
        Check::new("b1_a_pod_without_the_labels_lives", b1_a_pod_without_the_labels_lives),
        Check::new("b2_a_pod_with_the_labels_dies", b2_a_pod_with_the_labels_dies),
        Check::new(
            "b3_a_manual_selector_claims_by_the_users_labels",
            b3_a_manual_selector_claims_by_the_users_labels,
        ),
        Check::new(
            "b4_a_negative_selector_claims_what_lacks_a_label",
            b4_a_negative_selector_claims_what_lacks_a_label,
        ),
        Check::new(
            "b5_pods_that_name_no_owner_survive_every_deletion",
            b5_pods_that_name_no_owner_survive_every_deletion,
        ),
        Check::new(
            "b5_a_pod_owned_by_the_template_dies_with_it",
            b5_a_pod_owned_by_the_template_dies_with_it,
        ),
        Check::new("b5_orphaning_strips_the_reference", b5_orphaning_strips_the_reference),
        Check::new(
            "b6_a_deadline_ends_a_template_and_no_pod",
            b6_a_deadline_ends_a_template_and_no_pod,
        ),
        Check::new(
            "b6_no_completions_and_a_ttl_remove_a_template",
            b6_no_completions_and_a_ttl_remove_a_template,
        ),
        Check::new("b7_suspending_protects_no_pod", b7_suspending_protects_no_pod),
        Check::new(
            "b8_a_template_managed_by_others_claims_nothing",
            b8_a_template_managed_by_others_claims_nothing,
        ),
        Check::new(
            "b12_parallelism_starts_pods_from_the_template",
            b12_parallelism_starts_pods_from_the_template,
        ),
    ]
}

/// The labels of a template's pods, as somebody who copies them would.
fn template_labels(job: &Value) -> Value {
    job["spec"]["template"]["metadata"]["labels"].clone()
}

/// Waits until the Job controller has had its turn: it has killed what is its own.
async fn doomed_is_gone(target: &Target, job: &Value) {
    target
        .admin
        .post(&target.pods(), &pod("doomed", &template_labels(job)))
        .await
        .object();
    target.gone(&target.pod("doomed")).await;
}

fn assert_untouched(pod: &Value) {
    assert_eq!(pod["metadata"]["ownerReferences"], Value::Null);
    assert_eq!(pod["metadata"]["finalizers"], Value::Null);
    assert_eq!(pod["metadata"]["deletionTimestamp"], Value::Null);
}

async fn b1_a_pod_without_the_labels_lives(target: Target) {
    let job = target.admin.post(&target.templates(), &template("q")).await.object();
    let mut labels = template_labels(&job);
    for label in CONTROLLER_LABELS {
        labels.as_object_mut().expect("labels").remove(label);
    }
    labels["app.elotl.co"] = json!("buildscaler");
    target.admin.post(&target.pods(), &pod("ours", &labels)).await.object();
    doomed_is_gone(&target, &job).await;
    target.pass(Duration::from_secs(15)).await;
    assert_untouched(&target.admin.get(&target.pod("ours")).await.object());
}

async fn b2_a_pod_with_the_labels_dies(target: Target) {
    let job = target.admin.post(&target.templates(), &template("q")).await.object();
    doomed_is_gone(&target, &job).await;
    let mut busy = bound_pod("busy", &target.own("nowhere"));
    busy["metadata"]["labels"] = json!({ "batch.kubernetes.io/controller-uid": job["metadata"]["uid"] });
    let created = target.admin.post(&target.pods(), &busy).await.object();
    let running = json!({ "status": { "phase": "Running", "conditions": [{ "type": "Ready", "status": "True" }] } });
    target
        .admin
        .patch(&format!("{}/status", target.pod("busy")), &running)
        .await
        .object();
    let adopted = eventually("a busy pod is killed too", async || {
        let pod = target.admin.get(&target.pod("busy")).await.object();
        pod["metadata"]["deletionTimestamp"].is_string().then_some(pod)
    })
    .await;
    let owner = &adopted["metadata"]["ownerReferences"][0];
    assert_eq!(
        (&owner["uid"], &owner["controller"]),
        (&job["metadata"]["uid"], &json!(true))
    );
    // It was tracked from its adoption until just before it was killed.
    let version = created["metadata"]["resourceVersion"].as_str().unwrap_or_default();
    let query = format!("watch=true&timeoutSeconds=2&fieldSelector=metadata.name%3Dbusy&resourceVersion={version}");
    let events = target.admin.watch(&format!("{}?{query}", target.pods())).await;
    let tracked =
        |event: &Value| event["object"]["metadata"]["finalizers"] == json!(["batch.kubernetes.io/job-tracking"]);
    assert!(events.iter().any(tracked), "{events:?}");
    assert_eq!(adopted["metadata"]["finalizers"], Value::Null);
}

async fn b3_a_manual_selector_claims_by_the_users_labels(target: Target) {
    let mut job = template("q");
    job["spec"]["manualSelector"] = json!(true);
    job["spec"]["selector"] = json!({ "matchLabels": { "team": "blue" } });
    job["spec"]["template"]["metadata"] = json!({ "labels": { "team": "blue" } });
    let job = target.admin.post(&target.templates(), &job).await.object();
    assert_eq!(template_labels(&job), json!({ "team": "blue" }), "no labels are added");
    target
        .admin
        .post(&target.pods(), &pod("ours", &json!({ "team": "red" })))
        .await
        .object();
    doomed_is_gone(&target, &job).await;
    assert_untouched(&target.admin.get(&target.pod("ours")).await.object());
}

async fn b4_a_negative_selector_claims_what_lacks_a_label(target: Target) {
    let mut job = template("q");
    job["spec"]["manualSelector"] = json!(true);
    job["spec"]["selector"] =
        json!({ "matchExpressions": [{ "key": "spared", "operator": "NotIn", "values": ["yes"] }] });
    job["spec"]["template"]["metadata"] = json!({ "labels": { "team": "blue" } });
    target.admin.post(&target.templates(), &job).await.object();
    target
        .admin
        .post(&target.pods(), &pod("spared", &json!({ "spared": "yes" })))
        .await
        .object();
    target
        .admin
        .post(&target.pods(), &pod("plain", &json!({})))
        .await
        .object();
    target.gone(&target.pod("plain")).await;
    assert_untouched(&target.admin.get(&target.pod("spared")).await.object());
}

async fn b5_pods_that_name_no_owner_survive_every_deletion(target: Target) {
    let mut uids = Vec::new();
    for policy in ["Background", "Foreground", "Orphan"] {
        let job = target.admin.post(&target.templates(), &template("q")).await.object();
        assert!(!uids.contains(&job["metadata"]["uid"]), "a recreated Job has a new uid");
        uids.push(job["metadata"]["uid"].clone());
        let name = format!("of-{}", policy.to_lowercase());
        target
            .admin
            .post(&target.pods(), &pod(&name, &json!({ "queue": "default" })))
            .await
            .object();
        target
            .admin
            .delete(&target.template("q"), &json!({ "propagationPolicy": policy }))
            .await
            .object();
        target.gone(&target.template("q")).await;
    }
    target.pass(Duration::from_secs(3)).await;
    for name in ["of-background", "of-foreground", "of-orphan"] {
        assert_untouched(&target.admin.get(&target.pod(name)).await.object());
    }
}

async fn b5_a_pod_owned_by_the_template_dies_with_it(target: Target) {
    let job = target.admin.post(&target.templates(), &template("q")).await.object();
    let mut owned = bound_pod("owned", &target.own("nowhere"));
    owned["metadata"]["ownerReferences"] = owned_by(&job);
    target.admin.post(&target.pods(), &owned).await.object();
    target
        .admin
        .delete(&target.template("q"), &json!({ "propagationPolicy": "Background" }))
        .await
        .object();
    target.admin.get(&target.template("q")).await.refused(404, "NotFound");
    eventually("the garbage collector ends the pod", async || {
        let pod = target.admin.get(&target.pod("owned")).await.object();
        pod["metadata"]["deletionTimestamp"].is_string().then_some(())
    })
    .await;
    let mut stray = pod("stray", &json!({}));
    stray["metadata"]["ownerReferences"] = owned_by(&job);
    stray["metadata"]["ownerReferences"][0]["uid"] = json!("00000000-0000-4000-8000-000000000000");
    target.admin.post(&target.pods(), &stray).await.object();
    target.gone(&target.pod("stray")).await;
}

async fn b5_orphaning_strips_the_reference(target: Target) {
    let job = target.admin.post(&target.templates(), &template("q")).await.object();
    let mut owned = pod("owned", &json!({}));
    owned["metadata"]["ownerReferences"] = owned_by(&job);
    target.admin.post(&target.pods(), &owned).await.object();
    // The garbage collector has to have seen the pod before it can spare it.
    target.pass(Duration::from_secs(2)).await;
    target
        .admin
        .delete(&target.template("q"), &json!({ "propagationPolicy": "Orphan" }))
        .await
        .object();
    target.gone(&target.template("q")).await;
    assert_untouched(&target.admin.get(&target.pod("owned")).await.object());
}

async fn b6_a_deadline_ends_a_template_and_no_pod(target: Target) {
    let mut job = template("q");
    job["spec"]["activeDeadlineSeconds"] = json!(1);
    target.admin.post(&target.templates(), &job).await.object();
    target
        .admin
        .post(&target.pods(), &pod("ours", &json!({})))
        .await
        .object();
    let failed = eventually("the Job fails", async || {
        let job = target.admin.get(&target.template("q")).await.object();
        has_condition(&job, "Failed", "True").then_some(job)
    })
    .await;
    let conditions = failed["status"]["conditions"].as_array().expect("conditions");
    assert!(
        conditions
            .iter()
            .any(|condition| condition["reason"] == "DeadlineExceeded"),
        "{conditions:?}"
    );
    // A Job that has ended claims nothing any more.
    target
        .admin
        .post(&target.pods(), &pod("late", &template_labels(&failed)))
        .await
        .object();
    target.pass(Duration::from_secs(5)).await;
    for name in ["ours", "late"] {
        assert_eq!(
            target.admin.get(&target.pod(name)).await.object()["metadata"]["deletionTimestamp"],
            Value::Null
        );
    }
}

async fn b6_no_completions_and_a_ttl_remove_a_template(target: Target) {
    let mut job = template("q");
    job["spec"]["completions"] = json!(0);
    let created = target.admin.post(&target.templates(), &job).await.object();
    assert_eq!(created["spec"]["completions"], 0);
    eventually("it is complete", async || {
        has_condition(
            &target.admin.get(&target.template("q")).await.object(),
            "Complete",
            "True",
        )
        .then_some(())
    })
    .await;
    job["metadata"]["name"] = json!("r");
    job["spec"]["ttlSecondsAfterFinished"] = json!(1);
    target
        .admin
        .post(&target.pods(), &pod("ours", &json!({})))
        .await
        .object();
    target.admin.post(&target.templates(), &job).await.object();
    target.gone(&target.template("r")).await;
    assert_untouched(&target.admin.get(&target.pod("ours")).await.object());
}

async fn b7_suspending_protects_no_pod(target: Target) {
    let mut job = template("q");
    job["spec"]["suspend"] = json!(true);
    let job = target.admin.post(&target.templates(), &job).await.object();
    doomed_is_gone(&target, &job).await;
    let suspended = target.admin.get(&target.template("q")).await.object();
    assert_eq!(suspended["status"]["startTime"], Value::Null, "its clock stands still");
    target
        .admin
        .patch(&target.template("q"), &json!({ "spec": { "suspend": false } }))
        .await
        .object();
    eventually("it starts", async || {
        target.admin.get(&target.template("q")).await.object()["status"]["startTime"]
            .is_string()
            .then_some(())
    })
    .await;
}

async fn b8_a_template_managed_by_others_claims_nothing(target: Target) {
    let mut job = template("q");
    job["spec"]["managedBy"] = json!("buildscaler.elotl.co/buildscaler");
    let job = target.admin.post(&target.templates(), &job).await.object();
    assert_eq!(job["spec"]["managedBy"], "buildscaler.elotl.co/buildscaler");
    target
        .admin
        .post(&target.pods(), &pod("labelled", &template_labels(&job)))
        .await
        .object();
    target.pass(Duration::from_secs(6)).await;
    assert_untouched(&target.admin.get(&target.pod("labelled")).await.object());
    assert_eq!(
        target.admin.get(&target.template("q")).await.object()["status"]["startTime"],
        Value::Null
    );
    let mut bad = template("r");
    bad["spec"]["managedBy"] = json!("no-domain");
    let status = target
        .admin
        .post(&target.templates(), &bad)
        .await
        .refused(422, "Invalid");
    assert_eq!(status["details"]["causes"][0]["field"], "spec.managedBy");
}

async fn b12_parallelism_starts_pods_from_the_template(target: Target) {
    let job = target.admin.post(&target.templates(), &template("q")).await.object();
    let patched = target
        .admin
        .patch(&target.template("q"), &json!({ "spec": { "parallelism": 1 } }))
        .await
        .object();
    assert_eq!(patched["metadata"]["generation"], 2);
    let started = eventually("a pod is started", async || {
        let list = target.admin.get(&target.pods()).await.object();
        list["items"].as_array().and_then(|items| items.first()).cloned()
    })
    .await;
    assert_eq!(started["metadata"]["labels"], template_labels(&job));
    assert_eq!(started["metadata"]["ownerReferences"][0]["uid"], job["metadata"]["uid"]);
    target
        .admin
        .patch(&target.template("q"), &json!({ "spec": { "parallelism": 0 } }))
        .await
        .object();
    eventually("it is ended again", async || {
        let list = target.admin.get(&target.pods()).await.object();
        let left = list["items"].as_array().map(Vec::as_slice).unwrap_or_default();
        left.iter()
            .all(|pod| pod["metadata"]["deletionTimestamp"].is_string())
            .then_some(())
    })
    .await;
}
