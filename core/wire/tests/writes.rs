//! Creating and deleting pods.

#![expect(clippy::expect_used, reason = "a test may fail")]

mod support;

use std::time::Duration;

use buildscaler_core::{Action, CreatePod, Failure, Outcome, Queue, Refusal, Uid};
use buildscaler_wire::{Api, Request, SendErrorKind};
use serde_json::{Value, json};
use support::{NOW, answer, begin, failure, outcome, send_error, talk, uris, with};

fn create() -> Action {
    Action::CreatePod(CreatePod {
        namespace: "builds".into(),
        name: "agent-1".into(),
        queue: Queue::from("linux"),
        template: Uid::from("uid"),
        manifest: manifest(),
    })
}

fn manifest() -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "agent-1"},
           "spec": {"containers": [{"name": "agent", "env": [{"value": "secret-marker"}]}], "fieldOfTheFuture": [1]}})
}

fn delete(grace_seconds: Option<u32>) -> Action {
    Action::DeletePod {
        namespace: "builds".into(),
        name: "agent-1".into(),
        uid: Uid::from("uid-1"),
        grace_seconds,
    }
}

/// The failure of a create that the API server answered like this.
fn refused(status: u16, message: &str) -> Failure {
    let body = json!({"kind": "Status", "status": "Failure", "message": message, "code": status}).to_string();
    failure(talk(begin(create()), |_| Ok(answer(status, body.clone()))).0)
}

fn body(request: &Request) -> Value {
    serde_json::from_slice(request.http.body()).expect("JSON")
}

/// Invariant 9 on the wire.
#[test]
fn a_pod_is_posted_byte_for_byte() {
    let (input, requests) = talk(begin(create()), |_| Ok(answer(201, "{}")));
    assert_eq!(outcome(input), Outcome::Done);
    assert_eq!(uris(&requests), ["POST /api/v1/namespaces/builds/pods"]);
    assert_eq!(requests[0].api, Api::Kubernetes);
    assert_eq!(requests[0].http.body(), manifest().to_string().as_bytes());
    assert_eq!(requests[0].http.headers()["content-type"], "application/json");
}

/// Invariant 22. Seen to fail when `Debug` showed the body as text.
#[test]
fn a_manifest_is_not_shown() {
    let mut exchange = begin(create());
    let before = format!("{exchange:?}");
    let request = exchange.next_request(NOW).expect("a request");
    let shown = format!("{before} {exchange:?} {request:?}");
    assert!(shown.contains("POST") && !shown.contains("secret-marker"), "{shown}");
}

/// Seen to fail without the precondition.
#[test]
fn a_delete_names_the_uid_and_the_grace_it_was_given() {
    let (input, requests) = talk(begin(delete(Some(600))), |_| Ok(answer(200, "{}")));
    assert_eq!(outcome(input), Outcome::Done);
    assert_eq!(uris(&requests), ["DELETE /api/v1/namespaces/builds/pods/agent-1"]);
    assert_eq!(
        body(&requests[0]),
        json!({"preconditions": {"uid": "uid-1"}, "gracePeriodSeconds": 600})
    );

    let (_, requests) = talk(begin(delete(None)), |_| Ok(answer(202, "{}")));
    assert_eq!(body(&requests[0]), json!({"preconditions": {"uid": "uid-1"}}));
}

