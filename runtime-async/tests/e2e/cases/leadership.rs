//! Several replicas, of which one commands.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use kube::Api;
use tokio::time::{Instant, sleep};

use crate::harness::{Change, Controller, ENDS_WITHIN, Launch, PATIENCE, Template, World, throughout, within};

/// What the options leave as it is.
const LEASE_DURATION: Duration = Duration::from_secs(15);
const RETRY_PERIOD: Duration = Duration::from_secs(1);
/// What a loaded machine may add.
const SLACK: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_secs(30);

/// Several times, since it depends on the phases of both.
pub(crate) async fn ended(world: &World) {
    world.apply(&Template::new("bash-job", "bash")).await;
    let mut leader = start(world).await;
    within(PATIENCE, "somebody leads", async || leader.leads()).await;
    let builds = world.build("bash", 3, Duration::from_secs(15));
    world.until_all_run(&builds).await;
    for round in 0..5_u64 {
        let next = start(world).await;
        within(PATIENCE, "it follows", async || next.says(&["following: another"])).await;
        // Another phase each time.
        sleep(Duration::from_millis(230 * round)).await;
        let begun = Instant::now();
        leader.ask_to_end();
        within(PATIENCE, "the next one leads", async || next.leads()).await;
        let took = begun.elapsed();
        world.tell("takeover after SIGTERM", took);
        assert!(took < Duration::from_secs(2), "{took:?}");
        assert!(
            leader
                .terminate(ENDS_WITHIN)
                .await
                .is_some_and(|status| status.success())
        );
        leader = next;
    }
    let begun = Instant::now();
    let late = world.build("bash", 1, Duration::from_secs(1));
    world.until_all_run(&late).await;
    world.tell("a build of the last leader runs", begun.elapsed());
    assert!(leader.terminate(ENDS_WITHIN).await.is_some());
    let spec = lease(world).await;
    assert_eq!(spec.holder_identity.as_deref(), Some(""), "it is given back: {spec:?}");
    assert_eq!(spec.lease_transitions, Some(5), "{spec:?}");
    start(world).await;
    world.until_all_passed(&builds).await;
    world.until_all_passed(&late).await;
    world.until_no_pod_left().await;
    assert!(world.home.pods.ours().len() <= 4, "more pods than builds");
}

pub(crate) async fn killed(world: &World) {
    world.apply(&Template::new("bash-job", "bash")).await;
    let (leader, follower) = pair(world).await;
    let mut builds = world.build("bash", 3, Duration::from_secs(8));
    world.until_all_run(&builds).await;
    let begun = Instant::now();
    leader.kill().await;
    builds.extend(world.build("bash", 2, Duration::from_secs(1)));
    within(PATIENCE, "the follower leads", async || follower.leads()).await;
    let took = begun.elapsed();
    world.tell("takeover after SIGKILL", took);
    assert!(took <= LEASE_DURATION + RETRY_PERIOD + SLACK, "{took:?}");
    world.until_all_passed(&builds).await;
    world.until_no_pod_left().await;
    assert!(world.home.pods.ours().len() <= 5, "more pods than builds");
}

/// SIGSTOP in the middle of a burst, and SIGCONT when another leads. A create that was already on
/// its way was seen to go out after the pause: its name was taken by then, and it was answered so.
pub(crate) async fn paused(world: &World) {
    world.apply(&Template::new("bash-job", "bash")).await;
    let (sleeper, follower) = pair(world).await;
    let mut builds = world.build("bash", 6, Duration::from_secs(40));
    within(PATIENCE, "pods appear", async || !world.home.pods.ours().is_empty()).await;
    let begun = Instant::now();
    sleeper.pause();
    within(PATIENCE, "the follower leads", async || follower.leads()).await;
    let done = sleeper.begun(&Change::ALL);
    let took = begun.elapsed();
    world.tell("takeover after SIGSTOP", took);
    assert!(took <= LEASE_DURATION + RETRY_PERIOD + SLACK, "{took:?}");
    builds.extend(world.build("bash", 2, Duration::from_secs(1)));
    world.until_all_run(&builds[..6]).await;
    sleep(PAUSE.saturating_sub(begun.elapsed())).await;
    sleeper.wake();
    let resigns = async || sleeper.says(&["not leading any more"]);
    let took = within(PATIENCE, "the sleeper steps down", resigns).await;
    world.tell("stepping down after SIGCONT", took);
    let quiet = async || follower.leads() && !sleeper.leads() && sleeper.begun(&Change::ALL) == done;
    throughout(Duration::from_secs(5), "one commands", quiet).await;
    world.until_all_passed(&builds).await;
    world.until_no_pod_left().await;
    assert!(world.home.pods.ours().len() <= 8, "more pods than builds");
}

/// With the API server away for longer than the renew deadline nobody commands, and afterwards one does.
pub(crate) async fn cut_off(world: &World) {
    world.apply(&Template::new("bash-job", "bash")).await;
    let (leader, follower) = pair(world).await;
    let mut builds = world.build("bash", 2, Duration::from_secs(30));
    world.until_all_run(&builds).await;
    let begun = Instant::now();
    world.cluster.stop_api_server().await;
    let resigns = async || leader.says(&["not leading any more", "expired"]);
    within(PATIENCE, "the leader steps down", resigns).await;
    world.tell("stepping down without Kubernetes", begun.elapsed());
    assert!(!follower.leads(), "two could command");
    world.cluster.start_api_server().await;
    let begun = Instant::now();
    within(PATIENCE, "somebody leads again", async || {
        leader.leads() || follower.leads()
    })
    .await;
    world.tell("leading again after Kubernetes is back", begun.elapsed());
    builds.extend(world.build("bash", 1, Duration::from_secs(1)));
    world.until_all_passed(&builds).await;
    assert!(leader.leads() != follower.leads(), "one commands");
    world.until_no_pod_left().await;
}

async fn start(world: &World) -> Arc<Controller> {
    let launch = Launch {
        leader_elect: true,
        ..world.launch()
    };
    world.start(launch).await
}

/// One that leads and one that follows it.
async fn pair(world: &World) -> (Arc<Controller>, Arc<Controller>) {
    let leader = start(world).await;
    within(PATIENCE, "the first leads", async || leader.leads()).await;
    let follower = start(world).await;
    within(PATIENCE, "the second follows", async || {
        follower.says(&["following: another"])
    })
    .await;
    (leader, follower)
}

async fn lease(world: &World) -> LeaseSpec {
    let leases: Api<Lease> = Api::namespaced(world.cluster.client(), &world.home.namespace);
    let lease = leases.get("buildscaler").await.expect("the lease");
    lease.spec.expect("a spec")
}
