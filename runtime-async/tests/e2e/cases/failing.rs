//! Templates whose pods are refused, or do not start.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, ResourceQuota};
use kube::api::{Api, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::harness::{Change, Controller, Image, Launch, PATIENCE, Template, World, throughout, within};

/// Jobs that wait in vain.
const DEMAND: usize = 200;
const A_MINUTE: Duration = Duration::from_secs(60);
/// The longest pause after a refusal that only the namespace's owner can mend
/// is longer than others.
const LONG_PATIENCE: Duration = Duration::from_secs(150);

/// A quota that is used up costs a handful of requests, and pods come by
/// themselves when it is raised.
pub(crate) async fn quota(world: &World) {
    let quotas: Api<ResourceQuota> = Api::namespaced(world.cluster.client(), &world.home.namespace);
    let quota = |pods: u32| json!({"metadata": {"name": "few"}, "spec": {"hard": {"pods": pods.to_string()}}});
    let none = serde_json::from_value(quota(0)).expect("a quota");
    quotas.create(&PostParams::default(), &none).await.expect("a quota");
    within(PATIENCE, "the quota is in force", async || {
        let status = quotas.get("few").await.expect("a quota").status;
        status.is_some_and(|status| status.used.is_some())
    })
    .await;
    refused(world, &["create_refused", "exceeded quota: few"], async || {
        let patch = Patch::Merge(quota(10));
        quotas
            .patch("few", &PatchParams::default(), &patch)
            .await
            .expect("a quota");
    })
    .await;
}

/// The same where the namespace's Pod Security refuses the template's pods.
pub(crate) async fn pod_security(world: &World) {
    let namespaces: Api<Namespace> = Api::all(world.cluster.client());
    let enforce = |level: &Value| json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": level}}});
    let set = async |level: Value| {
        let patch = Patch::Merge(enforce(&level));
        let name = &world.home.namespace;
        namespaces
            .patch(name, &PatchParams::default(), &patch)
            .await
            .expect("a namespace");
    };
    set(json!("restricted")).await;
    refused(world, &["create_refused", "violates PodSecurity"], async || {
        set(Value::Null).await
    })
    .await;
}

async fn refused(world: &World, finding: &[&str], mend: impl AsyncFn()) {
    world.apply(&Template::new("bash-job", "bash")).await;
    world.build("bash", DEMAND, Duration::from_secs(1));
    let controller = world
        .start(Launch {
            interval: 10,
            ..world.launch()
        })
        .await;
    within(PATIENCE, "it is said", async || controller.says(finding)).await;
    throughout(A_MINUTE, "a handful of requests", async || asked(&controller) <= 8).await;
    eprintln!(
        "{}: {} creates in a minute for {DEMAND} jobs",
        world.home.namespace,
        asked(&controller)
    );
    assert!(asked(&controller) >= 2, "it is tried again");
    assert!(world.home.pods.ours().is_empty());

    world.cancel_builds();
    let build = world.build("bash", 2, Duration::from_secs(1));
    mend().await;
    let took = within(LONG_PATIENCE, "all builds pass", async || world.all_passed(&build)).await;
    world.tell("builds passed after it was mended", took);
    within(PATIENCE, "the end of it is said", async || {
        controller.says(&["finding cleared", "create_refused"])
    })
    .await;
    world.until_no_pod_left().await;
}

fn asked(controller: &Controller) -> usize {
    controller.begun(&[Change::CreatePod])
}

/// An image that is not there: the pods that stand are tried by the kubelet,
/// then one at a time; when it is there all builds run.
pub(crate) async fn no_image(world: &World) {
    const BUILDS: usize = 5;
    const STARTUP_TIMEOUT: u64 = 8;
    world.cluster.break_image(Image::Fragile);
    world
        .apply(&Template::new("bash-job", "bash").image(Image::Fragile))
        .await;
    let launch = Launch {
        startup_timeout: STARTUP_TIMEOUT,
        ..world.launch()
    };
    let controller = world.start(launch).await;
    let builds = world.build("bash", BUILDS, Duration::from_secs(1));
    within(PATIENCE, "it is said", async || {
        controller.says(&["template_failing", "ImagePull"])
    })
    .await;
    within(PATIENCE, "one is tried", async || world.home.pods.ours().len() > BUILDS).await;
    throughout(Duration::from_secs(15), "one at a time", async || {
        world.home.pods.ours().len() <= BUILDS + 3
    })
    .await;
    let made = world.home.pods.ours().len();
    eprintln!("{}: {made} pods for {BUILDS} jobs", world.home.namespace);
    world.cluster.mend_image(Image::Fragile);
    let took = world.until_all_passed(&builds).await;
    world.tell("builds passed after the image was there", took);
    assert!(controller.says(&["finding cleared", "template_failing"]));
    world.until_no_pod_left().await;
}
