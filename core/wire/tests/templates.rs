//! What a Job's spec and status mean.

#![expect(clippy::expect_used, reason = "a test may fail")]

use buildscaler_core::selector::Operator;
use buildscaler_core::{PodTemplate, Template};
use serde_json::{Value, json};

fn job() -> Value {
    json!({
        "metadata": {"uid": "uid-1", "name": "agent", "namespace": "builds", "creationTimestamp": "2026-11-01T08:00:00Z",
                     "labels": {"app.elotl.co": "buildscaler", "buildscaler.elotl.co/queue": "linux"}},
        "spec": {"parallelism": 0, "selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": "uid-1"}},
                 "template": {"spec": {"containers": [{"name": "agent", "image": "buildkite/agent:3"}]}}},
        "status": {},
    })
}

fn read(job: &Value) -> Template {
    buildscaler_wire::template(job).expect("a Job")
}

/// Invariant 9: fields newer than any binding survive. Seen to fail when the
/// template went through the bindings' `PodTemplateSpec`.
#[test]
fn the_pod_template_is_kept_as_it_came() {
    let mut job = job();
    let template = json!({"metadata": {"labels": {"job-name": "agent"}}, "fieldOfTheFuture": {"z": [1.5, null, "é"]},
                          "spec": {"containers": [{"name": "agent", "image": null, "newer": {}}], "overhead": 1}});
    job["spec"]["template"] = template.clone();
    let read = read(&job);
    assert_eq!(read.pod_template.0, template);
    assert_eq!(read.hash, PodTemplate(template).fingerprint());
}

#[test]
fn labels_that_the_api_server_adds_do_not_change_the_hash() {
    let plain = read(&job());
    let mut labelled = job();
    labelled["spec"]["template"]["metadata"] = json!({"labels": {"controller-uid": "uid-1", "job-name": "agent"}});
    let mut bare = job();
    bare["spec"]["template"]["metadata"] = json!({"labels": {}});
    assert_eq!(read(&labelled).hash, read(&bare).hash);
    let mut other = job();
    other["spec"]["template"]["spec"]["containers"][0]["image"] = json!("buildkite/agent:4");
    assert_ne!(read(&other).hash, plain.hash);
}

#[test]
fn parallelism_left_out_is_one() {
    let mut job = job();
    assert_eq!(read(&job).parallelism, 0);
    job["spec"]["parallelism"] = Value::Null;
    assert_eq!(read(&job).parallelism, 1);
}

#[test]
fn a_job_is_finished_when_a_condition_says_so_and_is_true() {
    for (kind, status, finished) in [
        ("Complete", "True", true),
        ("Failed", "True", true),
        ("Failed", "False", false),
        ("Suspended", "True", false),
        ("FailureTarget", "True", false),
    ] {
        let mut job = job();
        job["status"] = json!({"conditions": [{"type": kind, "status": status}]});
        assert_eq!(read(&job).finished, finished, "{kind} {status}");
    }
}

#[test]
fn only_our_annotations_are_kept_without_their_prefix() {
    let mut job = job();
    job["metadata"]["annotations"] = json!({
        "buildscaler.elotl.co/max-active-builds": "5", "buildscaler.elotl.co": "x", "example.com/other": "y"});
    let annotations: Vec<(String, String)> = read(&job).annotations.into_iter().collect();
    assert_eq!(annotations, [("max-active-builds".to_owned(), "5".to_owned())]);
}

/// A selector that is not understood must count as one that matches. Seen to
/// fail when an unknown operator was read as `Exists`.
#[test]
fn selectors_are_read_with_operators_of_the_future() {
    let mut job = job();
    job["spec"]["selector"] = json!({"matchExpressions": [
        {"key": "a", "operator": "In", "values": ["1"]}, {"key": "b", "operator": "NotIn", "values": []},
        {"key": "c", "operator": "Exists"}, {"key": "d", "operator": "DoesNotExist"}, {"key": "e", "operator": "Gt"}]});
    let operators: Vec<Operator> = read(&job)
        .selector
        .match_expressions
        .iter()
        .map(|one| one.operator)
        .collect();
    let expected = [
        Operator::In,
        Operator::NotIn,
        Operator::Exists,
        Operator::DoesNotExist,
        Operator::Unknown,
    ];
    assert_eq!(operators, expected);
    job["spec"]["selector"] = Value::Null;
    assert!(
        read(&job).selector.matches(&[].into()),
        "no selector is taken for one that matches"
    );
}

#[test]
fn an_empty_queue_is_none_and_a_deletion_is_seen() {
    let mut job = job();
    job["metadata"]["labels"]["buildscaler.elotl.co/queue"] = json!("");
    job["metadata"]["deletionTimestamp"] = json!("2026-11-01T09:00:00Z");
    let template = read(&job);
    assert_eq!((template.queue, template.deleting), (None, true));
}

#[test]
fn what_is_no_job_is_refused() {
    let mut without_template = job();
    without_template["spec"] = json!({"parallelism": 0});
    let mut without_date = job();
    without_date["metadata"]["creationTimestamp"] = json!("soon");
    for object in [json!({}), json!(null), json!("job"), without_template, without_date] {
        assert!(buildscaler_wire::template(&object).is_err(), "{object}");
    }
}
