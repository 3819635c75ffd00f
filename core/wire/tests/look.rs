//! Looking at Buildkite: pages, grants, failures and what rows mean.

mod support;

use std::time::Duration;

use buildscaler_core::{Action, AgentId, Cursor, Failure, JobState, Look, LookEnd, Refusal};
use buildscaler_wire::{Api, Reply, Request, SendErrorKind};
use serde_json::json;
use support::{NOW, answer, begin, look, send_error, talk, uris, with};

const BUILDS: &str = include_str!("fixtures/builds.json");
const AGENTS: &str = include_str!("fixtures/agents.json");

fn observe(grant: u32, from: Cursor) -> Action {
    Action::ObserveBuildkite { grant, from }
}

fn see(grant: u32, from: Cursor, server: impl FnMut(&Request) -> Reply) -> (Look, Vec<Request>) {
    let (input, requests) = talk(begin(observe(grant, from)), server);
    (look(input), requests)
}

fn page_of(request: &Request) -> (bool, u32) {
    let uri = request.http.uri();
    let query = uri.query().expect("a query");
    let page = query.rsplit_once("&page=").expect("a page").1.parse();
    (uri.path().ends_with("/agents"), page.expect("a number"))
}

/// The header of Buildkite's documentation, which leads to another host and
/// shows a token.
fn link(next: u32) -> String {
    format!(
        "<https://evil.example/v2/builds?api_key=f8582f070276d764&page={next}>; rel=\"next\", \
         <https://evil.example/v2/builds?api_key=f8582f070276d764&page=9>; rel=\"last\""
    )
}

/// A server with two pages of empty builds and two of agents.
fn two_pages_each(request: &Request) -> Reply {
    let (agents, page) = page_of(request);
    let body = if agents {
        json!([{"id": format!("agent-{page}"), "connection_state": "connected"}])
    } else {
        json!([{"state": "running", "jobs": [{"id": format!("job-{page}"), "type": "script", "state": "scheduled"}]}])
    };
    let page_answer = answer(200, body.to_string());
    Ok(match page {
        1 => with(page_answer, &[("link", &link(2))]),
        _ => page_answer,
    })
}

fn job_ids(look: &Look) -> Vec<&str> {
    look.jobs.iter().map(|one| one.id.as_str()).collect()
}

fn agent_ids(look: &Look) -> Vec<&str> {
    look.agents.iter().map(|agent| agent.id.as_str()).collect()
}

#[test]
fn builds_come_before_agents_and_every_page_is_read() {
    let (look, requests) = see(10, Cursor::START, two_pages_each);
    let builds = "GET /v2/organizations/acme/builds?state%5B%5D=scheduled&state%5B%5D=running&state%5B%5D=failing\
                  &include_paused=false&exclude_pipeline=true&per_page=100&page=";
    let agents = "GET /v2/organizations/acme/agents?per_page=100&page=";
    let expected = [
        format!("{builds}1"),
        format!("{builds}2"),
        format!("{agents}1"),
        format!("{agents}2"),
    ];
    assert_eq!(uris(&requests), expected);
    assert!(requests.iter().all(|request| request.api == Api::Buildkite));
    assert_eq!(look.end, LookEnd::Complete);
    assert_eq!(job_ids(&look), ["job-1", "job-2"]);
    assert_eq!(agent_ids(&look), ["agent-1", "agent-2"]);
    assert_eq!(look.spending.requests, 4);
}

#[test]
fn an_organisation_of_odd_letters_stays_one_segment() {
    let mut surroundings = support::surroundings();
    surroundings.organization = "a/b?c d".into();
    let exchange = support::begin_at(observe(1, Cursor::START), &surroundings);
    let (_, requests) = talk(exchange, |_| Ok(answer(500, "")));
    assert!(uris(&requests)[0].starts_with("GET /v2/organizations/a%2Fb%3Fc%20d/builds?"));
}

/// Seen to fail when the grant was compared after sending.
#[test]
fn a_look_ends_with_its_grant_and_goes_on_where_it_ended() {
    let steps = [
        (Cursor::Builds { page: 1 }, LookEnd::More(Cursor::Builds { page: 2 })),
        (Cursor::Builds { page: 2 }, LookEnd::More(Cursor::Agents { page: 1 })),
        (Cursor::Agents { page: 1 }, LookEnd::More(Cursor::Agents { page: 2 })),
        (Cursor::Agents { page: 2 }, LookEnd::Complete),
    ];
    for (from, end) in steps {
        let (look, requests) = see(1, from, two_pages_each);
        assert_eq!((look.end, requests.len(), look.spending.requests), (end, 1, 1));
    }
    let (look, requests) = see(0, Cursor::START, two_pages_each);
    assert_eq!((look.end, requests.len()), (LookEnd::More(Cursor::START), 0));
}

