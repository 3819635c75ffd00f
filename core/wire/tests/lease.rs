//! The Lease on the wire, and the fence around writes.

#![expect(clippy::expect_used, clippy::panic, reason = "a test may fail")]

use std::time::Duration;

use buildscaler_core::{
    Action, AgentId, Command, CommandId, Failure, Input, Lease, LeaseRecord, Outcome, Reason, Timestamp, View,
    WriteLease,
};
use buildscaler_wire::{Exchange, Surroundings};
use serde_json::{Value, json};

const NOW: Timestamp = Timestamp::from_millis(1_793_534_400_123);

fn begin(action: Action, not_after: Option<Timestamp>) -> Exchange {
    let command = Command {
        id: CommandId(7),
        action,
        reason: Reason::Leadership,
        not_after,
    };
    let surroundings = Surroundings {
        organization: "acme".into(),
        namespace: None,
    };
    Exchange::begin(command, &surroundings, NOW)
}

fn read() -> Action {
    Action::ReadLease {
        namespace: "ci".into(),
        name: "buildscaler".into(),
        within: Duration::from_secs(5),
    }
}

fn record() -> LeaseRecord {
    LeaseRecord {
        holder: Some("me".into()),
        duration_seconds: 15,
        acquired_at: Some(NOW),
        renewed_at: Some(NOW),
        transitions: 2,
    }
}

fn write(over: Option<&str>, record: LeaseRecord) -> Action {
    Action::WriteLease(WriteLease {
        namespace: "ci".into(),
        name: "buildscaler".into(),
        over: over.map(str::to_owned),
        record,
        within: Duration::from_secs(5),
    })
}

/// Sends the only request and answers it so.
fn talk(action: Action, status: u16, body: &Value) -> (http::Request<Vec<u8>>, View<Option<Lease>>) {
    let mut exchange = begin(action, None);
    let request = exchange.next_request(NOW).expect("a request");
    assert_eq!(request.within, Some(Duration::from_secs(5)));
    let answer = http::Response::builder()
        .status(status)
        .body(body.to_string().into_bytes());
    exchange.absorb(Ok(answer.expect("an answer")), NOW);
    assert!(exchange.next_request(NOW).is_none(), "one request is all");
    let Input::Lease { id, view } = exchange.finish(NOW) else {
        panic!("it ends otherwise");
    };
    assert_eq!(id, CommandId(7));
    (request.http, view)
}

#[test]
fn a_lease_is_written_and_read_as_kubernetes_does() {
    let (request, _) = talk(write(Some("41"), record()), 500, &json!({}));
    assert_eq!(request.method(), "PUT");
    assert_eq!(
        request.uri(),
        "/apis/coordination.k8s.io/v1/namespaces/ci/leases/buildscaler"
    );
    let body: Value = serde_json::from_slice(request.body()).expect("JSON");
    assert_eq!(body["metadata"]["resourceVersion"], "41");
    assert_eq!(
        body["spec"],
        json!({
            "holderIdentity": "me", "leaseDurationSeconds": 15, "leaseTransitions": 2,
            "acquireTime": "2026-11-01T12:00:00.123000Z", "renewTime": "2026-11-01T12:00:00.123000Z",
        })
    );
    let mut stored = body;
    stored["metadata"]["resourceVersion"] = json!("42");
    let lease = Lease {
        version: "42".into(),
        record: record(),
    };
    assert_eq!(talk(read(), 200, &stored).1, View::Complete(Some(lease)));
    let released = LeaseRecord {
        holder: None,
        ..record()
    };
    let (request, _) = talk(write(None, released.clone()), 500, &json!({}));
    assert_eq!(
        (request.method().as_str(), request.uri().path()),
        ("POST", "/apis/coordination.k8s.io/v1/namespaces/ci/leases")
    );
    let mut body: Value = serde_json::from_slice(request.body()).expect("JSON");
    assert_eq!(body["spec"]["holderIdentity"], "");
    body["metadata"]["resourceVersion"] = json!("1");
    let View::Complete(Some(lease)) = talk(read(), 200, &body).1 else {
        panic!("it is there");
    };
    assert_eq!(lease.record, released);
}

#[test]
fn refusals_of_a_lease_are_told_apart() {
    assert_eq!(talk(read(), 404, &json!({})).1, View::Complete(None));
    let refused = |action, status| match talk(action, status, &json!({})).1 {
        View::Unknown(failure) => failure,
        View::Complete(lease) => panic!("{lease:?}"),
    };
    assert!(matches!(
        refused(write(Some("1"), record()), 404),
        Failure::NotFound { .. }
    ));
    assert!(matches!(
        refused(write(Some("1"), record()), 409),
        Failure::AlreadyExists { .. }
    ));
    assert!(matches!(refused(write(None, record()), 403), Failure::Forbidden { .. }));
    assert!(matches!(
        refused(write(Some("1"), record()), 500),
        Failure::FateUnknown { .. }
    ));
    assert!(matches!(refused(read(), 500), Failure::Unavailable { .. }));
    // A success without a version is none.
    assert!(matches!(refused(read(), 200), Failure::Malformed { .. }));
}

/// A write is handed out until its leader's time is over, and not at that time.
#[test]
fn a_write_is_not_sent_once_it_is_out_of_date() {
    let stop = || Action::StopAgent {
        agent: AgentId::from("a"),
    };
    let end = NOW.after(Duration::from_secs(10));
    let just_in_time = Timestamp::from_millis(end.as_millis() - 1);
    assert!(begin(stop(), Some(end)).next_request(just_in_time).is_some());
    let mut late = begin(stop(), Some(end));
    assert!(late.next_request(end).is_none());
    let Input::Outcome { outcome, spending, .. } = late.finish(end) else {
        panic!("it ends otherwise");
    };
    assert!(
        matches!(outcome, Outcome::Failed(Failure::Unavailable { .. })),
        "{outcome:?}"
    );
    assert_eq!(spending.requests, 0);
}
