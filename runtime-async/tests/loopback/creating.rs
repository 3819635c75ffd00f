//! Builds get pods.

use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn a_waiting_build_gets_one_pod_made_from_its_template() {
    let mut world = World::start().await;
    world.add_template("linux");
    world.add_build("linux");
    world.until_pod_of("linux").await;
    let looks = world.count(&["observing Buildkite: done"]);
    world
        .until("three more looks", || {
            world.count(&["observing Buildkite: done"]) > looks + 3
        })
        .await;
    let pods = world.pods_of("linux");
    let [pod] = &pods[..] else {
        panic!("one build, {} pods", pods.len());
    };
    assert_eq!(pod["metadata"]["labels"]["app.elotl.co"], "buildscaler");
    assert_eq!(pod["spec"]["restartPolicy"], "Never");
    let container = &pod["spec"]["containers"][0];
    assert_eq!(container["image"], "buildkite/agent:3");
    assert_eq!(
        container["envFrom"],
        json!([{"secretRef": {"name": "buildkite-agent-token"}}])
    );
    let variables = container["env"].as_array().expect("variables");
    assert!(
        variables.contains(&json!({"name": "KEPT", "value": "as it is"})),
        "{variables:?}"
    );
    let tags = variables
        .iter()
        .find(|variable| variable["name"] == "BUILDKITE_AGENT_TAGS");
    let tags = tags
        .and_then(|tags| tags["value"].as_str())
        .expect("the agent is told its queue");
    assert!(tags.contains("queue=linux"), "{tags}");
    assert!(world.end().await.0.success());
}

#[tokio::test]
async fn a_hundred_builds_get_a_hundred_pods() {
    let mut world = World::start().await;
    world.add_template("linux");
    for _ in 0..100 {
        world.add_build("linux");
    }
    world.until("all pods", || world.pods_of("linux").len() >= 100).await;
    let looks = world.count(&["observing Buildkite: done"]);
    world
        .until("two more looks", || {
            world.count(&["observing Buildkite: done"]) > looks + 2
        })
        .await;
    assert_eq!(world.pods_of("linux").len(), 100);
    assert!(world.end().await.0.success());
}
