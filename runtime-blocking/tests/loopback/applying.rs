//! `apply` does once what is to be done.

use std::time::Duration;

use buildscaler_simulator::fault::{Effect, Fault};
use buildscaler_simulator::kubernetes::{DeleteOptions, Resource};

use crate::world::World;

const LONG: Duration = Duration::from_secs(600);

#[tokio::test(flavor = "multi_thread")]
async fn applying_twice_creates_each_pod_once() {
    let world = World::start().await;
    world.add_template("linux");
    world.add_builds(5, "linux", LONG);
    let first = world.finish(&["apply"]).await;
    assert_eq!(first.code, Some(0), "{}{}", first.stdout, first.stderr);
    assert_eq!(world.pods().len(), 5);
    assert!(first.stdout.contains("5 done"), "{}", first.stdout);
    let second = world.finish(&["apply"]).await;
    assert_eq!(second.code, Some(0), "{}{}", second.stdout, second.stderr);
    assert!(second.stdout.contains("nothing to do"), "{}", second.stdout);
    assert_eq!(world.pods().len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_without_a_template_is_not_deleted_at_first_sight() {
    let world = World::start().await;
    world.add_template("linux");
    world.add_builds(1, "linux", LONG);
    assert_eq!(world.finish(&["apply"]).await.code, Some(0));
    let gone = world.kubernetes.with(|fake, now| {
        fake.delete(
            now,
            Resource::Jobs,
            "default",
            "linux-template",
            &DeleteOptions::default(),
        )
    });
    gone.expect("it was there");
    let plan = world.finish(&["plan"]).await;
    assert!(
        !plan.stdout.lines().any(|line| line.starts_with("delete")),
        "{}",
        plan.stdout
    );
    assert_eq!(world.pods().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_create_is_told_and_fails() {
    let world = World::start().await;
    world.add_template("linux");
    world.add_builds(1, "linux", LONG);
    let refusal = Effect::Refuse(http::StatusCode::FORBIDDEN);
    world
        .kubernetes
        .add_fault(Fault::on("*", refusal).method(http::Method::POST));
    let apply = world.finish(&["apply"]).await;
    assert_eq!(apply.code, Some(1), "{}{}", apply.stdout, apply.stderr);
    assert!(apply.stdout.contains("failed: forbidden"), "{}", apply.stdout);
    assert!(world.pods().is_empty());
}
