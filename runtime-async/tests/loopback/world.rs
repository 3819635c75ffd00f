//! Both fakes, and the controller as a process.

use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};
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

/// How long to wait for what should happen soon.
const PATIENCE: Duration = Duration::from_secs(30);
/// The bearer token of the controller on the fake Kubernetes.
pub(crate) const CLUSTER_TOKEN: &str = "k8s_scaler_token";

/// A world with one controller in it.
pub(crate) struct World {
    pub(crate) kubernetes: KubernetesServer,
    pub(crate) buildkite: BuildkiteServer,
    controller: Child,
    output: Arc<Mutex<String>>,
    _files: TempDir,
}

impl World {
    /// Starts a controller that looks every second and may do all it needs.
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same with further arguments.
    pub(crate) async fn start_with(arguments: &[&str]) -> Self {
        Self::launch(Settings::default(), &everything(), arguments, |_, _| {}).await
    }

    /// Starts a controller with those rights, after `set` has set the scene.
    pub(crate) async fn prepare(
        settings: Settings,
        rights: &[Rule],
        set: impl FnOnce(&KubernetesServer, &BuildkiteServer),
    ) -> Self {
        Self::launch(settings, rights, &[], set).await
    }

    /// Starts a controller with those rights and further arguments.
    pub(crate) async fn start_as(rights: &[Rule], arguments: &[&str]) -> Self {
        Self::launch(Settings::default(), rights, arguments, |_, _| {}).await
    }

