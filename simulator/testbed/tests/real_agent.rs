//! The real agent and the synthetic one live alike, as far as Buildkite can tell.
//!
//! Each behaviour is seen with both, so that the synthetic agent is as good as
//! the real one for tests of thousands, and the fake Buildkite is one that the
//! real agent can live with.

#![expect(clippy::expect_used, clippy::panic, reason = "a test may fail")]

use std::sync::Arc;
use std::time::Duration;

use buildscaler_simulator::buildkite::{
    AgentState, BuildSpec, Created, FakeBuildkite, JobSpec, LifeEvent, Stop, Switches, Why,
};
use buildscaler_simulator::loopback::buildkite::BuildkiteServer;
use buildscaler_simulator::loopback::wall_clock;
use buildscaler_testbed::agent::Synthetic;
use buildscaler_testbed::binaries::Binary;
use buildscaler_testbed::kubelet::{ExitStatus, PodContext, Process, Signals, Workload};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

const DEADLINE: Duration = Duration::from_secs(60);

/// Which agent a behaviour is seen with.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Real,
    Synthetic,
}

/// One agent of the queue `linux` and the Buildkite it lives with.
struct Bed {
    server: BuildkiteServer,
    workload: Arc<dyn Workload>,
    /// The workload, where it is the real agent.
    real: Option<Arc<Process>>,
}

/// A running agent.
struct Running {
    terminate: watch::Sender<bool>,
    exit: JoinHandle<ExitStatus>,
}

impl Bed {
    async fn new(kind: Kind) -> Self {
        let switches = Switches {
            ping_interval: Duration::from_secs(1),
            job_status_interval: Duration::from_secs(1),
            heartbeat_interval: Duration::from_secs(1),
            ..Switches::default()
        };
        let server = BuildkiteServer::start(FakeBuildkite::new(switches))
            .await
            .expect("a server");
        let endpoint = server.agent_endpoint();
        let mut real = None;
        let workload: Arc<dyn Workload> = match kind {
            Kind::Real => {
                let process = Arc::new(Process::new(&endpoint).await.expect("the real agent"));
                real = Some(Arc::clone(&process));
                process
            }
            Kind::Synthetic => Arc::new(Synthetic::at(endpoint).expect("the synthetic agent")),
        };
        Self { server, workload, real }
    }

    fn start(&self, more: &[(&str, &str)]) -> Running {
        let mut env = vec![
            (
                "BUILDKITE_AGENT_TOKEN".to_owned(),
                FakeBuildkite::AGENT_TOKEN.to_owned(),
            ),
            (
                "BUILDKITE_AGENT_TAGS".to_owned(),
                "queue=linux,pod-uid=uid-1".to_owned(),
            ),
        ];
        for (name, value) in more {
            env.retain(|(other, _)| other != name);
            env.push(((*name).to_owned(), (*value).to_owned()));
        }
        let pod = PodContext {
            uid: "uid-1".to_owned(),
            name: "pod-1".to_owned(),
            hostname: "pod-1".to_owned(),
            env,
            ..PodContext::default()
        };
        let (terminate, signals) = Signals::channel();
        Running {
            terminate,
            exit: tokio::spawn(self.workload.run(pod, signals)),
        }
    }

    fn build(&self, jobs: Vec<JobSpec>) -> Created {
        let mut fake = self.server.fake();
        fake.inner_mut().create_build(wall_clock(), BuildSpec::new("app", jobs))
    }

    async fn until(&self, what: &str, condition: impl Fn(&FakeBuildkite) -> bool) {
        let waiting = async {
            while !condition(self.server.fake().inner()) {
                sleep(Duration::from_millis(20)).await;
            }
        };
        if timeout(DEADLINE, waiting).await.is_err() {
            panic!("{what} did not happen: {:#?}", self.server.fake().inner().truth());
        }
    }

    async fn until_event(&self, created: &Created, event: impl Fn(&LifeEvent) -> bool) {
        let id = &created.jobs[0];
        self.until("the event", |fake| fake.truth().of(id).any(&event)).await;
    }

    /// Waits until the build's own process runs. Between that and the start as
    /// Buildkite is told of it the real agent, sent SIGTERM, gives the job up.
    async fn until_working(&self, created: &Created) {
        self.until_event(created, is_started).await;
        self.until("the build's process", |_| {
            self.real.as_ref().is_none_or(|process| !process.runs().is_empty())
        })
        .await;
    }

    async fn until_state(&self, state: AgentState) {
        self.until(state.as_str(), |fake| fake.agents().any(|agent| agent.state == state))
            .await;
    }

