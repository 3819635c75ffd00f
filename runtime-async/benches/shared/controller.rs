//! The controller as a process.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use buildscaler_simulator::buildkite::FakeBuildkite;
use buildscaler_testbed::mortal;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

/// How long a controller may take to end.
const ENDS_WITHIN: Duration = Duration::from_secs(10);

/// How a controller is started.
pub(crate) struct Launch<'a> {
    pub(crate) kubeconfig: &'a Path,
    /// `BUILDKITE_API_URL`.
    pub(crate) buildkite: &'a str,
    pub(crate) namespace: &'a str,
    pub(crate) more: &'a [&'a str],
    pub(crate) log: Stdio,
}

/// A running controller.
pub(crate) struct Controller {
    process: Child,
}

impl Controller {
    /// Starts the binary that was built with this benchmark.
    ///
    /// Call it from the main thread only: the process dies with the thread
    /// that started it.
    pub(crate) fn start(launch: Launch<'_>) -> Self {
        let process = Command::from(mortal(env!("CARGO_BIN_EXE_buildscaler").as_ref()))
            .arg("--kubeconfig")
            .arg(launch.kubeconfig)
            .args(["--buildkite-org", FakeBuildkite::ORGANIZATION, "-n", launch.namespace])
            .args(["--healthz-address=127.0.0.1", "--healthz-port=0"])
            .args(["--metrics-address=127.0.0.1", "--metrics-port=0"])
            .args(launch.more)
            .env_clear()
            .env("BUILDKITE_ACCESS_TOKEN", FakeBuildkite::ACCESS_TOKEN)
            .env("BUILDKITE_API_URL", launch.buildkite)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(launch.log)
            .kill_on_drop(true)
            .spawn()
            .expect("the controller starts");
        Self { process }
    }

    /// The id of the process; none once it has ended.
    pub(crate) fn id(&self) -> Option<u32> {
        self.process.id()
    }

    /// Asks it to end, and waits.
    pub(crate) async fn end(mut self) {
        if let Some(id) = self.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
            kill_process(id, Signal::TERM).expect("signalled");
        }
        let ended = tokio::time::timeout(ENDS_WITHIN, self.process.wait()).await;
        let status = ended.expect("it ends").expect("waited for");
        assert!(status.success(), "the controller failed: {status}");
    }
}