    async fn launch(
        settings: Settings,
        rights: &[Rule],
        arguments: &[&str],
        set: impl FnOnce(&KubernetesServer, &BuildkiteServer),
    ) -> Self {
        let kubernetes = KubernetesServer::start(FakeKubernetes::new(settings))
            .await
            .expect("served");
        let buildkite = BuildkiteServer::start(FakeBuildkite::new(Switches::default()))
            .await
            .expect("served");
        grant(&kubernetes, rights);
        set(&kubernetes, &buildkite);
        let files = tempfile::tempdir().expect("a folder");
        let kubeconfig = files.path().join("kubeconfig");
        std::fs::write(&kubeconfig, kubernetes.kubeconfig_for(CLUSTER_TOKEN)).expect("written");
        let mut controller = Command::from(mortal(env!("CARGO_BIN_EXE_buildscaler").as_ref()))
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .args([
                "--buildkite-org",
                FakeBuildkite::ORGANIZATION,
                "--sync-interval=1",
                "--verbose",
                "--healthz-address=127.0.0.1",
                "--healthz-port=0",
                "--metrics-address=127.0.0.1",
                "--metrics-port=0",
            ])
            .args(arguments)
            .env_clear()
            .env("BUILDKITE_ACCESS_TOKEN", FakeBuildkite::ACCESS_TOKEN)
            .env("BUILDKITE_API_URL", buildkite.url())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the controller starts");
        let output = Arc::<Mutex<String>>::default();
        let mut lines = BufReader::new(controller.stderr.take().expect("piped")).lines();
        let written = Arc::clone(&output);
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                let mut written = written.lock().unwrap_or_else(PoisonError::into_inner);
                written.push_str(&line);
                written.push('\n');
            }
        });
        Self {
            kubernetes,
            buildkite,
            controller,
            output,
            _files: files,
        }
    }

    /// Gives the controller these rights and no others.
    pub(crate) fn grant(&self, rights: &[Rule]) {
        grant(&self.kubernetes, rights);
    }

    /// Adds a template for the queue.
    pub(crate) fn add_template(&self, queue: &str) {
        add_template(&self.kubernetes, queue);
    }

    /// Adds a build with one job on the queue.
    pub(crate) fn add_build(&self, queue: &str) {
        add_build(&self.buildkite, queue);
    }

    /// The pods that serve the queue.
    pub(crate) fn pods_of(&self, queue: &str) -> Vec<Arc<Value>> {
        let label = "/metadata/labels/buildscaler.elotl.co~1queue";
        self.kubernetes.with(|fake, _| {
            let pods = fake.objects(Resource::Pods, "default");
            pods.filter(|pod| pod.pointer(label).is_some_and(|value| value == queue))
                .map(Arc::clone)
                .collect()
        })
    }

    /// Waits until the queue has a pod.
    pub(crate) async fn until_pod_of(&self, queue: &str) {
        self.until(&format!("a pod of {queue}"), || !self.pods_of(queue).is_empty())
            .await;
    }

    /// Where it serves health and metrics, which its log tells.
    pub(crate) async fn served_at(&self) -> SocketAddr {
        self.until_said(&["serving health and metrics"]).await;
        let output = self.output();
        let line = output.lines().find(|line| line.contains("serving health and metrics"));
        let words = line.expect("just seen").split_whitespace();
        let address = words.filter_map(|word| word.strip_prefix("address=")).next();
        address.expect("named").parse().expect("an address")
    }

    /// What it answers to a GET: the status and the body.
    pub(crate) async fn read(&self, path: &str) -> (u16, String) {
        let url = format!("http://{}{path}", self.served_at().await);
        buildscaler_runtime_async::install_tls();
        let asked = async {
            let answer = reqwest::get(url).await.expect("an answer");
            (answer.status().as_u16(), answer.text().await.expect("text"))
        };
        tokio::time::timeout(PATIENCE, asked).await.expect("an answer in time")
    }

    /// Waits until it answers to a GET with this status and all of these words.
    pub(crate) async fn until_answers(&self, path: &str, status: u16, words: &[&str]) {
        let mut last = (0, String::new());
        let waited = tokio::time::timeout(PATIENCE, async {
            while last.0 != status || !words.iter().all(|word| last.1.contains(word)) {
                tokio::time::sleep(Duration::from_millis(20)).await;
                last = self.read(path).await;
            }
        });
        let in_time = waited.await.is_ok();
        assert!(in_time, "{path}: {last:?}; the log:\n{}", self.output());
    }

    /// Waits until a line of the log holds all of these words.
    pub(crate) async fn until_said(&self, words: &[&str]) {
        self.until(&format!("a line with {words:?}"), || self.count(words) > 0)
            .await;
    }

    /// Waits until `condition` holds.
    pub(crate) async fn until(&self, what: &str, condition: impl Fn() -> bool) {
        let waited = tokio::time::timeout(PATIENCE, async {
            while !condition() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        assert!(
            waited.await.is_ok(),
            "waited in vain for {what}; the log:\n{}",
            self.output()
        );
    }

    /// How many lines of the log hold all of these words.
    pub(crate) fn count(&self, words: &[&str]) -> usize {
        let holds = |line: &&str| words.iter().all(|word| line.contains(word));
        self.output().lines().filter(holds).count()
    }

    /// Sends SIGTERM, waits for the end, and checks what must hold of every log.
    pub(crate) async fn end(&mut self) -> (ExitStatus, Duration) {
        let id = self.controller.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let begun = std::time::Instant::now();
        kill_process(id.expect("it still runs"), Signal::TERM).expect("signalled");
        let ended = tokio::time::timeout(PATIENCE, self.controller.wait()).await;
        let took = begun.elapsed();
        let output = self.output();
        for secret in [FakeBuildkite::ACCESS_TOKEN, CLUSTER_TOKEN] {
            assert!(!output.contains(secret), "a secret is shown:\n{output}");
        }
        assert!(!output.contains("panicked"), "{output}");
        (ended.expect("it ends").expect("waited for"), took)
    }

    /// Sends SIGKILL and waits for the end.
    pub(crate) async fn kill(&mut self) {
        self.controller.kill().await.expect("killed");
    }

    /// All that it has logged so far.
    pub(crate) fn output(&self) -> String {
        self.output.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// All that the controller needs.
pub(crate) fn everything() -> Vec<Rule> {
    vec![
        Rule::new(&["list", "watch"], "batch", &["jobs"]),
        Rule::new(&["list", "watch", "create", "delete"], "", &["pods"]),
        Rule::new(&["create"], "events.k8s.io", &["events"]),
    ]
}

/// What the first Buildscaler's Role had: no watching.
pub(crate) fn without_watch() -> Vec<Rule> {
    vec![
        Rule::new(&["list"], "batch", &["jobs"]),
        Rule::new(&["list", "create", "delete"], "", &["pods"]),
    ]
}

fn grant(kubernetes: &KubernetesServer, rights: &[Rule]) {
    kubernetes.with(|fake, _| {
        fake.add_user(User {
            name: "system:serviceaccount:default:buildscaler".into(),
            token: CLUSTER_TOKEN.into(),
            rules: rights.to_vec(),
        });
    });
}

/// Adds a template for the queue.
pub(crate) fn add_template(kubernetes: &KubernetesServer, queue: &str) {
    let template = json!({
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
                    "envFrom": [{"secretRef": {"name": "buildkite-agent-token"}}],
                    "env": [{"name": "KEPT", "value": "as it is"}],
                }],
            }},
        },
    });
    let created = kubernetes.with(|fake, now| fake.create(now, Resource::Jobs, "default", template));
    created.expect("the template is good");
}

/// Adds a build with one job on the queue.
pub(crate) fn add_build(buildkite: &BuildkiteServer, queue: &str) {
    let work = JobSpec::script(queue, Duration::from_secs(60));
    let mut fake = buildkite.fake();
    fake.inner_mut()
        .create_build(wall_clock(), BuildSpec::new("pipeline", [work]));
}
