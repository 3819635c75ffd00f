//! Controllers that end, that are killed, and that are two.

use std::time::Duration;

use buildscaler_simulator::fault::{Effect, Fault};
use tokio::time::{Instant, sleep};

use crate::harness::{ENDS_WITHIN, PATIENCE, Template, World, within};

pub(crate) async fn killed(world: &World) {
    world.apply(&Template::new("bash-job", "bash")).await;
    let builds = world.build("bash", 10, Duration::from_secs(4));
    for least in [1, 4, 8] {
        let controller = world.start_default().await;
        let busy = async || world.home.pods.ours().len() >= least;
        within(PATIENCE, "pods appear", busy).await;
        controller.kill().await;
    }
    world.start_default().await;
    world.until_all_passed(&builds).await;
    world.until_no_pod_left().await;
    let pods = world.home.pods.ours().len();
    assert!(pods <= 10, "{pods} pods for 10 builds");
}

pub(crate) async fn twins(world: &World) {
    world.apply(&Template::new("bash-job", "bash")).await;
    world.start_default().await;
    world.start_default().await;
    let builds = world.build("bash", 8, Duration::from_secs(4));
    world.until_all_passed(&builds).await;
    world.until_no_pod_left().await;
    let pods = world.home.pods.ours().len();
    assert!(pods <= 8, "{pods} pods for 8 builds");
}

pub(crate) async fn terminated(world: &World) {
    world.apply(&Template::new("bash-job", "bash")).await;
    let controller = world.start_default().await;
    let builds = world.build("bash", 2, Duration::from_secs(8));
    world.until_all_run(&builds).await;
    // Something to be waiting for when the signal comes.
    world.fault(Fault::on("/v2/*", Effect::Delay(Duration::from_secs(60))));
    sleep(Duration::from_millis(1_500)).await;
    let begun = Instant::now();
    let status = controller.terminate(ENDS_WITHIN).await;
    assert!(status.is_some_and(|status| status.success()), "{status:?}");
    world.tell("the end after SIGTERM", begun.elapsed());
    world.until_all_passed(&builds).await;
    let pods = world.home.pods.ours();
    assert!(pods.iter().all(|pod| pod.leaving.is_none()), "{pods:?}");
}
