//! What an API server may answer to reads and writes of the Lease.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use buildscaler_core::{
    Action, Command, CommandId, Config, Controller, Input, LeadershipConfig, Lease, Role, Timestamp, View, WriteLease,
};
use buildscaler_wire::Request;

use crate::replies::{NOW, Server, begin};

const IDENTITY: &str = "buildscaler-0_1-17f";
/// More steps than a candidate needs to see its claim run out.
const STEPS: u32 = 60;

/// The years 0 to 9998: those of our dates end within the last day of 9999.
const YEARS: RangeInclusive<i64> = -62_167_219_200_000..=253_370_764_799_999;

/// Answers to one read and two writes; then a candidate lives by them. What is
/// read is written, and reads back as it was.
pub(crate) fn lease(bytes: &[u8]) {
    let mut server = Server::new(bytes);
    if let View::Complete(Some(lease)) = ask(&mut server, read()) {
        write_back(&lease);
        ask(&mut server, write(Some(lease.version.clone()), &lease));
        ask(&mut server, write(None, &lease));
    }
    live(&mut Server::new(bytes));
}

/// One request and its answer, which says what the server said.
fn ask(server: &mut Server<'_>, action: Action) -> View<Option<Lease>> {
    let is_read = matches!(action, Action::ReadLease { .. });
    server.refused = false;
    let mut requests = 0;
    let input = server.talk(begin(action, CommandId(7)), |_| requests += 1);
    let Input::Lease { view, .. } = input else {
        unreachable!("a question about the lease ends in a lease")
    };
    assert_eq!(requests, 1, "it is one request");
    match &view {
        View::Complete(Some(lease)) => {
            assert!(!server.refused, "only a success shows a lease");
            assert!(
                !lease.version.is_empty(),
                "a lease without version could be overwritten blindly"
            );
        }
        View::Complete(None) => assert!(is_read && server.refused, "none is there only if a read is told so"),
        View::Unknown(_) => {}
    }
    view
}

/// A server that gives back what was written shows what was read. Years that
/// RFC 3339 has no words for are left out: no API server takes them.
fn write_back(lease: &Lease) {
    let times = [lease.record.acquired_at, lease.record.renewed_at];
    let is_told = |time: &Timestamp| YEARS.contains(&time.as_millis());
    if !times.iter().flatten().all(is_told) {
        return;
    }
    let exchange = &mut begin(write(Some(lease.version.clone()), lease), CommandId(7));
    let Some(Request { http, .. }) = exchange.next_request(NOW) else {
        unreachable!("a lease that was read can be written")
    };
    let mut reply = b"200\n\n".to_vec();
    reply.extend_from_slice(http.body());
    let again = ask(&mut Server::new(&reply), read());
    assert_eq!(
        again.complete().and_then(Option::as_ref),
        Some(lease),
        "it reads back equal"
    );
}

/// A candidate believes nobody but a server that names it.
fn live(server: &mut Server<'_>) {
    let config = Config {
        leadership: Some(LeadershipConfig {
            identity: IDENTITY.into(),
            namespace: "builds".into(),
            name: "buildscaler".into(),
            lease_duration: Duration::from_secs(15),
            renew_deadline: Duration::from_secs(10),
            retry_period: Duration::from_secs(1),
        }),
        ..Config::default()
    };
    let mut controller = Controller::new(config);
    let mut now = NOW;
    let mut asked = BTreeSet::new();
    let mut named = false;
    let mut step = controller.step(now, Input::Tick);
    for _ in 0..STEPS {
        let of_lease = |command: &Command| matches!(command.action, Action::ReadLease { .. } | Action::WriteLease(_));
        let mut due: Vec<Command> = step.commands.into_iter().filter(of_lease).collect();
        assert!(due.len() <= 1, "one request for the lease at a time");
        let input = match due.pop() {
            Some(Command { id, action, .. }) => {
                assert!(asked.insert(id), "no two commands of one id");
                let input = server.talk(begin(action, id), |_| {});
                named |= matches!(&input, Input::Lease { view: View::Complete(Some(lease)), .. }
                    if lease.record.holder.as_deref() == Some(IDENTITY));
                input
            }
            None => {
                now = step.wake.at;
                Input::Tick
            }
        };
        step = controller.step(now, input);
        let leadership = controller.leadership().expect("it is one of several");
        assert!(named || leadership.role == Role::Follower, "it commands unnamed");
    }
}

fn read() -> Action {
    Action::ReadLease {
        namespace: "builds".into(),
        name: "buildscaler".into(),
        within: Duration::from_secs(5),
    }
}

fn write(over: Option<String>, lease: &Lease) -> Action {
    Action::WriteLease(WriteLease {
        namespace: "builds".into(),
        name: "buildscaler".into(),
        over,
        record: lease.record.clone(),
        within: Duration::from_secs(5),
    })
}
