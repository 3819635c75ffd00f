//! Agents that fall silent.

use buildscaler_simulator::buildkite::{AgentState, LifeEvent, Ping, Refusal, Switches, Unaccepted, Why};

use crate::world::{World, linux};

#[test]
fn a_silent_agent_is_lost_within_a_minute_after_three() {
    let mut world = World::new();
    world.pass(30);
    let agent = world.agent(&["queue=linux"]);
    world.pass(180);
    assert_eq!(world.listed_agents().len(), 1);
    world.pass(30);
    assert!(world.listed_agents().is_empty());
    assert_eq!(world.fake.agent_of(&agent).unwrap().state, AgentState::Lost);
}

#[test]
fn a_heartbeat_keeps_an_agent() {
    let mut world = World::new();
    let agent = world.agent(&["queue=linux"]);
    for _ in 0..10 {
        world.pass(60);
        world.fake.heartbeat(world.now, &agent).unwrap();
    }
    assert_eq!(world.listed_agents().len(), 1);
}

#[test]
fn the_job_of_a_lost_agent_fails_with_minus_one() {
    let mut world = World::new();
    let (_, running) = world.busy_agent();
    world.pass(240);
    assert_eq!(world.fake.truth().interruptions(), [(running.clone(), Why::AgentLost)]);
    let row = world.get(&format!("/jobs/{running}")).body;
    assert_eq!(
        (row["state"].as_str(), row["exit_status"].as_i64()),
        (Some("failed"), Some(-1))
    );
}

#[test]
fn the_job_of_an_agent_that_disconnects_is_interrupted() {
    let mut world = World::new();
    let (agent, running) = world.busy_agent();
    world.fake.disconnect(world.now, &agent).unwrap();
    assert_eq!(world.fake.truth().interruptions(), [(running, Why::AgentDisconnected)]);
}

#[test]
fn a_job_that_was_not_accepted_goes_to_another_agent() {
    let mut world = World::new();
    let gone = world.agent(&["queue=linux"]);
    let assigned = world.build(vec![linux()]).remove(0);
    world.fake.disconnect(world.now, &gone).unwrap();
    let other = world.agent(&["queue=linux"]);
    assert_eq!(world.ping(&other), Ping::Assigned(assigned));
    assert!(world.fake.truth().interruptions().is_empty());
}

#[test]
fn or_it_fails_if_so_switched() {
    let mut world = World::with(Switches {
        unaccepted_at_exit: Unaccepted::Kept,
        ..Switches::default()
    });
    let gone = world.agent(&["queue=linux"]);
    let assigned = world.build(vec![linux()]).remove(0);
    world.fake.disconnect(world.now, &gone).unwrap();
    assert_eq!(
        world.last_event(&assigned),
        LifeEvent::Interrupted(Why::AgentDisconnected)
    );
}

#[test]
fn a_lost_agent_comes_back_with_its_next_call() {
    let mut world = World::new();
    let (agent, running) = world.busy_agent();
    world.pass(300);
    assert!(world.listed_agents().is_empty());
    world.fake.heartbeat(world.now, &agent).unwrap();
    assert_eq!(world.listed_agents().len(), 1);
    let ending = buildscaler_simulator::buildkite::Ending::exited(0);
    assert_eq!(
        world.fake.finish(world.now, &agent, &running, ending),
        Err(Refusal::NotYourJob)
    );
}

#[test]
fn or_it_is_refused_if_so_switched() {
    let mut world = World::with(Switches {
        lost_may_return: false,
        ..Switches::default()
    });
    let agent = world.agent(&["queue=linux"]);
    world.pass(300);
    assert_eq!(world.fake.ping(world.now, &agent), Err(Refusal::NotConnected));
}

#[test]
fn the_next_event_is_when_the_first_agent_is_lost() {
    let mut world = World::new();
    assert_eq!(world.fake.next_event(), None);
    world.agent(&["queue=linux"]);
    world.now = world.fake.next_event().unwrap();
    world.pass(0);
    assert!(world.listed_agents().is_empty());
}
