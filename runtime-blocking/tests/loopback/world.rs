//! Both fakes, and the binary as a process.

use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use buildscaler_simulator::buildkite::{BuildSpec, FakeBuildkite, JobSpec, Switches};
use buildscaler_simulator::kubernetes::{FakeKubernetes, Resource, Rule, Settings, User};
use buildscaler_simulator::loopback::buildkite::BuildkiteServer;
use buildscaler_simulator::loopback::kubernetes::KubernetesServer;
use buildscaler_simulator::loopback::wall_clock;
use buildscaler_testbed::mortal;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::tap::Tap;

/// How long to wait for what should happen soon.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// The bearer token of the program on the fake Kubernetes.
pub(crate) const CLUSTER_TOKEN: &str = "k8s_scaler_token";

/// A world without a controller.
pub(crate) struct World {
    pub(crate) kubernetes: KubernetesServer,
    pub(crate) buildkite: BuildkiteServer,
    /// What the program says to Kubernetes.
    pub(crate) tap: Tap,
    files: TempDir,
}

/// What became of a program that has ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl World {
    /// Starts both fakes; the program may do all it needs, which is no watching.
    pub(crate) async fn start() -> Self {
        Self::with_switches(Switches::default()).await
    }

    /// The same with another Buildkite.
    pub(crate) async fn with_switches(switches: Switches) -> Self {
        let kubernetes = KubernetesServer::start(FakeKubernetes::new(Settings::default()))
            .await
            .expect("served");
        let buildkite = BuildkiteServer::start(FakeBuildkite::new(switches))
            .await
            .expect("served");
        let tap = Tap::before(&kubernetes.url());
        let files = tempfile::tempdir().expect("a folder");
        let kubeconfig = kubernetes
            .kubeconfig_for(CLUSTER_TOKEN)
            .replace(&kubernetes.url(), tap.url());
        std::fs::write(files.path().join("kubeconfig"), kubeconfig).expect("written");
        let world = Self {
            kubernetes,
            buildkite,
            tap,
            files,
        };
        world.permit(vec![
            Rule::new(&["list"], "batch", &["jobs"]),
            Rule::new(&["list", "create", "delete"], "", &["pods"]),
            Rule::new(&["create"], "events.k8s.io", &["events"]),
        ]);
        world
    }

    /// Lets the program do this on the cluster, and nothing else.
    pub(crate) fn permit(&self, rules: Vec<Rule>) {
        let user = User {
            name: "system:serviceaccount:default:buildscaler".into(),
            token: CLUSTER_TOKEN.into(),
            rules,
        };
        self.kubernetes.with(|fake, _| fake.add_user(user));
    }

    /// The program with these arguments, not started yet.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let (task, options) = arguments.split_first().expect("a task");
        let mut command = Command::from(mortal(env!("CARGO_BIN_EXE_buildscalerctl").as_ref()));
        command
            .arg(task)
            .arg("--kubeconfig")
            .arg(self.files.path().join("kubeconfig"))
            .args(["--buildkite-org", FakeBuildkite::ORGANIZATION])
            .args(options)
            .env_clear()
            .env("BUILDKITE_ACCESS_TOKEN", FakeBuildkite::ACCESS_TOKEN)
            .env("BUILDKITE_API_URL", self.buildkite.url())
            .env("BUILDKITE_AGENT_ENDPOINT", self.buildkite.agent_endpoint())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Runs the program to its end.
    pub(crate) async fn finish(&self, arguments: &[&str]) -> Ended {
        let output = tokio::time::timeout(PATIENCE, self.command(arguments).output());
        let Output { status, stdout, stderr } = output.await.expect("it ends").expect("it starts");
        let ended = Ended {
            code: status.code(),
            stdout: String::from_utf8(stdout).expect("text"),
            stderr: String::from_utf8(stderr).expect("text"),
        };
        check(&ended.stdout);
        check(&ended.stderr);
        ended
    }

    /// Starts `run` with a look every second and a log of everything.
    pub(crate) fn run(&self, options: &[&str]) -> Running {
        let mut command = self.command(&["run", "--sync-interval=1", "--verbose"]);
        let mut child = command.args(options).spawn().expect("it starts");
        let output = Arc::<Mutex<String>>::default();
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let written = Arc::clone(&output);
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                let mut written = written.lock().unwrap_or_else(PoisonError::into_inner);
                written.push_str(&line);
                written.push('\n');
            }
        });
        Running { child, output }
    }

    /// Adds a template for the queue.
    pub(crate) fn add_template(&self, queue: &str) {
        self.add_job(template(queue));
    }

    /// Adds a Job.
    pub(crate) fn add_job(&self, job: Value) {
        let created = self
            .kubernetes
            .with(|fake, now| fake.create(now, Resource::Jobs, "default", job));
        created.expect("the Job is good");
    }

    /// Adds so many builds with one job each on the queue.
    pub(crate) fn add_builds(&self, count: usize, queue: &str, length: Duration) {
        for _ in 0..count {
            let build = BuildSpec::new("pipeline", [JobSpec::script(queue, length)]);
            self.buildkite.fake().inner_mut().create_build(wall_clock(), build);
        }
    }

    /// All pods.
    pub(crate) fn pods(&self) -> Vec<Arc<Value>> {
        self.kubernetes
            .with(|fake, _| fake.objects(Resource::Pods, "default").map(Arc::clone).collect())
    }

    /// The methods of all requests that Buildkite has got.
    pub(crate) fn buildkite_methods(&self) -> Vec<http::Method> {
        let fake = self.buildkite.fake();
        let requests = fake.inner().observed().requests().iter();
        requests.map(|request| request.method.clone()).collect()
    }
}

