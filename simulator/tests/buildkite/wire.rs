//! The controller's own scripts against the fake.

use std::time::Duration;

use buildscaler_core::{
    Action, AgentId, Command, CommandId, Cursor, Failure, Input, JobState, Look, LookEnd, Outcome, Reason,
};
use buildscaler_simulator::buildkite::{AgentState, FakeBuildkite, JobSpec};
use buildscaler_simulator::fault::{Effect, Fault, Faulty, Pages, Reply};
use buildscaler_wire::{Exchange, SendError, SendErrorKind, Surroundings};
use http::header::{AUTHORIZATION, HeaderValue};
use http::{Request, StatusCode};

use crate::world::{World, linux};

/// Carries out an action, one round trip after the other.
fn carry_out(fake: &mut Faulty<FakeBuildkite>, world: &World, action: Action) -> Input {
    let surroundings = Surroundings {
        organization: "acme".to_owned(),
        namespace: None,
    };
    let command = Command {
        id: CommandId(1),
        action,
        reason: Reason::Demand,
        not_after: None,
    };
    let mut exchange = Exchange::begin(command, &surroundings, world.now);
    while let Some(request) = exchange.next_request(world.now) {
        let reply = send(fake, world, request.http);
        exchange.absorb(reply, world.now);
    }
    exchange.finish(world.now)
}

fn send(
    fake: &mut Faulty<FakeBuildkite>,
    world: &World,
    mut request: Request<Vec<u8>>,
) -> Result<http::Response<Vec<u8>>, SendError> {
    let bearer = format!("Bearer {}", FakeBuildkite::ACCESS_TOKEN);
    request
        .headers_mut()
        .insert(AUTHORIZATION, HeaderValue::try_from(bearer).unwrap());
    match fake.handle(world.now, request) {
        Reply::Answer(response) | Reply::Delay(_, response) => Ok(response),
        Reply::Cut { .. } => Err(SendError {
            kind: SendErrorKind::Cut,
            sent: true,
            message: "cut".to_owned(),
        }),
        Reply::NoAnswer => Err(SendError {
            kind: SendErrorKind::TimedOut,
            sent: true,
            message: "silence".to_owned(),
        }),
    }
}

fn look(fake: &mut Faulty<FakeBuildkite>, world: &World) -> Look {
    let action = Action::ObserveBuildkite {
        grant: 40,
        from: Cursor::START,
    };
    let Input::Buildkite { look, .. } = carry_out(fake, world, action) else {
        panic!("not a look");
    };
    look
}

fn take_fake(world: &mut World) -> Faulty<FakeBuildkite> {
    Faulty::new(std::mem::take(&mut world.fake))
}

#[test]
fn a_look_sees_every_agent_and_every_waiting_job() {
    let mut world = World::new();
    let (busy, running) = world.busy_agent();
    for number in 0..249 {
        world.agent(&["queue=linux", &format!("pod-uid={number}")]);
    }
    world.fake.pause_queue(world.now, &"windows".into());
    world.build(vec![JobSpec::script("windows", Duration::from_secs(1))]);
    world.build(vec![
        JobSpec::script("arm", Duration::from_secs(1)).rule("gpu=true"),
        JobSpec::wait(),
        linux(),
    ]);
    let mut fake = take_fake(&mut world);

    let look = look(&mut fake, &world);
    assert_eq!(look.end, LookEnd::Complete);
    assert_eq!(look.agents.len(), 250);
    assert_eq!(look.agents.iter().filter(|agent| agent.pod_uid.is_some()).count(), 249);
    let seen = look.agents.iter().find(|agent| agent.id == busy).unwrap();
    assert_eq!(seen.running, Some(running));
    let waiting: Vec<_> = look
        .jobs
        .iter()
        .filter(|found| found.state == JobState::Scheduled)
        .collect();
    assert_eq!((waiting.len(), waiting[0].queue.as_str()), (1, "arm"));
    assert_eq!(
        (waiting[0].rules.as_slice(), waiting[0].runnable_at),
        (&["gpu=true".to_owned()][..], Some(world.now))
    );
    assert_eq!(look.spending.limits.len(), 2);
}

#[test]
fn a_look_that_fails_half_way_is_never_complete() {
    let effects = [
        Effect::Drop,
        Effect::LoseReply,
        Effect::Cut(20),
        Effect::Refuse(StatusCode::TOO_MANY_REQUESTS),
        Effect::Refuse(StatusCode::BAD_GATEWAY),
        Effect::Garble,
    ];
    for effect in effects {
        let mut world = World::new();
        for _ in 0..150 {
            world.agent(&["queue=linux"]);
        }
        let mut fake = take_fake(&mut world);
        fake.add(Fault::on("*/agents", effect.clone()).skip(1));
        let look = look(&mut fake, &world);
        assert!(
            matches!(look.end, LookEnd::Failed(Cursor::Agents { page: 2 }, _)),
            "{effect:?}: {:?}",
            look.end
        );
    }
}

#[test]
fn a_truncated_page_cannot_be_told_from_a_short_list() {
    let mut world = World::new();
    for _ in 0..150 {
        world.agent(&["queue=linux"]);
    }
    let mut fake = take_fake(&mut world);
    fake.add(Fault::on("*/agents", Effect::Truncate(Pages::Unlinked)));
    let look = look(&mut fake, &world);
    assert_eq!((look.end, look.agents.len()), (LookEnd::Complete, 50));
}

#[test]
fn a_stop_is_graceful_whatever_the_default() {
    let mut world = World::new();
    let (agent, _) = world.busy_agent();
    let mut fake = take_fake(&mut world);
    let outcome = stop(&mut fake, &world, agent);
    assert_eq!(outcome, Outcome::Done);
    assert!(fake.inner().truth().interruptions().is_empty());
    assert_eq!(fake.inner().agents().next().unwrap().state, AgentState::Stopping);
}

#[test]
fn a_stop_whose_reply_is_lost_has_an_unknown_fate() {
    let mut world = World::new();
    let agent = world.agent(&["queue=linux"]);
    let mut fake = take_fake(&mut world);
    fake.add(Fault::on("*/stop", Effect::LoseReply));
    assert!(matches!(
        stop(&mut fake, &world, agent),
        Outcome::Failed(Failure::FateUnknown { .. })
    ));
}

fn stop(fake: &mut Faulty<FakeBuildkite>, world: &World, agent: AgentId) -> Outcome {
    let Input::Outcome { outcome, .. } = carry_out(fake, world, Action::StopAgent { agent }) else {
        panic!("not an outcome");
    };
    outcome
}
