//! Time is an argument: what happens when, without waiting for it.

use buildscaler_simulator::kubernetes::{Controllers, DeleteOptions, Resource};
use serde_json::{Value, json};

use crate::world::{World, pod};

#[test]
fn a_pod_is_bound_to_a_ready_node_with_room() {
    let mut world = World::new();
    world.add_node("broken", "False");
    world.create(pod("p"));
    world.pass(0);
    let waiting = world.pod("p").unwrap();
    assert_eq!(waiting["spec"]["nodeName"], Value::Null);
    assert_eq!(waiting["status"]["conditions"][0]["reason"], "Unschedulable");
    world.add_node("sound", "True");
    world.pass(0);
    assert_eq!(world.pod("p").unwrap()["spec"]["nodeName"], "sound");
}

#[test]
fn a_full_node_takes_no_more_until_a_pod_has_ended() {
    let mut world = World::new();
    world.add_node("small", "True");
    let status = json!({ "allocatable": { "pods": "1" }, "conditions": [{ "type": "Ready", "status": "True" }] });
    world.fake.update_status(Resource::Nodes, "", "small", status).unwrap();
    world.create(pod("first"));
    world.create(pod("second"));
    world.pass(0);
    assert_eq!(world.pod("first").unwrap()["spec"]["nodeName"], "small");
    assert_eq!(world.pod("second").unwrap()["spec"]["nodeName"], Value::Null);
    world
        .fake
        .update_status(Resource::Pods, "default", "first", json!({ "phase": "Succeeded" }))
        .unwrap();
    world.pass(0);
    assert_eq!(world.pod("second").unwrap()["spec"]["nodeName"], "small");
}

#[test]
fn a_lost_node_is_missed_for_forty_seconds_before_its_pods_end() {
    let mut world = World::new();
    world.add_node("n", "True");
    world.create(pod("p"));
    world.pass(0);
    world
        .fake
        .delete(world.now, Resource::Nodes, "", "n", &DeleteOptions::default())
        .unwrap();
    world.pass(39);
    assert!(world.pod("p").is_some());
    world.pass(1);
    assert_eq!(world.pod("p"), None);
}

#[test]
fn an_unreachable_node_leaves_its_pods_terminating_after_five_minutes() {
    let mut world = World::new();
    world.add_node("n", "True");
    world.create(pod("p"));
    world.pass(0);
    let status = json!({ "conditions": [{ "type": "Ready", "status": "Unknown" }] });
    world.fake.update_status(Resource::Nodes, "", "n", status).unwrap();
    world.pass(299);
    assert_eq!(world.pod("p").unwrap()["metadata"]["deletionTimestamp"], Value::Null);
    world.pass(1);
    let pod = world.pod("p").unwrap();
    assert!(pod["metadata"]["deletionTimestamp"].is_string());
    world.pass(3600);
    assert!(world.pod("p").is_some(), "nobody is there to end it");
}

#[test]
fn a_node_that_comes_back_keeps_its_pods() {
    let mut world = World::new();
    world.add_node("n", "True");
    world.create(pod("p"));
    world.pass(0);
    for ready in ["Unknown", "True"] {
        let status = json!({ "conditions": [{ "type": "Ready", "status": ready }] });
        world.fake.update_status(Resource::Nodes, "", "n", status).unwrap();
        world.pass(200);
    }
    world.pass(600);
    assert_eq!(world.pod("p").unwrap()["metadata"]["deletionTimestamp"], Value::Null);
}

#[test]
fn a_controller_that_is_off_does_nothing_and_catches_up_when_it_is_on() {
    let mut world = World::without_controllers();
    world.add_node("n", "True");
    world.create(pod("p"));
    world.pass(60);
    assert_eq!(world.pod("p").unwrap()["spec"]["nodeName"], Value::Null);
    world.fake.settings_mut().controllers = Controllers::default();
    world.pass(0);
    assert_eq!(world.pod("p").unwrap()["spec"]["nodeName"], "n");
}

#[test]
fn creation_times_are_whole_seconds() {
    let mut world = World::new();
    world.now = world.now.after(std::time::Duration::from_millis(999));
    let created = world.create(pod("p"));
    assert_eq!(created["metadata"]["creationTimestamp"], "2027-01-15T08:00:00Z");
}

#[test]
fn equal_histories_give_equal_clusters() {
    let history = || {
        let mut world = World::new();
        world.add_node("n", "True");
        for _ in 0..10 {
            let mut pod = pod("");
            pod["metadata"] = json!({ "generateName": "agent-" });
            world.create(pod);
            world.pass(1);
        }
        world
            .fake
            .objects(Resource::Pods, "")
            .map(|pod| pod.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(history(), history());
}
