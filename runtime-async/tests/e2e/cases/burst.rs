//! Builds arrive; pods come and go.

use std::time::Duration;

use buildscaler_simulator::buildkite::AgentState;

use crate::harness::{Template, World};

pub(crate) async fn one_build(world: &World) {
    world.apply(&Template::new("bash-job", "bash")).await;
    world.start_default().await;
    let build = world.build("bash", 1, Duration::from_secs(2));
    world.tell("one build done", world.until_all_passed(&build).await);
    world.tell("its pod gone", world.until_no_pod_left().await);
    assert_eq!(world.home.pods.ours().len(), 1);
}

pub(crate) async fn twelve_builds(world: &World) {
    world.apply(&Template::new("bash-job", "bash")).await;
    world.start_default().await;
    let builds = world.build("bash", 12, Duration::from_secs(4));
    world.tell("twelve builds done", world.until_all_passed(&builds).await);
    world.tell("their pods gone", world.until_no_pod_left().await);

    let pods = world.home.pods.ours();
    assert!(pods.len() <= 12, "{} pods for 12 builds", pods.len());
    assert!(
        pods.iter().all(|pod| pod.ended_before_leaving),
        "a pod was deleted before its agent had left: {pods:?}"
    );
    let fake = world.fake();
    for agent in fake.inner().agents() {
        let left = matches!(agent.state, AgentState::Stopped | AgentState::Disconnected);
        assert!(left, "{} did not take its leave: {:?}", agent.name, agent.state);
    }
}
