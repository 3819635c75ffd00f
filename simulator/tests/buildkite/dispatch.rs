//! Which job goes to which agent.

use std::time::Duration;

use buildscaler_simulator::buildkite::{AgentSpec, Dispatch, JobSpec, Ping, Switches};

use crate::world::{World, linux};

#[test]
fn an_agent_gets_jobs_of_its_queue_only() {
    let mut world = World::new();
    let agent = world.agent(&["queue=windows"]);
    world.build(vec![linux()]);
    assert_eq!(world.ping(&agent), Ping::Idle);
}

#[test]
fn a_job_that_names_no_queue_goes_to_the_default_one() {
    let mut world = World::new();
    let agent = world.agent(&[]);
    let assigned = world.build(vec![JobSpec::anywhere(Duration::from_secs(1))]).remove(0);
    assert_eq!(world.ping(&agent), Ping::Assigned(assigned));
}

#[test]
fn every_rule_must_be_met_by_the_agents_tags() {
    let mut world = World::new();
    let plain = world.agent(&["queue=linux"]);
    let fast = world.agent(&["queue=linux", "gpu=a100"]);
    let assigned = world.build(vec![linux().rule("gpu=*")]).remove(0);
    assert_eq!(world.ping(&plain), Ping::Idle);
    assert_eq!(world.ping(&fast), Ping::Assigned(assigned));
}

#[test]
fn the_job_of_higher_priority_goes_first() {
    let mut world = World::new();
    let jobs = world.build(vec![linux(), linux().priority(1)]);
    let agent = world.agent(&["queue=linux"]);
    assert_eq!(world.ping(&agent), Ping::Assigned(jobs[1].clone()));
}

#[test]
fn the_agent_of_higher_priority_is_given_jobs_first() {
    let mut world = World::new();
    world.agent(&["queue=linux"]);
    let tags = vec!["queue=linux".to_owned()];
    let keen = world.fake.register(
        world.now,
        AgentSpec {
            tags,
            priority: 1,
            ..AgentSpec::default()
        },
    );
    world.fake.connect(world.now, &keen).unwrap();
    let assigned = world.build(vec![linux()]).remove(0);
    assert_eq!(world.ping(&keen), Ping::Assigned(assigned));
}

#[test]
fn a_paused_queue_gives_out_nothing() {
    let mut world = World::new();
    let agent = world.agent(&["queue=linux"]);
    world.fake.pause_queue(world.now, &"linux".into());
    let assigned = world.build(vec![linux()]).remove(0);
    assert_eq!(world.ping(&agent), Ping::Idle);
    world.fake.resume_queue(world.now, &"linux".into());
    assert_eq!(world.ping(&agent), Ping::Assigned(assigned));
}

#[test]
fn a_concurrency_group_lets_the_next_job_in_when_one_ends() {
    let mut world = World::new();
    let (first, second) = (world.agent(&["queue=linux"]), world.agent(&["queue=linux"]));
    let jobs = world.build(vec![linux().concurrency("deploy", 1), linux().concurrency("deploy", 1)]);
    world.run(&first, &jobs[0]);
    assert_eq!(world.ping(&second), Ping::Idle);
    world.finish(&first, &jobs[0], 0);
    assert_eq!(world.ping(&first), Ping::Assigned(jobs[1].clone()));
}

#[test]
fn a_job_may_be_given_to_an_agent_before_it_asks() {
    let mut world = World::new();
    let agent = world.agent(&["queue=linux"]);
    world.build(vec![linux()]);
    assert!(world.fake.held_by(&agent).is_some());
}

#[test]
fn or_only_when_it_asks_if_so_switched() {
    let mut world = World::with(Switches {
        dispatch: Dispatch::AtPing,
        ..Switches::default()
    });
    let agent = world.agent(&["queue=linux"]);
    let assigned = world.build(vec![linux()]).remove(0);
    assert!(world.fake.held_by(&agent).is_none());
    assert_eq!(world.ping(&agent), Ping::Assigned(assigned));
}

#[test]
fn a_wait_is_from_dispatchable_to_started() {
    let mut world = World::new();
    let assigned = world.build(vec![linux()]).remove(0);
    world.pass(25);
    assert_eq!(world.fake.waits()[0].length(world.now), Duration::from_secs(25));
    let agent = world.agent(&["queue=linux"]);
    world.run(&agent, &assigned);
    world.pass(10);
    assert_eq!(world.fake.waits()[0].length(world.now), Duration::from_secs(25));
}
