//! What must hold in every case.

use std::fs;

use buildscaler_testbed::kubelet::RunState;
use k8s_openapi::api::core::v1::Event;
use kube::Api;
use kube::api::ListParams;
use serde_json::json;

use super::world::{SECRETS, World};

/// Checks all of it, after the controllers have ended.
pub(super) async fn check(world: &World) {
    no_build_was_interrupted(world);
    every_stop_was_graceful(world);
    nothing_was_killed(world);
    no_secret_was_shown(world).await;
    no_controller_panicked(world);
    every_pod_is_ours_alone(world);
    no_pod_was_deleted_under_its_agent(world);
}

/// Checks that no process of a pod has outlived it.
pub(super) fn nothing_runs(world: &World) {
    let uids: Vec<String> = stories(world).map(|story| story.uid).collect();
    let processes = fs::read_dir("/proc").expect("Linux").flatten();
    for process in processes {
        // One that has ended meanwhile has none.
        let environment = fs::read(process.path().join("environ")).unwrap_or_default();
        let environment = String::from_utf8_lossy(&environment);
        let mark = uids
            .iter()
            .find(|uid| environment.contains(&format!("BUILDSCALER_TEST_POD={uid}")));
        assert_eq!(mark, None, "{} outlived its pod", process.path().display());
    }
}

fn no_build_was_interrupted(world: &World) {
    let interruptions = world.fake().inner().truth().interruptions();
    assert_eq!(interruptions, [], "Buildkite saw builds cut off");
    for run in world.agent.runs() {
        assert_eq!(run.state, RunState::Finished, "an agent saw a build cut off: {run:?}");
    }
}

fn every_stop_was_graceful(world: &World) {
    for stop in world.fake().inner().observed().stops() {
        assert_eq!(stop.json(), json!({"force": false}), "{stop:?}");
    }
}

fn every_pod_is_ours_alone(world: &World) {
    for story in stories(world).filter(|story| story.template.is_some()) {
        assert!(!story.owned, "another controller owns a pod: {story:?}");
        assert_eq!(story.restart_policy, "Never", "{story:?}");
    }
}

/// An agent ends its build on SIGTERM too, but has no longer for it than its pod's grace period.
fn no_pod_was_deleted_under_its_agent(world: &World) {
    let cut = |story: &super::Story| story.leaving.is_some() && !story.ended_before_leaving;
    for story in stories(world).filter(cut) {
        let tag = format!("pod-uid={}", story.uid);
        let had_agent = world.fake().inner().agents().any(|agent| agent.tags.contains(&tag));
        assert!(!had_agent, "a pod with an agent was deleted: {story:?}");
    }
}

fn nothing_was_killed(world: &World) {
    let mut kills = world.cluster.kills();
    kills.retain(|kill| world.realms().iter().any(|realm| realm.namespace == kill.namespace));
    assert_eq!(kills, [], "containers were ended by SIGKILL");
}

async fn no_secret_was_shown(world: &World) {
    let is_shown = |text: &str| SECRETS.iter().any(|secret| text.contains(secret));
    for controller in world.controllers().iter() {
        let output = controller.output();
        assert!(!is_shown(&output), "the controller shows a token:\n{output}");
    }
    for realm in world.realms() {
        let leaks = realm.pods.leaks();
        assert!(leaks.is_empty(), "these pods show a token: {leaks:?}");
        let events: Api<Event> = Api::namespaced(world.cluster.client(), &realm.namespace);
        for event in events.list(&ListParams::default()).await.expect("events") {
            let event = serde_json::to_string(&event).expect("JSON");
            assert!(!is_shown(&event), "an event shows a token: {event}");
        }
    }
    for story in stories(world) {
        // A pod that never ran has no log.
        let log = fs::read_to_string(world.agent.log(&story.uid)).unwrap_or_default();
        assert!(!is_shown(&log), "the log of {} shows a token", story.name);
    }
}

fn no_controller_panicked(world: &World) {
    for controller in world.controllers().iter() {
        let output = controller.output();
        assert!(!output.contains("panicked at"), "{output}");
    }
}

fn stories(world: &World) -> impl Iterator<Item = super::Story> {
    world.realms().into_iter().flat_map(|realm| realm.pods.all())
}
