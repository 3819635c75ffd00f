//! Looking at Kubernetes: pages and failures.

#![expect(clippy::panic, reason = "a test may fail")]

mod support;

use std::time::Duration;

use buildscaler_core::{Action, ClusterView, CommandId, Failure, Input, Refusal, View};
use buildscaler_wire::{Api, Reply, Request, SendErrorKind, Surroundings};
use serde_json::json;
use support::{Expectation, NOW, answer, begin, begin_at, send_error, talk, uris, with};

const JOBS: &str = include_str!("fixtures/jobs.json");
const PODS: &str = include_str!("fixtures/pods.json");

fn see(server: impl FnMut(&Request) -> Reply) -> (ClusterView, Vec<Request>) {
    let (input, requests) = talk(begin(Action::ObserveCluster), server);
    (view(input), requests)
}

fn view(input: Input) -> ClusterView {
    let Input::Cluster { id, view } = input else {
        panic!("no view: {input:?}");
    };
    assert_eq!(id, Some(CommandId(7)));
    view
}

fn asks_for_pods(request: &Request) -> bool {
    request.http.uri().path().ends_with("/pods")
}

fn is_first_page(request: &Request) -> bool {
    !request.http.uri().to_string().contains("continue=")
}

fn job(name: &str) -> serde_json::Value {
    json!({"metadata": {"uid": name, "name": name, "namespace": "builds", "creationTimestamp": "2026-11-01T08:00:00Z"},
           "spec": {"template": {}}})
}

fn pod(name: &str) -> serde_json::Value {
    json!({"metadata": {"uid": name, "name": name, "namespace": "builds", "creationTimestamp": "2026-11-01T08:00:00Z"},
           "spec": {"containers": []}})
}

/// A server with two pages of each kind.
fn two_pages_each(request: &Request) -> Reply {
    let page = if is_first_page(request) { "1" } else { "2" };
    let (kind, item) = if asks_for_pods(request) {
        ("PodList", pod(&format!("pod-{page}")))
    } else {
        ("JobList", job(&format!("job-{page}")))
    };
    let token = if page == "1" { "a+b/c=" } else { "" };
    Ok(answer(
        200,
        json!({"kind": kind, "metadata": {"continue": token}, "items": [item]}).to_string(),
    ))
}

#[test]
fn jobs_come_before_pods_and_every_page_is_read() {
    let (view, requests) = see(two_pages_each);
    let jobs = "GET /apis/batch/v1/namespaces/builds/jobs?labelSelector=app.elotl.co%3Dbuildscaler&limit=500";
    let pods = "GET /api/v1/namespaces/builds/pods?labelSelector=app.elotl.co%3Dbuildscaler&limit=500";
    let expected = [
        jobs.to_owned(),
        format!("{jobs}&continue=a%2Bb%2Fc%3D"),
        pods.to_owned(),
        format!("{pods}&continue=a%2Bb%2Fc%3D"),
    ];
    assert_eq!(uris(&requests), expected);
    assert!(requests.iter().all(|request| request.api == Api::Kubernetes));
    let templates = view.templates.complete().expect("all templates");
    let pods = view.pods.complete().expect("all pods");
    let names: Vec<&str> = templates.iter().map(|template| template.name.as_str()).collect();
    assert_eq!(names, ["job-1", "job-2"]);
    let names: Vec<&str> = pods.iter().map(|pod| pod.name.as_str()).collect();
    assert_eq!(names, ["pod-1", "pod-2"]);
}

#[test]
fn without_a_namespace_all_are_listed() {
    let everywhere = Surroundings {
        organization: "acme".into(),
        namespace: None,
    };
    let (_, requests) = talk(begin_at(Action::ObserveCluster, &everywhere), |_| Ok(answer(503, "")));
    let expected = [
        "GET /apis/batch/v1/jobs?labelSelector=app.elotl.co%3Dbuildscaler&limit=500",
        "GET /api/v1/pods?labelSelector=app.elotl.co%3Dbuildscaler&limit=500",
    ];
    assert_eq!(uris(&requests), expected);
}

