//! What Buildkite may answer: builds, agents, limits, stops.

use std::collections::BTreeSet;

use buildscaler_core::{Action, AgentId, CommandId, Cursor, Input, LookEnd, Outcome};
use buildscaler_wire::{Api, Request};

use crate::life::Life;
use crate::replies::{Server, begin};

/// The most requests of one look here.
const GRANT: u32 = 100;

/// Answers to a look: builds first, then agents. The look that comes of it is
/// told to a controller that knows a cluster.
pub(crate) fn look(bytes: &[u8]) {
    let mut life = Life::with_pods();
    let id = life.look_id();
    let mut server = Server::new(bytes);
    let action = Action::ObserveBuildkite {
        grant: GRANT,
        from: Cursor::START,
    };
    let mut asked = BTreeSet::new();
    let mut requests = 0;
    let input = server.talk(begin(action, id), |request| {
        requests += 1;
        assert_ours(request, "/v2/organizations/acme/");
        assert!(
            asked.insert(request.http.uri().to_string()),
            "no page is asked for twice"
        );
    });
    let Input::Buildkite { look, .. } = &input else {
        unreachable!("a look ends as a look")
    };
    assert_eq!(
        look.spending.requests, requests,
        "each request is counted (Invariant 21)"
    );
    assert!(requests <= GRANT, "no more is asked than was granted");
    assert!(
        !server.refused || matches!(look.end, LookEnd::Failed(..)),
        "a look with a page that failed is not complete (Invariant 24): {:?}",
        look.end
    );
    assert!(
        look.jobs.len() + look.agents.len() <= server.letters,
        "there are no more rows than letters"
    );
    life.tell(input);
    life.go_on();
}

/// The answer to a stop.
pub(crate) fn stop(bytes: &[u8]) {
    let mut server = Server::new(bytes);
    let agent = AgentId::from("0b461f65-e7be-4c80-888a-ef11d81fd971");
    let mut requests = 0;
    let input = server.talk(begin(Action::StopAgent { agent }, CommandId(7)), |request| {
        requests += 1;
        assert_ours(request, "/v2/organizations/acme/agents/");
        assert_eq!(
            request.http.body(),
            br#"{"force": false}"#,
            "no stop is forced (Invariant 2)"
        );
    });
    let Input::Outcome { outcome, .. } = &input else {
        unreachable!("a stop ends in an outcome")
    };
    assert_eq!(requests, 1, "a stop is one request");
    assert_eq!(*outcome == Outcome::Done, !server.refused, "only a success is one");
}

/// The token goes where it belongs, whatever links an answer holds.
fn assert_ours(request: &Request, path: &str) {
    assert_eq!(request.api, Api::Buildkite);
    assert!(request.http.uri().host().is_none(), "no other host is asked");
    assert!(request.http.uri().path().starts_with(path), "{}", request.http.uri());
}
