//! The real binary: what it says, what it asks, and that it scales anyway.

use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use buildscaler_simulator::buildkite::{BuildSpec, FakeBuildkite, JobSpec};
use buildscaler_simulator::kubernetes::Resource;
use buildscaler_simulator::loopback::stage::Stage;
use buildscaler_simulator::loopback::wall_clock;
use buildscaler_simulator::marketplace::FakeMarketplace;
use buildscaler_simulator::scenario::TemplateSpec;
use buildscaler_testbed::mortal;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::scene::{Scene, key_file};

const PATIENCE: Duration = Duration::from_secs(30);

/// A controller as a process, in a world of fakes.
struct Controller {
    stage: Stage,
    _child: Child,
    output: Arc<Mutex<String>>,
    _files: tempfile::TempDir,
}

impl Controller {
    async fn start(variables: &[(&'static str, String)], arguments: &[&str]) -> Self {
        let stage = Stage::start().await.expect("served");
        let files = tempfile::tempdir().expect("a folder");
        let kubeconfig = files.path().join("kubeconfig");
        std::fs::write(&kubeconfig, stage.kubernetes().kubeconfig()).expect("written");
        stage.apply(&TemplateSpec::named("queue"));
        let work = BuildSpec::new("pipeline", [JobSpec::script("queue", Duration::from_secs(60))]);
        stage.buildkite().fake().inner_mut().create_build(wall_clock(), work);
        let mut child = Command::from(mortal(env!("CARGO_BIN_EXE_buildscaler").as_ref()))
            .args(["--buildkite-org", FakeBuildkite::ORGANIZATION, "--sync-interval=1"])
            .args(["--healthz-address=127.0.0.1", "--healthz-port=0"])
            .args(["--metrics-address=127.0.0.1", "--metrics-port=0"])
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .args(arguments)
            .env_clear()
            .env("BUILDKITE_ACCESS_TOKEN", FakeBuildkite::ACCESS_TOKEN)
            .env("BUILDKITE_API_URL", stage.buildkite().url())
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("it starts");
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
        Self {
            stage,
            _child: child,
            output,
            _files: files,
        }
    }

    fn said(&self) -> String {
        self.output.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn until(&self, what: &str, condition: impl Fn() -> bool) {
        let waited = tokio::time::timeout(PATIENCE, async {
            while !condition() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        assert!(
            waited.await.is_ok(),
            "waited in vain for {what}; the log:\n{}",
            self.said()
        );
    }

    async fn until_it_scales(&self) {
        self.until("a pod", || {
            self.stage
                .kubernetes()
                .with(|fake, _| fake.objects(Resource::Pods, Stage::NAMESPACE).next().is_some())
        })
        .await;
    }
}

fn metered() -> Vec<String> {
    let product = format!("--marketplace-product-code={}", FakeMarketplace::PRODUCT_CODE);
    let key = format!("--marketplace-public-key={}", key_file("public.pem").display());
    vec![product, key, "--marketplace-dimension=agents".into()]
}

async fn start(scene: &Scene) -> Controller {
    let arguments = metered();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    Controller::start(&scene.variables, &arguments).await
}

fn registrations(scene: &Scene) -> Vec<String> {
    let server = scene.server.fake();
    let asked = server.inner().asked().iter();
    let registrations = asked.filter(|(operation, _)| operation == "RegisterUsage");
    registrations
        .map(|(_, body)| body["Nonce"].as_str().unwrap_or_default().to_owned())
        .collect()
}

/// Whoever might give other credentials than the service account's role. It
/// must never be asked.
struct Tempter {
    listener: std::net::TcpListener,
}

impl Tempter {
    fn tempt(scene: &mut Scene) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("set");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        scene.set("AWS_EC2_METADATA_SERVICE_ENDPOINT", &url);
        scene.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", &url);
        Self { listener }
    }

    fn was_asked(&self) -> bool {
        self.listener.accept().is_ok()
    }
}

#[tokio::test]
async fn it_registers_scales_and_shows_no_secret() {
    let mut scene = Scene::start().await;
    let tempter = Tempter::tempt(&mut scene);
    let controller = start(&scene).await;
    controller
        .until("the registration", || !registrations(&scene).is_empty())
        .await;
    controller.until_it_scales().await;
    let said = controller.said();
    assert!(
        said.contains("usage is metered") && said.contains("registering usage"),
        "{said}"
    );
    for secret in [FakeMarketplace::SECRET, "fake-web-identity-token", "session-"] {
        assert!(!said.contains(secret), "{said}");
    }
    assert!(!said.contains("finding"), "{said}");
    assert!(!tempter.was_asked());
}

/// Each process has a nonce of its own, so that no answer can be used again.
#[tokio::test]
async fn a_new_process_registers_anew() {
    let scene = Scene::start().await;
    for count in 1..=2 {
        let controller = start(&scene).await;
        controller
            .until("a registration", || registrations(&scene).len() == count)
            .await;
    }
    let nonces = registrations(&scene);
    assert_ne!(nonces[0], nonces[1]);
}

#[tokio::test]
async fn without_a_subscription_it_says_so_and_scales() {
    let scene = Scene::start().await;
    scene.server.fake().inner_mut().entitled = false;
    let controller = start(&scene).await;
    controller
        .until("the finding", || {
            let said = controller.said();
            said.contains("metering_refused") && said.contains("subscribe to the product")
        })
        .await;
    controller.until_it_scales().await;
}

/// Without the role there are no credentials, and nobody else is asked for
/// some.
#[tokio::test]
async fn without_a_role_it_names_the_variable_scales_and_asks_nobody() {
    let mut scene = Scene::start().await;
    let tempter = Tempter::tempt(&mut scene);
    scene.set("AWS_ROLE_ARN", "");
    let controller = start(&scene).await;
    controller
        .until("the variable's name", || {
            controller.said().contains("AWS_ROLE_ARN is not set")
        })
        .await;
    // More than one try.
    controller
        .until("the third try", || controller.said().contains("metering_delayed"))
        .await;
    controller.until_it_scales().await;
    assert_eq!(scene.server.fake().inner().exchanges(), 0);
    assert!(!tempter.was_asked());
}

#[test]
fn a_key_that_is_too_short_is_refused_at_the_start() {
    let key = key_file("public-1024.pem");
    let files = tempfile::tempdir().expect("a folder");
    let kubeconfig = files.path().join("kubeconfig");
    std::fs::write(&kubeconfig, KUBECONFIG).expect("written");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_buildscaler"))
        .args(["--buildkite-org=acme", "--marketplace-product-code=p"])
        .arg(format!("--marketplace-public-key={}", key.display()))
        .arg(format!("--kubeconfig={}", kubeconfig.display()))
        .env_clear()
        .env("BUILDKITE_ACCESS_TOKEN", "token")
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("--marketplace-public-key") && said.contains("1024 bits"),
        "{said}"
    );
}

const KUBECONFIG: &str = "
apiVersion: v1
kind: Config
current-context: here
contexts: [{name: here, context: {cluster: here, user: here}}]
clusters: [{name: here, cluster: {server: 'http://127.0.0.1:1'}}]
users: [{name: here, user: {token: t}}]
";