/// Invariant 24: whatever page fails, in whatever way, its list is unknown,
/// and the other one is not. Seen to fail when a failed second page left the
/// first page as the whole.
#[test]
fn a_failed_page_makes_its_list_unknown() {
    let failures: [(Reply, Expectation); 9] = [
        (Ok(answer(401, "")), |failure| {
            matches!(
                failure,
                Failure::Forbidden {
                    kind: Refusal::Credentials,
                    ..
                }
            )
        }),
        (Ok(answer(403, "")), |failure| {
            matches!(failure, Failure::Forbidden { .. })
        }),
        (Ok(answer(404, "")), |failure| {
            matches!(failure, Failure::NotFound { .. })
        }),
        (Ok(answer(410, r#"{"reason":"Expired"}"#)), |failure| {
            matches!(failure, Failure::Unavailable { .. })
        }),
        (Ok(answer(500, "")), |failure| {
            matches!(failure, Failure::Unavailable { .. })
        }),
        (Ok(answer(504, "")), |failure| {
            matches!(failure, Failure::Unavailable { .. })
        }),
        (Ok(answer(200, r#"{"kind":"PodList","items":["#)), |failure| {
            matches!(failure, Failure::Malformed { .. })
        }),
        (Err(send_error(SendErrorKind::TimedOut, true)), |failure| {
            matches!(failure, Failure::Unavailable { .. })
        }),
        (Err(send_error(SendErrorKind::TooLarge, true)), |failure| {
            matches!(failure, Failure::Malformed { .. })
        }),
    ];
    for (reply, is_expected) in &failures {
        for bad in [(false, true), (false, false), (true, true), (true, false)] {
            let (view, _) = see(|request| {
                if (asks_for_pods(request), is_first_page(request)) == bad {
                    reply.clone()
                } else {
                    two_pages_each(request)
                }
            });
            let (templates, pods) = (view.templates.failure(), view.pods.failure());
            let (failed, whole) = if bad.0 { (pods, templates) } else { (templates, pods) };
            assert!(failed.is_some_and(is_expected), "{bad:?}: {failed:?}");
            assert_eq!(whole, None, "{bad:?}");
        }
    }
}

/// Invariant 21. Seen to fail when pods were asked for all the same.
#[test]
fn after_a_429_nothing_more_is_asked() {
    let (view, requests) = see(|_| Ok(with(answer(429, ""), &[("retry-after", "8")])));
    assert_eq!(requests.len(), 1);
    let until = NOW.after(Duration::from_secs(8));
    for failure in [view.templates.failure(), view.pods.failure()] {
        assert!(matches!(failure, Some(Failure::RateLimited { until: told, .. }) if *told == until));
    }
}

/// Seen to fail when any kind of list was taken.
#[test]
fn a_list_of_something_else_is_malformed() {
    for body in [
        "{}",
        "[]",
        "null",
        r#"{"kind":"Status","status":"Success"}"#,
        r#"{"kind":"PodList","metadata":{}}"#,
        r#"{"kind":"ConfigMapList","metadata":{},"items":[]}"#,
        r#"{"kind":"PodList","metadata":{},"items":[{}]}"#,
        r#"{"kind":"PodList","metadata":{},"items":[{"metadata":{"uid":"u","name":"n","namespace":"s","creationTimestamp":"soon"},"spec":{"containers":[]}}]}"#,
    ] {
        let (view, _) = see(|_| Ok(answer(200, body)));
        for failure in [view.templates.failure(), view.pods.failure()] {
            assert!(
                matches!(failure, Some(Failure::Malformed { .. })),
                "{body}: {failure:?}"
            );
        }
    }
}

#[test]
fn an_empty_list_may_be_written_as_null() {
    let (view, _) = see(|request| {
        let kind = if asks_for_pods(request) { "PodList" } else { "JobList" };
        Ok(answer(
            200,
            json!({"kind": kind, "metadata": {}, "items": null}).to_string(),
        ))
    });
    assert_eq!(view.templates, View::Complete(Vec::new()));
    assert_eq!(view.pods, View::Complete(Vec::new()));
}

/// Seen to fail without either bound, on pages and on repeated tokens.
#[test]
fn paging_ends_even_where_lists_go_on_for_ever() {
    let mut count = 0;
    let mut endless = |request: &Request, fresh: bool| {
        count += u32::from(fresh);
        let kind = if asks_for_pods(request) { "PodList" } else { "JobList" };
        let token = format!("token-{count}");
        Ok(answer(
            200,
            json!({"kind": kind, "metadata": {"continue": token}, "items": []}).to_string(),
        ))
    };
    for (fresh, sent) in [(true, 400), (false, 4)] {
        let (view, requests) = see(|request| endless(request, fresh));
        assert_eq!(requests.len(), sent);
        assert!(matches!(view.templates.failure(), Some(Failure::Malformed { .. })));
        assert!(matches!(view.pods.failure(), Some(Failure::Malformed { .. })));
    }
}

#[test]
fn a_look_begins_with_its_first_request() {
    let mut exchange = begin(Action::ObserveCluster);
    let later = |seconds| NOW.after(Duration::from_secs(seconds));
    for seconds in [3, 4] {
        exchange.next_request(later(seconds)).expect("a request");
        exchange.absorb(Ok(answer(503, "")), later(seconds + 10));
    }
    assert_eq!(view(exchange.finish(later(99))).begun_at, later(3));
}

#[test]
fn a_look_that_is_broken_off_knows_nothing() {
    let mut exchange = begin(Action::ObserveCluster);
    assert!(exchange.next_request(NOW).is_some());
    assert!(exchange.next_request(NOW).is_none(), "a reply is awaited");
    let view = view(exchange.finish(NOW));
    assert!(view.templates.failure().is_some() && view.pods.failure().is_some());
}

#[test]
fn documented_jobs_and_pods_are_read() {
    let (view, _) = see(|request| Ok(answer(200, if asks_for_pods(request) { PODS } else { JOBS })));
    insta::assert_json_snapshot!(view);
}
