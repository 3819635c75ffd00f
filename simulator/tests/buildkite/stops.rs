//! Stopping agents through the REST API.

use http::StatusCode;
use serde_json::json;

use buildscaler_simulator::buildkite::{AgentState, JobState, LifeEvent, Ping, Switches, Unaccepted, Why};

use crate::world::{World, linux};

const GRACEFUL: &str = r#"{"force":false}"#;

#[test]
fn a_graceful_stop_lets_the_job_end_first() {
    let mut world = World::new();
    let (agent, running) = world.busy_agent();
    assert_eq!(world.stop(&agent, GRACEFUL).status, StatusCode::NO_CONTENT);
    assert_eq!(
        world.get(&format!("/agents/{agent}")).body["connection_state"],
        "stopping"
    );
    world.finish(&agent, &running, 0);
    assert_eq!(world.ping(&agent), Ping::Disconnect);
    world.fake.disconnect(world.now, &agent).unwrap();
    assert_eq!(world.fake.agent_of(&agent).unwrap().state, AgentState::Stopped);
    assert!(world.fake.truth().interruptions().is_empty());
}

#[test]
fn a_stop_that_says_nothing_of_force_is_forced() {
    for body in ["", "{}", r#"{"force":true}"#] {
        let mut world = World::new();
        let (agent, running) = world.busy_agent();
        assert_eq!(world.stop(&agent, body).status, StatusCode::NO_CONTENT);
        assert_eq!(
            world.fake.job_of(&running).unwrap().state,
            JobState::Canceling,
            "body {body:?}"
        );
        assert_eq!(world.fake.truth().interruptions(), [(running, Why::ForceStop)]);
    }
}

#[test]
fn a_forced_stop_cancels_the_whole_build() {
    let mut world = World::new();
    let agent = world.agent(&["queue=linux"]);
    let jobs = world.build(vec![linux(), linux()]);
    world.run(&agent, &jobs[0]);
    world.stop(&agent, "{}");
    assert_eq!(world.last_event(&jobs[1]), LifeEvent::Canceled);
    world.finish(&agent, &jobs[0], -1);
    assert_eq!(world.fake.builds().next().unwrap().state.as_str(), "canceled");
}

#[test]
fn force_works_after_a_graceful_stop() {
    let mut world = World::new();
    let (agent, running) = world.busy_agent();
    world.stop(&agent, GRACEFUL);
    assert_eq!(world.stop(&agent, "{}").status, StatusCode::NO_CONTENT);
    assert_eq!(world.fake.truth().interruptions(), [(running, Why::ForceStop)]);
}

#[test]
fn a_job_assigned_before_the_stop_is_still_run() {
    let mut world = World::new();
    let agent = world.agent(&["queue=linux"]);
    let assigned = world.build(vec![linux()]).remove(0);
    world.stop(&agent, GRACEFUL);
    world.run(&agent, &assigned);
    world.finish(&agent, &assigned, 0);
    assert_eq!(world.last_event(&assigned), LifeEvent::Finished(0));
}

#[test]
fn or_it_goes_to_another_agent_if_so_switched() {
    let switches = Switches {
        unaccepted_at_stop: Unaccepted::Rescheduled,
        ..Switches::default()
    };
    let mut world = World::with(switches);
    let agent = world.agent(&["queue=linux"]);
    let assigned = world.build(vec![linux()]).remove(0);
    world.stop(&agent, GRACEFUL);
    assert_eq!(world.ping(&agent), Ping::Disconnect);
    let other = world.agent(&["queue=linux"]);
    assert_eq!(world.ping(&other), Ping::Assigned(assigned));
}

#[test]
fn an_agent_that_is_gone_cannot_be_stopped() {
    let mut world = World::new();
    let agent = world.agent(&["queue=linux"]);
    world.fake.disconnect(world.now, &agent).unwrap();
    let answer = world.stop(&agent, GRACEFUL);
    assert_eq!(
        (answer.status, answer.message()),
        (StatusCode::BAD_REQUEST, "Can only stop connected agents")
    );
}

#[test]
fn an_unknown_agent_cannot_be_stopped() {
    let answer = World::new().stop(&"nobody".into(), GRACEFUL);
    assert_eq!(
        (answer.status, answer.message()),
        (StatusCode::NOT_FOUND, "No agent found")
    );
}

#[test]
fn a_second_graceful_stop_is_answered_as_switched() {
    for status in [StatusCode::NO_CONTENT, StatusCode::BAD_REQUEST] {
        let mut world = World::with(Switches {
            stop_of_stopping: status,
            ..Switches::default()
        });
        let agent = world.agent(&["queue=linux"]);
        world.stop(&agent, GRACEFUL);
        assert_eq!(world.stop(&agent, GRACEFUL).status, status);
    }
}

#[test]
fn every_stop_can_be_looked_at_afterwards() {
    let mut world = World::new();
    let agent = world.agent(&["queue=linux"]);
    world.stop(&agent, GRACEFUL);
    let bodies: Vec<_> = world.fake.observed().stops().map(|stop| stop.json()).collect();
    assert_eq!(bodies, [json!({"force": false})]);
}

#[test]
fn a_paused_agent_stays_and_takes_no_job() {
    let mut world = World::new();
    let agent = world.agent(&["queue=linux"]);
    let path = format!("/agents/{agent}/pause");
    assert_eq!(world.put(&path, r#"{"note":"looking"}"#).status, StatusCode::NO_CONTENT);
    assert_eq!(world.put(&path, "{}").message(), "Agent is already paused");
    world.build(vec![linux()]);
    assert_eq!(world.ping(&agent), Ping::Pause(Some("looking".to_owned())));
    assert_eq!(world.get("/agents").body[0]["paused"], true);
    assert_eq!(
        world.put(&format!("/agents/{agent}/resume"), "{}").status,
        StatusCode::NO_CONTENT
    );
    assert!(matches!(world.ping(&agent), Ping::Assigned(_)));
}

#[test]
fn a_pause_ends_by_itself() {
    let mut world = World::new();
    let agent = world.agent(&["queue=linux"]);
    world.put(&format!("/agents/{agent}/pause"), r#"{"timeout_in_minutes":1}"#);
    world.pass(60);
    assert_eq!(world.ping(&agent), Ping::Idle);
}