    fn stop(&self, how: Stop) {
        let mut fake = self.server.fake();
        let id = fake.inner().agents().next().expect("an agent").id.clone();
        fake.inner_mut().stop(wall_clock(), &id, how).expect("a stop");
    }
}

impl Running {
    async fn exit(self) -> ExitStatus {
        timeout(DEADLINE, self.exit)
            .await
            .expect("an exit in time")
            .expect("no panic")
    }
}

fn seconds(seconds: u64) -> JobSpec {
    JobSpec::script("linux", Duration::from_secs(seconds))
}

fn is_started(event: &LifeEvent) -> bool {
    matches!(event, LifeEvent::Started(_))
}

async fn it_makes_every_call_of_a_life(kind: Kind) {
    let bed = Bed::new(kind).await;
    let created = bed.build(vec![seconds(2)]);
    let running = bed.start(&[("BUILDKITE_AGENT_DISCONNECT_AFTER_IDLE_TIMEOUT", "1")]);
    assert_eq!(running.exit().await, ExitStatus::SUCCESS);
    let fake = bed.server.fake();
    let calls = [
        "register",
        "connect",
        "heartbeat",
        "ping",
        "accept",
        "start",
        "job-state",
        "finish",
        "disconnect",
    ];
    for call in calls {
        assert!(
            fake.inner().observed().count_of(call) > 0,
            "no {call}: {:?}",
            fake.inner().observed().counts()
        );
    }
    assert_eq!(fake.inner().observed().count_of("unknown"), 0);
    assert!(
        fake.inner()
            .truth()
            .of(&created.jobs[0])
            .any(|event| *event == LifeEvent::Finished(0))
    );
    let agent = fake.inner().agents().next().expect("an agent");
    assert_eq!(agent.state, AgentState::Disconnected);
    assert!(agent.tags.contains(&"pod-uid=uid-1".to_owned()));
}

async fn its_exit_status_is_that_of_the_command(kind: Kind) {
    let bed = Bed::new(kind).await;
    let created = bed.build(vec![seconds(0).exits(3)]);
    let running = bed.start(&[("BUILDKITE_AGENT_DISCONNECT_AFTER_JOB", "true")]);
    assert_eq!(running.exit().await, ExitStatus::SUCCESS);
    bed.until_event(&created, |event| *event == LifeEvent::Finished(3))
        .await;
}

async fn a_graceful_stop_ends_it_after_its_job(kind: Kind) {
    let bed = Bed::new(kind).await;
    let created = bed.build(vec![seconds(2)]);
    let running = bed.start(&[]);
    bed.until_event(&created, is_started).await;
    bed.stop(Stop::Graceful);
    assert_eq!(running.exit().await, ExitStatus::SUCCESS);
    bed.until_event(&created, |event| *event == LifeEvent::Finished(0))
        .await;
    bed.until_state(AgentState::Stopped).await;
    assert!(bed.server.fake().inner().truth().interruptions().is_empty());
}

async fn a_forced_stop_cuts_its_job(kind: Kind) {
    let bed = Bed::new(kind).await;
    let created = bed.build(vec![seconds(60)]);
    let running = bed.start(&[]);
    bed.until_event(&created, is_started).await;
    bed.stop(Stop::Forced);
    assert_eq!(
        running.exit().await,
        ExitStatus::SUCCESS,
        "a cut build does not show in the exit status"
    );
    let interrupted = bed.server.fake().inner().truth().interruptions();
    assert_eq!(interrupted, [(created.jobs[0].clone(), Why::ForceStop)]);
}

async fn a_job_assigned_before_a_graceful_stop_is_still_run(kind: Kind) {
    let bed = Bed::new(kind).await;
    let running = bed.start(&[]);
    bed.until_state(AgentState::Connected).await;
    let created = bed.build(vec![seconds(1)]);
    bed.stop(Stop::Graceful);
    assert_eq!(running.exit().await, ExitStatus::SUCCESS);
    bed.until_event(&created, |event| *event == LifeEvent::Finished(0))
        .await;
    bed.until_state(AgentState::Stopped).await;
}

async fn a_graceful_stop_ends_it_at_once_if_idle(kind: Kind) {
    let bed = Bed::new(kind).await;
    let running = bed.start(&[]);
    bed.until_state(AgentState::Connected).await;
    bed.stop(Stop::Graceful);
    assert_eq!(running.exit().await, ExitStatus::SUCCESS);
    bed.until_state(AgentState::Stopped).await;
}

