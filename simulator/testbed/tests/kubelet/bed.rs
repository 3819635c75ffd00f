//! A cluster, real or fake, with a kubelet stand-in and an obedient workload.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use buildscaler_simulator::kubernetes::{FakeKubernetes, Settings};
use buildscaler_simulator::loopback::kubernetes::KubernetesServer;
use buildscaler_testbed::ControlPlane;
use buildscaler_testbed::control_plane;
use buildscaler_testbed::kubelet::{self, ExitStatus, Kubelet, PodContext, Signals, Workload};
use futures::FutureExt;
use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::{ContainerState, Pod};
use kube::Client;
use kube::api::{Api, DeleteParams, PostParams};
use kube::config::Kubeconfig;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// Does what the pod's image says, and remembers what it was given.
#[derive(Default)]
pub(crate) struct Obedient {
    seen: Mutex<Vec<PodContext>>,
}

impl Obedient {
    pub(crate) fn seen(&self, name: &str) -> PodContext {
        let seen = self.seen.lock().expect("not poisoned");
        seen.iter().find(|pod| pod.name == name).expect("it ran").clone()
    }
}

impl Workload for Obedient {
    fn run(&self, pod: PodContext, mut signals: Signals) -> BoxFuture<'static, ExitStatus> {
        self.seen.lock().expect("not poisoned").push(pod.clone());
        async move {
            match pod.image.as_str() {
                "succeeds" => ExitStatus::SUCCESS,
                "fails" => ExitStatus { code: 7 },
                "leaves-when-asked" => {
                    signals.terminated().await;
                    ExitStatus::SUCCESS
                }
                _ => std::future::pending().await,
            }
        }
        .boxed()
    }
}

pub(crate) enum Cluster {
    Real(Box<ControlPlane>),
    Fake(KubernetesServer),
}

pub(crate) struct Bed {
    pub(crate) cluster: Cluster,
    pub(crate) client: Client,
    pub(crate) kubelet: Kubelet,
    pub(crate) workload: Arc<Obedient>,
    pub(crate) pods: Api<Pod>,
}

impl Bed {
    pub(crate) async fn real() -> Self {
        let plane = ControlPlane::start(control_plane::Options::default()).await;
        let plane = plane.expect("a control plane");
        let client = plane.client();
        Self::new(Cluster::Real(Box::new(plane)), client).await
    }

    pub(crate) async fn fake() -> Self {
        let server = KubernetesServer::start(FakeKubernetes::new(Settings::default())).await;
        let server = server.expect("a fake");
        let kubeconfig = Kubeconfig::from_yaml(&server.kubeconfig()).expect("a kubeconfig");
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &Default::default()).await;
        let client = Client::try_from(config.expect("a config")).expect("a client");
        Self::new(Cluster::Fake(server), client).await
    }

    async fn new(cluster: Cluster, client: Client) -> Self {
        let workload = Arc::new(Obedient::default());
        let options = kubelet::Options {
            retry: Duration::from_millis(50),
            ..kubelet::Options::default()
        };
        let kubelet = Kubelet::start(client.clone(), options, workload.clone()).await;
        let pods = Api::namespaced(client.clone(), "default");
        Self {
            cluster,
            client,
            kubelet: kubelet.expect("a kubelet"),
            workload,
            pods,
        }
    }

    /// Interrupts whatever watches there are, as an outage would.
    pub(crate) async fn interrupt(&mut self) {
        match &mut self.cluster {
            Cluster::Real(plane) => plane.restart_api_server().await.expect("restarted"),
            Cluster::Fake(server) => {
                server.cut_watches();
                server.compact();
            }
        }
    }

    pub(crate) async fn create(&self, name: &str, image: &str, env: Value, grace: i64) {
        self.create_with(name, json!([{"name": "agent", "image": image, "env": env}]), grace)
            .await;
    }

    pub(crate) async fn create_with(&self, name: &str, containers: Value, grace: i64) {
        let pod = json!({
            "metadata": {"name": name},
            "spec": {
                "restartPolicy": "Never",
                "terminationGracePeriodSeconds": grace,
                "containers": containers,
            },
        });
        let pod = serde_json::from_value(pod).expect("a pod");
        self.pods.create(&PostParams::default(), &pod).await.expect("created");
    }

    pub(crate) async fn delete(&self, name: &str) {
        self.pods.delete(name, &DeleteParams::default()).await.expect("deleted");
    }

    /// Waits until the pod is as wanted; shows it if it never is.
    pub(crate) async fn until(&self, name: &str, wanted: impl Fn(&Pod) -> bool) -> Pod {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let pod = self.pods.get(name).await.expect("the pod");
            if wanted(&pod) {
                return pod;
            }
            assert!(Instant::now() < deadline, "{:#?}", pod.status);
            sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) async fn until_gone(&self, name: &str) {
        let gone = async {
            while self.pods.get_opt(name).await.expect("an answer").is_some() {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(DEADLINE, gone).await.expect("gone in time");
    }

    pub(crate) async fn stop(self) {
        assert_eq!(self.kubelet.refusals(), Vec::<String>::new());
        self.kubelet.stop().await.expect("stopped");
        match self.cluster {
            Cluster::Real(plane) => plane.stop().await.expect("stopped"),
            Cluster::Fake(server) => server.stop().await,
        }
    }
}

pub(crate) fn is(phase: &str) -> impl Fn(&Pod) -> bool {
    move |pod| pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some(phase)
}

pub(crate) fn waits_for(reason: &str) -> impl Fn(&Pod) -> bool {
    move |pod| state(pod).and_then(|state| state.waiting?.reason).as_deref() == Some(reason)
}

/// Returns the state of the first container.
pub(crate) fn state(pod: &Pod) -> Option<ContainerState> {
    pod.status.clone()?.container_statuses?.into_iter().next()?.state
}
