//! `deploy.sh`.

use std::process::{Command, Stdio};
use std::time::Duration;

use buildscaler_simulator::buildkite::FakeBuildkite;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{apply_example, burst, command, command_lines, configured, everything, kubectl, script, uninstall};
use crate::harness::World;
use crate::harness::manifests::{attempt, deploy, run};

const ROLE: &str = "arn:aws:iam::123456789012:role/buildscaler";

/// Seen to fail when a Secret was made by `kubectl create secret --from-literal`
/// (the token in the process list), without the label on a Secret,
/// and with a time stamp as the annotation (a second run restarted the pod).
pub(crate) async fn whole_path(world: &World) {
    // The world brings this one along; here it is the script's to make.
    kubectl(world, &["delete", "secret", "buildkite-agent-token"]);
    // The controller's pod and those of the plain template satisfy the strictest level.
    super::enforce(world, "restricted");
    let before = everything(world);

    let mut traced = configured(command(world, "bash"));
    shows_no_token(traced.arg("-x").arg(deploy().join("deploy.sh"))).await;
    let installed = versions(world);
    run(&mut script(world));
    assert_eq!(versions(world), installed, "a second run changed something");

    kubectl(world, &["rollout", "status", "deployment/buildscaler", "--timeout=60s"]);
    apply_example(world, "plain.yaml");
    burst(world, "linux", 3).await;

    run(script(world).env("BUILDSCALER_SERVICE_ACCOUNT_ROLE_ARN", ROLE));
    let account = kubectl(world, &["get", "serviceaccount", "buildscaler", "--output=yaml"]);
    assert!(
        account.contains(&format!("eks.amazonaws.com/role-arn: {ROLE}")),
        "{account}"
    );
    metered(world);
    let generation = generation(world);
    run(script(world).env("BUILDKITE_ACCESS_TOKEN", "another-token"));
    assert_eq!(self::generation(world), generation + 1, "a new token starts a new pod");

    uninstall(world, &before).await;
}

/// Metering is off, is on with a product code, and off again without.
fn metered(world: &World) {
    let arguments = || {
        let path = "--output=jsonpath={.spec.template.spec.containers[0].args}";
        kubectl(world, &["get", "deployment", "buildscaler", path])
    };
    let plain = arguments();
    assert!(!plain.contains("marketplace"), "{plain}");
    let mut script = script(world);
    script
        .env("BUILDSCALER_SERVICE_ACCOUNT_ROLE_ARN", ROLE)
        .env("BUILDSCALER_MARKETPLACE_PRODUCT_CODE", "product/1")
        .env("BUILDSCALER_MARKETPLACE_DIMENSION", "agents");
    run(&mut script);
    let metered = arguments();
    for option in ["--marketplace-product-code=product/1", "--marketplace-dimension=agents"] {
        assert!(metered.contains(option), "{metered}");
    }
    run(&mut self::script(world));
    assert_eq!(arguments(), plain);
}

/// Seen to fail when the Secrets were applied before the rest had been tried.
pub(crate) async fn refused(world: &World) {
    let before = everything(world);
    let refuses = |script: &mut Command, words: &[&str]| {
        let (worked, shown) = attempt(script);
        assert!(!worked, "{shown}");
        assert!(shown.contains("Nothing was changed"), "{shown}");
        assert!(words.iter().all(|word| shown.contains(word)), "{words:?}: {shown}");
        assert_eq!(everything(world), before, "{shown}");
    };
    refuses(
        script(world)
            .env_remove("BUILDKITE_ORG_SLUG")
            .env("BUILDKITE_AGENT_TOKEN", ""),
        &["BUILDKITE_ORG_SLUG is not set", "BUILDKITE_AGENT_TOKEN is not set"],
    );
    refuses(
        script(world).env("BUILDSCALER_SERVICE_ACCOUNT_ROLE_ARN", "buildscaler"),
        &["is no ARN of a role"],
    );
    refuses(
        script(world).env("BUILDSCALER_MARKETPLACE_PRODUCT_CODE", "product"),
        &["needs BUILDSCALER_SERVICE_ACCOUNT_ROLE_ARN"],
    );
    refuses(
        script(world).env("BUILDSCALER_MARKETPLACE_DIMENSION", "agents"),
        &["means nothing without BUILDSCALER_MARKETPLACE_PRODUCT_CODE"],
    );
    refuses(
        script(world).env("NAMESPACE", "nowhere"),
        &["kubectl create namespace nowhere"],
    );
    refuses(script(world).env("NAME", "Build Scaler"), &["NAME must be"]);

    // Somebody who may make Secrets and nothing else.
    let user = format!("{}-secretary", world.home.namespace);
    let may = ["--verb=get,create,patch", "--resource=secrets"];
    kubectl(world, &[["create", "role", "secretary"].as_slice(), &may].concat());
    let user_flag = format!("--user={user}");
    kubectl(
        world,
        &["create", "rolebinding", "secretary", "--role=secretary", &user_flag],
    );
    kubectl(
        world,
        &["create", "clusterrole", &user, "--verb=get", "--resource=namespaces"],
    );
    let role_flag = format!("--clusterrole={user}");
    kubectl(world, &["create", "clusterrolebinding", &user, &role_flag, &user_flag]);
    let before = everything(world);
    let (worked, shown) = attempt(script(world).env("KUBECONFIG", world.cluster.kubeconfig_of(&user).await));
    assert!(!worked && shown.contains("Nothing was changed"), "{shown}");
    assert!(shown.contains("forbidden"), "{shown}");
    assert_eq!(everything(world), before, "{shown}");
}

/// Runs a command and looks for tokens in all that it shows, and in the list of processes meanwhile.
async fn shows_no_token(command: &mut Command) {
    let secrets = [FakeBuildkite::ACCESS_TOKEN, FakeBuildkite::AGENT_TOKEN];
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it can be started");
    while child.try_wait().expect("an answer").is_none() {
        let lines = command_lines();
        assert!(
            !secrets.iter().any(|secret| lines.contains(secret)),
            "a token is in the list of processes"
        );
        sleep(Duration::from_millis(2)).await;
    }
    let output = child.wait_with_output().expect("its output");
    let shown = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{shown}");
    assert!(
        !secrets.iter().any(|secret| shown.contains(secret)),
        "a token is shown: {shown}"
    );
}

/// The version of each object that the script makes.
fn versions(world: &World) -> Vec<Value> {
    let kinds = "Secret,ServiceAccount,Role,RoleBinding,Deployment";
    let list = kubectl(
        world,
        &[
            "get",
            kinds,
            "--selector=app.kubernetes.io/name=buildscaler",
            "--output=json",
        ],
    );
    let list: Value = serde_json::from_str(&list).expect("JSON");
    let items = list["items"].as_array().expect("a list");
    assert_eq!(items.len(), 6, "{list}");
    // The version of a Deployment changes with its status, its generation only with its spec.
    let version = |item: &Value| match item["kind"].as_str() {
        Some("Deployment") => item["metadata"]["generation"].clone(),
        _ => item["metadata"]["resourceVersion"].clone(),
    };
    items
        .iter()
        .map(|item| json!([item["kind"], item["metadata"]["name"], version(item)]))
        .collect()
}

fn generation(world: &World) -> u64 {
    let path = "--output=jsonpath={.metadata.generation}";
    let generation = kubectl(world, &["get", "deployment", "buildscaler", path]);
    generation.parse().expect("a number")
}
