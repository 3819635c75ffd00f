//! The binary on a real API server: client certificates, a private authority,
//! real defaults and real admission.

#![expect(clippy::expect_used, reason = "a test may fail")]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use buildscaler_simulator::buildkite::{BuildSpec, FakeBuildkite, JobSpec, Switches};
use buildscaler_simulator::loopback::buildkite::BuildkiteServer;
use buildscaler_simulator::loopback::wall_clock;
use buildscaler_testbed::{ControlPlane, control_plane, mortal};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::Api;
use kube::api::{DeleteParams, ListParams, PostParams};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A real control plane that writes down every request, and a fake Buildkite
/// with one job that waits.
struct World {
    plane: ControlPlane,
    buildkite: BuildkiteServer,
    folder: TempDir,
}

impl World {
    async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let policy = folder.path().join("policy.json");
        let everything = json!({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "Metadata"}]});
        fs::write(&policy, everything.to_string()).expect("written");
        let options = control_plane::Options {
            scheduler: false,
            api_server_flags: vec![
                format!("--audit-policy-file={}", policy.display()),
                format!("--audit-log-path={}", folder.path().join("audit").display()),
            ],
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
        Self {
            plane,
            buildkite,
            folder,
        }
    }

    async fn pods(&self) -> usize {
        let pods: Api<Pod> = Api::namespaced(self.plane.client(), "default");
        pods.list(&ListParams::default()).await.expect("pods").items.len()
    }

    /// The verbs of all requests that the program has sent to Kubernetes.
    fn verbs(&self) -> BTreeSet<String> {
        let log = fs::read_to_string(self.folder.path().join("audit")).expect("an audit log");
        let events = log
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).expect("an event"));
        let ours = events.filter(|event| {
            event["userAgent"]
                .as_str()
                .is_some_and(|name| name.starts_with("buildscaler/"))
        });
        ours.map(|event| event["verb"].as_str().expect("a verb").to_owned())
            .collect()
    }

    /// The methods of all requests that Buildkite has got.
    fn buildkite_methods(&self) -> BTreeSet<String> {
        let fake = self.buildkite.fake();
        let requests = fake.inner().observed().requests().iter();
        requests.map(|request| request.method.to_string()).collect()
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state.json")
    }

    /// Runs the program to its end, and expects this exit code.
    async fn run(&self, arguments: &[&str], code: i32) -> String {
        let (task, options) = arguments.split_first().expect("a task");
        let mut command: Command = mortal(env!("CARGO_BIN_EXE_buildscalerctl").as_ref());
        command
            .arg(task)
            .arg("--kubeconfig")
            .arg(self.plane.admin_kubeconfig())
            .args(["--buildkite-org", FakeBuildkite::ORGANIZATION])
            .args(options)
            .env_clear()
            .env("BUILDKITE_ACCESS_TOKEN", FakeBuildkite::ACCESS_TOKEN)
            .env("BUILDKITE_API_URL", self.buildkite.url())
            .env("BUILDKITE_AGENT_ENDPOINT", self.buildkite.agent_endpoint())
            .stdin(Stdio::null());
        let ended = tokio::process::Command::from(command).output();
        let ended = tokio::time::timeout(Duration::from_secs(60), ended).await;
        let Output { status, stdout, stderr } = ended.expect("it ends").expect("it starts");
        let text = String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr);
        for secret in [FakeBuildkite::ACCESS_TOKEN, FakeBuildkite::AGENT_TOKEN] {
            assert!(!text.contains(secret), "{text}");
        }
        assert_eq!(status.code(), Some(code), "{arguments:?}: {text}");
        text
    }
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

/// A plan reads and a doctor asks; only what is meant to writes.
///
/// Seen to fail when `plan` carried out what it was to show.
#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(have_go), ignore = "needs Go to build the real control plane")]
async fn a_plan_sends_only_gets_and_an_apply_creates_once() {
    let world = World::start().await;
    world.run(&["plan"], 3).await;
    assert_eq!(world.pods().await, 0);
    assert_eq!(world.verbs(), BTreeSet::from(["list".to_owned()]));
    assert_eq!(world.buildkite_methods(), BTreeSet::from(["GET".to_owned()]));
    world.run(&["apply"], 0).await;
    assert_eq!(world.pods().await, 1);
    assert!(world.verbs().contains("create"), "the log would show it");
    world.run(&["apply"], 0).await;
    assert_eq!(world.pods().await, 1);
    world.run(&["plan"], 0).await;
    world.plane.stop().await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(have_go), ignore = "needs Go to build the real control plane")]
async fn a_doctor_finds_what_is_missing_and_then_nothing() {
    let world = World::start().await;
    let found = world.run(&["doctor"], 1).await;
    assert!(
        found.contains("there is no Secret default/buildkite-agent-token"),
        "{found}"
    );
    let secrets: Api<Secret> = Api::namespaced(world.plane.client(), "default");
    let secret = json!({
        "metadata": {"name": "buildkite-agent-token"},
        "stringData": {"BUILDKITE_AGENT_TOKEN": FakeBuildkite::AGENT_TOKEN},
    });
    let secret = serde_json::from_value(secret).expect("a Secret");
    secrets.create(&PostParams::default(), &secret).await.expect("created");
    let found = world.run(&["doctor"], 0).await;
    for well in [
        "kubernetes: clock: agrees",
        "kubernetes: right: delete pods in all namespaces",
        "default/linux: agent token: Buildkite knows it",
        "default/linux: selector: no Job takes its pods",
    ] {
        assert!(found.contains(&format!("ok      {well}")), "{found}");
    }
    assert_eq!(world.pods().await, 0);
    world.plane.stop().await.expect("stopped");
}

/// The story of a CronJob: what two looks must show is done by the second run
/// that remembers, and by none that does not.
#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(have_go), ignore = "needs Go to build the real control plane")]
async fn an_orphan_goes_at_the_second_run_with_a_state() {
    let world = World::start().await;
    world.run(&["apply"], 0).await;
    let templates: Api<Job> = Api::namespaced(world.plane.client(), "default");
    templates
        .delete("linux", &DeleteParams::background())
        .await
        .expect("deleted");
    for _ in 0..3 {
        world.run(&["apply"], 0).await;
        assert_eq!(world.pods().await, 1, "nobody remembers");
    }
    let state = format!("--state={}", world.state().display());
    world.run(&["apply", &state], 0).await;
    assert_eq!(world.pods().await, 1, "seen once");
    let said = world.run(&["apply", &state], 0).await;
    assert!(said.contains("1 done"), "{said}");
    assert_eq!(world.pods().await, 0);
    world.plane.stop().await.expect("stopped");
}
