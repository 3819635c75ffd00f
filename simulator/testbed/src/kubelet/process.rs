//! The real buildkite-agent as the process in the container.

use std::fs;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::binaries::Binary;
use crate::child::{self, Child};
use crate::error::{During, TestbedError};

use super::workload::{ExitStatus, PodContext, Signals, Workload};

/// Runs instead of the agent's bootstrap: it does nothing, for as long as the BuildkiteJob asks.
///
/// It writes down when it begins and how it ends, so that a test sees each
/// build that was cut, even by SIGKILL, which leaves a beginning without an end.
const BOOTSTRAP: &str = include_str!("bootstrap.sh");

/// Marks every process of a pod, whoever its parent is.
///
/// The mark is the pod's folder: the uids of fakes are the same in every test.
const MARK: &str = "BUILDSCALER_TEST_FOLDER";

/// What a shell says when there is no such command.
const NO_SUCH_COMMAND: ExitStatus = ExitStatus { code: 127 };

/// Runs a real buildkite-agent for each pod.
///
/// A pod may leave out the command, as the image has it, or name
/// `buildkite-agent` itself; another program is refused. Where this process may
/// (as root, with `unshare` and `hostname` installed), the agent sees the pod's
/// host name as it would in a container; elsewhere it sees the machine's.
pub struct Process {
    shared: Arc<Shared>,
}

/// How far a BuildkiteJob has come on some agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The id of the BuildkiteJob.
    pub buildkite_job: String,
    /// The uid of the pod.
    pub pod: String,
    /// What was seen last.
    pub state: RunState,
}

/// What was seen last of a [`Run`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    /// It has begun; if its agent is gone, it was cut by SIGKILL.
    Begun,
    /// It ended by itself.
    Finished,
    /// It was ended by SIGTERM, as a cancellation does.
    Interrupted,
}

impl Process {
    /// Prepares to run agents against an Agent API.
    ///
    /// The endpoint and what keeps the agent away from git override what the
    /// pods say. The agent is built if it is not there yet.
    pub async fn new(endpoint: &str) -> Result<Self, TestbedError> {
        let ensured = tokio::task::spawn_blocking(|| Binary::Agent.ensure(&mut |_| {})).await;
        let program = ensured
            .map_err(io::Error::other)
            .during(|| "building the agent".into())??;
        let folder = TempDir::with_prefix("buildscaler-agents-").during(|| "making a folder".into())?;
        let bootstrap = folder.path().join("bootstrap.sh");
        let runs = folder.path().join("runs");
        let script = BOOTSTRAP.replace("@RUNS@", &runs.display().to_string());
        fs::write(&bootstrap, script).during(|| "writing the bootstrap".into())?;
        let shell = Path::new("/bin/sh");
        let bootstrap = format!("{} {}", shell.display(), bootstrap.display());
        let isolated = child::succeeds("unshare", &["--uts", "hostname", "buildscaler-testbed"]);
        let endpoint = endpoint.to_owned();
        Ok(Self {
            shared: Arc::new(Shared {
                folder,
                program,
                endpoint,
                bootstrap,
                isolated,
            }),
        })
    }

    /// Tells whether agents see the host names of their pods.
    #[must_use]
    pub fn has_own_hostnames(&self) -> bool {
        self.shared.isolated
    }

    /// Returns every BuildkiteJob that an agent has begun, in order.
    #[must_use]
    pub fn runs(&self) -> Vec<Run> {
        // There is no file before the first has begun.
        let text = fs::read_to_string(self.shared.folder.path().join("runs")).unwrap_or_default();
        let mut runs: Vec<Run> = Vec::new();
        for line in text.lines() {
            let mut words = line.split(' ').map(str::to_owned);
            let (Some(event), Some(buildkite_job), Some(pod)) = (words.next(), words.next(), words.next()) else {
                continue;
            };
            let state = match event.as_str() {
                "finished" => RunState::Finished,
                "interrupted" => RunState::Interrupted,
                _ => RunState::Begun,
            };
            match runs
                .iter_mut()
                .rev()
                .find(|run| run.buildkite_job == buildkite_job && run.pod == pod)
            {
                Some(run) if state != RunState::Begun => run.state = state,
                Some(_) | None => runs.push(Run {
                    buildkite_job,
                    pod,
                    state,
                }),
            }
        }
        runs
    }

    /// Returns the path of what the agent of a pod wrote; it is gone together with this value.
    #[must_use]
    pub fn log(&self, pod_uid: &str) -> PathBuf {
        self.shared.pod_folder(pod_uid).join("log")
    }
}