/// Invariant 24: whatever page fails, in whatever way, the look has failed on
/// that page. Seen to fail when a cut body counted as an empty page.
#[test]
fn a_failed_page_fails_the_look() {
    let failures: [(Reply, fn(&Failure) -> bool); 10] = [
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
            matches!(
                failure,
                Failure::Forbidden {
                    kind: Refusal::Permission,
                    ..
                }
            )
        }),
        (Ok(answer(404, "")), |failure| {
            matches!(failure, Failure::NotFound { .. })
        }),
        (Ok(answer(400, "")), |failure| {
            matches!(failure, Failure::Rejected { status: 400, .. })
        }),
        (Ok(answer(302, "")), |failure| {
            matches!(failure, Failure::Rejected { status: 302, .. })
        }),
        (Ok(answer(503, "")), |failure| {
            matches!(failure, Failure::Unavailable { .. })
        }),
        (Ok(answer(200, r#"[{"id":"a"},{"#)), |failure| {
            matches!(failure, Failure::Malformed { .. })
        }),
        (Ok(answer(200, "")), |failure| {
            matches!(failure, Failure::Malformed { .. })
        }),
        (Err(send_error(SendErrorKind::Cut, true)), |failure| {
            matches!(failure, Failure::Unavailable { .. })
        }),
        (Err(send_error(SendErrorKind::TooLarge, true)), |failure| {
            matches!(failure, Failure::Malformed { .. })
        }),
    ];
    let places = [(false, 1), (false, 2), (true, 1), (true, 2)];
    for (reply, is_expected) in &failures {
        for bad in places {
            let (look, requests) = see(10, Cursor::START, |request| {
                if page_of(request) == bad {
                    reply.clone()
                } else {
                    two_pages_each(request)
                }
            });
            let LookEnd::Failed(cursor, failure) = &look.end else {
                panic!("{bad:?}: {:?}", look.end);
            };
            let (agents, page) = bad;
            let expected = if agents {
                Cursor::Agents { page }
            } else {
                Cursor::Builds { page }
            };
            assert_eq!(*cursor, expected);
            assert!(is_expected(failure), "{failure:?}");
            assert_eq!(
                page_of(requests.last().expect("a request")),
                bad,
                "nothing was sent afterwards"
            );
        }
    }
}

#[test]
fn a_page_that_is_no_array_of_objects_is_malformed() {
    for body in [
        "{}",
        "null",
        "[1]",
        "[null]",
        "[[]]",
        r#""text""#,
        r#"{"message":"ok"}"#,
        "[] []",
        "<html>",
        "[{}",
    ] {
        for from in [Cursor::START, Cursor::Agents { page: 1 }] {
            let (look, _) = see(1, from, |_| Ok(answer(200, body)));
            assert!(
                matches!(look.end, LookEnd::Failed(_, Failure::Malformed { .. })),
                "{body}: {:?}",
                look.end
            );
        }
    }
}

/// Seen to fail when any number was followed: the look then never ended.
#[test]
fn a_next_page_that_is_not_the_next_is_malformed() {
    for next in ["1", "0", "3", "-1", "4294967296", "x", ""] {
        let header = format!("<https://api.buildkite.com/v2/x?page={next}&per_page=100>; rel=\"next\"");
        let (look, requests) = see(50, Cursor::START, |_| Ok(with(answer(200, "[]"), &[("link", &header)])));
        assert!(
            matches!(
                look.end,
                LookEnd::Failed(Cursor::Builds { page: 1 }, Failure::Malformed { .. })
            ),
            "{next}"
        );
        assert_eq!(requests.len(), 1);
    }
}

#[test]
fn paging_ends_even_where_pages_go_on_for_ever() {
    let endless = |request: &Request| {
        let next = link(page_of(request).1 + 1);
        Ok(with(answer(200, "[]"), &[("link", &next)]))
    };
    let (look, requests) = see(40, Cursor::START, endless);
    assert_eq!(
        (look.end, requests.len()),
        (LookEnd::More(Cursor::Builds { page: 41 }), 40)
    );
    let (look, _) = see(u32::MAX, Cursor::Agents { page: 9_990 }, endless);
    assert!(matches!(
        look.end,
        LookEnd::Failed(Cursor::Agents { page: 10_000 }, Failure::Malformed { .. })
    ));
}

