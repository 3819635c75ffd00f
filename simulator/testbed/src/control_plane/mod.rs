//! A real Kubernetes control plane on loopback, for one test or one test process.
//!
//! kube-apiserver with etcd and, unless a test does without, the controller
//! manager and the scheduler. There are no nodes; see [`crate::kubelet`].

mod files;
mod options;
mod parts;
mod readiness;

use std::path::{Path, PathBuf};
use std::time::Duration;

use kube::Client;
use serde_json::json;

use crate::binaries::Binary;
use crate::child::Child;
use crate::error::{During, TestbedError};

use files::{Files, file_name};
use parts::Ports;

pub use options::Options;

/// How often new ports are tried when a part ends during the start.
const ATTEMPTS: u32 = 3;

/// How long a part may take to end by itself.
///
/// A server may drain requests for a minute, watches among them; a test has
/// nothing to lose by killing it.
const GRACE: Duration = Duration::from_secs(5);

/// A running control plane.
///
/// Dropping it kills everything; [`ControlPlane::stop`] is the orderly way and
/// waits. Either way its folder is removed.
pub struct ControlPlane {
    // The order of the fields is that in which they are dropped.
    scheduler: Option<Child>,
    controller_manager: Option<Child>,
    api_server: Option<Child>,
    etcd: Child,
    client: Client,
    admin_kubeconfig: PathBuf,
    options: Options,
    ports: Ports,
    programs: Programs,
    files: Files,
}

impl ControlPlane {
    /// Builds what is not built yet, starts all parts and waits until they serve.
    pub async fn start(options: Options) -> Result<Self, TestbedError> {
        crate::install_tls_provider();
        let programs = Programs::ensure(&options).await?;
        let mut attempt = 1;
        loop {
            match Self::try_start(&options, &programs).await {
                // Most likely somebody else took the port.
                Err(TestbedError::Died { .. }) if attempt < ATTEMPTS => attempt += 1,
                other => return other,
            }
        }
    }

    async fn try_start(options: &Options, programs: &Programs) -> Result<Self, TestbedError> {
        let files = Files::new()?;
        let ports = Ports::free()?;
        let admin_kubeconfig = files.admin_kubeconfig("admin", ports.api_server)?;
        let client = client_from(&admin_kubeconfig).await?;
        let command = parts::etcd(&programs.etcd, &files, ports);
        let etcd = Child::spawn("etcd", command, &files.log("etcd")).await?;
        let mut plane = Self {
            scheduler: None,
            controller_manager: None,
            api_server: None,
            etcd,
            client,
            admin_kubeconfig,
            options: options.clone(),
            ports,
            programs: programs.clone(),
            files,
        };
        plane.start_api_server().await?;
        plane.start_controllers().await?;
        Ok(plane)
    }

