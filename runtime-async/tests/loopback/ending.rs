//! Signals end the controller, and leave the pods alone.

use std::time::Duration;

use buildscaler_simulator::fault::{Effect, Fault};

use crate::world::World;

/// What Kubernetes and its users may count on.
const AT_MOST: Duration = Duration::from_secs(5);

#[tokio::test]
async fn sigterm_ends_it_and_the_pod_stays() {
    let mut world = World::start().await;
    world.add_template("linux");
    world.add_build("linux");
    world.until_pod_of("linux").await;
    let (status, took) = world.end().await;
    assert!(status.success(), "{status}");
    assert!(took < AT_MOST, "{took:?}");
    assert_eq!(world.pods_of("linux").len(), 1);
}

#[tokio::test]
async fn sigterm_ends_it_while_buildkite_is_silent() {
    let mut world = World::start().await;
    world.until_said(&["observing Buildkite: done"]).await;
    let silence = Fault::on("*", Effect::Delay(Duration::from_secs(60)));
    world.buildkite.fake().add(silence);
    let looks = || world.count(&["observing Buildkite", "grant="]);
    let before = looks();
    world.until("a look", || looks() > before).await;
    let (status, took) = world.end().await;
    assert!(status.success(), "{status}");
    assert!(took < AT_MOST, "{took:?}");
}
