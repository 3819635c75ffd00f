//! What a check runs against: a Kubernetes API with a namespace of its own.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use buildscaler_simulator::fault::{Effect, Fault};
use buildscaler_simulator::kubernetes::{FakeKubernetes, Rule, Settings, User};
use buildscaler_simulator::loopback::kubernetes::KubernetesServer;
use buildscaler_testbed::ControlPlane;
use buildscaler_testbed::control_plane::Options;
use http::StatusCode;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use crate::client::{Client, eventually};
use crate::proxy::Proxy;

/// A Kubernetes API, fake or real.
#[derive(Clone)]
pub(crate) struct Target {
    api: Api,
    pub(crate) admin: Client,
    pub(crate) namespace: String,
}

#[derive(Clone)]
enum Api {
    Fake(Arc<KubernetesServer>),
    Real(Arc<ControlPlane>),
}

impl Target {
    pub(crate) async fn fake(check: &str) -> Self {
        let server = KubernetesServer::start(FakeKubernetes::new(Settings::default()))
            .await
            .expect("a server");
        let admin = client_of(parse(&server.kubeconfig())).await;
        Self::with_namespace(Api::Fake(Arc::new(server)), admin, check).await
    }

    pub(crate) async fn real(plane: Arc<ControlPlane>, check: &str) -> Self {
        let kubeconfig = Kubeconfig::read_from(plane.admin_kubeconfig()).expect("a kubeconfig");
        let admin = client_of(kubeconfig).await;
        Self::with_namespace(Api::Real(plane), admin, check).await
    }

    async fn with_namespace(api: Api, admin: Client, check: &str) -> Self {
        let namespace = check.replace('_', "-");
        let namespace = namespace.get(..50).unwrap_or(&namespace).trim_matches('-').to_owned();
        let target = Self { api, admin, namespace };
        target.create_namespace(&target.namespace, &json!({})).await;
        target
    }

    pub(crate) async fn create_namespace(&self, name: &str, labels: &Value) {
        let namespace = json!({ "metadata": { "name": name, "labels": labels } });
        self.admin.post("/api/v1/namespaces", &namespace).await.object();
    }

    /// The path of the pods of the check's namespace.
    pub(crate) fn pods(&self) -> String {
        format!("/api/v1/namespaces/{}/pods", self.namespace)
    }

    pub(crate) fn pod(&self, name: &str) -> String {
        format!("{}/{name}", self.pods())
    }

    /// The path of the Jobs of the check's namespace.
    pub(crate) fn templates(&self) -> String {
        format!("/apis/batch/v1/namespaces/{}/jobs", self.namespace)
    }

    pub(crate) fn template(&self, name: &str) -> String {
        format!("{}/{name}", self.templates())
    }

    pub(crate) fn core(&self, plural: &str) -> String {
        format!("/api/v1/namespaces/{}/{plural}", self.namespace)
    }

    pub(crate) fn leases(&self) -> String {
        format!("/apis/coordination.k8s.io/v1/namespaces/{}/leases", self.namespace)
    }

    /// A name that no other check uses, for what lives in no namespace.
    pub(crate) fn own(&self, name: &str) -> String {
        let prefix = self.namespace.split('-').next().unwrap_or_default();
        format!("{prefix}-{name}")
    }

    /// Waits until nothing is left at `path`.
    pub(crate) async fn gone(&self, path: &str) {
        eventually("it is gone", async || {
            (self.admin.get(path).await.code == 404).then_some(())
        })
        .await;
    }

