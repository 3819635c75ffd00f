//! A runtime for tests: servers are functions.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its part of this module")]
#![allow(clippy::expect_used, clippy::panic, reason = "a test may fail")]

use buildscaler_core::{Action, Command, CommandId, Failure, Input, Look, Outcome, Reason, Timestamp};
use buildscaler_wire::{Exchange, Reply, Request, SendError, SendErrorKind, Surroundings};

pub const NOW: Timestamp = Timestamp::from_millis(1_000_000);

/// A test of a failure.
pub type Expectation = fn(&Failure) -> bool;
/// Headers of an answer.
pub type Headers = [(&'static str, &'static str)];

/// More requests than any exchange may make.
const WITHOUT_END: usize = 20_000;

pub fn surroundings() -> Surroundings {
    Surroundings {
        organization: "acme".into(),
        namespace: Some("builds".into()),
    }
}

pub fn begin(action: Action) -> Exchange {
    begin_at(action, &surroundings())
}

pub fn begin_at(action: Action, surroundings: &Surroundings) -> Exchange {
    let command = Command {
        id: CommandId(7),
        action,
        reason: Reason::Interval,
        not_after: None,
    };
    Exchange::begin(command, surroundings, NOW)
}

/// Carries requests to `server` until the exchange has none left.
pub fn talk(mut exchange: Exchange, mut server: impl FnMut(&Request) -> Reply) -> (Input, Vec<Request>) {
    let mut requests = Vec::new();
    while let Some(request) = exchange.next_request(NOW) {
        assert!(requests.len() < WITHOUT_END, "an exchange without end");
        let reply = server(&request);
        exchange.absorb(reply, NOW);
        requests.push(request);
    }
    (exchange.finish(NOW), requests)
}

pub fn answer(status: u16, body: impl Into<Vec<u8>>) -> http::Response<Vec<u8>> {
    http::Response::builder()
        .status(status)
        .body(body.into())
        .expect("a valid answer")
}

pub fn with(mut answer: http::Response<Vec<u8>>, headers: &[(&'static str, &str)]) -> http::Response<Vec<u8>> {
    for (name, value) in headers {
        answer.headers_mut().append(*name, value.parse().expect("a header"));
    }
    answer
}

pub fn send_error(kind: SendErrorKind, sent: bool) -> SendError {
    SendError {
        kind,
        sent,
        message: "no answer".into(),
    }
}

pub fn uris(requests: &[Request]) -> Vec<String> {
    requests
        .iter()
        .map(|request| format!("{} {}", request.http.method(), request.http.uri()))
        .collect()
}

pub fn look(input: Input) -> Look {
    let Input::Buildkite { id, look } = input else {
        panic!("no look: {input:?}");
    };
    assert_eq!(id, CommandId(7));
    look
}

pub fn outcome(input: Input) -> Outcome {
    let Input::Outcome { id, outcome, .. } = input else {
        panic!("no outcome: {input:?}");
    };
    assert_eq!(id, CommandId(7));
    outcome
}

pub fn failure(input: Input) -> Failure {
    match outcome(input) {
        Outcome::Failed(failure) => failure,
        Outcome::Done => panic!("it was done"),
    }
}
