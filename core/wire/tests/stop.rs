//! Stopping agents.

mod support;

use std::time::Duration;

use buildscaler_core::{
    Action, AgentId, CreatePod, Cursor, Failure, Input, LimitReading, LimitScope, Outcome, Queue, Refusal, Uid,
};
use buildscaler_wire::{Api, SendErrorKind};
use serde_json::{Value, json};
use support::{Headers, NOW, answer, begin, failure, outcome, send_error, talk, uris, with};

fn stop(agent: &str) -> Action {
    Action::StopAgent {
        agent: AgentId::from(agent),
    }
}

/// Invariant 2, over every kind of action and hostile agent ids: exactly the
/// stops go to a path that ends in `/stop`, and all of them carry
/// `{"force": false}`. Seen to fail with `true` in the body, and with no body.
#[test]
fn every_stop_on_the_wire_forbids_force() {
    let ids = [
        "0b461f65-e7be",
        "",
        "a/../../stop?force=true",
        "a b",
        "\"},{\"force\":true",
        "ü",
        "\u{0}",
    ];
    let mut stops = 0;
    for action in ids.iter().map(|id| stop(id)).chain(other_actions()) {
        let is_stop = matches!(action, Action::StopAgent { .. });
        let (_, requests) = talk(begin(action), |request| {
            let uri = request.http.uri();
            assert_eq!(
                uri.path().ends_with("/stop") && request.http.method() == "PUT",
                is_stop,
                "{uri}"
            );
            if is_stop {
                stops += 1;
                let body: Value = serde_json::from_slice(request.http.body()).expect("JSON");
                assert_eq!(body, json!({"force": false}));
                assert_eq!(request.http.headers()["content-type"], "application/json");
                assert_eq!((uri.query(), uri.path().matches('/').count()), (None, 6), "{uri}");
            }
            Ok(answer(204, ""))
        });
        assert!(!requests.is_empty());
    }
    assert_eq!(stops, ids.len());
}

fn other_actions() -> [Action; 4] {
    [
        Action::ObserveCluster,
        Action::ObserveBuildkite {
            grant: 9,
            from: Cursor::START,
        },
        Action::CreatePod(CreatePod {
            namespace: "builds".into(),
            name: "stop".into(),
            queue: Queue::from("linux"),
            template: Uid::from("uid"),
            manifest: json!({"kind": "Pod"}),
        }),
        Action::DeletePod {
            namespace: "builds".into(),
            name: "stop".into(),
            uid: Uid::from("uid"),
            grace_seconds: None,
        },
    ]
}

#[test]
fn a_stop_is_one_put_and_is_counted() {
    let (input, requests) = talk(begin(stop("agent-1")), |_| Ok(answer(204, "")));
    assert_eq!(uris(&requests), ["PUT /v2/organizations/acme/agents/agent-1/stop"]);
    assert_eq!(requests[0].api, Api::Buildkite);
    let Input::Outcome { outcome, spending, .. } = input else {
        panic!("no outcome");
    };
    assert_eq!((outcome, spending.requests), (Outcome::Done, 1));
}

#[test]
fn an_agent_that_is_going_or_gone_is_not_found() {
    for (status, message) in [
        (400, "Can only stop connected agents"),
        (404, "No agent found"),
        (422, "Conflict"),
    ] {
        let body = json!({ "message": message }).to_string();
        let (input, _) = talk(begin(stop("a")), |_| Ok(answer(status, body.clone())));
        assert_eq!(
            failure(input),
            Failure::NotFound {
                message: message.into()
            }
        );
    }
}

