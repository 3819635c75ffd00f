//! Events about findings.

mod support;

use buildscaler_core::{Announcement, Failure, FindingKind, ObjectKind, Outcome, Regarding, Uid};
use buildscaler_wire::{SendErrorKind, Telling};
use serde_json::{Value, json};
use support::{NOW, answer, send_error, uris};

fn announcement(kind: ObjectKind) -> Announcement {
    Announcement {
        name: "linux.0123456789abc".into(),
        regarding: Regarding {
            kind,
            namespace: "builds".into(),
            name: "linux".into(),
            uid: Uid::from("uid-1"),
        },
        kind: FindingKind::ContestedQueue,
        note: "two Jobs cannot share a queue".into(),
        at: NOW,
    }
}

/// All fields that the API server wants. Seen to fail with seconds in `eventTime`.
#[test]
fn an_event_is_about_the_object_by_uid() {
    for (kind, api_version, word) in [(ObjectKind::Job, "batch/v1", "Job"), (ObjectKind::Pod, "v1", "Pod")] {
        let mut telling = Telling::begin(&announcement(kind), "buildscaler-0");
        let request = telling.next_request().expect("a request");
        assert!(telling.next_request().is_none());
        let body: Value = serde_json::from_slice(request.http.body()).expect("JSON");
        assert_eq!(
            uris(&[request]),
            ["POST /apis/events.k8s.io/v1/namespaces/builds/events"]
        );
        assert_eq!(
            body,
            json!({
                "apiVersion": "events.k8s.io/v1", "kind": "Event",
                "metadata": {"namespace": "builds", "name": "linux.0123456789abc"},
                "type": "Warning", "reason": "ContestedQueue", "action": "Inspect",
                "note": "two Jobs cannot share a queue",
                "regarding": {"apiVersion": api_version, "kind": word, "namespace": "builds", "name": "linux",
                              "uid": "uid-1"},
                "reportingController": "buildscaler.elotl.co/controller", "reportingInstance": "buildscaler-0",
                "eventTime": "1970-01-01T00:16:40.000000Z",
            })
        );
        telling.absorb(Ok(answer(201, "{}")), NOW);
        assert_eq!(telling.finish(), Outcome::Done);
    }
}

#[test]
fn an_event_without_an_answer_has_an_unknown_fate() {
    let mut telling = Telling::begin(&announcement(ObjectKind::Job), "x".repeat(300).as_str());
    let request = telling.next_request().expect("a request");
    let body: Value = serde_json::from_slice(request.http.body()).expect("JSON");
    assert_eq!(body["reportingInstance"].as_str().map(str::len), Some(128));
    telling.absorb(Err(send_error(SendErrorKind::TimedOut, true)), NOW);
    assert!(matches!(telling.finish(), Outcome::Failed(Failure::FateUnknown { .. })));
}
