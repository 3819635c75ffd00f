//! What goes wrong on the way.

use std::time::Duration;

use buildscaler_core::Timestamp;
use http::{Method, Request, Response, StatusCode};
use serde_json::Value;

use buildscaler_simulator::buildkite::FakeBuildkite;
use buildscaler_simulator::fault::{Effect, Fault, Faulty, Pages, Reply};

use crate::world::World;

const AGENTS: &str = "/v2/organizations/acme/agents";

fn faulty(agents: usize) -> (Faulty<FakeBuildkite>, Timestamp, String) {
    let mut world = World::new();
    let mut last = String::new();
    for _ in 0..agents {
        last = world.agent(&["queue=linux"]).to_string();
    }
    (Faulty::new(world.fake), world.now, last)
}

fn request(method: Method, path: &str) -> Request<Vec<u8>> {
    let authorization = format!("Bearer {}", FakeBuildkite::ACCESS_TOKEN);
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", authorization);
    request.body(br#"{"force":false}"#.to_vec()).unwrap()
}

fn answered(reply: Reply) -> Response<Vec<u8>> {
    match reply {
        Reply::Answer(response) => response,
        Reply::Delay(..) | Reply::Cut { .. } | Reply::NoAnswer => panic!("no plain answer"),
    }
}

fn rows(response: &Response<Vec<u8>>) -> usize {
    serde_json::from_slice::<Vec<Value>>(response.body()).unwrap().len()
}

#[test]
fn a_fault_strikes_as_often_as_it_says() {
    let (mut faulty, now, _) = faulty(1);
    faulty.add(
        Fault::on("*/agents", Effect::Refuse(StatusCode::BAD_GATEWAY))
            .skip(1)
            .times(1),
    );
    let statuses: Vec<u16> = (0..3)
        .map(|_| {
            answered(faulty.handle(now, request(Method::GET, AGENTS)))
                .status()
                .as_u16()
        })
        .collect();
    assert_eq!(statuses, [200, 502, 200]);
}

#[test]
fn a_fault_strikes_within_its_time() {
    let (mut faulty, now, _) = faulty(1);
    let later = now.after(Duration::from_secs(10));
    faulty.add(Fault::on("*", Effect::Drop).between(later, later.after(Duration::from_secs(10))));
    assert!(matches!(
        faulty.handle(now, request(Method::GET, AGENTS)),
        Reply::Answer(_)
    ));
    assert!(matches!(
        faulty.handle(later, request(Method::GET, AGENTS)),
        Reply::NoAnswer
    ));
}

#[test]
fn a_lost_reply_is_carried_out_and_a_lost_request_is_not() {
    for (effect, state) in [(Effect::LoseReply, "stopping"), (Effect::Drop, "connected")] {
        let (mut faulty, now, agent) = faulty(1);
        faulty.add(Fault::on("*/stop", effect).method(Method::PUT));
        let reply = faulty.handle(now, request(Method::PUT, &format!("{AGENTS}/{agent}/stop")));
        assert!(matches!(reply, Reply::NoAnswer));
        assert_eq!(faulty.inner().agents().next().unwrap().state.as_str(), state);
    }
}

#[test]
fn a_truncated_page_looks_like_the_last_one_if_unlinked() {
    for (pages, linked) in [(Pages::Linked, true), (Pages::Unlinked, false)] {
        let (mut faulty, now, _) = faulty(20);
        faulty.add(Fault::on("*/agents", Effect::Truncate(pages)));
        let path = format!("{AGENTS}?per_page=10");
        let response = answered(faulty.handle(now, request(Method::GET, &path)));
        assert_eq!((rows(&response), response.headers().contains_key("link")), (5, linked));
    }
}

#[test]
fn a_stale_answer_is_the_one_from_before() {
    let (mut faulty, now, _) = faulty(1);
    faulty.add(Fault::on("*/agents", Effect::Stale).skip(1));
    assert_eq!(rows(&answered(faulty.handle(now, request(Method::GET, AGENTS)))), 1);
    let agent = faulty.inner().agents().next().unwrap().id.clone();
    faulty.inner_mut().disconnect(now, &agent).unwrap();
    assert_eq!(rows(&answered(faulty.handle(now, request(Method::GET, AGENTS)))), 1);
    faulty.mend();
    assert_eq!(rows(&answered(faulty.handle(now, request(Method::GET, AGENTS)))), 0);
}

#[test]
fn garbage_is_no_json() {
    let (mut faulty, now, _) = faulty(1);
    faulty.add(Fault::on("*", Effect::Garble));
    let response = answered(faulty.handle(now, request(Method::GET, AGENTS)));
    assert!(serde_json::from_slice::<Value>(response.body()).is_err());
}
