//! The real buildkite-agent in a pod, against the fakes of Kubernetes and Buildkite.

#![expect(clippy::expect_used, reason = "a test may fail")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use buildscaler_simulator::buildkite::{AgentState, BuildSpec, FakeBuildkite, JobSpec, Stop, Switches};
use buildscaler_simulator::kubernetes::{FakeKubernetes, Settings};
use buildscaler_simulator::loopback::buildkite::BuildkiteServer;
use buildscaler_simulator::loopback::kubernetes::KubernetesServer;
use buildscaler_simulator::loopback::wall_clock;
use buildscaler_testbed::kubelet::{self, Kubelet, Process, RunState};
use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kube::api::{Api, DeleteParams, PostParams};
use kube::config::Kubeconfig;
use serde_json::json;
use tokio::time::{sleep, timeout};

const DEADLINE: Duration = Duration::from_secs(60);

struct Bed {
    kubernetes: KubernetesServer,
    buildkite: BuildkiteServer,
    process: Arc<Process>,
    kubelet: Kubelet,
    pods: Api<Pod>,
}

impl Bed {
    async fn new() -> Self {
        let kubernetes = KubernetesServer::start(FakeKubernetes::new(Settings::default()))
            .await
            .expect("kubernetes");
        let buildkite = BuildkiteServer::start(FakeBuildkite::new(Switches::default()))
            .await
            .expect("buildkite");
        let kubeconfig = Kubeconfig::from_yaml(&kubernetes.kubeconfig()).expect("a kubeconfig");
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &Default::default())
            .await
            .expect("a config");
        let client = Client::try_from(config).expect("a client");
        let process = Arc::new(Process::new(&buildkite.agent_endpoint()).await.expect("an agent"));
        let kubelet = Kubelet::start(client.clone(), kubelet::Options::default(), process.clone());
        let kubelet = kubelet.await.expect("a kubelet");
        Self {
            kubernetes,
            buildkite,
            process,
            kubelet,
            pods: Api::namespaced(client, "default"),
        }
    }

    /// Creates a pod with an agent and returns its uid.
    async fn create(&self, name: &str, grace: i64) -> String {
        let pod = json!({
            "metadata": {"name": name},
            "spec": {
                "restartPolicy": "Never",
                "terminationGracePeriodSeconds": grace,
                "containers": [{"name": "agent", "image": "buildkite/agent:3", "env": [
                    {"name": "BUILDKITE_AGENT_TOKEN", "value": FakeBuildkite::AGENT_TOKEN},
                    {"name": "POD_UID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}},
                    {"name": "BUILDKITE_AGENT_TAGS", "value": "queue=linux,pod-uid=$(POD_UID)"},
                ]}],
            },
        });
        let pod = serde_json::from_value(pod).expect("a pod");
        let created = self.pods.create(&PostParams::default(), &pod).await.expect("created");
        created.metadata.uid.expect("a uid")
    }

    fn build(&self, duration: Duration) {
        let build = BuildSpec::new("app", [JobSpec::script("linux", duration)]);
        self.buildkite.fake().inner_mut().create_build(wall_clock(), build);
    }

    async fn until(&self, what: &str, wanted: impl AsyncFn(&Self) -> bool) {
        let reached = async {
            while !wanted(self).await {
                sleep(Duration::from_millis(20)).await;
            }
        };
        let reached = timeout(DEADLINE, reached).await;
        assert!(
            reached.is_ok(),
            "never: {what}; {:?}\n{}",
            self.process.runs(),
            self.logs()
        );
    }

    /// Returns what the agents wrote.
    fn logs(&self) -> String {
        let fake = self.buildkite.fake();
        let tags = fake.inner().agents().flat_map(|agent| &agent.tags);
        let uids = tags.filter_map(|tag| tag.strip_prefix("pod-uid="));
        uids.filter_map(|uid| std::fs::read_to_string(self.process.log(uid)).ok())
            .collect()
    }

    async fn until_gone(&self, name: &str) {
        let gone = async |bed: &Self| bed.pods.get_opt(name).await.expect("an answer").is_none();
        self.until("the pod is gone", gone).await;
    }

    async fn until_connected(&self) {
        let connected = async |bed: &Self| {
            let fake = bed.buildkite.fake();
            fake.inner().agents().any(|agent| agent.state == AgentState::Connected)
        };
        self.until("an agent connects", connected).await;
    }

    async fn until_begun(&self) {
        self.until("a build begins", async |bed: &Self| !bed.process.runs().is_empty())
            .await;
    }

    async fn phase(&self, name: &str) -> Option<String> {
        self.pods.get(name).await.expect("the pod").status?.phase
    }

    async fn stop(self) {
        assert_eq!(self.kubelet.refusals(), Vec::<String>::new());
        self.kubelet.stop().await.expect("stopped");
        self.buildkite.shutdown().await;
        self.kubernetes.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(have_go), ignore = "needs Go to build the real agent")]
