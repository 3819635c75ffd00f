//! `run` is the whole controller.

use std::sync::Arc;
use std::time::Duration;

use buildscaler_simulator::buildkite::Switches;
use buildscaler_simulator::fault::{Effect, Fault};
use buildscaler_testbed::agent::Synthetic;
use buildscaler_testbed::kubelet::{self, Kubelet};
use kube::config::Kubeconfig;
use rustix::process::Signal;

use crate::world::World;

/// What Kubernetes and its users may count on.
const AT_MOST: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_is_served_and_nothing_is_left() {
    let world = World::with_switches(Switches {
        ping_interval: Duration::from_millis(200),
        ..Switches::default()
    })
    .await;
    let kubelet = start_kubelet(&world).await;
    world.add_template("linux");
    let running = world.run(&["--disconnect-after-idle-timeout=2"]);
    world.add_builds(12, "linux", Duration::from_secs(1));
    let finished = || world.buildkite.fake().inner().truth().finished();
    running.until("all jobs to end", || finished() == 12).await;
    running.until("all pods to go", || world.pods().is_empty()).await;
    assert!(world.buildkite.fake().inner().truth().interruptions().is_empty());
    let (code, took) = running.end().await;
    assert_eq!(code, Some(0));
    assert!(took < AT_MOST, "{took:?}");
    kubelet.stop().await.expect("it followed");
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_ends_it_while_buildkite_is_silent() {
    let world = World::start().await;
    let running = world.run(&[]);
    running
        .until("a look", || running.count("look at Buildkite: done") > 0)
        .await;
    let silence = Fault::on("*", Effect::Delay(Duration::from_secs(120)));
    world.buildkite.fake().add(silence);
    let begun = || running.count("look at Buildkite") - running.count("look at Buildkite: done");
    let before = begun();
    running.until("a look that hangs", || begun() > before).await;
    let (code, took) = running.end().await;
    assert_eq!(code, Some(0));
    assert!(took < AT_MOST, "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn either_signal_ends_it_while_kubernetes_is_silent() {
    for signal in [Signal::INT, Signal::TERM] {
        let world = World::start().await;
        let running = world.run(&[]);
        running
            .until("a look", || running.count("look at Buildkite: done") > 0)
            .await;
        let silence = Fault::on("*", Effect::Delay(Duration::from_secs(120)));
        world.kubernetes.add_fault(silence);
        let begun = || running.count("look at Kubernetes") - running.count("look at Kubernetes: done");
        let before = begun();
        running.until("a look that hangs", || begun() > before).await;
        let (code, took) = running.end_by(signal).await;
        assert_eq!(code, Some(0));
        assert!(took < AT_MOST, "{took:?}");
    }
}

/// Every question has a deadline: a run that nobody watches over ends.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_does_not_hang_a_plan() {
    let (world, other) = (World::start().await, World::start().await);
    let silence = || Fault::on("*", Effect::Delay(Duration::from_secs(120)));
    world.kubernetes.add_fault(silence());
    other.buildkite.fake().add(silence());
    let (kubernetes, buildkite) = tokio::join!(world.finish(&["plan"]), other.finish(&["plan"]));
    for (ended, api) in [(kubernetes, "Kubernetes"), (buildkite, "Buildkite")] {
        assert_eq!(ended.code, Some(1), "{}", ended.stdout);
        assert!(
            ended.stderr.contains(&format!("cannot look at {api}: ")),
            "{}",
            ended.stderr
        );
        assert!(ended.stderr.contains("timed out"), "{}", ended.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_both_servers_is_waited_for() {
    let world = World::start().await;
    world.add_template("linux");
    world.add_builds(1, "linux", Duration::from_secs(600));
    world.kubernetes.add_fault(Fault::on("*", Effect::Drop));
    world.buildkite.fake().add(Fault::on("*", Effect::Drop));
    let running = world.run(&[]);
    running
        .until("a finding", || running.count("cluster_unknown") > 0)
        .await;
    running
        .until("a finding", || running.count("buildkite_unknown") > 0)
        .await;
    world.kubernetes.mend();
    world.buildkite.fake().mend();
    running.until("a pod", || world.pods().len() == 1).await;
    assert_eq!(running.end().await.0, Some(0));
}

/// Runs pods, with agents that follow the Agent API.
pub(crate) async fn start_kubelet(world: &World) -> Kubelet {
    let kubeconfig = Kubeconfig::from_yaml(&world.kubernetes.kubeconfig()).expect("a kubeconfig");
    let config = kube::Config::try_from(kubeconfig).expect("a configuration");
    let client = kube::Client::try_from(config).expect("a client");
    let agents = Synthetic::at(world.buildkite.agent_endpoint()).expect("agents");
    let options = kubelet::Options {
        start_up: Duration::from_millis(100),
        ..kubelet::Options::default()
    };
    Kubelet::start(client, options, Arc::new(agents))
        .await
        .expect("a kubelet")
}
