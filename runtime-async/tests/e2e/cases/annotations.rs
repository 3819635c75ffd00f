//! What the annotations of a Job say.

use std::time::Duration;

use buildscaler_core::FindingKind;
use buildscaler_simulator::buildkite::AgentState;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::Api;
use kube::api::ListParams;
use serde_json::{Value, json};

use crate::harness::{PATIENCE, Template, World, throughout, within};

/// Longer than the controller's idle timeout, and a few looks.
const A_NIGHT: Duration = Duration::from_secs(12);

pub(crate) async fn warm(world: &World) {
    let template = Template::new("bash-job", "bash")
        .annotation("min-idle", "2")
        .annotation("max-active-builds", "3")
        .annotation("min-idel", "5");
    world.apply(&template).await;
    let controller = world.start_default().await;
    let connected = || {
        let fake = world.fake();
        let agents = fake.inner().agents();
        agents.filter(|agent| agent.state == AgentState::Connected).count()
    };
    within(PATIENCE, "two agents are there without a build", async || {
        connected() == 2
    })
    .await;
    let kept = async || connected() == 2 && world.home.pods.ours().len() == 2;
    throughout(A_NIGHT, "they are kept and no other is made", kept).await;
    assert!(controller.says(&[FindingKind::BadAnnotation.as_str(), "min-idel"]));

    let builds = world.build("bash", 2, Duration::from_secs(4));
    let waited = world.until_all_run(&builds).await;
    world.tell("two builds found warm agents", waited);
    within(PATIENCE, "one more is made, up to the ceiling", async || {
        world.home.pods.ours().len() == 3
    })
    .await;
    world.until_all_passed(&builds).await;
    within(PATIENCE, "the surplus goes", async || {
        connected() == 2 && world.stops() == 1
    })
    .await;
    assert_eq!(world.home.pods.most_live(), 3, "the ceiling holds");

    world.remove(&template).await;
    world.until_no_pod_left().await;
}

/// No class provides volumes here, so the pod waits for its own for ever: that
/// it is accepted and its claim made is what the control plane can show.
pub(crate) async fn volume(world: &World) {
    let template = Template::new("bash-job", "bash")
        .annotation("pvc-size", "20Gi")
        .annotation("pvc-mount-path", "/cache")
        .annotation("pvc-storage-class-name", "fast");
    world.apply(&template).await;
    let controller = world.start_default().await;
    world.build("bash", 1, Duration::from_secs(1));
    let pods: Api<Pod> = Api::namespaced(world.cluster.client(), &world.home.namespace);
    let all = async || pods.list(&ListParams::default()).await.expect("a list").items;
    within(PATIENCE, "the pod is accepted", async || all().await.len() == 1).await;
    let pod: Value = serde_json::to_value(&all().await[0]).expect("JSON");
    let mounts = pod["spec"]["containers"][0]["volumeMounts"].as_array().expect("mounts");
    assert!(
        mounts.contains(&json!({"name": "buildscaler-pvc", "mountPath": "/cache"})),
        "{mounts:?}"
    );

    let claims: Api<PersistentVolumeClaim> = Api::namespaced(world.cluster.client(), &world.home.namespace);
    let name = format!("{}-buildscaler-pvc", pod["metadata"]["name"].as_str().expect("a name"));
    let claim = async || claims.get_opt(&name).await.expect("an answer");
    within(PATIENCE, "Kubernetes makes its claim", async || claim().await.is_some()).await;
    let made: Value = serde_json::to_value(claim().await).expect("JSON");
    assert_eq!(made["spec"]["storageClassName"], "fast");
    assert_eq!(made["spec"]["resources"]["requests"]["storage"], "20Gi");
    assert_eq!(made["metadata"]["labels"]["buildscaler.elotl.co/queue"], "bash");
    assert!(!controller.says(&[FindingKind::BadAnnotation.as_str()]));

    world.cancel_builds();
    world.remove(&template).await;
    world.until_no_pod_left().await;
}
