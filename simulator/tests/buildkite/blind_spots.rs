//! What the agent list does not show.

use std::time::Duration;

use buildscaler_simulator::buildkite::{AgentSpec, FakeBuildkite, Switches, User};

use crate::world::World;

#[test]
fn a_registered_agent_is_not_listed_before_it_connects() {
    let mut world = World::new();
    let agent = world.fake.register(world.now, AgentSpec::default());
    assert!(world.listed_agents().is_empty());
    assert_eq!(
        world.get(&format!("/agents/{agent}")).body["connection_state"],
        "never_connected"
    );
}

#[test]
fn a_stopping_agent_is_listed_until_it_disconnects() {
    let mut world = World::new();
    let agent = world.agent(&["queue=linux"]);
    world.stop(&agent, r#"{"force":false}"#);
    assert_eq!(world.get("/agents").body[0]["connection_state"], "stopping");
    world.fake.disconnect(world.now, &agent).unwrap();
    assert!(world.listed_agents().is_empty());
}

#[test]
fn the_list_is_behind_the_truth_by_the_lag() {
    let mut world = World::with(Switches {
        agent_list_lag: Duration::from_secs(5),
        ..Switches::default()
    });
    let agent = world.agent(&["queue=linux"]);
    world.pass(4);
    assert!(world.listed_agents().is_empty());
    world.pass(1);
    assert_eq!(world.listed_agents().len(), 1);
    world.fake.disconnect(world.now, &agent).unwrap();
    world.pass(4);
    assert_eq!(world.listed_agents().len(), 1);
    world.pass(1);
    assert!(world.listed_agents().is_empty());
}

#[test]
fn a_busy_agent_shows_its_job() {
    let mut world = World::new();
    let (_, running) = world.busy_agent();
    let row = world.get("/agents").body[0].clone();
    assert_eq!(row["job"]["id"], running.as_str());
    assert_eq!(row["job"]["agent"], serde_json::Value::Null);
    assert_eq!(row["queue"], "linux");
    assert_eq!(row["hostname"], "host");
    assert_eq!(row["meta_data"][0], "queue=linux");
}

#[test]
fn the_job_is_hidden_from_a_user_who_cannot_see_the_pipeline() {
    let mut world = World::new();
    world.busy_agent();
    world.fake.accounts.put_user(User {
        name: "scaler".to_owned(),
        may_stop_agents: true,
        sees_pipelines: false,
    });
    assert_eq!(world.get("/agents").body[0]["job"], serde_json::Value::Null);
}

#[test]
fn an_agent_without_a_queue_is_in_the_default_one() {
    let mut world = World::new();
    world.agent(&["linux"]);
    assert_eq!(world.get("/agents").body[0]["queue"], "default");
    assert_eq!(FakeBuildkite::ORGANIZATION, "acme");
}

#[test]
fn the_list_can_be_narrowed_by_hostname() {
    let mut world = World::new();
    world.agent(&["queue=linux"]);
    assert_eq!(world.get("/agents?hostname=host").rows().len(), 1);
    assert!(world.get("/agents?hostname=other").rows().is_empty());
}
