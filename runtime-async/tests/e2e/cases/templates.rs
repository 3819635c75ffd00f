//! Jobs that are replaced, deleted, doubled, or unusable as templates.

use std::time::Duration;

use buildscaler_simulator::buildkite::JobState;
use tokio::time::sleep;

use crate::harness::{Image, PATIENCE, Story, Template, World, throughout, within};

const A_WHILE: Duration = Duration::from_secs(4);

pub(crate) async fn replaced(world: &World) {
    let template = Template::new("bash-job", "bash");
    let old = world.apply(&template).await;
    world.start_default().await;
    let before = world.build("bash", 3, Duration::from_secs(15));
    world.until_all_run(&before).await;

    world.remove(&template).await;
    let new = world.apply(&template.generation(2)).await;
    let after = world.build("bash", 2, Duration::from_secs(1));
    world.until_all_passed(&after).await;
    assert!(world.all_run(&before), "new builds had to wait for the old ones");
    world.until_all_passed(&before).await;
    world.until_no_pod_left().await;

    let template_of = |id| {
        let uid = world.pod_of(id);
        let pods = world.home.pods.ours();
        pods.into_iter()
            .find(|pod| Some(&pod.uid) == uid.as_ref())
            .and_then(|pod| pod.template)
    };
    assert!(before.iter().all(|id| template_of(id).as_ref() == Some(&old)));
    assert!(after.iter().all(|id| template_of(id).as_ref() == Some(&new)));
    assert!(world.stops() >= 3, "the old agents were not asked to leave while busy");
}

pub(crate) async fn relabelled(world: &World) {
    let template = Template::new("bash-job", "bash");
    world.apply(&template).await;
    world.start_default().await;
    let before = world.build("bash", 2, Duration::from_secs(8));
    world.until_all_run(&before).await;

    world.relabel(&template.queue("zsh")).await;
    let late = world.build("bash", 1, Duration::from_secs(1));
    let after = world.build("zsh", 1, Duration::from_secs(1));
    world.until_all_passed(&after).await;
    world.until_all_passed(&before).await;
    world.until_no_pod_left().await;
    assert_eq!(world.count(&late, &[JobState::Scheduled]), 1);
    assert_eq!(world.home.pods.ours().len(), 3);
    world.cancel_builds();
}

pub(crate) async fn deleted(world: &World) {
    let template = Template::new("bash-job", "bash");
    world.apply(&template).await;
    let controller = world.start_default().await;
    let builds = world.build("bash", 2, Duration::from_secs(8));
    world.until_all_run(&builds).await;

    world.remove(&template).await;
    let late = world.build("bash", 1, Duration::from_secs(1));
    world.until_all_passed(&builds).await;
    world.until_no_pod_left().await;
    throughout(A_WHILE, "no pod is made", async || world.home.pods.ours().len() == 2).await;
    assert_eq!(world.count(&late, &[JobState::Scheduled]), 1);
    assert!(
        controller.says(&["no_template", "bash"]),
        "the waiting build is not mentioned"
    );
    world.cancel_builds();
}

pub(crate) async fn contested(world: &World) {
    let older = world.apply(&Template::new("older", "bash")).await;
    // Kubernetes tells the age of a Job in whole seconds.
    sleep(Duration::from_millis(1_500)).await;
    let newer = Template::new("newer", "bash");
    world.apply(&newer).await;
    let controller = world.start_default().await;
    within(PATIENCE, "it is said", async || {
        controller.says(&["contested_queue", "older serves it", "newer"])
    })
    .await;
    let builds = world.build("bash", 3, Duration::from_secs(5));
    world.until_all_passed(&builds).await;
    let serves = |pod: &Story| pod.template.as_ref() == Some(&older);
    let pods = world.home.pods.ours();
    assert!(pods.len() <= 3 && pods.iter().all(serves), "{pods:?}");

    world.remove(&newer).await;
    within(PATIENCE, "the end of it is said", async || {
        controller.says(&["finding cleared", "contested_queue"])
    })
    .await;
    world.until_no_pod_left().await;
    assert!(world.home.pods.ours().iter().all(|pod| pod.ended_before_leaving));
}

pub(crate) async fn refused(world: &World) {
    let busy = Template::new("runs-itself", "bash").image(Image::Mute).parallelism(1);
    let hungry = Template::new("hungry", "other").image(Image::Mute).manual_selector();
    world.apply(&busy).await;
    world.apply(&hungry).await;
    let controller = world.start_default().await;
    world.build("bash", 1, Duration::from_secs(1));
    world.build("other", 1, Duration::from_secs(1));
    within(PATIENCE, "it is said", async || {
        controller.says(&["parallelism", "runs-itself"]) && controller.says(&["adoption", "hungry"])
    })
    .await;
    throughout(A_WHILE, "no pod is made", async || world.home.pods.ours().is_empty()).await;
    world.cancel_builds();
}

pub(crate) async fn not_adopted(world: &World) {
    world.apply(&Template::new("bash-job", "bash").restarting()).await;
    world.start_default().await;
    let build = world.build("bash", 1, Duration::from_secs(6));
    world.until_all_passed(&build).await;
    world.until_no_pod_left().await;
    let pods = world.home.pods.ours();
    assert_eq!(pods.len(), 1);
    assert!(pods[0].ended_before_leaving, "{pods:?}");
}