#[test]
fn a_pod_gone_or_replaced_is_told_apart_from_one_deleted() {
    let (input, _) = talk(begin(delete(None)), |_| {
        Ok(answer(404, r#"{"message":"pods \"a\" not found"}"#))
    });
    assert!(matches!(failure(input), Failure::NotFound { .. }));
    let replaced =
        r#"{"reason":"Conflict","message":"Precondition failed: UID in precondition: a, UID in object meta: b"}"#;
    let (input, _) = talk(begin(delete(None)), |_| Ok(answer(409, replaced)));
    assert!(matches!(failure(input), Failure::AlreadyExists { .. }));
}

/// The messages are those of `kube-apiserver`.
#[test]
fn the_meanings_of_403_are_told_apart() {
    let cases = [
        (
            Refusal::Permission,
            "pods is forbidden: User \"system:serviceaccount:builds:buildscaler\" cannot create resource \"pods\" in \
             API group \"\" in the namespace \"builds\"",
        ),
        (
            Refusal::QuotaExceeded,
            "pods \"agent-1\" is forbidden: exceeded quota: pods, requested: pods=1, used: pods=10, limited: pods=10",
        ),
        (
            Refusal::Admission,
            "pods \"agent-1\" is forbidden: failed quota: compute: must specify limits.cpu for: agent",
        ),
        (
            Refusal::Admission,
            "pods \"agent-1\" is forbidden: maximum cpu usage per Container is 1, but limit is 2",
        ),
        (
            Refusal::Admission,
            "pods \"agent-1\" is forbidden: violates PodSecurity \"restricted:latest\": allowPrivilegeEscalation != false",
        ),
        (
            Refusal::Admission,
            "pods \"agent-1\" is forbidden: error looking up service account builds/agent: serviceaccount \"agent\" not found",
        ),
        (
            Refusal::NamespaceTerminating,
            "pods \"agent-1\" is forbidden: unable to create new content in namespace builds because it is being terminated",
        ),
        (
            Refusal::Webhook,
            "admission webhook \"policy.example\" denied the request: exceeded quota: of patience",
        ),
        (Refusal::Other, "no"),
    ];
    for (expected, message) in cases {
        let Failure::Forbidden { kind, message: said } = refused(403, message) else {
            panic!("{message} is no refusal");
        };
        assert_eq!((kind, said.as_str()), (expected, message));
    }
}

#[test]
fn a_terminating_namespace_is_known_by_its_cause_too() {
    let body = json!({"message": "pods \"a\" is forbidden: in the words of the future", "reason": "Forbidden",
                      "details": {"causes": [{"reason": "NamespaceTerminating", "field": "metadata.namespace"}]}});
    let (input, _) = talk(begin(create()), |_| Ok(answer(403, body.to_string())));
    assert!(matches!(
        failure(input),
        Failure::Forbidden {
            kind: Refusal::NamespaceTerminating,
            ..
        }
    ));
}

/// Seen to fail when webhooks were looked for last.
#[test]
fn a_webhook_may_choose_its_status() {
    let message = "admission webhook \"policy.example\" denied the request: no";
    for status in [400, 403, 406, 422] {
        let Failure::Forbidden { kind, .. } = refused(status, message) else {
            panic!("status {status} is no refusal");
        };
        assert_eq!(kind, Refusal::Webhook);
    }
}

#[test]
fn other_refusals_say_what_to_do_next() {
    assert!(matches!(
        refused(401, "Unauthorized"),
        Failure::Forbidden {
            kind: Refusal::Credentials,
            ..
        }
    ));
    assert!(matches!(
        refused(404, "namespaces \"builds\" not found"),
        Failure::NotFound { .. }
    ));
    assert!(matches!(
        refused(422, "Pod is invalid"),
        Failure::Rejected { status: 422, .. }
    ));
    assert!(matches!(
        refused(413, "too large"),
        Failure::Rejected { status: 413, .. }
    ));
    assert!(matches!(
        refused(307, "elsewhere"),
        Failure::Rejected { status: 307, .. }
    ));
}

/// Seen to fail when every 409 meant "exists": the pod was then waited for.
#[test]
fn a_409_means_the_pod_exists_unless_the_quota_was_being_written() {
    let exists = r#"{"reason":"AlreadyExists","message":"pods \"agent-1\" already exists"}"#;
    let quota = r#"{"reason":"Conflict","message":"Operation cannot be fulfilled on resourcequotas \"pods\""}"#;
    let (input, _) = talk(begin(create()), |_| Ok(answer(409, exists)));
    assert!(matches!(failure(input), Failure::AlreadyExists { .. }));
    let (input, _) = talk(begin(create()), |_| Ok(answer(409, quota)));
    assert!(matches!(failure(input), Failure::Unavailable { .. }));
}

/// Seen to fail when every 5xx meant "unavailable".
#[test]
fn a_server_in_trouble_may_have_created_the_pod() {
    for (status, message) in [
        (500, "etcdserver: request timed out"),
        (502, ""),
        (504, "Timeout: request did not complete"),
    ] {
        assert!(
            matches!(refused(status, message), Failure::FateUnknown { .. }),
            "{status}"
        );
    }
    for (status, message) in [
        (503, "apiserver is shutting down"),
        (
            500,
            "Internal error occurred: failed calling webhook \"policy.example\": connection refused",
        ),
    ] {
        assert!(
            matches!(refused(status, message), Failure::Unavailable { .. }),
            "{status}"
        );
    }
}

#[test]
fn throttling_lasts_as_long_as_it_says_or_a_second() {
    for (headers, seconds) in [(&[("retry-after", "3")][..], 3), (&[][..], 1)] {
        let (input, _) = talk(begin(create()), |_| Ok(with(answer(429, "{}"), headers)));
        let Failure::RateLimited { until, .. } = failure(input) else {
            panic!("not a limit");
        };
        assert_eq!(until, NOW.after(Duration::from_secs(seconds)));
    }
}

#[test]
fn without_an_answer_the_fate_depends_on_whether_it_was_sent() {
    for action in [create(), delete(None)] {
        for kind in [SendErrorKind::TimedOut, SendErrorKind::Cut, SendErrorKind::TooLarge] {
            let (input, _) = talk(begin(action.clone()), |_| Err(send_error(kind, true)));
            assert!(matches!(failure(input), Failure::FateUnknown { .. }));
        }
        let (input, _) = talk(begin(action), |_| Err(send_error(SendErrorKind::Unreachable, false)));
        assert!(matches!(failure(input), Failure::Unavailable { .. }));
    }
}

#[test]
fn a_long_message_is_cut_and_stays_on_one_line() {
    let Failure::Rejected { message, .. } = refused(400, &format!("first\nsecond{}", "é".repeat(5000))) else {
        panic!("not rejected");
    };
    assert!(
        message.starts_with("first second") && message.chars().count() == 400,
        "{message}"
    );
}

#[test]
fn a_name_that_no_pod_has_is_not_sent() {
    let action = Action::DeletePod {
        namespace: "builds".into(),
        name: String::new(),
        uid: Uid::from("uid-1"),
        grace_seconds: None,
    };
    let (input, requests) = talk(begin(action), |_| Ok(answer(200, "{}")));
    assert!(requests.is_empty());
    assert!(matches!(failure(input), Failure::Malformed { .. }));
}
