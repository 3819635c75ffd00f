//! The real control plane starts, serves, survives an outage and leaves nothing behind.

#![expect(clippy::expect_used, reason = "a test may fail")]

use std::path::Path;

use buildscaler_testbed::ControlPlane;
use buildscaler_testbed::control_plane::Options;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod};
use kube::Api;
use kube::api::{ListParams, PostParams};

fn named(name: &str) -> ConfigMap {
    serde_json::from_value(serde_json::json!({"metadata": {"name": name}})).expect("a config map")
}

#[tokio::test]
#[cfg_attr(not(have_go), ignore = "needs Go to build the real control plane")]
async fn a_control_plane_serves_and_leaves_no_process_behind() {
    let plane = ControlPlane::start(Options::default()).await.expect("a control plane");
    let namespaces: Api<Namespace> = Api::all(plane.client());
    let names = namespaces.list(&ListParams::default()).await.expect("namespaces");
    assert!(
        names
            .iter()
            .any(|namespace| namespace.metadata.name.as_deref() == Some("default"))
    );
    let version = plane.client().apiserver_version().await.expect("a version");
    assert_eq!(version.minor, "36");

    let processes = plane.process_ids();
    assert_eq!(processes.len(), 4);
    plane.stop().await.expect("stopped");
    assert_gone(&processes);
}

#[tokio::test]
#[cfg_attr(not(have_go), ignore = "needs Go to build the real control plane")]
async fn a_dropped_control_plane_leaves_no_process_behind() {
    let options = Options {
        controller_manager: false,
        scheduler: false,
        ..Options::default()
    };
    let plane = ControlPlane::start(options).await.expect("a control plane");
    let processes = plane.process_ids();
    assert_eq!(processes.len(), 2);
    drop(plane);
    assert_gone(&processes);
}

#[tokio::test]
#[cfg_attr(not(have_go), ignore = "needs Go to build the real control plane")]
async fn what_was_stored_survives_an_outage_of_the_api_server() {
    let options = Options {
        controller_manager: false,
        scheduler: false,
        ..Options::default()
    };
    let mut plane = ControlPlane::start(options).await.expect("a control plane");
    let maps: Api<ConfigMap> = Api::namespaced(plane.client(), "default");
    maps.create(&PostParams::default(), &named("kept"))
        .await
        .expect("created");

    plane.stop_api_server().await.expect("stopped");
    maps.get("kept").await.expect_err("nobody serves during an outage");
    plane.start_api_server().await.expect("started");
    maps.get("kept").await.expect("still stored");
    plane.stop().await.expect("stopped");
}

#[tokio::test]
#[cfg_attr(not(have_go), ignore = "needs Go to build the real control plane")]
async fn a_user_without_a_role_is_refused() {
    let options = Options {
        controller_manager: false,
        scheduler: false,
        ..Options::default()
    };
    let plane = ControlPlane::start(options).await.expect("a control plane");
    let client = plane.client_for("somebody", Some("a-team")).await.expect("a client");
    let maps: Api<ConfigMap> = Api::namespaced(client, "default");
    let refusal = maps.list(&ListParams::default()).await.expect_err("no role");
    assert!(
        matches!(&refusal, kube::Error::Api(status) if status.code == 403),
        "{refusal}"
    );
    assert!(refusal.to_string().contains("somebody"), "{refusal}");
    plane.stop().await.expect("stopped");
}

#[tokio::test]
#[cfg_attr(not(have_go), ignore = "needs Go to build the real control plane")]
async fn pods_get_a_service_account_where_it_is_asked_for() {
    let options = Options {
        service_account_admission: true,
        ..Options::default()
    };
    let plane = ControlPlane::start(options).await.expect("a control plane");
    let pods: Api<Pod> = Api::namespaced(plane.client(), "default");
    let pod = serde_json::json!({
        "metadata": {"name": "with-account"},
        "spec": {"containers": [{"name": "agent", "image": "any"}]},
    });
    let pod = serde_json::from_value(pod).expect("a pod");
    let pod = pods.create(&PostParams::default(), &pod).await.expect("created");
    let account = pod.spec.and_then(|spec| spec.service_account_name);
    assert_eq!(account.as_deref(), Some("default"));
    plane.stop().await.expect("stopped");
}

fn assert_gone(processes: &[u32]) {
    for id in processes {
        assert!(
            !Path::new(&format!("/proc/{id}")).exists(),
            "process {id} is still there"
        );
    }
}