/// A template for the queue.
pub(crate) fn template(queue: &str) -> Value {
    json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": format!("{queue}-template"),
            "labels": {"app.elotl.co": "buildscaler", "buildscaler.elotl.co/queue": queue},
        },
        "spec": {
            "parallelism": 0,
            "template": {"spec": {
                "restartPolicy": "Never",
                "containers": [{
                    "name": "agent",
                    "image": "buildkite/agent:3",
                    "env": [{"name": "BUILDKITE_AGENT_TOKEN", "value": FakeBuildkite::AGENT_TOKEN}],
                }],
            }},
        },
    })
}

/// A `run` that has not ended.
pub(crate) struct Running {
    child: Child,
    output: Arc<Mutex<String>>,
}

impl Running {
    /// Waits until `condition` holds.
    pub(crate) async fn until(&self, what: &str, condition: impl Fn() -> bool) {
        let waited = tokio::time::timeout(PATIENCE, async {
            while !condition() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        let in_time = waited.await.is_ok();
        assert!(in_time, "waited in vain for {what}; the log:\n{}", self.output());
    }

    /// How many lines of the log hold these words.
    pub(crate) fn count(&self, words: &str) -> usize {
        self.output().lines().filter(|line| line.contains(words)).count()
    }

    /// Sends SIGTERM and waits for the end; returns the exit code and how long it took.
    pub(crate) async fn end(self) -> (Option<i32>, Duration) {
        self.end_by(Signal::TERM).await
    }

    /// The same with this signal.
    pub(crate) async fn end_by(mut self, signal: Signal) -> (Option<i32>, Duration) {
        let id = self.child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let begun = std::time::Instant::now();
        kill_process(id.expect("it still runs"), signal).expect("signalled");
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        let took = begun.elapsed();
        check(&self.output());
        (status.expect("it ends").expect("waited for").code(), took)
    }

    /// Sends SIGKILL and waits for the end.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.expect("killed");
    }

    fn output(&self) -> String {
        self.output.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What must hold of everything that is written.
fn check(output: &str) {
    for secret in [FakeBuildkite::ACCESS_TOKEN, FakeBuildkite::AGENT_TOKEN, CLUSTER_TOKEN] {
        assert!(!output.contains(secret), "a secret is shown:\n{output}");
    }
    assert!(!output.contains("panicked"), "{output}");
    assert!(!output.contains('\u{1b}'), "colours without a terminal:\n{output}");
}
