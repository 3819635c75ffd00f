//! Both fakes with a fleet on them.

use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use buildscaler_simulator::buildkite::{AgentSpec, BuildSpec, FakeBuildkite, JobSpec, Limits, Switches};
use buildscaler_simulator::kubernetes::{Controllers, FakeKubernetes, Resource, Settings};
use buildscaler_simulator::loopback::buildkite::BuildkiteServer;
use buildscaler_simulator::loopback::kubernetes::KubernetesServer;
use buildscaler_simulator::loopback::wall_clock;
use http::Request;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::shared::{Controller, Launch, orders, template};

/// How long all looks together may take.
const PATIENCE: Duration = Duration::from_secs(300);
const NAMESPACE: &str = "default";
/// Queues among which the fleet is divided.
const QUEUES: usize = 10;
/// Jobs of one build.
const BUILD: usize = 100;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What the controller sees.
pub(crate) struct World {
    kubernetes: KubernetesServer,
    buildkite: BuildkiteServer,
    files: TempDir,
}

impl World {
    /// A world where so many pods run with an agent each. Half of the agents
    /// are busy.
    pub(crate) async fn with(pods: usize) -> Self {
        let mut kubernetes = FakeKubernetes::new(Settings {
            controllers: Controllers::NONE,
            history_limit: 100,
            ..Settings::default()
        });
        let mut buildkite = FakeBuildkite::new(Switches {
            // Nothing of this fleet gives a sign of life.
            lost_after: DAY,
            ..Switches::default()
        });
        buildkite.limits = Limits {
            organization: 1_000_000,
            user: 1_000_000,
            ..buildkite.limits
        };
        for number in 0..QUEUES {
            furnish(
                &mut kubernetes,
                &mut buildkite,
                &format!("fleet-{number}"),
                pods / QUEUES,
            );
        }
        let world = Self {
            kubernetes: KubernetesServer::start(kubernetes).await.expect("served"),
            buildkite: BuildkiteServer::start(buildkite).await.expect("served"),
            files: tempfile::tempdir().expect("a folder"),
        };
        std::fs::write(world.kubeconfig(), world.kubernetes.kubeconfig()).expect("written");
        world
    }

    /// Starts a controller that looks every second, if it can.
    pub(crate) fn start(&self) -> Controller {
        Controller::start(Launch {
            kubeconfig: &self.kubeconfig(),
            buildkite: &self.buildkite.url(),
            namespace: NAMESPACE,
            more: &["--sync-interval=1", "--disconnect-after-idle-timeout=86400"],
            log: File::create(self.log()).expect("a log").into(),
        })
    }

    /// Waits until so many looks have ended.
    pub(crate) async fn until_looked(&self, looks: u64) {
        let waited = tokio::time::timeout(PATIENCE, async {
            // When one more has begun, the last has ended.
            while self.looks() <= looks {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        assert!(waited.await.is_ok(), "only {} looks", self.looks());
    }

    /// Checks that the controller took the fleet for what it is: it is to be
    /// left alone.
    pub(crate) fn check(&self, pods: usize) {
        assert_eq!(self.buildkite.fake().inner().observed().stops().count(), 0);
        let left = self
            .kubernetes
            .with(|fake, _| fake.objects(Resource::Pods, NAMESPACE).count());
        assert_eq!(left, pods, "pods came or went");
        let log = std::fs::read_to_string(self.log()).expect("a log");
        let half = pods / QUEUES / 2;
        let counted = [format!("idle={half} "), format!("busy={half} ")];
        let told = |queue: &str| {
            let mut lines = log.lines().filter(|line| line.contains(&format!("queue=\"{queue}\" ")));
            lines.any(|line| counted.iter().all(|words| line.contains(words)))
        };
        for number in 0..QUEUES {
            let queue = format!("fleet-{number}");
            assert!(told(&queue), "{queue} is not seen as it is:\n{log}");
        }
    }

    fn looks(&self) -> u64 {
        let fake = self.buildkite.fake();
        let requests = fake.inner().observed().requests();
        let first = |target: &str| target.contains("/builds?") && target.split(['?', '&']).any(|pair| pair == "page=1");
        requests.iter().filter(|request| first(&request.target)).count() as u64
    }

    fn kubeconfig(&self) -> PathBuf {
        self.files.path().join("kubeconfig")
    }

    fn log(&self) -> PathBuf {
        self.files.path().join("log")
    }
}

/// Gives a queue its template and so many pods with agents, and half of these
/// something to do.
fn furnish(kubernetes: &mut FakeKubernetes, buildkite: &mut FakeBuildkite, queue: &str, pods: usize) {
    let now = wall_clock();
    let template = kubernetes.create(now, Resource::Jobs, NAMESPACE, template(queue));
    for order in orders(&template.expect("a Job"), pods) {
        let pod = run(kubernetes, &order);
        connect(buildkite, queue, &pod);
    }
    for _ in 0..pods / 2 / BUILD {
        let work = (0..BUILD).map(|_| JobSpec::script(queue, DAY));
        buildkite.create_build(now, BuildSpec::new("pipeline", work));
    }
}

/// Creates the pod and lets it run on a node; returns it.
fn run(kubernetes: &mut FakeKubernetes, order: &Request<Vec<u8>>) -> Value {
    let now = wall_clock();
    let mut manifest: Value = serde_json::from_slice(order.body()).expect("a manifest");
    manifest["spec"]["nodeName"] = json!("node");
    let pod = kubernetes.create(now, Resource::Pods, NAMESPACE, manifest);
    let pod = pod.expect("a pod");
    let name = pod["metadata"]["name"].as_str().expect("a name");
    let started = &pod["metadata"]["creationTimestamp"];
    let status = json!({
        "phase": "Running",
        "startTime": started,
        "podIP": "10.0.0.1",
        "conditions": [
            {"type": "PodScheduled", "status": "True", "lastTransitionTime": started},
            {"type": "Initialized", "status": "True", "lastTransitionTime": started},
            {"type": "ContainersReady", "status": "True", "lastTransitionTime": started},
            {"type": "Ready", "status": "True", "lastTransitionTime": started},
        ],
        "containerStatuses": [{
            "name": "agent",
            "image": "buildkite/agent:3",
            "ready": true,
            "started": true,
            "restartCount": 0,
            "state": {"running": {"startedAt": started}},
        }],
    });
    let running = kubernetes.update_status(Resource::Pods, NAMESPACE, name, status);
    Value::clone(&running.expect("a status"))
}

/// Connects the agent of a pod.
fn connect(buildkite: &mut FakeBuildkite, queue: &str, pod: &Value) {
    let now = wall_clock();
    let text = |pointer: &str| pod.pointer(pointer).and_then(Value::as_str).expect("it is there");
    let name = text("/metadata/name");
    let agent = buildkite.register(
        now,
        AgentSpec {
            name: format!("{name}-1"),
            hostname: name.to_owned(),
            tags: vec![format!("queue={queue}"), format!("pod-uid={}", text("/metadata/uid"))],
            version: "3.100.0".to_owned(),
            os: "linux".to_owned(),
            arch: "amd64".to_owned(),
            ..AgentSpec::default()
        },
    );
    buildkite.connect(now, &agent).expect("it is registered");
}
