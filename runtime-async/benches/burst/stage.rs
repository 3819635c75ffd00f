//! A real API server, and what is timed on it.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use buildscaler_simulator::buildkite::{BuildSpec, FakeBuildkite, JobSpec, Limits, Switches};
use buildscaler_simulator::loopback::buildkite::BuildkiteServer;
use buildscaler_simulator::loopback::wall_clock;
use buildscaler_testbed::{ControlPlane, control_plane};
use http::{Request, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::bare::Bare;
use crate::shared::{Controller, Launch, orders, template};

/// How long a burst may take.
const PATIENCE: Duration = Duration::from_secs(120);
const QUEUE: &str = "burst";
/// Jobs of one build.
const BUILD: usize = 100;

/// The API server without those who would act on pods.
pub(crate) struct Stage {
    plane: ControlPlane,
    config: kube::Config,
}

impl Stage {
    pub(crate) async fn set() -> Self {
        let options = control_plane::Options {
            controller_manager: false,
            scheduler: false,
            ..control_plane::Options::default()
        };
        let plane = ControlPlane::start(options).await.expect("a control plane");
        let kubeconfig = Kubeconfig::read_from(plane.admin_kubeconfig()).expect("a kubeconfig");
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
        Self {
            plane,
            config: config.expect("a configuration"),
        }
    }

    pub(crate) async fn strike(self) {
        self.plane.stop().await.expect("the control plane stops");
    }

    /// Times a bare client that creates so many pods in a new namespace.
    pub(crate) async fn bare(&self, namespace: &str, count: usize) -> Duration {
        let template = self.furnish(namespace).await;
        let requests = orders(&template, count);
        let burst = self.burst(namespace, count).await;
        // A new client, as a new controller is one: both open their connections.
        Bare::new(&self.config).send_all(requests).await;
        burst.took().await
    }

    /// Times a controller that is started where so many jobs wait.
    pub(crate) async fn controller(&self, namespace: &str, count: usize) -> Duration {
        self.furnish(namespace).await;
        let buildkite = buildkite_with(count).await;
        let burst = self.burst(namespace, count).await;
        let controller = self.start(self.plane.admin_kubeconfig(), &buildkite.url(), namespace);
        let took = burst.took().await;
        controller.end().await;
        took
    }

    fn start(&self, kubeconfig: &Path, buildkite: &str, namespace: &str) -> Controller {
        Controller::start(Launch {
            kubeconfig,
            buildkite,
            namespace,
            more: &[],
            log: Stdio::null(),
        })
    }

    /// Makes a namespace with a template, which is returned.
    async fn furnish(&self, namespace: &str) -> Value {
        let setup = Bare::new(&self.config);
        let object = json!({"metadata": {"name": namespace}});
        setup.send(post("/api/v1/namespaces", &object)).await;
        let path = format!("/apis/batch/v1/namespaces/{namespace}/jobs");
        let created = setup.send(post(&path, &template(QUEUE))).await;
        serde_json::from_slice(&created).expect("a Job")
    }

    /// Begins to look out for so many pods.
    async fn burst(&self, namespace: &str, count: usize) -> Burst {
        let events = Bare::new(&self.config).watch(namespace).await;
        let (tell, told) = oneshot::channel();
        // A task of its own, so that nothing keeps it from reading the time.
        tokio::spawn(async move {
            let took = time(events, count).await;
            // Who no longer waits has given up, and said so.
            tell.send(took).ok();
        });
        Burst { told }
    }
}

/// A burst that is awaited.
struct Burst {
    told: oneshot::Receiver<Duration>,
}

impl Burst {
    async fn took(self) -> Duration {
        let told = tokio::time::timeout(PATIENCE, self.told).await;
        told.expect("all pods exist in time").expect("the watch holds")
    }
}

/// From the first event of a watch to the last of so many. Nobody changes or
/// deletes a pod, so each is an event.
async fn time(mut events: Incoming, count: usize) -> Duration {
    let mut first = None;
    let mut seen = 0;
    while seen < count {
        let frame = events.frame().await.expect("the watch goes on").expect("it is not cut");
        let lines = frame
            .data_ref()
            .map_or(0, |chunk| chunk.iter().filter(|byte| **byte == b'\n').count());
        if lines > 0 {
            first.get_or_insert_with(Instant::now);
        }
        seen += lines;
    }
    first.map(|first| first.elapsed()).unwrap_or_default()
}

fn post(path: &str, object: &Value) -> Request<Vec<u8>> {
    Request::post(path)
        .header(header::CONTENT_TYPE, "application/json")
        .body(object.to_string().into_bytes())
        .expect("a request")
}

/// A Buildkite where so many jobs wait.
async fn buildkite_with(count: usize) -> BuildkiteServer {
    let mut fake = FakeBuildkite::new(Switches::default());
    fake.limits = Limits {
        organization: 100_000,
        user: 100_000,
        ..fake.limits
    };
    for _ in 0..count.div_ceil(BUILD) {
        let work = (0..BUILD).map(|_| JobSpec::script(QUEUE, Duration::from_secs(60)));
        fake.create_build(wall_clock(), BuildSpec::new("pipeline", work));
    }
    BuildkiteServer::start(fake).await.expect("served")
}
