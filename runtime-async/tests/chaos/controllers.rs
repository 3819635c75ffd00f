//! The controllers of a story, each a process with its own way to the APIs.

use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use buildscaler_simulator::buildkite::FakeBuildkite;
use buildscaler_testbed::mortal;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::proxy::{Chaos, Proxy};
use crate::story::Story;

/// The bearer token of the controllers on the fake Kubernetes.
pub(crate) const CLUSTER_TOKEN: &str = "k8s_scaler_token";

/// A controller that runs or has run.
pub(crate) struct Controller {
    process: Child,
    output: Arc<Mutex<String>>,
    /// How it ended, and whether it was told to.
    pub(crate) ended: Option<(ExitStatus, Ending)>,
    proxies: Vec<Proxy>,
    _files: TempDir,
}

/// Who ended a controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Itself,
    Killed,
    Asked,
}

/// Where the APIs are.
pub(crate) struct Upstreams {
    pub(crate) kubernetes: String,
    pub(crate) buildkite: String,
}

impl Controller {
    pub(crate) async fn start(story: &Story, upstreams: &Upstreams, chaos: &Arc<Chaos>, life: usize) -> Self {
        let kubernetes = Proxy::start(chaos, upstreams.kubernetes.clone(), life).await;
        let buildkite = Proxy::start(chaos, upstreams.buildkite.clone(), life).await;
        let files = tempfile::tempdir().expect("a folder");
        let kubeconfig = files.path().join("kubeconfig");
        std::fs::write(&kubeconfig, config(&kubernetes.url)).expect("written");
        let mut process = Command::from(mortal(env!("CARGO_BIN_EXE_buildscaler").as_ref()))
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .args(["--buildkite-org", FakeBuildkite::ORGANIZATION, "--verbose"])
            .args(["--healthz-address=127.0.0.1", "--healthz-port=0"])
            .args(["--metrics-address=127.0.0.1", "--metrics-port=0"])
            .arg(format!("--sync-interval={}", story.sync_interval))
            .arg(format!("--disconnect-after-idle-timeout={}", story.idle_timeout))
            .arg(format!("--agent-startup-timeout={}", story.startup_timeout))
            .env_clear()
            .env("BUILDKITE_ACCESS_TOKEN", FakeBuildkite::ACCESS_TOKEN)
            .env("BUILDKITE_API_URL", &buildkite.url)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the controller starts");
        let output = Arc::<Mutex<String>>::default();
        let mut lines = BufReader::new(process.stderr.take().expect("piped")).lines();
        let written = Arc::clone(&output);
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                let mut written = written.lock().unwrap_or_else(PoisonError::into_inner);
                written.push_str(&line);
                written.push('\n');
            }
        });
        Self {
            process,
            output,
            ended: None,
            proxies: vec![kubernetes, buildkite],
            _files: files,
        }
    }

    pub(crate) fn runs(&mut self) -> bool {
        if let (None, Ok(Some(status))) = (&self.ended, self.process.try_wait()) {
            self.ended = Some((status, Ending::Itself));
        }
        self.ended.is_none()
    }

    /// Ends it by SIGKILL, or by SIGTERM.
    pub(crate) async fn end(&mut self, ending: Ending) {
        if !self.runs() {
            return;
        }
        let signal = match ending {
            Ending::Killed => Signal::KILL,
            Ending::Asked | Ending::Itself => Signal::TERM,
        };
        let id = self.process.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        if let Some(id) = id {
            // It may have ended by itself this moment, which its status tells.
            let _ = kill_process(id, signal);
        }
        let ended = tokio::time::timeout(Duration::from_secs(10), self.process.wait()).await;
        let status = ended.expect("it ends within ten seconds").expect("waited for");
        self.ended = Some((status, ending));
        self.proxies.clear();
    }

    pub(crate) fn output(&self) -> String {
        self.output.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn config(server: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: fake\n\
         clusters:\n- name: fake\n  cluster:\n    server: {server}\n\
         users:\n- name: user\n  user:\n    token: {CLUSTER_TOKEN}\n\
         contexts:\n- name: fake\n  context:\n    cluster: fake\n    user: user\n    namespace: default\n"
    )
}
