//! More agents than fit on one page of Buildkite's list.

use std::time::Duration;

use buildscaler_simulator::buildkite::JobState;
use buildscaler_simulator::fault::{Effect, Fault, Pages};

use crate::harness::{Image, PATIENCE, Story, Template, World, throughout, within};

const CROWD: usize = 120;

pub(crate) async fn two_pages(world: &World) {
    world
        .apply(&Template::new("bash-job", "bash").image(Image::Synthetic))
        .await;
    world.start_default().await;
    let builds = world.build("bash", CROWD, Duration::from_secs(25));
    let crowded = async || world.count(&builds, &[JobState::Running]) > 100;
    let took = within(PATIENCE, "more than a page of agents is busy", crowded).await;
    world.tell("a hundred agents busy", took);

    for pages in [Pages::Linked, Pages::Unlinked] {
        world.fault(Fault::on("/v2/*/agents", Effect::Truncate(pages)));
        let whole = async || world.home.pods.ours().iter().all(left_by_itself);
        throughout(Duration::from_secs(3), "half a page ends no agent", whole).await;
        world.fake().mend();
    }
    world.until_all_passed(&builds).await;
    world.tell("their pods gone", world.until_no_pod_left().await);

    let pods = world.home.pods.ours();
    assert!(
        pods.iter().all(left_by_itself),
        "a pod was deleted under its agent: {pods:?}"
    );
    assert!(world.home.pods.most_live() <= CROWD);
}

fn left_by_itself(pod: &Story) -> bool {
    pod.leaving.is_none() || pod.ended_before_leaving
}
