//! The outside world on this machine, and the controller in it.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use buildscaler_args::Token;
use buildscaler_core::{Config, labels};
use buildscaler_runtime_async::{RunError, Settings, run};
use buildscaler_simulator::buildkite::{FakeBuildkite, Switches};
use buildscaler_simulator::kubernetes::FakeKubernetes;
use buildscaler_simulator::loopback::buildkite::BuildkiteServer;
use buildscaler_simulator::loopback::kubernetes::KubernetesServer;
use buildscaler_simulator::loopback::wall_clock;
use buildscaler_testbed::agent::Synthetic;
use buildscaler_testbed::binaries::{Binary, Progress};
use buildscaler_testbed::kubelet::{self, Kubelet, Process, Workload};
use buildscaler_testbed::{ControlPlane, TestbedError, control_plane};
use buildscaler_wire::Surroundings;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::{Api, DeleteParams, ListParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, ResourceExt};
use serde_json::json;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::decisions::{Decided, Tap};
use crate::scenario::{Event, QUEUES};

const NAMESPACE: &str = "default";

/// What the options are here, where nobody wants to wait.
pub(crate) const SYNC_INTERVAL: Duration = Duration::from_secs(4);
pub(crate) const IDLE_TIMEOUT: Duration = Duration::from_secs(4);
pub(crate) const PING_INTERVAL: Duration = Duration::from_secs(1);

/// How long a pod takes from its node to its agent's start, where none is real.
const START_UP: Duration = Duration::from_millis(1200);

/// Whatever may go wrong while the demo is set up.
pub(crate) type Trouble = Box<dyn Error + Send + Sync>;

/// Which outside world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A fake Kubernetes, synthetic agents.
    Fake,
    /// A real control plane, real agents.
    Real,
}

/// Both APIs, a kubelet, agents and the controller.
pub(crate) struct World {
    pub(crate) buildkite: BuildkiteServer,
    decided: mpsc::UnboundedReceiver<Decided>,
    client: Client,
    templates: BTreeMap<&'static str, String>,
    generation: u32,
    stop: Option<oneshot::Sender<()>>,
    controller: JoinHandle<Result<(), RunError>>,
    // Dropped in this order: pods end before the API that they are in.
    kubelet: Kubelet,
    cluster: Cluster,
}

enum Cluster {
    Fake(KubernetesServer),
    Real(Box<ControlPlane>),
}

impl World {
    /// Starts everything; `progress` is told what takes long.
    pub(crate) async fn start(kind: Kind, mut progress: impl FnMut(String)) -> Result<Self, Trouble> {
        if kind == Kind::Real {
            build_parts(&mut progress).await?;
            progress("starting etcd, kube-apiserver, kube-controller-manager and kube-scheduler".into());
        }
        let switches = Switches {
            ping_interval: PING_INTERVAL,
            ..Switches::default()
        };
        let buildkite = BuildkiteServer::start(FakeBuildkite::new(switches)).await?;
        let (cluster, config) = Cluster::start(kind).await?;
        let client = Client::try_from(config.clone())?;
        let workload: Arc<dyn Workload> = match kind {
            Kind::Fake => Arc::new(Synthetic::at(buildkite.agent_endpoint())?),
            Kind::Real => Arc::new(Process::new(&buildkite.agent_endpoint()).await?),
        };
        let start_up = match kind {
            Kind::Fake => START_UP,
            Kind::Real => kubelet::Options::default().start_up,
        };
        let options = kubelet::Options {
            nodes: (0..3).map(|number| format!("node-{number}")).collect(),
            start_up,
            ..kubelet::Options::default()
        };
        let kubelet = Kubelet::start(client.clone(), options, workload).await?;
        let mut templates = BTreeMap::new();
        create_secret(&client).await?;
        for queue in QUEUES {
            templates.insert(queue, create_template(&client, queue, 0).await?);
        }
        let (sender, decided) = mpsc::unbounded_channel();
        let (stop, stopped) = oneshot::channel();
        let controller = start_controller(&config, &buildkite, stopped, Tap(sender))?;
        Ok(Self {
            buildkite,
            decided,
            client,
            templates,
            generation: 0,
            stop: Some(stop),
            controller,
            kubelet,
            cluster,
        })
    }

