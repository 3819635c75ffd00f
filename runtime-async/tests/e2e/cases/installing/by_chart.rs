//! The Helm chart: installed, upgraded under load, rolled back and removed.

use std::fs;
use std::process::Command;
use std::time::Duration;

use buildscaler_simulator::buildkite::FakeBuildkite;
use buildscaler_testbed::binaries::Binary;
use serde_json::json;
use tempfile::TempDir;

use super::{apply_example, command, everything, kubectl, until_no_agent_left};
use crate::harness::manifests::{deploy, run};
use crate::harness::{PATIENCE, World, within};

/// Two controllers run side by side each time, for as long as the Deployment
/// says, while builds run and new ones come. Seen to fail with the strategy
/// `Recreate`, which ends the old one first.
pub(crate) async fn upgraded(world: &World) {
    kubectl(world, &["delete", "secret", "buildkite-agent-token"]);
    let before = everything(world);
    let tokens = Tokens::new();
    helm(world, &tokens.upgrade());
    kubectl(world, &["rollout", "status", "deployment/buildscaler", "--timeout=60s"]);
    apply_example(world, "plain.yaml");

    let mut builds = world.build("linux", 3, Duration::from_secs(20));
    world.until_all_run(&builds).await;
    helm(
        world,
        tokens
            .upgrade()
            .args(["--set", "image.tag=0.2.0", "--set", "options.verbose=true"]),
    );
    builds.extend(world.build("linux", 3, Duration::from_secs(8)));
    side_by_side(world, 2).await;
    kubectl(world, &["rollout", "status", "deployment/buildscaler", "--timeout=60s"]);

    builds.extend(world.build("linux", 3, Duration::from_secs(8)));
    helm(world, Command::new("helm").args(["rollback", "buildscaler"]));
    side_by_side(world, 3).await;
    builds.extend(world.build("linux", 3, Duration::from_secs(1)));
    world.until_all_passed(&builds).await;
    kubectl(world, &["rollout", "status", "deployment/buildscaler", "--timeout=60s"]);
    until_no_agent_left(world).await;
    let pods = world.home.pods.ours().len();
    assert!(pods <= builds.len(), "{pods} pods for {} builds", builds.len());

    helm(world, Command::new("helm").args(["uninstall", "buildscaler", "--wait"]));
    kubectl(world, &["delete", "jobs,pods", "--selector=app.elotl.co=buildscaler"]);
    within(PATIENCE, "nothing is left", async || everything(world) == before).await;
}

/// Waits until that many controllers have been started, and wants the last two to run at once.
async fn side_by_side(world: &World, started: usize) {
    within(PATIENCE, "the new controller runs", async || {
        world
            .started()
            .iter()
            .filter(|it| it.says(&["buildscaler begins"]))
            .count()
            == started
    })
    .await;
    for controller in &world.started()[started - 2..] {
        assert!(
            controller.runs().await,
            "the old one went before the new one had proved itself"
        );
    }
}

/// Runs helm with the arguments of a command.
fn helm(world: &World, arguments: &Command) -> String {
    let program = Binary::Helm.ensure(&mut |_| {}).expect("helm");
    let mut helm = command(world, program);
    run(helm
        .args(["--namespace", &world.home.namespace])
        .args(arguments.get_args()))
}

/// The values that are secret, in a file.
struct Tokens(TempDir);

impl Tokens {
    fn new() -> Self {
        let folder = TempDir::with_prefix("buildscaler-values-").expect("a folder");
        let values = json!({"buildkite": {
            "organization": FakeBuildkite::ORGANIZATION,
            "accessToken": {"token": FakeBuildkite::ACCESS_TOKEN},
            "agentToken": {"token": FakeBuildkite::AGENT_TOKEN},
        }});
        fs::write(folder.path().join("values.json"), values.to_string()).expect("written");
        Self(folder)
    }

    fn upgrade(&self) -> Command {
        let mut helm = Command::new("helm");
        helm.args(["upgrade", "--install", "buildscaler"])
            .arg(deploy().join("chart"));
        helm.arg("--values").arg(self.0.path().join("values.json"));
        helm
    }
}