    /// Returns the address of the API server.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.ports.api_server)
    }

    /// Returns the certificate that the API server's is signed with, PEM.
    #[must_use]
    pub fn certificate_authority(&self) -> String {
        self.files.certificate_authority()
    }

    /// Returns a client of an administrator.
    #[must_use]
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// Returns the path of a kubeconfig of an administrator.
    #[must_use]
    pub fn admin_kubeconfig(&self) -> &Path {
        &self.admin_kubeconfig
    }

    /// Writes a kubeconfig for a user who may do what RBAC grants to the user or the group.
    pub fn kubeconfig_for(&self, user: &str, group: Option<&str>) -> Result<PathBuf, TestbedError> {
        let name = format!("user-{}-{}", file_name(user), file_name(group.unwrap_or_default()));
        self.files.kubeconfig(&name, self.ports.api_server, user, group)
    }

    /// Writes a kubeconfig for whoever bears a token, such as a service account.
    ///
    /// The name is that of the file, and of nothing else.
    pub fn kubeconfig_with_token(&self, name: &str, token: &str) -> Result<PathBuf, TestbedError> {
        let name = format!("token-{}", file_name(name));
        self.files
            .kubeconfig_of(&name, self.ports.api_server, &json!({"token": token}))
    }

    /// Returns a client that is the user of [`ControlPlane::kubeconfig_for`].
    pub async fn client_for(&self, user: &str, group: Option<&str>) -> Result<Client, TestbedError> {
        client_from(&self.kubeconfig_for(user, group)?).await
    }

    /// Returns the path of a part's log; it is gone together with the control plane.
    #[must_use]
    pub fn log(&self, part: Binary) -> PathBuf {
        self.files.log(part.file_name())
    }

    /// Returns the process ids of the parts that run.
    #[must_use]
    pub fn process_ids(&self) -> Vec<u32> {
        let optional = [&self.scheduler, &self.controller_manager, &self.api_server];
        let running = optional.into_iter().flatten().chain([&self.etcd]);
        running.filter_map(Child::id).collect()
    }

    /// Starts the API server, on the port that it had before, and waits until it serves.
    pub async fn start_api_server(&mut self) -> Result<(), TestbedError> {
        let command = parts::api_server(&self.programs.api_server, &self.files, self.ports, &self.options);
        let log = self.files.log("kube-apiserver");
        let mut server = Child::spawn("kube-apiserver", command, &log).await?;
        let mut watched = [&mut server, &mut self.etcd];
        readiness::wait_for_api_server(&self.client, &mut watched).await?;
        self.api_server = Some(server);
        Ok(())
    }

    /// Stops the API server only, for a test of an outage.
    pub async fn stop_api_server(&mut self) -> Result<(), TestbedError> {
        stop(self.api_server.take()).await
    }

    /// Kills the API server, as a crash would: no connection is closed in order.
    pub async fn kill_api_server(&mut self) -> Result<(), TestbedError> {
        match &mut self.api_server {
            Some(server) => server.kill().await,
            None => Ok(()),
        }
    }

    /// Kills etcd; the API server stays, and can neither read nor write.
    pub async fn kill_etcd(&mut self) -> Result<(), TestbedError> {
        self.etcd.kill().await
    }

    /// Starts etcd with what it had stored, and waits until the API server serves again.
    pub async fn start_etcd(&mut self) -> Result<(), TestbedError> {
        let command = parts::etcd(&self.programs.etcd, &self.files, self.ports);
        self.etcd = Child::spawn("etcd", command, &self.files.log("etcd")).await?;
        let mut watched: Vec<&mut Child> = self.api_server.iter_mut().chain([&mut self.etcd]).collect();
        readiness::wait_for_api_server(&self.client, &mut watched).await
    }

    /// Restarts the scheduler and the controller manager, and waits until they serve.
    ///
    /// After two outages in a row they are long in coming back by themselves.
    pub async fn restart_controllers(&mut self) -> Result<(), TestbedError> {
        stop(self.scheduler.take()).await?;
        stop(self.controller_manager.take()).await?;
        self.start_controllers().await
    }

    /// Stops the API server and starts it again; what was stored stays.
    pub async fn restart_api_server(&mut self) -> Result<(), TestbedError> {
        self.stop_api_server().await?;
        self.start_api_server().await
    }

    /// Stops all parts in the right order and waits for each.
    pub async fn stop(mut self) -> Result<(), TestbedError> {
        stop(self.scheduler.take()).await?;
        stop(self.controller_manager.take()).await?;
        stop(self.api_server.take()).await?;
        self.etcd.stop(GRACE).await
    }

    async fn start_controllers(&mut self) -> Result<(), TestbedError> {
        if let Some(program) = &self.programs.controller_manager {
            let command = parts::controller_manager(program, &self.files, self.ports, &self.admin_kubeconfig);
            let log = self.files.log("kube-controller-manager");
            self.controller_manager = Some(Child::spawn("kube-controller-manager", command, &log).await?);
        }
        if let Some(program) = &self.programs.scheduler {
            let command = parts::scheduler(program, &self.files, self.ports, &self.admin_kubeconfig);
            let log = self.files.log("kube-scheduler");
            self.scheduler = Some(Child::spawn("kube-scheduler", command, &log).await?);
        }
        let pairs = [
            (&mut self.controller_manager, self.ports.controller_manager),
            (&mut self.scheduler, self.ports.scheduler),
        ];
        for (part, port) in pairs {
            if let Some(part) = part {
                let kubeconfig = self.files.admin_kubeconfig(&format!("{}-health", part.name()), port)?;
                readiness::wait_for_health(&client_from(&kubeconfig).await?, part).await?;
            }
        }
        if self.options.service_account_admission && self.controller_manager.is_some() {
            readiness::wait_for_default_account(&self.client, &mut self.etcd).await?;
        }
        Ok(())
    }
}

/// Where the parts lie; those that the options leave out are `None`.
#[derive(Clone)]
struct Programs {
    etcd: PathBuf,
    api_server: PathBuf,
    controller_manager: Option<PathBuf>,
    scheduler: Option<PathBuf>,
}

impl Programs {
    async fn ensure(options: &Options) -> Result<Self, TestbedError> {
        let (controller_manager, scheduler) = (options.controller_manager, options.scheduler);
        let build = move || {
            let had = |binary: Binary| binary.ensure(&mut |_| {});
            Ok(Self {
                etcd: had(Binary::Etcd)?,
                api_server: had(Binary::ApiServer)?,
                controller_manager: controller_manager.then(|| had(Binary::ControllerManager)).transpose()?,
                scheduler: scheduler.then(|| had(Binary::Scheduler)).transpose()?,
            })
        };
        let built = tokio::task::spawn_blocking(build).await;
        built
            .map_err(std::io::Error::other)
            .during(|| "building the control plane".into())?
    }
}

async fn stop(part: Option<Child>) -> Result<(), TestbedError> {
    match part {
        Some(mut part) => part.stop(GRACE).await,
        None => Ok(()),
    }
}

async fn client_from(kubeconfig: &Path) -> Result<Client, TestbedError> {
    let kubeconfig = kube::config::Kubeconfig::read_from(kubeconfig)?;
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &Default::default()).await?;
    Ok(Client::try_from(config)?)
}