async fn an_agent_runs_a_build_and_is_linked_to_its_pod() {
    let bed = Bed::new().await;
    let uid = bed.create("runner-1", 60).await;
    bed.until_connected().await;
    {
        let fake = bed.buildkite.fake();
        let agent = fake.inner().agents().next().expect("an agent");
        assert!(agent.tags.contains(&format!("pod-uid={uid}")), "{:?}", agent.tags);
        assert_eq!(
            agent.hostname == "runner-1",
            bed.process.has_own_hostnames(),
            "{}",
            agent.hostname
        );
    }
    bed.build(Duration::from_secs(1));
    let finished = async |bed: &Bed| bed.process.runs().iter().any(|run| run.state == RunState::Finished);
    bed.until("the build finishes", finished).await;
    bed.until("Buildkite knows it", async |bed: &Bed| {
        bed.buildkite.fake().inner().truth().finished() == 1
    })
    .await;
    bed.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(have_go), ignore = "needs Go to build the real agent")]
async fn a_busy_agent_outlives_the_deletion_of_its_pod_within_the_grace_period() {
    let bed = Bed::new().await;
    bed.create("runner-1", 60).await;
    bed.until_connected().await;
    bed.build(Duration::from_secs(2));
    bed.until_begun().await;
    bed.pods
        .delete("runner-1", &DeleteParams::default())
        .await
        .expect("deleted");
    bed.until_gone("runner-1").await;
    assert_eq!(bed.process.runs()[0].state, RunState::Finished);
    assert_eq!(bed.kubelet.kills(), []);
    bed.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(have_go), ignore = "needs Go to build the real agent")]
async fn a_short_grace_period_cuts_the_build_and_it_shows() {
    let bed = Bed::new().await;
    let uid = bed.create("runner-1", 1).await;
    bed.until_connected().await;
    bed.build(Duration::from_secs(600));
    bed.until_begun().await;
    bed.pods
        .delete("runner-1", &DeleteParams::default())
        .await
        .expect("deleted");
    bed.until_gone("runner-1").await;
    assert_eq!(bed.process.runs()[0].state, RunState::Begun);
    assert_eq!(bed.kubelet.kills()[0].uid, uid);
    let folder = bed.process.log(&uid);
    assert_eq!(
        processes_in(folder.parent().expect("a folder")),
        0,
        "the build outlived its pod"
    );
    bed.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(have_go), ignore = "needs Go to build the real agent")]
async fn an_agent_that_is_stopped_through_buildkite_lets_its_pod_succeed() {
    let bed = Bed::new().await;
    bed.create("runner-1", 60).await;
    bed.until_connected().await;
    {
        let mut fake = bed.buildkite.fake();
        let id = fake.inner().agents().next().expect("an agent").id.clone();
        fake.inner_mut()
            .stop(wall_clock(), &id, Stop::Graceful)
            .expect("stopping");
    }
    let succeeded = async |bed: &Bed| bed.phase("runner-1").await.as_deref() == Some("Succeeded");
    bed.until("the pod succeeds", succeeded).await;
    assert_eq!(bed.kubelet.kills(), []);
    bed.stop().await;
}

fn processes_in(folder: &Path) -> usize {
    let processes = std::fs::read_dir("/proc").expect("Linux").flatten();
    let folders = processes.filter_map(|process| std::fs::read_link(process.path().join("cwd")).ok());
    folders.filter(|cwd| cwd.starts_with(folder)).count()
}
