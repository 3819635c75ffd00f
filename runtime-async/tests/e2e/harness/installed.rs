//! The controller in the pod of its Deployment.
//!
//! It runs as the manifests say, with the pod's arguments and environment, finds
//! the cluster as a pod does, and has the rights of the pod's service account.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use buildscaler_testbed::kubelet::{ExitStatus, PodContext, Signals};
use buildscaler_testbed::mortal;
use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::{Pod, ServiceAccount};
use kube::api::{Api, PostParams};
use kube::{Client, Resource};
use serde_json::json;
use tempfile::TempDir;
use tokio::time::sleep;

use super::cluster::Cluster;
use super::controller::Controller;

/// How long Kubernetes lets a pod end that says nothing else.
const GRACE: Duration = Duration::from_secs(30);

/// Shows a folder where pods find the token of their service account, in a
/// namespace of mounts that ends with the process.
const MOUNTED: &str = "mount -t tmpfs tmpfs /var/run && mkdir -p /var/run/secrets/kubernetes.io && \
    cp -R \"$0\" /var/run/secrets/kubernetes.io/serviceaccount && exec \"$@\"";

/// The controllers that a case has started or installed.
#[derive(Clone, Default)]
pub(super) struct Controllers(Arc<Mutex<Vec<Arc<Controller>>>>);

impl Controllers {
    pub(super) fn all(&self) -> MutexGuard<'_, Vec<Arc<Controller>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the image of the controller does in the pods of one world.
#[derive(Clone)]
pub(super) struct Installed {
    client: Client,
    port: String,
    authority: String,
    buildkite: String,
    controllers: Controllers,
}

impl Installed {
    pub(super) fn new(cluster: &Cluster, buildkite: String, controllers: Controllers) -> Self {
        Self {
            client: cluster.client(),
            port: cluster.port().to_owned(),
            authority: cluster.authority().to_owned(),
            buildkite,
            controllers,
        }
    }

    /// Whether a container with this image is the controller.
    pub(super) fn has(image: &str) -> bool {
        image.starts_with("elotl/buildscaler:")
    }

    /// Runs the controller until it ends or is told to.
    pub(super) async fn run(self, pod: PodContext, mut signals: Signals) -> ExitStatus {
        let folder = self.account_folder(&pod).await;
        let controller = Controller::spawn(self.command(&pod, folder.path())).await;
        self.controllers.all().push(Arc::clone(&controller));
        tokio::select! {
            () = signals.terminated() => {}
            () = ended(&controller) => {}
        }
        match controller.terminate(GRACE).await {
            Some(status) => ExitStatus {
                code: status.code().unwrap_or(ExitStatus::KILLED.code),
            },
            None => ExitStatus::KILLED,
        }
    }

    fn command(&self, pod: &PodContext, account: &Path) -> Command {
        let program = mortal(Path::new(env!("CARGO_BIN_EXE_buildscaler")));
        let mut command = Command::new("unshare");
        if !rustix::process::geteuid().is_root() {
            command.arg("--map-root-user");
        }
        command.args(["--mount", "sh", "-c", MOUNTED]).arg(account);
        command.arg(program.get_program()).args(program.get_args());
        command.args(&pod.args);
        // Cases are to be fast, whatever the defaults are, and share one network.
        for option in [
            "--sync-interval=1",
            "--disconnect-after-idle-timeout=3",
            "--healthz-address=127.0.0.1",
            "--healthz-port=0",
            "--metrics-address=127.0.0.1",
            "--metrics-port=0",
        ] {
            let name = option.split('=').next();
            if !pod.args.iter().any(|arg| arg.split('=').next() == name) {
                command.arg(option);
            }
        }
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(pod.env.iter().map(|(name, value)| (name, value)))
            .env("KUBERNETES_SERVICE_HOST", "127.0.0.1")
            .env("KUBERNETES_SERVICE_PORT", &self.port)
            .env("BUILDKITE_API_URL", &self.buildkite)
            .stdin(Stdio::null());
        command
    }

    /// Writes what a kubelet mounts into the pod.
    async fn account_folder(&self, pod: &PodContext) -> TempDir {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &pod.namespace);
        let spec = pods.get(&pod.name).await.expect("the pod").spec.expect("a spec");
        assert_eq!(
            spec.automount_service_account_token,
            Some(true),
            "the pod asks for its token"
        );
        let account = spec.service_account_name.expect("an account");
        let token = token_of(&self.client, &pod.namespace, &account).await;
        let folder = TempDir::with_prefix("buildscaler-account-").expect("a folder");
        for (file, text) in [
            ("token", &token),
            ("ca.crt", &self.authority),
            ("namespace", &pod.namespace),
        ] {
            std::fs::write(folder.path().join(file), text).expect("written");
        }
        folder
    }
}

/// A token of a service account, as the kubelet asks for it.
pub(super) async fn token_of(client: &Client, namespace: &str, account: &str) -> String {
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
    let request: TokenRequest = serde_json::from_value(json!({
        "apiVersion": TokenRequest::api_version(&()),
        "kind": TokenRequest::kind(&()),
        "spec": {"audiences": [], "expirationSeconds": 3_600},
    }))
    .expect("a request");
    let answer = accounts
        .create_token_request(account, &PostParams::default(), &request)
        .await;
    let status = answer.expect("a token").status;
    status.expect("a status").token
}

async fn ended(controller: &Controller) {
    while controller.runs().await {
        sleep(Duration::from_millis(50)).await;
    }
}
