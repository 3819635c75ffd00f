//! How each part is started: its flags, and the ports that they name.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Command;

use super::files::{Files, flag};
use super::options::Options;
use crate::child::mortal;
use crate::error::{During, TestbedError};

/// The ports of one control plane on loopback.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    pub(crate) api_server: u16,
    pub(crate) controller_manager: u16,
    pub(crate) scheduler: u16,
    etcd: u16,
    etcd_peer: u16,
}

impl Ports {
    /// Finds ports that nobody listens on.
    ///
    /// Somebody else may take one before its part does; the caller then starts
    /// over with new ones.
    pub(crate) fn free() -> Result<Self, TestbedError> {
        // All are held until all are known, so that no two are the same.
        let mut held = Vec::new();
        let mut next = || -> Result<u16, TestbedError> {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).during(|| "finding a port".into())?;
            let port = listener.local_addr().during(|| "finding a port".into())?.port();
            held.push(listener);
            Ok(port)
        };
        Ok(Self {
            api_server: next()?,
            controller_manager: next()?,
            scheduler: next()?,
            etcd: next()?,
            etcd_peer: next()?,
        })
    }
}

/// Returns the command for etcd.
pub(crate) fn etcd(program: &Path, files: &Files, ports: Ports) -> Command {
    let client = format!("http://127.0.0.1:{}", ports.etcd);
    let peer = format!("http://127.0.0.1:{}", ports.etcd_peer);
    let mut command = mortal(program);
    command
        .arg(flag("data-dir", &files.path("etcd")))
        .arg(format!("--listen-client-urls={client}"))
        .arg(format!("--advertise-client-urls={client}"))
        .arg(format!("--listen-peer-urls={peer}"))
        .arg(format!("--initial-advertise-peer-urls={peer}"))
        .arg(format!("--initial-cluster=default={peer}"))
        // The data is worth nothing after the test.
        .arg("--unsafe-no-fsync");
    command
}

/// Returns the command for kube-apiserver.
pub(crate) fn api_server(program: &Path, files: &Files, ports: Ports, options: &Options) -> Command {
    let mut command = mortal(program);
    command
        .arg(format!("--etcd-servers=http://127.0.0.1:{}", ports.etcd))
        .arg("--bind-address=127.0.0.1")
        .arg("--advertise-address=127.0.0.1")
        .arg(format!("--secure-port={}", ports.api_server))
        .arg(flag("tls-cert-file", &files.path("server.crt")))
        .arg(flag("tls-private-key-file", &files.path("server.key")))
        .arg(flag("client-ca-file", &files.path("ca.crt")))
        .arg("--authorization-mode=RBAC")
        .arg("--service-account-issuer=https://kubernetes.default.svc")
        .arg(flag("service-account-key-file", &files.path("service-account.pub")))
        .arg(flag(
            "service-account-signing-key-file",
            &files.path("service-account.key"),
        ))
        .arg("--service-cluster-ip-range=10.0.0.0/24")
        .arg("--endpoint-reconciler-type=none")
        // As the installers of clusters have it; Pod Security decides instead.
        .arg("--allow-privileged=true");
    if !options.service_account_admission {
        command.arg("--disable-admission-plugins=ServiceAccount");
    }
    command.args(&options.api_server_flags);
    command
}

/// Returns the command for kube-controller-manager.
pub(crate) fn controller_manager(program: &Path, files: &Files, ports: Ports, kubeconfig: &Path) -> Command {
    let mut command = with_kubeconfig(program, files, kubeconfig, ports.controller_manager);
    command
        .arg(flag(
            "service-account-private-key-file",
            &files.path("service-account.key"),
        ))
        .arg(flag("root-ca-file", &files.path("ca.crt")));
    command
}

/// Returns the command for kube-scheduler.
pub(crate) fn scheduler(program: &Path, files: &Files, ports: Ports, kubeconfig: &Path) -> Command {
    with_kubeconfig(program, files, kubeconfig, ports.scheduler)
}

fn with_kubeconfig(program: &Path, files: &Files, kubeconfig: &Path, port: u16) -> Command {
    let mut command = mortal(program);
    command
        .arg(flag("kubeconfig", kubeconfig))
        .arg("--leader-elect=false")
        .arg("--bind-address=127.0.0.1")
        .arg(format!("--secure-port={port}"))
        .arg(flag("tls-cert-file", &files.path("server.crt")))
        .arg(flag("tls-private-key-file", &files.path("server.key")));
    command
}