#[test]
fn refusals_are_told_apart() {
    for (status, kind) in [(401, Refusal::Credentials), (403, Refusal::Permission)] {
        let (input, _) = talk(begin(stop("a")), |_| Ok(answer(status, r#"{"message":"No"}"#)));
        let expected = Failure::Forbidden {
            kind,
            message: "No".into(),
        };
        assert_eq!(failure(input), expected);
    }
}

#[test]
fn a_server_in_trouble_is_unavailable_even_if_its_answer_is_a_web_page() {
    for status in [500, 502, 503, 504] {
        let (input, _) = talk(begin(stop("a")), |_| Ok(answer(status, "<html>Bad gateway</html>")));
        let message = format!("status {status} without a message");
        assert_eq!(failure(input), Failure::Unavailable { message });
    }
}

#[test]
fn without_an_answer_the_fate_depends_on_whether_it_was_sent() {
    let (input, _) = talk(begin(stop("a")), |_| Err(send_error(SendErrorKind::TimedOut, true)));
    assert!(matches!(failure(input), Failure::FateUnknown { .. }));
    let (input, _) = talk(begin(stop("a")), |_| Err(send_error(SendErrorKind::Unreachable, false)));
    assert!(matches!(failure(input), Failure::Unavailable { .. }));
}

/// Seen to fail when only the organisation's header was looked at.
#[test]
fn a_429_lasts_as_long_as_its_longest_word() {
    let cases: &[(&Headers, &str, u64)] = &[
        (&[("retry-after", "7")], "{}", 7),
        (
            &[],
            r#"{"message":"Slow","scope":"rest_user","limit":50,"current":55,"reset":42}"#,
            42,
        ),
        (&USER_EXHAUSTED, r#"{"reset":12}"#, 30),
        (&USER_EXHAUSTED, r#"{"reset":42}"#, 42),
        (&[], "", 60),
        (&[("retry-after", "4000000000")], "", 3600),
    ];
    for (headers, body, seconds) in cases {
        let (input, _) = talk(begin(stop("a")), |_| Ok(with(answer(429, *body), headers)));
        let Failure::RateLimited { until, .. } = failure(input) else {
            panic!("not a limit");
        };
        assert_eq!(until, NOW.after(Duration::from_secs(*seconds)), "{headers:?} {body}");
    }
}

/// The user's window is used up, the organisation's, which ends later, is not.
const USER_EXHAUSTED: [(&str, &str); 6] = [
    ("ratelimit-limit", "200"),
    ("ratelimit-remaining", "100"),
    ("ratelimit-reset", "55"),
    ("ratelimit-user-limit", "50"),
    ("ratelimit-user-remaining", "0"),
    ("ratelimit-user-reset", "30"),
];

#[test]
fn both_limits_are_read_from_the_headers_of_any_answer() {
    for status in [204, 429, 404, 500] {
        let (input, _) = talk(begin(stop("a")), |_| Ok(with(answer(status, ""), &USER_EXHAUSTED)));
        let Input::Outcome { spending, .. } = input else {
            panic!("no outcome");
        };
        let reading = |scope, limit, remaining, seconds| LimitReading {
            scope,
            limit,
            remaining,
            reset_at: NOW.after(Duration::from_secs(seconds)),
        };
        let expected = [
            reading(LimitScope::User, 50, 0, 30),
            reading(LimitScope::Organization, 200, 100, 55),
        ];
        assert_eq!(spending.limits, expected);
    }
}

#[test]
fn a_stop_that_nobody_waited_for_has_an_unknown_fate() {
    let mut exchange = begin(stop("a"));
    assert!(exchange.next_request(NOW).is_some());
    assert!(exchange.next_request(NOW).is_none());
    assert!(matches!(failure(exchange.finish(NOW)), Failure::FateUnknown { .. }));
    assert!(matches!(
        failure(begin(stop("a")).finish(NOW)),
        Failure::Unavailable { .. }
    ));
}

#[test]
fn only_the_first_reply_counts() {
    let mut exchange = begin(stop("a"));
    exchange.absorb(Ok(answer(204, "")), NOW);
    assert!(exchange.next_request(NOW).is_some(), "a reply to nothing is ignored");
    exchange.absorb(Ok(answer(204, "")), NOW);
    exchange.absorb(Ok(answer(403, "")), NOW);
    assert_eq!(outcome(exchange.finish(NOW)), Outcome::Done);
}
