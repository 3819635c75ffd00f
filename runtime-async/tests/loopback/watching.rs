//! Watches that break off, and versions that the server has forgotten.

use buildscaler_simulator::kubernetes::{ExpiredWatch, Settings};

use crate::world::{World, everything};

/// Waits until nothing but the watches can have told of the template.
async fn sees_a_new_template(world: &World) {
    world.add_template("later");
    world.add_build("later");
    world.until_pod_of("later").await;
    assert_eq!(world.count(&["cluster_unknown"]), 0);
}

#[tokio::test]
async fn a_cut_watch_is_resumed() {
    let mut world = World::start().await;
    world.add_template("linux");
    world.add_build("linux");
    world.until_pod_of("linux").await;
    world.kubernetes.cut_watches();
    world
        .until("both watches are resumed", || {
            world.count(&["the watch was cut, resuming it"]) >= 2
        })
        .await;
    sees_a_new_template(&world).await;
    assert_eq!(world.pods_of("linux").len(), 1);
    assert!(world.end().await.0.success());
}

async fn survives_a_forgotten_version(expired_watch: ExpiredWatch) {
    let settings = Settings {
        expired_watch,
        ..Settings::default()
    };
    let mut world = World::prepare(settings, &everything(), |_, _| {}).await;
    world.add_template("linux");
    world.add_build("linux");
    world.until_pod_of("linux").await;
    // Between the cut and the next attempt the server forgets.
    world.kubernetes.cut_watches();
    world.kubernetes.with(|fake, now| fake.add_namespace(now, "elsewhere"));
    world.kubernetes.compact();
    world.until_said(&["too far behind, listing again"]).await;
    sees_a_new_template(&world).await;
    assert_eq!(world.pods_of("linux").len(), 1);
    assert!(world.end().await.0.success());
}

#[tokio::test]
async fn a_forgotten_version_told_by_status_is_listed_anew() {
    survives_a_forgotten_version(ExpiredWatch::Status).await;
}

#[tokio::test]
async fn a_forgotten_version_told_by_an_event_is_listed_anew() {
    survives_a_forgotten_version(ExpiredWatch::Event).await;
}
