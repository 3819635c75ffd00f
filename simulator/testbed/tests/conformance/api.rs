//! Creating and changing: A1 to A5, A14, A16, A17.

use serde_json::{Value, json};

use crate::client::eventually;
use crate::objects::{CONTROLLER_LABELS, pod, template};
use crate::suite::Check;
use crate::target::Target;

pub(crate) fn checks() -> Vec<Check> {
    vec![
        Check::new(
            "a1_a_template_needs_a_restart_policy",
            a1_a_template_needs_a_restart_policy,
        ),
        Check::new("a1_the_server_labels_a_template", a1_the_server_labels_a_template),
        Check::new(
            "a2_a_queue_label_changes_without_a_new_uid",
            a2_a_queue_label_changes_without_a_new_uid,
        ),
        Check::new("a3_a_template_is_immutable", a3_a_template_is_immutable),
        Check::new("a3_a_suspended_template_may_move", a3_a_suspended_template_may_move),
        Check::new("a4_a_generated_name_fits_a_label", a4_a_generated_name_fits_a_label),
        Check::new(
            "a5_same_name_twice_is_already_exists",
            a5_same_name_twice_is_already_exists,
        ),
        Check::new("a5_an_invalid_pod_names_its_causes", a5_an_invalid_pod_names_its_causes),
        Check::new("a16_a_lost_answer_makes_one_pod", a16_a_lost_answer_makes_one_pod),
        Check::new("a17_a_name_must_fit_the_labels", a17_a_name_must_fit_the_labels),
        Check::new("a17_a_large_template_is_kept_whole", a17_a_large_template_is_kept_whole),
    ]
}

async fn a1_a_template_needs_a_restart_policy(target: Target) {
    let mut job = template("q");
    job["spec"]["template"]["spec"]
        .as_object_mut()
        .expect("a spec")
        .remove("restartPolicy");
    let status = target
        .admin
        .post(&target.templates(), &job)
        .await
        .refused(422, "Invalid");
    let cause = &status["details"]["causes"][0];
    assert_eq!(cause["field"], "spec.template.spec.restartPolicy");
    assert_eq!(cause["reason"], "FieldValueRequired");
    assert_eq!(
        cause["message"],
        "Required value: valid values: \"OnFailure\", \"Never\""
    );
    assert_eq!(status["details"]["causes"].as_array().map(Vec::len), Some(1));
    assert_eq!(status["details"]["kind"], "Job");
    assert_eq!(status["details"]["group"], "batch");
    assert_eq!(status["details"]["name"], "q");
    let message = "Job.batch \"q\" is invalid: spec.template.spec.restartPolicy: Required value: valid values: \"OnFailure\", \"Never\"";
    assert_eq!(status["message"], message);
}

async fn a1_the_server_labels_a_template(target: Target) {
    let job = target.admin.post(&target.templates(), &template("q")).await.object();
    let labels = &job["spec"]["template"]["metadata"]["labels"];
    let uid = &job["metadata"]["uid"];
    for label in CONTROLLER_LABELS {
        let expected = if label.ends_with("uid") { uid } else { &json!("q") };
        assert_eq!(&labels[label], expected, "{label}");
    }
    assert_eq!(
        job["spec"]["selector"],
        json!({ "matchLabels": { "batch.kubernetes.io/controller-uid": uid } })
    );
    assert_eq!(job["spec"]["completions"], Value::Null);
    assert_eq!(job["spec"]["parallelism"], 0);
    assert_eq!(job["spec"]["backoffLimit"], 6);
    assert_eq!(job["spec"]["suspend"], false);
    assert_eq!(job["metadata"]["generation"], 1);
    eventually("the Job has started", async || {
        target.admin.get(&target.template("q")).await.object()["status"]["startTime"]
            .is_string()
            .then_some(())
    })
    .await;
}

