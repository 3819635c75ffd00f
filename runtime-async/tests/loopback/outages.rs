//! Servers that are down are waited for.

use buildscaler_simulator::fault::{Effect, Fault};
use buildscaler_simulator::kubernetes::Settings;

use crate::world::{World, add_build, add_template, everything};

#[tokio::test]
async fn a_kubernetes_that_is_down_at_the_start_is_waited_for() {
    let mut world = World::prepare(Settings::default(), &everything(), |kubernetes, buildkite| {
        add_template(kubernetes, "linux");
        add_build(buildkite, "linux");
        kubernetes.add_fault(Fault::on("*", Effect::Drop));
    })
    .await;
    world.until_said(&["WARN", "finding", "cluster_unknown"]).await;
    world.kubernetes.mend();
    world.until_said(&["finding cleared", "cluster_unknown"]).await;
    world.until_pod_of("linux").await;
    assert!(world.end().await.0.success());
}

#[tokio::test]
async fn a_buildkite_that_is_down_at_the_start_is_waited_for() {
    let mut world = World::prepare(Settings::default(), &everything(), |kubernetes, buildkite| {
        add_template(kubernetes, "linux");
        add_build(buildkite, "linux");
        buildkite
            .fake()
            .add(Fault::on("*", Effect::Refuse(http::StatusCode::BAD_GATEWAY)));
    })
    .await;
    world.until_said(&["WARN", "finding", "buildkite_unknown"]).await;
    world.buildkite.fake().mend();
    world.until_pod_of("linux").await;
    assert!(world.end().await.0.success());
}
