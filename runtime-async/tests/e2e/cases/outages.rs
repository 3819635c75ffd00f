//! Times in which Buildkite or Kubernetes cannot be asked.

use std::time::Duration;

use buildscaler_simulator::fault::{Effect, Fault, Pages};
use http::StatusCode;

use crate::harness::{Controller, Launch, PATIENCE, Template, World, throughout, within};

const INTERVAL: u64 = 2;
const STARTUP_TIMEOUT: u64 = 8;
/// More than two tries, whatever the back-off.
const A_WHILE: Duration = Duration::from_secs(4);
const EVERYTHING: &str = "/v2/*";
const AGENTS: &str = "/v2/*/agents";

pub(crate) async fn buildkite(world: &World) {
    // Shorter than the real one, so that three pass while the builds run.
    world.fake().inner_mut().limits.window = Duration::from_secs(5);
    world.apply(&Template::new("bash-job", "bash")).await;
    let launch = Launch {
        interval: INTERVAL,
        startup_timeout: STARTUP_TIMEOUT,
        ..world.launch()
    };
    let controller = world.start(launch).await;
    let builds = world.build("bash", 2, Duration::from_secs(60));
    world.until_all_run(&builds).await;

    // Taken for absence, the second would end the pods.
    let too_long = Duration::from_secs(STARTUP_TIMEOUT + INTERVAL);
    for (time, fault) in [
        (A_WHILE, Fault::on(AGENTS, Effect::Truncate(Pages::Unlinked))),
        (too_long, Fault::on(AGENTS, Effect::Cut(100))),
        (A_WHILE, Fault::on(EVERYTHING, Effect::Garble)),
        (A_WHILE, Fault::on(EVERYTHING, Effect::Drop)),
    ] {
        world.fault(fault);
        untouched(world, time).await;
        world.fake().mend();
    }
    storm(world).await;
    wait_when_told(world, &controller).await;
    world.fault(Fault::on(EVERYTHING, Effect::Refuse(StatusCode::INTERNAL_SERVER_ERROR)));
    let late = world.build("bash", 2, Duration::from_secs(1));
    untouched(world, A_WHILE).await;
    assert_eq!(world.home.pods.ours().len(), 2, "a pod was made without knowing");
    world.fake().mend();
    let served = async || world.home.pods.ours().len() > 2;
    let took = within(
        Duration::from_secs(3 * INTERVAL),
        "the controller is back at work",
        served,
    )
    .await;
    world.tell("a pod after Buildkite is back", took);

    world.until_all_passed(&late).await;
    world.until_all_passed(&builds).await;
    world.until_no_pod_left().await;
}

/// Others use up the limit, three windows in a row.
async fn storm(world: &World) {
    for _ in 0..3 {
        let seen = requests(world);
        let limit = world.fake().inner().limits.organization;
        world.fake().inner_mut().spend_requests_of_others(world.now(), limit);
        within(PATIENCE, "the limit is over", async || {
            let answers = statuses(world, seen);
            answers.last().is_some_and(StatusCode::is_success)
        })
        .await;
        // Before the reset the answer would have been another 429.
        let refused = statuses(world, seen)
            .iter()
            .filter(|status| !status.is_success())
            .count();
        assert!(refused <= 1, "asked {refused} times before the limit was reset");
        untouched(world, Duration::ZERO).await;
    }
}

/// A refusal says in how many seconds to come back, and nothing is asked before.
async fn wait_when_told(world: &World, controller: &Controller) {
    let refusal = Effect::Refuse(StatusCode::TOO_MANY_REQUESTS);
    let refusals = || controller.count(&["rate limited"]);
    let told = refusals();
    world.fault(Fault::on(EVERYTHING, refusal).times(1));
    within(PATIENCE, "the refusal is noticed", async || refusals() > told).await;
    let seen = requests(world);
    let waited = within(PATIENCE, "Buildkite is asked again", async || requests(world) > seen).await;
    assert!(waited > Duration::from_millis(4_500), "asked again after {waited:?}");
    untouched(world, Duration::ZERO).await;
    world.fake().mend();
}

fn requests(world: &World) -> usize {
    world.fake().inner().observed().requests().len()
}

fn statuses(world: &World, since: usize) -> Vec<StatusCode> {
    let fake = world.fake();
    let later = fake.inner().observed().requests().iter().skip(since);
    later.map(|observed| observed.status).collect()
}

/// No pod is deleted and no agent is stopped.
async fn untouched(world: &World, time: Duration) {
    let untouched = async || {
        let pods = world.home.pods.ours();
        pods.iter().all(|pod| pod.leaving.is_none()) && world.stops() == 0
    };
    assert!(untouched().await);
    throughout(time, "no pod is touched", untouched).await;
}

pub(crate) async fn kubernetes(world: &World) {
    world.apply(&Template::new("bash-job", "bash")).await;
    let first = world.start_default().await;
    let builds = world.build("bash", 4, Duration::from_secs(20));
    world.until_all_run(&builds).await;
    let mut late = world.build("bash", 2, Duration::from_secs(1));
    world.cluster.stop_api_server().await;
    let second = world.start_default().await;
    world.cluster.start_api_server().await;
    late.extend(world.build("bash", 2, Duration::from_secs(1)));
    let took = world.until_all_passed(&late).await;
    world.tell("builds done after Kubernetes is back", took);
    assert!(first.runs().await, "the controller did not outlive the outage");
    assert!(second.runs().await, "the controller cannot begin in an outage");

    first.kill().await;
    let last = world.build("bash", 1, Duration::from_secs(1));
    let took = world.until_all_passed(&last).await;
    world.tell("a build done by the controller that began in the outage", took);
    world.until_all_passed(&builds).await;
    world.until_no_pod_left().await;
    let pods = world.home.pods.ours();
    assert!(pods.len() <= 9, "{} pods for 9 builds", pods.len());
}