async fn a2_a_queue_label_changes_without_a_new_uid(target: Target) {
    let before = target.admin.post(&target.templates(), &template("q")).await.object();
    let patch = json!({ "metadata": { "labels": { "buildscaler.elotl.co/queue": "other" } } });
    let after = target.admin.patch(&target.template("q"), &patch).await.object();
    assert_eq!(after["metadata"]["labels"]["buildscaler.elotl.co/queue"], "other");
    assert_eq!(after["metadata"]["uid"], before["metadata"]["uid"]);
    assert_eq!(after["metadata"]["generation"], before["metadata"]["generation"]);
    assert_ne!(
        after["metadata"]["resourceVersion"],
        before["metadata"]["resourceVersion"]
    );
}

async fn a3_a_template_is_immutable(target: Target) {
    target.admin.post(&target.templates(), &template("q")).await.object();
    let patch = json!({ "spec": { "template": { "metadata": { "labels": { "new": "label" } } } } });
    let status = target
        .admin
        .patch(&target.template("q"), &patch)
        .await
        .refused(422, "Invalid");
    assert_eq!(status["details"]["causes"][0]["field"], "spec.template");
    assert_eq!(status["details"]["causes"][0]["reason"], "FieldValueInvalid");
    let message = status["message"].as_str().unwrap_or_default();
    assert!(message.ends_with("field is immutable"), "{message}");
}

async fn a3_a_suspended_template_may_move(target: Target) {
    let mut job = template("q");
    job["spec"]["suspend"] = json!(true);
    target.admin.post(&target.templates(), &job).await.object();
    let patch = json!({ "spec": { "template": {
        "metadata": { "labels": { "new": "label" } }, "spec": { "nodeSelector": { "disk": "fast" } },
    } } });
    let after = target.admin.patch(&target.template("q"), &patch).await.object();
    assert_eq!(after["spec"]["template"]["spec"]["nodeSelector"]["disk"], "fast");
    assert_eq!(after["metadata"]["generation"], 2);
    let patch = json!({ "spec": { "template": { "spec": { "hostNetwork": true } } } });
    target
        .admin
        .patch(&target.template("q"), &patch)
        .await
        .refused(422, "Invalid");
}

async fn a4_a_generated_name_fits_a_label(target: Target) {
    let mut pod = pod("", &json!({}));
    pod["metadata"] = json!({ "generateName": "a".repeat(80) });
    let created = target.admin.post(&target.pods(), &pod).await.object();
    let name = created["metadata"]["name"].as_str().unwrap_or_default();
    assert_eq!(name.len(), 63);
    assert!(name.starts_with(&"a".repeat(58)), "{name}");
    assert!(
        name.chars()
            .skip(58)
            .all(|letter| "bcdfghjklmnpqrstvwxz2456789".contains(letter)),
        "{name}"
    );
}

async fn a5_same_name_twice_is_already_exists(target: Target) {
    target.admin.post(&target.pods(), &pod("p", &json!({}))).await.object();
    let status = target
        .admin
        .post(&target.pods(), &pod("p", &json!({})))
        .await
        .refused(409, "AlreadyExists");
    assert_eq!(status["message"], "pods \"p\" already exists");
    assert_eq!(status["details"], json!({ "name": "p", "kind": "pods" }));
    target.admin.post(&target.templates(), &template("q")).await.object();
    let status = target
        .admin
        .post(&target.templates(), &template("q"))
        .await
        .refused(409, "AlreadyExists");
    assert_eq!(status["message"], "jobs.batch \"q\" already exists");
    assert_eq!(
        status["details"],
        json!({ "name": "q", "group": "batch", "kind": "jobs" })
    );
    let status = target.admin.get(&target.pod("nobody")).await.refused(404, "NotFound");
    assert_eq!(status["message"], "pods \"nobody\" not found");
    assert_eq!(status["details"], json!({ "name": "nobody", "kind": "pods" }));
}