impl Workload for Process {
    fn run(&self, pod: PodContext, mut signals: Signals) -> BoxFuture<'static, ExitStatus> {
        let shared = Arc::clone(&self.shared);
        async move {
            let mut agent = match shared.start(&pod).await {
                Ok(Some(agent)) => agent,
                Ok(None) | Err(_) => return NO_SUCH_COMMAND,
            };
            tokio::select! {
                status = agent.wait() => return status,
                () = signals.terminated() => agent.child.signal(Signal::TERM),
            }
            agent.wait().await
        }
        .boxed()
    }
}

struct Shared {
    folder: TempDir,
    program: PathBuf,
    endpoint: String,
    bootstrap: String,
    isolated: bool,
}

impl Shared {
    /// Starts the agent of a pod; none if the pod asks for another program.
    async fn start(&self, pod: &PodContext) -> Result<Option<Agent>, TestbedError> {
        let Some(arguments) = arguments(pod) else {
            return Ok(None);
        };
        let folder = self.pod_folder(&pod.uid);
        let builds = folder.join("builds");
        fs::create_dir_all(&builds).during(|| format!("making {}", builds.display()))?;
        let mut command = self.command(&pod.hostname);
        command.args(arguments).current_dir(&folder).env_clear();
        command
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &folder);
        // As the image has it.
        command.env("BUILDKITE_AGENT_NAME", format!("{}-%spawn", pod.hostname));
        command.envs(pod.env.iter().map(|(name, value)| (name, value)));
        command
            .env("BUILDKITE_AGENT_ENDPOINT", &self.endpoint)
            .env("BUILDKITE_BUILD_PATH", &builds)
            .env("BUILDKITE_BOOTSTRAP_SCRIPT_PATH", &self.bootstrap)
            // Streaming needs HTTP/2 without TLS, which the agent does not speak.
            .env("BUILDKITE_AGENT_PING_MODE", "poll-only")
            .env("BUILDSCALER_TEST_POD", &pod.uid)
            .env(MARK, &folder);
        let child = Child::spawn("buildkite-agent", command, &folder.join("log")).await?;
        Ok(Some(Agent { child, folder }))
    }

    fn command(&self, hostname: &str) -> Command {
        let agent = child::mortal(&self.program);
        if !self.isolated {
            return agent;
        }
        let mut command = Command::new("unshare");
        command.args(["--uts", "sh", "-c", r#"hostname "$0" && exec "$@""#, hostname]);
        command.arg(agent.get_program()).args(agent.get_args());
        command
    }

    fn pod_folder(&self, uid: &str) -> PathBuf {
        self.folder.path().join(uid)
    }
}

/// Works out the agent's arguments from the pod's command and those of the image.
fn arguments(pod: &PodContext) -> Option<Vec<String>> {
    let Some((program, rest)) = pod.command.split_first() else {
        let image = || vec!["start".to_owned()];
        return Some(if pod.args.is_empty() { image() } else { pod.args.clone() });
    };
    let is_agent = Path::new(program)
        .file_name()
        .is_some_and(|name| name == "buildkite-agent");
    is_agent.then(|| rest.iter().chain(&pod.args).cloned().collect())
}

/// A running agent and all that it started; dropping it is SIGKILL for all of them.
struct Agent {
    child: Child,
    folder: PathBuf,
}

impl Agent {
    async fn wait(&mut self) -> ExitStatus {
        let Ok(status) = self.child.wait().await else {
            return ExitStatus::KILLED;
        };
        let by_signal = status.signal().map(|signal| 128 + signal);
        ExitStatus {
            code: status.code().or(by_signal).unwrap_or(ExitStatus::KILLED.code),
        }
    }
}

impl Drop for Agent {
    /// The agent goes first, so that it cannot report how the others end.
    fn drop(&mut self) {
        self.child.signal(Signal::KILL);
        for process in marked(&self.folder) {
            // It may have ended meanwhile.
            let _ = kill_process(process, Signal::KILL);
        }
    }
}

/// Finds the processes of a pod. The agent puts each build into a process group
/// of its own, and an orphan has lost its parent; only the environment stays.
fn marked(folder: &Path) -> Vec<Pid> {
    let mark = format!("{MARK}={}", folder.display());
    let Ok(processes) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let ids = processes
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let has_mark = |id: &i32| {
        let environment = fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
        environment
            .split(|byte| *byte == 0)
            .any(|variable| variable == mark.as_bytes())
    };
    ids.filter(has_mark).filter_map(Pid::from_raw).collect()
}