    /// Does what a user does.
    pub(crate) async fn happen(&mut self, event: Event) -> Result<Option<String>, Trouble> {
        match event {
            Event::Build(build) => {
                self.buildkite.fake().inner_mut().create_build(wall_clock(), build);
                Ok(None)
            }
            Event::ReplaceTemplate(queue) => {
                let templates: Api<Job> = Api::namespaced(self.client.clone(), NAMESPACE);
                templates.delete(queue, &DeleteParams::background()).await?;
                self.generation += 1;
                // Gone is what the real garbage collector makes it, a moment later.
                while templates.get_opt(queue).await?.is_some() {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                let uid = create_template(&self.client, queue, self.generation).await?;
                self.templates.insert(queue, uid);
                Ok(Some(format!("you replace the template of {queue}: a new image")))
            }
        }
    }

    /// What the controller has decided since this was last asked.
    pub(crate) fn decided(&mut self) -> Vec<Decided> {
        std::iter::from_fn(|| self.decided.try_recv().ok()).collect()
    }

    /// All pods of the controller.
    pub(crate) async fn pods(&self) -> Result<Vec<Pod>, Trouble> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), NAMESPACE);
        Ok(pods
            .list(&ListParams::default().labels(labels::APP_SELECTOR))
            .await?
            .items)
    }

    /// The uids of the templates there are now.
    pub(crate) fn templates(&self) -> BTreeSet<String> {
        self.templates.values().cloned().collect()
    }

    /// Whether the controller has given up, which it never should.
    pub(crate) fn controller_has_ended(&self) -> bool {
        self.controller.is_finished()
    }

    /// Ends everything and waits until no process is left.
    pub(crate) async fn end(mut self) -> Result<(), Trouble> {
        if let Some(stop) = self.stop.take() {
            // It may have ended by itself, which its answer tells.
            let _ = stop.send(());
        }
        let ran = (&mut self.controller).await;
        self.kubelet.stop().await?;
        match self.cluster {
            Cluster::Fake(server) => server.stop().await,
            Cluster::Real(plane) => plane.stop().await?,
        }
        Ok(ran??)
    }
}

impl Cluster {
    async fn start(kind: Kind) -> Result<(Self, kube::Config), Trouble> {
        let (cluster, kubeconfig) = match kind {
            Kind::Fake => {
                let server = KubernetesServer::start(FakeKubernetes::new(Default::default())).await?;
                let kubeconfig = Kubeconfig::from_yaml(&server.kubeconfig())?;
                (Self::Fake(server), kubeconfig)
            }
            Kind::Real => {
                let plane = ControlPlane::start(control_plane::Options::default()).await?;
                let kubeconfig = Kubeconfig::read_from(plane.admin_kubeconfig())?;
                (Self::Real(Box::new(plane)), kubeconfig)
            }
        };
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        Ok((cluster, config))
    }
}

/// The controller as the binary runs it, but inside this process.
fn start_controller(
    kubernetes: &kube::Config,
    buildkite: &BuildkiteServer,
    stopped: oneshot::Receiver<()>,
    tap: Tap,
) -> Result<JoinHandle<Result<(), RunError>>, Trouble> {
    let config = Config {
        sync_interval: SYNC_INTERVAL,
        idle_timeout: IDLE_TIMEOUT,
        ..Config::default()
    };
    let surroundings = Surroundings {
        organization: FakeBuildkite::ORGANIZATION.to_owned(),
        namespace: Some(NAMESPACE.to_owned()),
    };
    let token = Token::from(FakeBuildkite::ACCESS_TOKEN);
    let settings = Settings::new(config, surroundings, kubernetes, &buildkite.url(), &token)?;
    let shutdown = async {
        // A sender that is gone asks for the same.
        let _ = stopped.await;
    };
    Ok(tokio::spawn(run(settings, shutdown, tap)))
}

/// The specification's Secret for agents.
async fn create_secret(client: &Client) -> Result<(), Trouble> {
    let secret: Secret = serde_json::from_value(json!({
        "metadata": {"name": "buildkite-agent-token"},
        "stringData": {labels::TOKEN_VARIABLE: FakeBuildkite::AGENT_TOKEN},
    }))?;
    let secrets: Api<Secret> = Api::namespaced(client.clone(), NAMESPACE);
    secrets.create(&PostParams::default(), &secret).await?;
    Ok(())
}

/// The specification's example of a template; returns its uid.
async fn create_template(client: &Client, queue: &str, generation: u32) -> Result<String, Trouble> {
    let template: Job = serde_json::from_value(json!({
        "metadata": {
            "name": queue,
            "labels": {labels::APP: labels::APP_VALUE, labels::QUEUE: queue},
        },
        "spec": {
            "parallelism": 0,
            "template": {"spec": {
                "restartPolicy": "Never",
                "containers": [{
                    "name": "agent",
                    "image": format!("buildkite/agent:3.{generation}"),
                    "envFrom": [{"secretRef": {"name": "buildkite-agent-token"}}],
                }],
            }},
        },
    }))?;
    let templates: Api<Job> = Api::namespaced(client.clone(), NAMESPACE);
    let created = templates.create(&PostParams::default(), &template).await?;
    created.uid().ok_or_else(|| "a template without a uid".into())
}

/// Has the real parts built, once and for all, and says so meanwhile.
async fn build_parts(progress: &mut impl FnMut(String)) -> Result<(), Trouble> {
    let (sender, mut said) = mpsc::unbounded_channel();
    let building = tokio::task::spawn_blocking(move || {
        for binary in Binary::ALL {
            binary.ensure(&mut |step| {
                // Nobody listens any more after Ctrl-C.
                let _ = sender.send(step);
            })?;
        }
        Ok::<(), TestbedError>(())
    });
    while let Some(step) = said.recv().await {
        match step {
            Progress::Present(_) => {}
            Progress::Building(binary) => progress(format!(
                "building {} from source; all five take some 5 minutes, once, and are kept in your cache folder",
                binary.file_name()
            )),
            Progress::Built(binary) => progress(format!("built {}", binary.file_name())),
        }
    }
    Ok(building.await??)
}