#[test]
fn links_are_read_in_every_spelling() {
    for header in [
        "<https://h/?page=2&per_page=100>; rel=\"next\"",
        "<https://h/?a=1,2&page=2>; title=\"x\"; rel=next",
        "<https://h/?page=7>; rel=\"last\", <https://h/?per_page=100&page=2#top>; rel=\"prefetch next\"",
    ] {
        let (look, _) = see(1, Cursor::START, |_| Ok(with(answer(200, "[]"), &[("link", header)])));
        assert_eq!(look.end, LookEnd::More(Cursor::Builds { page: 2 }), "{header}");
    }
    for header in [
        "<https://h/?page=2>; rel=\"last\"",
        "<https://h/?page=2>; rel=\"prev\"",
        "nothing",
    ] {
        let (look, _) = see(1, Cursor::START, |_| Ok(with(answer(200, "[]"), &[("link", header)])));
        assert_eq!(look.end, LookEnd::More(Cursor::Agents { page: 1 }), "{header}");
    }
}

#[test]
fn a_rate_limit_says_until_when_and_is_read_from_every_answer() {
    let headers = [
        ("ratelimit-user-limit", "50"),
        ("ratelimit-user-remaining", "0"),
        ("ratelimit-user-reset", "17"),
    ];
    let (look, _) = see(5, Cursor::START, |_| Ok(with(answer(429, "{}"), &headers)));
    let until = NOW.after(Duration::from_secs(17));
    let LookEnd::Failed(Cursor::START, Failure::RateLimited { until: told, .. }) = look.end else {
        panic!("{:?}", look.end);
    };
    assert_eq!(told, until);
    assert_eq!(look.spending.limits.len(), 1);
    assert_eq!(look.spending.limits[0].reset_at, until);
}

#[test]
fn the_newest_reading_of_a_limit_is_kept() {
    let (look, _) = see(9, Cursor::START, |request| {
        let (agents, page) = page_of(request);
        let remaining = if agents { "6" } else { "8" };
        let headers = [
            ("ratelimit-limit", "200"),
            ("ratelimit-remaining", remaining),
            ("ratelimit-reset", "30"),
        ];
        assert_eq!(page, 1);
        Ok(with(answer(200, "[]"), &headers))
    });
    let remaining: Vec<u32> = look.spending.limits.iter().map(|reading| reading.remaining).collect();
    assert_eq!(remaining, [6]);
}

/// Seen to fail when the end was noted instead.
#[test]
fn a_look_begins_with_its_first_request() {
    let mut exchange = begin(observe(5, Cursor::START));
    let later = |seconds| NOW.after(Duration::from_secs(seconds));
    for seconds in [3, 4] {
        exchange.next_request(later(seconds)).expect("a request");
        exchange.absorb(Ok(answer(200, "[]")), later(seconds + 10));
    }
    assert_eq!(look(exchange.finish(later(99))).begun_at, later(3));
}

#[test]
fn a_look_that_is_broken_off_is_not_complete() {
    let mut exchange = begin(observe(5, Cursor::START));
    assert!(exchange.next_request(NOW).is_some());
    assert!(exchange.next_request(NOW).is_none(), "a reply is awaited");
    let end = look(exchange.finish(NOW)).end;
    assert!(matches!(
        end,
        LookEnd::Failed(Cursor::START, Failure::Unavailable { .. })
    ));
    let end = look(begin(observe(5, Cursor::START)).finish(NOW)).end;
    assert_eq!(end, LookEnd::More(Cursor::START));
}

#[test]
fn documented_builds_are_read() {
    let (look, _) = see(1, Cursor::START, |_| Ok(answer(200, BUILDS)));
    insta::assert_json_snapshot!(look.jobs);
}

#[test]
fn documented_agents_are_read() {
    let (look, _) = see(1, Cursor::Agents { page: 1 }, |_| Ok(answer(200, AGENTS)));
    insta::assert_json_snapshot!(look.agents);
}

#[test]
fn every_state_of_a_job_is_known_by_what_it_means() {
    let states = [
        (Some(JobState::Scheduled), "scheduled"),
        (
            Some(JobState::Limited),
            "limiting limited platform_limiting platform_limited",
        ),
        (Some(JobState::Active), "assigned accepted running canceling timing_out"),
        (
            None,
            "pending waiting waiting_failed blocked blocked_failed unblocked unblocked_failed reserved finished passed \
             failed canceled timed_out skipped broken expired unheard_of",
        ),
    ];
    for (expected, spelt) in states {
        for state in spelt.split(' ') {
            let body = json!([{"state": "running", "jobs": [{"id": "a", "type": "script", "state": state}]}]);
            let (look, _) = see(1, Cursor::START, |_| Ok(answer(200, body.to_string())));
            assert_eq!(look.jobs.first().map(|one| one.state), expected, "{state}");
        }
    }
}