    /// Lets time pass: at once where it is only pretended.
    pub(crate) async fn pass(&self, time: Duration) {
        match &self.api {
            Api::Fake(server) => {
                server.advance(time);
                // What falls due is done between two requests.
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
            Api::Real(_) => tokio::time::sleep(time).await,
        }
    }

    /// Drops the history before now; a real server does so every few seconds by itself.
    pub(crate) fn compact(&self) {
        match &self.api {
            Api::Fake(server) => server.compact(),
            Api::Real(_) => {}
        }
    }

    /// A server that can do next to nothing at a time; administrators are always served.
    pub(crate) async fn squeezed(self) -> Self {
        match &self.api {
            Api::Fake(server) => {
                let refuse = Effect::Refuse(StatusCode::TOO_MANY_REQUESTS);
                server.add_fault(Fault::on(self.pods(), refuse).skip(10));
                self
            }
            Api::Real(_) => {
                let flags = [
                    "--enable-priority-and-fairness=false",
                    "--max-requests-inflight=1",
                    "--max-mutating-requests-inflight=1",
                ];
                let options = Options {
                    controller_manager: false,
                    scheduler: false,
                    api_server_flags: flags.map(str::to_owned).to_vec(),
                    ..Options::default()
                };
                let plane = ControlPlane::start(options).await.expect("a control plane");
                Self::real(Arc::new(plane), &self.namespace).await
            }
        }
    }

    /// A client who may do in the check's namespace what the rules allow, and nothing else.
    pub(crate) async fn user(&self, name: &str, rules: &[Rule]) -> Client {
        match &self.api {
            Api::Fake(server) => {
                let rules = rules
                    .iter()
                    .map(|rule| rule.clone().in_namespace(&self.namespace))
                    .collect();
                let user = User {
                    name: name.to_owned(),
                    token: format!("token-of-{name}"),
                    rules,
                };
                server.with(|fake, _| fake.add_user(user));
                client_of(parse(&server.kubeconfig_for(&format!("token-of-{name}")))).await
            }
            Api::Real(plane) => {
                self.grant(name, rules).await;
                let path = plane.kubeconfig_for(name, None).expect("a kubeconfig");
                client_of(Kubeconfig::read_from(path).expect("a kubeconfig")).await
            }
        }
    }

    async fn grant(&self, name: &str, rules: &[Rule]) {
        let rules = rules
            .iter()
            .map(|rule| {
                json!({
                    "verbs": rule.verbs, "apiGroups": rule.groups, "resources": rule.resources, "resourceNames": rule.names,
                })
            })
            .collect::<Vec<_>>();
        let base = format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{}", self.namespace);
        let role = json!({ "metadata": { "name": name }, "rules": rules });
        self.admin.post(&format!("{base}/roles"), &role).await.object();
        let binding = json!({
            "metadata": { "name": name },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name },
            "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name }],
        });
        self.admin
            .post(&format!("{base}/rolebindings"), &binding)
            .await
            .object();
    }

    /// A kubeconfig of an administrator, in a file of its own.
    pub(crate) fn kubeconfig(&self) -> NamedTempFile {
        let file = NamedTempFile::new().expect("a file");
        let text = match &self.api {
            Api::Fake(server) => server.kubeconfig(),
            Api::Real(plane) => fs::read_to_string(plane.admin_kubeconfig()).expect("a kubeconfig"),
        };
        fs::write(file.path(), text).expect("a kubeconfig");
        file
    }

    /// An administrator whose connection goes through a proxy.
    pub(crate) async fn through_proxy(&self) -> (Client, Proxy) {
        let mut config = match &self.api {
            Api::Fake(server) => parse(&server.kubeconfig()),
            Api::Real(plane) => Kubeconfig::read_from(plane.admin_kubeconfig()).expect("a kubeconfig"),
        };
        let cluster = config.clusters[0].cluster.as_mut().expect("a cluster");
        let server = cluster.server.clone().expect("an address");
        let (scheme, address) = server.split_once("://").expect("an address");
        let proxy = Proxy::start(address).await;
        cluster.server = Some(format!("{scheme}://{}", proxy.address()));
        (client_of(config).await, proxy)
    }
}

fn parse(kubeconfig: &str) -> Kubeconfig {
    Kubeconfig::from_yaml(kubeconfig).expect("a kubeconfig")
}

async fn client_of(kubeconfig: Kubeconfig) -> Client {
    let options = KubeConfigOptions::default();
    let mut config = kube::Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .expect("a configuration");
    // A check wants to see each refusal, not what becomes of it.
    config.default_retry = false;
    Client(kube::Client::try_from(config).expect("a client"))
}