async fn sigterm_drains(kind: Kind) {
    let bed = Bed::new(kind).await;
    let created = bed.build(vec![seconds(2)]);
    let running = bed.start(&[]);
    bed.until_working(&created).await;
    running.terminate.send_replace(true);
    assert_eq!(running.exit().await, ExitStatus::SUCCESS);
    bed.until_event(&created, |event| *event == LifeEvent::Finished(0))
        .await;
    bed.until_state(AgentState::Disconnected).await;
}

async fn sigkill_leaves_the_agent_connected_and_the_job_running(kind: Kind) {
    let bed = Bed::new(kind).await;
    let created = bed.build(vec![seconds(60)]);
    let running = bed.start(&[]);
    bed.until_event(&created, is_started).await;
    running.exit.abort();
    running.exit.await.expect_err("killed");
    let mut fake = bed.server.fake();
    assert_eq!(
        fake.inner().agents().next().expect("an agent").state,
        AgentState::Connected
    );
    fake.inner_mut().advance(wall_clock().after(Duration::from_secs(240)));
    assert_eq!(
        fake.inner().truth().interruptions(),
        [(created.jobs[0].clone(), Why::AgentLost)]
    );
}

async fn a_wrong_token_makes_it_fail(kind: Kind) {
    let bed = Bed::new(kind).await;
    let running = bed.start(&[("BUILDKITE_AGENT_TOKEN", "wrong")]);
    assert!(!running.exit().await.is_success());
}

async fn it_spawns_as_many_agents_as_it_is_told(kind: Kind) {
    let bed = Bed::new(kind).await;
    let running = bed.start(&[
        ("BUILDKITE_AGENT_SPAWN", "2"),
        ("BUILDKITE_AGENT_NAME", "%hostname-%spawn"),
    ]);
    bed.until("two agents", |fake| {
        fake.agents()
            .filter(|agent| agent.state == AgentState::Connected)
            .count()
            == 2
    })
    .await;
    running.terminate.send_replace(true);
    assert_eq!(running.exit().await, ExitStatus::SUCCESS);
}

macro_rules! both {
    ($($behaviour:ident)*) => {
        mod real {
            $(
                #[tokio::test]
                #[cfg_attr(not(have_go), ignore = "needs Go to build the real agent")]
                async fn $behaviour() {
                    super::$behaviour(super::Kind::Real).await;
                }
            )*
        }
        mod synthetic {
            $(
                #[tokio::test]
                async fn $behaviour() {
                    super::$behaviour(super::Kind::Synthetic).await;
                }
            )*
        }
    };
}

both! {
    it_makes_every_call_of_a_life
    its_exit_status_is_that_of_the_command
    a_graceful_stop_ends_it_after_its_job
    a_job_assigned_before_a_graceful_stop_is_still_run
    a_graceful_stop_ends_it_at_once_if_idle
    a_forced_stop_cuts_its_job
    sigterm_drains
    sigkill_leaves_the_agent_connected_and_the_job_running
    a_wrong_token_makes_it_fail
    it_spawns_as_many_agents_as_it_is_told
}

#[tokio::test]
#[cfg_attr(not(have_go), ignore = "needs Go to build the real agent")]
async fn the_real_bootstrap_runs_the_command_and_logs_it() {
    let bed = Bed::new(Kind::Real).await;
    let created = bed.build(vec![seconds(1).exits(4)]);
    let program = tokio::task::spawn_blocking(|| Binary::Agent.ensure(&mut |_| {}));
    let program = program.await.expect("no panic").expect("the real agent");
    let home = tempfile::TempDir::new().expect("a folder");
    let mut agent = tokio::process::Command::new(program);
    agent
        .arg("start")
        .env_clear()
        .kill_on_drop(true)
        .env("HOME", home.path());
    agent.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    for (name, value) in [
        ("AGENT_ENDPOINT", bed.server.agent_endpoint().as_str()),
        ("AGENT_TOKEN", FakeBuildkite::AGENT_TOKEN),
        ("AGENT_TAGS", "queue=linux"),
        ("AGENT_DISCONNECT_AFTER_JOB", "true"),
        ("SHELL", "/bin/sh -e -c"),
    ] {
        agent.env(format!("BUILDKITE_{name}"), value);
    }
    for folder in ["BUILD", "HOOKS", "PLUGINS", "SOCKETS"] {
        agent.env(format!("BUILDKITE_{folder}_PATH"), home.path().join(folder));
    }
    let output = timeout(DEADLINE, agent.output())
        .await
        .expect("an exit in time")
        .expect("a process");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let fake = bed.server.fake();
    assert!(
        fake.inner()
            .truth()
            .of(&created.jobs[0])
            .any(|event| *event == LifeEvent::Finished(4))
    );
    assert!(fake.inner().job_of(&created.jobs[0]).expect("a job").log_bytes > 0);
}
