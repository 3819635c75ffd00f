//! Findings as Kubernetes Events, read as an operator reads them.

use std::time::Duration;

use tokio::time::sleep;

use super::installing::kubectl;
use crate::harness::{Image, PATIENCE, Template, World, throughout, within};

/// `kubectl describe job` tells of each of two Jobs that they share a queue, once.
pub(crate) async fn described(world: &World) {
    world.apply(&Template::new("older", "bash")).await;
    // Kubernetes tells the age of a Job in whole seconds.
    sleep(Duration::from_millis(1_500)).await;
    world.apply(&Template::new("newer", "bash")).await;
    world
        .apply(&Template::new("runs-itself", "zsh").image(Image::Mute).parallelism(1))
        .await;
    world.start_default().await;
    for (name, reason, words) in [
        ("older", "ContestedQueue", "older serves it"),
        ("newer", "ContestedQueue", "older serves it"),
        ("runs-itself", "Parallelism", "set it to 0"),
    ] {
        let told = async || {
            let described = kubectl(world, &["describe", "job", name]);
            let all = ["Warning", reason, "buildscaler", words];
            described.lines().any(|line| all.iter().all(|word| line.contains(word)))
        };
        within(PATIENCE, &format!("{reason} is told of {name}"), told).await;
    }
    let ours = || {
        let events = kubectl(
            world,
            &["get", "events.events.k8s.io", "--output=jsonpath={.items[*].reason}"],
        );
        events.split(' ').filter(|reason| *reason == "ContestedQueue").count()
    };
    throughout(Duration::from_secs(4), "each is told once", async || ours() == 2).await;
    world.cancel_builds();
}