/// Seen to fail when the state of the build was not looked at.
#[test]
fn a_build_that_is_being_canceled_is_no_demand() {
    let body = json!([{"state": "canceling", "jobs": [
        {"id": "a", "type": "script", "state": "scheduled"}, {"id": "b", "type": "script", "state": "limited"},
        {"id": "c", "type": "script", "state": "running"}]}]);
    let (look, _) = see(1, Cursor::START, |_| Ok(answer(200, body.to_string())));
    assert_eq!(job_ids(&look), ["c"]);
}

#[test]
fn an_unreadable_build_or_job_costs_only_itself() {
    let body = json!([
        {"jobs": 7}, {"state": []},
        {"state": {}, "jobs": [7, null, {"type": "script"}, {"id": 7, "type": "script"},
            {"id": "nowhere", "type": "script", "state": "scheduled", "agent_query_rules": 7},
            {"id": "good", "type": "script", "state": "scheduled", "agent_query_rules": [7], "runnable_at": []}]},
    ]);
    let (look, _) = see(1, Cursor::START, |_| Ok(answer(200, body.to_string())));
    assert_eq!(job_ids(&look), ["good"]);
    assert_eq!(
        (look.jobs[0].queue.as_str(), look.jobs[0].runnable_at),
        ("default", None)
    );
}

/// An agent that was left out would look like one that is dead (Invariant 4).
#[test]
fn an_agent_that_cannot_be_told_makes_the_page_malformed() {
    for row in [
        json!({"connection_state": "connected"}),
        json!({"id": null}),
        json!({"id": 7}),
    ] {
        let body = json!([{"id": "good"}, row]).to_string();
        let (look, _) = see(1, Cursor::Agents { page: 1 }, |_| Ok(answer(200, body.clone())));
        assert!(
            matches!(look.end, LookEnd::Failed(_, Failure::Malformed { .. })),
            "{body}"
        );
    }
}

/// Seen to fail when a held job without an id counted as none: its agent was
/// idle then.
#[test]
fn an_agent_with_any_job_is_busy() {
    for held in [
        json!({"id": "job-1"}),
        json!({}),
        json!({"id": 7}),
        json!("job-1"),
        json!(true),
    ] {
        let body = json!([{"id": "a", "connection_state": "connected", "job": held}]).to_string();
        let (look, _) = see(1, Cursor::Agents { page: 1 }, |_| Ok(answer(200, body.clone())));
        assert!(!look.agents[0].is_idle(), "{body}");
    }
}

#[test]
fn an_agent_is_paused_unless_it_says_otherwise() {
    for (paused, expected) in [
        (json!(true), true),
        (json!("yes"), true),
        (json!(false), false),
        (json!(null), false),
    ] {
        let body = json!([{"id": "a", "paused": paused}]).to_string();
        let (look, _) = see(1, Cursor::Agents { page: 1 }, |_| Ok(answer(200, body.clone())));
        assert_eq!(look.agents[0].paused, expected, "{body}");
    }
}

/// Seen to fail when one odd tag cost them all, and so the link to the pod.
#[test]
fn an_odd_tag_costs_only_itself() {
    let body = json!([{"id": "a", "meta_data": [7, "queue=x", null, "pod-uid=u"]}]).to_string();
    let (look, _) = see(1, Cursor::Agents { page: 1 }, |_| Ok(answer(200, body.clone())));
    let agent = &look.agents[0];
    assert_eq!(agent.tags, ["queue=x", "pod-uid=u"]);
    assert_eq!(agent.pod_uid.as_ref().map(|uid| uid.as_str()), Some("u"));
}

#[test]
fn an_agent_serves_the_queues_of_its_tags_and_of_its_field() {
    for (row, expected) in [
        (json!({"meta_data": ["queue=b", "queue=a", "queue=b"]}), vec!["a", "b"]),
        (json!({"meta_data": ["queue=a"], "queue": "c"}), vec!["a", "c"]),
        (
            json!({"meta_data": ["linux", "queues=x", "queue="], "queue": null}),
            vec!["default"],
        ),
        (json!({}), vec!["default"]),
    ] {
        let mut row = row;
        row["id"] = json!("a");
        let (look, _) = see(1, Cursor::Agents { page: 1 }, |_| {
            Ok(answer(200, json!([row]).to_string()))
        });
        let queues: Vec<&str> = look.agents[0].queues.iter().map(|queue| queue.as_str()).collect();
        assert_eq!(queues, expected);
        assert_eq!(look.agents[0].id, AgentId::from("a"));
    }
}

#[test]
fn answers_are_bounded_in_size() {
    let (_, requests) = see(10, Cursor::START, two_pages_each);
    let limits: Vec<usize> = requests.iter().map(|request| request.body_limit >> 20).collect();
    assert_eq!(limits, [64, 64, 16, 16]);
}
