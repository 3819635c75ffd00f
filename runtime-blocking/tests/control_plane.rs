//! The binary on a real API server: client certificates, a private authority,
//! real defaults and real admission.

#![expect(clippy::expect_used, reason = "a test may fail")]

use std::process::{Command, Output, Stdio};
use std::time::Duration;

use buildscaler_simulator::buildkite::{BuildSpec, FakeBuildkite, JobSpec, Switches};
use buildscaler_simulator::loopback::buildkite::BuildkiteServer;
use buildscaler_simulator::loopback::wall_clock;
use buildscaler_testbed::{ControlPlane, control_plane, mortal};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{ListParams, PostParams};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(have_go), ignore = "needs Go to build the real control plane")]
async fn a_pod_is_planned_then_created_once() {
    let options = control_plane::Options {
        scheduler: false,
        ..control_plane::Options::default()
    };
    let plane = ControlPlane::start(options).await.expect("a control plane");
    let buildkite = BuildkiteServer::start(FakeBuildkite::new(Switches::default()))
        .await
        .expect("served");
    let templates: Api<Job> = Api::namespaced(plane.client(), "default");
    templates
        .create(&PostParams::default(), &template())
        .await
        .expect("created");
    let build = BuildSpec::new("pipeline", [JobSpec::script("linux", Duration::from_secs(600))]);
    buildkite.fake().inner_mut().create_build(wall_clock(), build);
    let pods: Api<Pod> = Api::namespaced(plane.client(), "default");
    let count = async || pods.list(&ListParams::default()).await.expect("pods").items.len();

    assert_eq!(run("plan", &plane, &buildkite).await, Some(3));
    assert_eq!(count().await, 0);
    assert_eq!(run("apply", &plane, &buildkite).await, Some(0));
    assert_eq!(count().await, 1);
    assert_eq!(run("apply", &plane, &buildkite).await, Some(0));
    assert_eq!(count().await, 1);
    assert_eq!(run("plan", &plane, &buildkite).await, Some(0));
    plane.stop().await.expect("stopped");
}

fn template() -> Job {
    let template = json!({
        "metadata": {
            "name": "linux",
            "labels": {"app.elotl.co": "buildscaler", "buildscaler.elotl.co/queue": "linux"},
        },
        "spec": {
            "parallelism": 0,
            "template": {"spec": {
                "restartPolicy": "Never",
                "containers": [{
                    "name": "agent",
                    "image": "buildkite/agent:3",
                    "envFrom": [{"secretRef": {"name": "buildkite-agent-token"}}],
                }],
            }},
        },
    });
    serde_json::from_value(template).expect("a Job")
}

/// Runs the program to its end, and returns its exit code.
async fn run(task: &str, plane: &ControlPlane, buildkite: &BuildkiteServer) -> Option<i32> {
    let mut command: Command = mortal(env!("CARGO_BIN_EXE_buildscalerctl").as_ref());
    command
        .arg(task)
        .arg("--kubeconfig")
        .arg(plane.admin_kubeconfig())
        .args(["--buildkite-org", FakeBuildkite::ORGANIZATION])
        .env_clear()
        .env("BUILDKITE_ACCESS_TOKEN", FakeBuildkite::ACCESS_TOKEN)
        .env("BUILDKITE_API_URL", buildkite.url())
        .stdin(Stdio::null());
    let ended = tokio::process::Command::from(command).output();
    let ended = tokio::time::timeout(Duration::from_secs(60), ended).await;
    let Output { status, stdout, stderr } = ended.expect("it ends").expect("it starts");
    let text = String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr);
    assert!(!text.contains(FakeBuildkite::ACCESS_TOKEN), "{text}");
    assert!(matches!(status.code(), Some(0 | 3)), "{task}: {text}");
    status.code()
}
