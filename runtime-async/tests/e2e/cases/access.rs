//! What the controller may see and do, and what it shows.

use std::process::Command;
use std::time::Duration;

use buildscaler_simulator::buildkite::FakeBuildkite;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::harness::{ENDS_WITHIN, Launch, PATIENCE, Template, World, throughout, within};

const FIELD_MANAGER: &str = "e2e";

pub(crate) async fn namespaces(world: &World) {
    world.apply_in(&world.home, &Template::new("bash-job", "home")).await;
    world.apply_in(&world.away, &Template::new("bash-job", "away")).await;
    let narrow = world.start_default().await;
    let home = world.build("home", 1, Duration::from_secs(1));
    let away = world.build("away", 1, Duration::from_secs(1));
    world.until_all_passed(&home).await;
    throughout(Duration::from_secs(3), "no pod elsewhere", async || {
        world.away.pods.ours().is_empty()
    })
    .await;
    assert!(narrow.terminate(ENDS_WITHIN).await.is_some());

    world
        .start(Launch {
            namespace: None,
            ..world.launch()
        })
        .await;
    world.until_all_passed(&away).await;
    let home = world.build("home", 1, Duration::from_secs(1));
    world.until_all_passed(&home).await;
    world.until_no_pod_left().await;
    within(PATIENCE, "no pod is left", async || world.away.pods.none_left()).await;
}

pub(crate) async fn rights(world: &World) {
    let user = world.home.namespace.clone();
    bind(world, &user).await;
    let see = ["get", "list", "watch"];
    grant(world, json!([rule("", "pods", &see)])).await;
    world.apply(&Template::new("bash-job", "bash")).await;
    let launch = Launch {
        kubeconfig: world.cluster.kubeconfig_of(&user).await,
        ..world.launch()
    };
    let controller = world.start(launch).await;
    let build = world.build("bash", 1, Duration::from_secs(1));
    let says = async |words: &[&str]| within(PATIENCE, "it is said", async || controller.says(words)).await;
    says(&["cluster_unknown", "jobs", "forbidden"]).await;

    let jobs = rule("batch", "jobs", &see);
    grant(world, json!([rule("", "pods", &see), jobs])).await;
    says(&["create_refused", "bash-job", "grant the missing right"]).await;
    assert!(world.home.pods.ours().is_empty());

    grant(
        world,
        json!([rule("", "pods", &["get", "list", "watch", "create"]), jobs]),
    )
    .await;
    let took = world.until_all_passed(&build).await;
    world.tell("a build done after the right was granted", took);
    says(&["finding cleared", "create_refused"]).await;
    says(&["delete_refused", "grant the missing right"]).await;

    let pods = rule("", "pods", &["get", "list", "watch", "create", "delete"]);
    grant(world, json!([pods, jobs])).await;
    world.until_no_pod_left().await;
    says(&["finding cleared", "delete_refused"]).await;
}

fn rule(group: &str, resource: &str, verbs: &[&str]) -> Value {
    json!({"apiGroups": [group], "resources": [resource], "verbs": verbs})
}

async fn bind(world: &World, user: &str) {
    let binding = json!({
        "metadata": {"name": "buildscaler"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "buildscaler"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}],
    });
    let binding: RoleBinding = serde_json::from_value(binding).expect("a binding");
    let bindings: Api<RoleBinding> = Api::namespaced(world.cluster.client(), &world.home.namespace);
    bindings.create(&PostParams::default(), &binding).await.expect("bound");
}

async fn grant(world: &World, rules: Value) {
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "buildscaler"},
        "rules": rules,
    });
    let roles: Api<Role> = Api::namespaced(world.cluster.client(), &world.home.namespace);
    let params = PatchParams::apply(FIELD_MANAGER).force();
    roles
        .patch("buildscaler", &params, &Patch::Apply(role))
        .await
        .expect("granted");
}

pub(crate) async fn secrets(world: &World) {
    for arguments in [
        ["--help"].as_slice(),
        &["--buildkite-org=acme", "--sync-interval=0"],
        &["--token"],
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_buildscaler"))
            .args(arguments)
            .env("BUILDKITE_ACCESS_TOKEN", FakeBuildkite::ACCESS_TOKEN)
            .output()
            .expect("it runs");
        let shown = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(!shown.contains(FakeBuildkite::ACCESS_TOKEN), "{shown}");
    }

    world.apply(&Template::new("bash-job", "bash")).await;
    let controller = world
        .start(Launch {
            verbose: true,
            ..world.launch()
        })
        .await;
    let build = world.build("bash", 1, Duration::from_secs(1));
    world.until_all_passed(&build).await;
    let accounts = world.fake().inner().accounts.clone();
    world.fake().inner_mut().accounts.revoke(FakeBuildkite::ACCESS_TOKEN);
    within(PATIENCE, "it is said that the token is refused", async || {
        controller.says(&["buildkite_unknown", "token"])
    })
    .await;
    world.fake().inner_mut().accounts = accounts;
    // What every case checks in the end is what this one is about.
    world.until_no_pod_left().await;
    assert!(controller.says(&["finding cleared", "buildkite_unknown"]));
}
