//! Missing rights are named, lived with, and noticed when they come.

use buildscaler_simulator::kubernetes::Settings;

use crate::world::{World, add_build, add_template, everything, without_watch};

#[tokio::test]
async fn a_forbidden_list_is_named_and_noticed_when_it_is_permitted() {
    let mut world = World::prepare(Settings::default(), &[], |kubernetes, buildkite| {
        add_template(kubernetes, "linux");
        add_build(buildkite, "linux");
    })
    .await;
    world
        .until_said(&["WARN", "cluster_unknown", "forbidden", "jobs"])
        .await;
    world.grant(&everything());
    world.until_pod_of("linux").await;
    world.until_said(&["watching again", "pods"]).await;
    assert!(world.end().await.0.success());
}

#[tokio::test]
async fn a_forbidden_watch_is_named_and_lists_take_its_place() {
    let mut world = World::prepare(Settings::default(), &without_watch(), |_, _| {}).await;
    world.until_said(&["WARN", "watching is not permitted", "jobs"]).await;
    world.until_said(&["WARN", "watching is not permitted", "pods"]).await;
    world.add_template("linux");
    world.add_build("linux");
    world.until_pod_of("linux").await;
    assert_eq!(world.count(&["cluster_unknown"]), 0);
    assert!(world.end().await.0.success());
}

#[tokio::test]
async fn rights_that_are_taken_away_are_missed() {
    let mut world = World::start().await;
    world.add_template("linux");
    world.add_build("linux");
    world.until_pod_of("linux").await;
    world.grant(&[]);
    world.kubernetes.cut_watches();
    world.until_said(&["WARN", "cluster_unknown", "forbidden"]).await;
    world.grant(&everything());
    world.until_said(&["finding cleared", "cluster_unknown"]).await;
    assert_eq!(world.pods_of("linux").len(), 1);
    assert!(world.end().await.0.success());
}
