//! Looking at Buildkite: pages, grants and failures.

#![expect(clippy::expect_used, reason = "a test may fail")]

mod support;

use std::time::Duration;

use buildscaler_core::{Action, Cursor, Failure, Look, LookEnd, Refusal};
use buildscaler_wire::{Api, Reply, Request, SendErrorKind};
use serde_json::json;
use support::{Expectation, NOW, answer, begin, look, send_error, talk, uris, with};

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

/// Seen to fail when one request more than the grant was sent.
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
    let failures: [(Reply, Expectation); 10] = [
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

/// Seen to fail when earlier pages were followed too.
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

/// Seen to fail without a last page.
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

/// Seen to fail when older readings were kept as well.
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

/// Seen to fail when the time of the last request was noted.
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
fn answers_are_bounded_in_size() {
    let (_, requests) = see(10, Cursor::START, two_pages_each);
    let limits: Vec<usize> = requests.iter().map(|request| request.body_limit >> 20).collect();
    assert_eq!(limits, [64, 64, 16, 16]);
}
