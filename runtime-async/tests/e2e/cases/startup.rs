//! Pods whose agent never connects.

use std::time::Duration;

use crate::harness::{Image, Launch, PATIENCE, Template, World, throughout, within};

const STARTUP_TIMEOUT: u64 = 8;
const A_WHILE: Duration = Duration::from_secs(6);

pub(crate) async fn never_connects(world: &World) {
    let template = Template::new("bash-job", "bash").image(Image::Mute);
    world.apply(&template).await;
    let launch = Launch {
        startup_timeout: STARTUP_TIMEOUT,
        ..world.launch()
    };
    world.start(launch).await;
    world.build("bash", 1, Duration::from_secs(1));
    within(PATIENCE, "the pod is given up", async || {
        world.home.pods.ours().iter().any(|pod| pod.leaving.is_some())
    })
    .await;
    let pods = world.home.pods.ours();
    let given_up = pods[0].leaving.expect("the first goes first");
    let waited = given_up - pods[0].appeared;
    world.tell("an agent that never connects given up", waited);
    // The controller and this test watch apart, each with a lag of its own.
    assert!(
        waited > Duration::from_secs(STARTUP_TIMEOUT - 1),
        "given up after {waited:?}"
    );
    assert!(
        waited < Duration::from_secs(STARTUP_TIMEOUT + 7),
        "given up after {waited:?}"
    );

    within(PATIENCE, "another one is tried", async || {
        world.home.pods.ours().len() > 1
    })
    .await;
    let next = world.home.pods.ours()[1].appeared;
    assert!(
        next + Duration::from_secs(1) > given_up,
        "it was made while the first was starting"
    );
    world.remove(&template).await;
    world.cancel_builds();
    world.until_no_pod_left().await;
}

pub(crate) async fn late(world: &World) {
    world.cluster.break_image(Image::Fragile);
    world
        .apply(&Template::new("bash-job", "bash").image(Image::Fragile))
        .await;
    world.start_default().await;
    let build = world.build("bash", 1, Duration::from_secs(1));
    within(PATIENCE, "a pod appears", async || !world.home.pods.ours().is_empty()).await;
    throughout(A_WHILE, "no other pod is made", async || {
        let pods = world.home.pods.ours();
        pods.len() == 1 && pods[0].leaving.is_none()
    })
    .await;
    world.cluster.mend_image(Image::Fragile);
    world.until_all_passed(&build).await;
    world.until_no_pod_left().await;
    assert_eq!(world.home.pods.ours().len(), 1);
}
