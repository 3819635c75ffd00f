//! Processes that cannot outlive the test that started them.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::error::{During, TestbedError};

/// How much of a log an error shows.
const LOG_TAIL: usize = 4_000;

/// A process in a group of its own, whose output goes to a file.
///
/// Dropping it kills the group. Where `setpriv` is installed the process also
/// dies when the test process is killed, which no destructor could see to.
pub(crate) struct Child {
    name: &'static str,
    process: tokio::process::Child,
    group: Option<Pid>,
    log: PathBuf,
}

impl Child {
    /// Starts a command and appends all that it writes to `log`.
    pub(crate) async fn spawn(name: &'static str, mut command: Command, log: &Path) -> Result<Self, TestbedError> {
        let during = || format!("starting {name}");
        let out = OpenOptions::new().create(true).append(true).open(log).during(during)?;
        let err = out.try_clone().during(during)?;
        command.stdin(Stdio::null()).stdout(out).stderr(err);
        let process = spawn_from_lasting_thread(command).await.during(during)?;
        let group = process
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw);
        Ok(Self {
            name,
            process,
            group,
            log: log.to_owned(),
        })
    }

    /// Returns the name that errors show.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the process id while the process runs.
    pub(crate) fn id(&self) -> Option<u32> {
        self.process.id()
    }

    /// Tells whether the process has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.process.try_wait(), Ok(None))
    }

    /// Waits until the process ends.
    pub(crate) async fn wait(&mut self) -> Result<ExitStatus, TestbedError> {
        self.process
            .wait()
            .await
            .during(|| format!("waiting for {}", self.name))
    }

    /// Sends a signal to the process and its group; one that has ended is left alone.
    pub(crate) fn signal(&self, signal: Signal) {
        // An id is given out anew only after the process was waited for.
        if self.process.id().is_none() {
            return;
        }
        if let Some(group) = self.group {
            // The only failure left is a group that is gone already.
            let _ = kill_process_group(group, signal);
        }
    }

    /// Asks the process to end, kills it after `grace`, and waits for it.
    pub(crate) async fn stop(&mut self, grace: Duration) -> Result<(), TestbedError> {
        self.signal(Signal::TERM);
        if tokio::time::timeout(grace, self.wait()).await.is_err() {
            self.kill().await?;
        }
        Ok(())
    }

    /// Kills the process and its group, and waits for it.
    pub(crate) async fn kill(&mut self) -> Result<(), TestbedError> {
        self.signal(Signal::KILL);
        self.wait().await.map(drop)
    }

    /// Returns the end of what the process wrote.
    pub(crate) fn log_tail(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let from = text.len().saturating_sub(LOG_TAIL);
        String::from_utf8_lossy(text.get(from..).unwrap_or_default()).into_owned()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        // A killed process is gone within milliseconds; waiting for it frees its ports.
        let deadline = Instant::now() + Duration::from_secs(2);
        while !self.has_ended() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

struct Request {
    command: Command,
    runtime: Handle,
    reply: oneshot::Sender<io::Result<tokio::process::Child>>,
}

/// Starts a command from a thread that lives as long as this process.
///
/// The kernel takes the death of the *thread* that forked for the death of the
/// parent, and the threads of tests and of runtimes come and go.
async fn spawn_from_lasting_thread(command: Command) -> io::Result<tokio::process::Child> {
    static SPAWNER: OnceLock<mpsc::Sender<Request>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (sender, requests) = mpsc::channel::<Request>();
        thread::spawn(move || {
            for request in requests {
                let _runtime = request.runtime.enter();
                // Nobody waits for the answer when the start was given up.
                let _ = request.reply.send(spawn(request.command));
            }
        });
        sender
    });
    let (reply, answer) = oneshot::channel();
    let request = Request {
        command,
        runtime: Handle::current(),
        reply,
    };
    let gone = || io::Error::other("the thread that starts processes is gone");
    spawner.send(request).map_err(|_| gone())?;
    answer.await.map_err(|_| gone())?
}

fn spawn(command: Command) -> io::Result<tokio::process::Child> {
    let mut command = tokio::process::Command::from(command);
    command.process_group(0).kill_on_drop(true).spawn()
}

/// Returns a command for `program` that dies with this process, where that can be had.
///
/// It must be spawned from a thread that lasts: the kernel takes the death of
/// the thread for that of the process.
#[must_use]
pub fn mortal(program: &Path) -> Command {
    static SETPRIV: OnceLock<bool> = OnceLock::new();
    let available = SETPRIV.get_or_init(|| succeeds("setpriv", &["--pdeathsig", "KILL", "true"]));
    if *available {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(program);
        command
    } else {
        Command::new(program)
    }
}

/// Tells whether a command can be run here and succeeds.
pub(crate) fn succeeds(program: &str, args: &[&str]) -> bool {
    let mut command = Command::new(program);
    command
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
