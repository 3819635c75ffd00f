//! What a plan of a large fleet costs, against a client that fetches and
//! decodes the very same pages and does nothing else.

use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use buildscaler_core::{Action, Command, CommandId, Cursor, Input, LookEnd, Reason, Timestamp};
use buildscaler_wire::{Exchange, Surroundings};
use ureq::Agent;

use crate::fleet::Fleet;
use crate::server::Server;

const FLEET: Fleet = Fleet {
    pods: 10_000,
    jobs: 10_000,
    queues: 100,
};
/// Plans, and bare readings of the pages; they take turns.
const ROUNDS: usize = 9;
/// A plan may take this many times the reading.
const PROMISED: f64 = 2.0;

/// Whether the promise is kept.
pub(crate) fn measure() -> bool {
    let server = Server::start(&FLEET);
    let (mut plans, mut readings) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        readings.push(read(&server.url));
        plans.push(plan(&server));
    }
    let (plan, reading) = (median(plans), median(readings));
    let ratio = plan.as_secs_f64() / reading.as_secs_f64();
    println!("plan {plan:.2?}, reading the same pages {reading:.2?}: {ratio:.2} times (promised: at most {PROMISED})");
    ratio <= PROMISED
}

/// The whole program.
fn plan(server: &Server) -> Duration {
    let begun = Instant::now();
    let output = server
        .program(&["plan", "-o", "json"])
        .stderr(Stdio::inherit())
        .output();
    let took = begun.elapsed();
    let output = output.expect("it starts");
    assert!(matches!(output.status.code(), Some(0 | 3)), "{}", output.status);
    let plan: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let queues = plan["queues"].as_object().expect("queues").values();
    let pods: u64 = queues.map(|queue| queue["pods"].as_u64().expect("a number")).sum();
    assert_eq!(pods, FLEET.pods as u64, "the plan is of the whole fleet");
    took
}

/// The same pages, fetched one after the other and decoded.
fn read(url: &str) -> Duration {
    let begun = Instant::now();
    let agent = Agent::new_with_defaults();
    let cluster = carry_out(&agent, url, Action::ObserveCluster);
    let everything = Action::ObserveBuildkite {
        grant: u32::MAX,
        from: Cursor::START,
    };
    let buildkite = carry_out(&agent, url, everything);
    let took = begun.elapsed();
    let pods = match cluster {
        Input::Cluster { view, .. } => view.pods.complete().map(Vec::len),
        Input::Buildkite { .. } | Input::Outcome { .. } | Input::Lease { .. } | Input::Tick | Input::Shutdown => None,
    };
    assert_eq!(pods, Some(FLEET.pods));
    let agents = match buildkite {
        Input::Buildkite { look, .. } => (look.end == LookEnd::Complete).then_some(look.agents.len()),
        Input::Cluster { .. } | Input::Outcome { .. } | Input::Lease { .. } | Input::Tick | Input::Shutdown => None,
    };
    assert_eq!(agents, Some(FLEET.pods));
    took
}

fn carry_out(agent: &Agent, url: &str, action: Action) -> Input {
    let surroundings = Surroundings {
        organization: "acme".into(),
        namespace: None,
    };
    let command = Command {
        id: CommandId(1),
        action,
        reason: Reason::FirstLook,
        not_after: None,
    };
    let mut exchange = Exchange::begin(command, &surroundings, now());
    while let Some(request) = exchange.next_request(now()) {
        let uri = format!("{url}{}", request.http.uri());
        let (head, body) = agent.get(uri).call().expect("an answer").into_parts();
        let body = body.into_with_config().limit(request.body_limit as u64).read_to_vec();
        exchange.absorb(Ok(http::Response::from_parts(head, body.expect("whole"))), now());
    }
    exchange.finish(now())
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

fn median(mut all: Vec<Duration>) -> Duration {
    all.sort_unstable();
    all[all.len() / 2]
}
