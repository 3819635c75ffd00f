//! The controller as a process.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use buildscaler_simulator::buildkite::FakeBuildkite;
use buildscaler_testbed::mortal;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::Child;
use tokio::sync::Mutex as AsyncMutex;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::own_clock::OwnClock;

/// The path of `buildscalerctl`, where the cases are to be run with its `run`
/// instead: the same core, the same options, another runtime.
const OTHER: &str = "BUILDSCALER_E2E_CONTROLLER";

/// How a controller is started.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    /// Whose rights it has.
    pub(crate) kubeconfig: PathBuf,
    /// `BUILDKITE_API_URL`.
    pub(crate) buildkite: String,
    /// None for all namespaces.
    pub(crate) namespace: Option<String>,
    /// `--sync-interval`, in seconds.
    pub(crate) interval: u64,
    /// `--disconnect-after-idle-timeout`, in seconds.
    pub(crate) idle_timeout: u64,
    /// `--agent-startup-timeout`, in seconds.
    pub(crate) startup_timeout: u64,
    /// Whether with `--verbose`.
    pub(crate) verbose: bool,
    /// Whether with `--leader-elect`.
    pub(crate) leader_elect: bool,
    /// A wall clock of its own, which can be wrong.
    pub(crate) clock: Option<OwnClock>,
    /// Whether with `--dry-run`.
    pub(crate) dry_run: bool,
}

impl Launch {
    pub(super) fn command(&self) -> Command {
        // It is to die with the tests, even with killed ones.
        let mut command = match std::env::var_os(OTHER) {
            Some(program) => {
                let mut command = mortal(Path::new(&program));
                command.arg("run");
                command
            }
            None => {
                let mut command = mortal(Path::new(env!("CARGO_BIN_EXE_buildscaler")));
                command.args(["--healthz-address=127.0.0.1", "--healthz-port=0"]);
                command.args(["--metrics-address=127.0.0.1", "--metrics-port=0"]);
                command
            }
        };
        command
            .arg(format!("--kubeconfig={}", self.kubeconfig.display()))
            .arg(format!("--buildkite-org={}", FakeBuildkite::ORGANIZATION))
            .arg(format!("--sync-interval={}", self.interval))
            .arg(format!("--disconnect-after-idle-timeout={}", self.idle_timeout))
            .arg(format!("--agent-startup-timeout={}", self.startup_timeout))
            .args(self.namespace.iter().flat_map(|namespace| ["-n", namespace]))
            .args(self.verbose.then_some("--verbose"))
            .args(self.leader_elect.then_some("--leader-elect"))
            .args(self.dry_run.then_some("--dry-run"))
            .env_clear()
            .env("BUILDKITE_ACCESS_TOKEN", FakeBuildkite::ACCESS_TOKEN)
            .env("BUILDKITE_API_URL", &self.buildkite)
            .stdin(Stdio::null());
        if let Some(clock) = &self.clock {
            clock.give(&mut command);
        }
        command
    }
}

/// A kind of change that a controller makes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    CreatePod,
    StopAgent,
    DeletePod,
}

impl Change {
    pub(crate) const ALL: [Self; 3] = [Self::CreatePod, Self::StopAgent, Self::DeletePod];

    fn is_begun_in(self, line: &str) -> bool {
        let words = match self {
            Self::CreatePod => ["creating a pod", "create pod"],
            Self::StopAgent => ["stopping an agent", "stop agent"],
            Self::DeletePod => ["deleting a pod", "delete pod"],
        };
        words.iter().any(|words| line.contains(words))
    }
}

/// A running controller, or one that has ended.
pub(crate) struct Controller {
    process: AsyncMutex<Child>,
    id: Option<Pid>,
    output: Arc<Mutex<String>>,
    reading: [JoinHandle<()>; 2],
}

impl Controller {
    /// Starts a command that is the controller, or becomes it.
    pub(super) async fn spawn(command: Command) -> Arc<Self> {
        let mut command = tokio::process::Command::from(command);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        // From a thread of the runtime: the parent's death is that of the thread.
        let spawned = tokio::spawn(async move { command.spawn() }).await;
        let mut process = spawned.expect("no panic").expect("the controller starts");
        let output = Arc::default();
        let out = process.stdout.take().expect("piped");
        let err = process.stderr.take().expect("piped");
        let reading = [read(out, &output), read(err, &output)];
        let id = process.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        Arc::new(Self {
            process: AsyncMutex::new(process),
            id,
            output,
            reading,
        })
    }

    /// All that it has written so far.
    pub(crate) fn output(&self) -> String {
        self.output.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many lines hold all of these words, whatever their case.
    pub(crate) fn count(&self, words: &[&str]) -> usize {
        let output = self.output().to_lowercase();
        let holds = |line: &&str| words.iter().all(|word| line.contains(&word.to_lowercase()));
        output.lines().filter(holds).count()
    }

    /// Whether a line holds all of these words, whatever their case.
    pub(crate) fn says(&self, words: &[&str]) -> bool {
        self.count(words) > 0
    }

    /// How many changes of these kinds it says it begins; `buildscaler` and `buildscalerctl` put it
    /// differently. All are counted in one reading, since it may be writing meanwhile.
    pub(crate) fn begun(&self, changes: &[Change]) -> usize {
        let output = self.output().to_lowercase();
        let no_beginning = |line: &str| [": done", ": failed", "dry run"].iter().any(|end| line.contains(end));
        let begins = |line: &&str| !no_beginning(line) && changes.iter().any(|change| change.is_begun_in(line));
        output.lines().filter(begins).count()
    }

    /// Whether it says that it commands, and has not taken it back.
    pub(crate) fn leads(&self) -> bool {
        self.count(&["leading: this controller commands"]) > self.count(&["not leading any more"])
    }

    /// Whether it still runs.
    pub(crate) async fn runs(&self) -> bool {
        matches!(self.process.lock().await.try_wait(), Ok(None))
    }

    /// Lets it stand still, as a machine in trouble would.
    pub(crate) fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on where it stood.
    pub(crate) fn wake(&self) {
        self.signal(Signal::CONT);
    }

    /// Asks it to end, as Kubernetes would, and does not wait.
    pub(crate) fn ask_to_end(&self) {
        self.signal(Signal::TERM);
    }

    fn signal(&self, signal: Signal) {
        let id = self.id.expect("it was started");
        kill_process(id, signal).expect("signalled");
    }

    /// Ends it as a crash would.
    pub(crate) async fn kill(&self) {
        self.process.lock().await.kill().await.expect("killed");
    }

    /// Ends it as Kubernetes would, and waits; none if it took too long.
    pub(crate) async fn terminate(&self, patience: Duration) -> Option<ExitStatus> {
        let mut process = self.process.lock().await;
        if let (Ok(None), Some(id)) = (process.try_wait(), self.id) {
            kill_process(id, Signal::TERM).expect("signalled");
        }
        let status = timeout(patience, process.wait()).await.ok()?;
        Some(status.expect("waited for"))
    }

    /// Waits until all that it wrote has been read; it must have ended.
    pub(super) async fn read_to_end(&self) {
        let read = || self.reading.iter().all(JoinHandle::is_finished);
        super::within(Duration::from_secs(5), "the output ends", async || read()).await;
    }
}

fn read(from: impl AsyncRead + Unpin + Send + 'static, to: &Arc<Mutex<String>>) -> JoinHandle<()> {
    let to = Arc::clone(to);
    tokio::spawn(async move {
        let mut lines = BufReader::new(from).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let mut to = to.lock().unwrap_or_else(PoisonError::into_inner);
            to.push_str(&line);
            to.push('\n');
        }
    })
}