async fn a5_an_invalid_pod_names_its_causes(target: Target) {
    let refused = async |change: &dyn Fn(&mut Value)| {
        let mut pod = pod("p", &json!({}));
        change(&mut pod);
        let status = target.admin.post(&target.pods(), &pod).await.refused(422, "Invalid");
        assert_eq!(status["details"]["kind"], "Pod");
        let cause = status["details"]["causes"][0].clone();
        (
            cause["field"].as_str().unwrap_or_default().to_owned(),
            cause["reason"].as_str().unwrap_or_default().to_owned(),
        )
    };
    let expected = |field: &str, reason: &str| (field.to_owned(), reason.to_owned());
    let none = refused(&|pod| pod["spec"]["containers"] = json!([])).await;
    assert_eq!(none, expected("spec.containers", "FieldValueRequired"));
    let policy = refused(&|pod| pod["spec"]["restartPolicy"] = json!("Sometimes")).await;
    assert_eq!(policy, expected("spec.restartPolicy", "FieldValueNotSupported"));
    let variable = refused(&|pod| pod["spec"]["containers"][0]["env"] = json!([{ "name": "", "value": "x" }])).await;
    assert_eq!(
        variable,
        expected("spec.containers[0].env[0].name", "FieldValueRequired")
    );
    let label = refused(&|pod| pod["metadata"]["labels"] = json!({ "queue": "has:colon" })).await;
    assert_eq!(label, expected("metadata.labels", "FieldValueInvalid"));
    let name = refused(&|pod| pod["metadata"]["name"] = json!("Not_A_Name")).await;
    assert_eq!(name, expected("metadata.name", "FieldValueInvalid"));
    let container = refused(&|pod| pod["spec"]["containers"][0]["image"] = json!("")).await;
    assert_eq!(container, expected("spec.containers[0].image", "FieldValueRequired"));
}

async fn a16_a_lost_answer_makes_one_pod(target: Target) {
    let (client, proxy) = target.through_proxy().await;
    client.get(&target.pods()).await.object();
    proxy.lose_answers();
    let lost = client.try_post(&target.pods(), &pod("p", &json!({}))).await;
    assert!(lost.is_err(), "the answer was lost: {lost:?}");
    // Whoever computes the name of a pod can simply try again.
    target
        .admin
        .post(&target.pods(), &pod("p", &json!({})))
        .await
        .refused(409, "AlreadyExists");
    let list = target.admin.get(&target.pods()).await.object();
    assert_eq!(list["items"].as_array().map(Vec::len), Some(1));
}

async fn a17_a_name_must_fit_the_labels(target: Target) {
    let longest = "n".repeat(63);
    target
        .admin
        .post(&target.templates(), &template(&longest))
        .await
        .object();
    let status = target
        .admin
        .post(&target.templates(), &template(&"n".repeat(64)))
        .await
        .refused(422, "Invalid");
    let message = status["message"].as_str().unwrap_or_default();
    assert!(message.contains("must be no more than 63"), "{message}");
    let dotted = target
        .admin
        .post(&target.templates(), &template("a.b.c"))
        .await
        .object();
    assert_eq!(dotted["spec"]["template"]["metadata"]["labels"]["job-name"], "a.b.c");
}

async fn a17_a_large_template_is_kept_whole(target: Target) {
    let mut job = template("q");
    job["metadata"]["annotations"] = json!({ "note": "größer 🚀 日本語" });
    job["spec"]["template"]["spec"]["containers"][0]["env"] =
        json!([{ "name": "BIG", "value": "x".repeat(900 * 1024) }]);
    target.admin.post(&target.templates(), &job).await.object();
    let read = target.admin.get(&target.template("q")).await.object();
    assert_eq!(read["metadata"]["annotations"], job["metadata"]["annotations"]);
    let containers = "/spec/template/spec/containers/0/env";
    assert_eq!(read.pointer(containers), job.pointer(containers));
}
