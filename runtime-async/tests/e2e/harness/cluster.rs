//! A real control plane with one node.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use buildscaler_testbed::ControlPlane;
use buildscaler_testbed::control_plane;
use buildscaler_testbed::kubelet::{self, Kill, Kubelet};
use kube::Client;
use tokio::sync::Mutex;

use super::workloads::{Image, Workloads};

/// What several worlds may share.
pub(crate) struct Cluster {
    plane: Mutex<ControlPlane>,
    client: Client,
    kubeconfig: PathBuf,
    kubelet: Kubelet,
    workloads: Arc<Workloads>,
    port: String,
    authority: String,
}

impl Cluster {
    pub(super) async fn start() -> Self {
        let plane = ControlPlane::start(control_plane::Options::default())
            .await
            .expect("a control plane");
        let workloads = Arc::new(Workloads::default());
        let options = kubelet::Options {
            retry: Duration::from_millis(100),
            ..kubelet::Options::default()
        };
        let kubelet = Kubelet::start(plane.client(), options, workloads.clone())
            .await
            .expect("a kubelet");
        let url = plane.url();
        Self {
            client: plane.client(),
            kubeconfig: plane.admin_kubeconfig().to_owned(),
            port: url.rsplit(':').next().unwrap_or_default().to_owned(),
            authority: plane.certificate_authority(),
            plane: Mutex::new(plane),
            kubelet,
            workloads,
        }
    }

    /// A client of the administrator.
    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    /// A kubeconfig of the administrator.
    pub(crate) fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The port of the API server.
    pub(super) fn port(&self) -> &str {
        &self.port
    }

    /// The certificate that the API server's is signed with, PEM.
    pub(super) fn authority(&self) -> &str {
        &self.authority
    }

    /// A kubeconfig of a user who may do nothing until RBAC says so.
    pub(crate) async fn kubeconfig_of(&self, user: &str) -> PathBuf {
        let plane = self.plane.lock().await;
        plane.kubeconfig_for(user, None).expect("a kubeconfig")
    }

    /// A token of a service account, as a pod of its gets one.
    pub(crate) async fn token_of(&self, namespace: &str, account: &str) -> String {
        super::installed::token_of(&self.client, namespace, account).await
    }

    /// A kubeconfig of a service account.
    pub(crate) async fn kubeconfig_of_account(&self, namespace: &str, account: &str) -> PathBuf {
        let token = self.token_of(namespace, account).await;
        let plane = self.plane.lock().await;
        plane
            .kubeconfig_with_token(&format!("{namespace}-{account}"), &token)
            .expect("a kubeconfig")
    }

    /// Takes the API server down, which cuts every watch.
    pub(crate) async fn stop_api_server(&self) {
        let mut plane = self.plane.lock().await;
        plane.stop_api_server().await.expect("the API server stops");
    }

    /// Takes the API server up again.
    pub(crate) async fn start_api_server(&self) {
        let mut plane = self.plane.lock().await;
        plane.start_api_server().await.expect("the API server starts");
    }

    /// Kills the API server.
    pub(crate) async fn kill_api_server(&self) {
        let mut plane = self.plane.lock().await;
        plane.kill_api_server().await.expect("the API server dies");
    }

    /// Kills etcd.
    pub(crate) async fn kill_etcd(&self) {
        let mut plane = self.plane.lock().await;
        plane.kill_etcd().await.expect("etcd dies");
    }

    /// Starts etcd again.
    pub(crate) async fn start_etcd(&self) {
        let mut plane = self.plane.lock().await;
        plane.start_etcd().await.expect("etcd starts");
    }

    /// Restarts the scheduler and the controller manager.
    pub(crate) async fn restart_controllers(&self) {
        let mut plane = self.plane.lock().await;
        plane.restart_controllers().await.expect("the controllers start");
    }

    /// Makes an image impossible to pull.
    pub(crate) fn break_image(&self, image: Image) {
        self.kubelet.break_image(image.name());
    }

    /// Makes an image available again.
    pub(crate) fn mend_image(&self, image: Image) {
        self.kubelet.mend_image(image.name());
    }

    pub(super) fn workloads(&self) -> &Workloads {
        &self.workloads
    }

    /// The containers that outlived their grace period and were killed.
    pub(super) fn kills(&self) -> Vec<Kill> {
        self.kubelet.kills()
    }

    pub(super) async fn stop(self) {
        self.kubelet.stop().await.expect("the kubelet stops");
        self.plane.into_inner().stop().await.expect("the control plane stops");
    }
}
