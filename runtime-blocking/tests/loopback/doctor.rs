//! `doctor` tells what will not work before it hurts, and changes nothing.

use std::time::Duration;

use buildscaler_simulator::buildkite::{AccessToken, FakeBuildkite, Scope, Switches};
use buildscaler_simulator::fault::{Effect, Fault};
use buildscaler_simulator::kubernetes::{Resource, Rule};
use buildscaler_simulator::loopback::buildkite::BuildkiteServer;
use buildscaler_simulator::loopback::wall_clock;
use serde_json::{Value, json};

use crate::world::{Ended, World, template};

const LONG: Duration = Duration::from_secs(600);

/// Runs the doctor, and expects this exit code.
async fn doctor(world: &World, code: i32) -> Ended {
    let ended = world.finish(&["doctor"]).await;
    assert_eq!(ended.code, Some(code), "{}{}", ended.stdout, ended.stderr);
    ended
}

/// Expects one line that begins and goes on like this.
fn says(ended: &Ended, health: &str, words: &[&str]) {
    let said = ended
        .stdout
        .lines()
        .any(|line| line.starts_with(health) && words.iter().all(|word| line.contains(word)));
    assert!(said, "no line {health:?} with {words:?} in:\n{}", ended.stdout);
}

fn token(scopes: &[Scope]) -> AccessToken {
    AccessToken {
        secret: FakeBuildkite::ACCESS_TOKEN.to_owned(),
        user: "scaler".to_owned(),
        scopes: scopes.iter().copied().collect(),
        for_this_organization: true,
        expires_at: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_well_is_told_line_by_line_and_nothing_is_changed() {
    let world = World::with_switches(Switches {
        clustered: true,
        ..Switches::default()
    })
    .await;
    world.add_template("linux");
    world.add_builds(1, "linux", LONG);
    let ended = doctor(&world, 0).await;
    says(&ended, "ok", &["buildkite: token", "valid"]);
    says(&ended, "ok", &["buildkite: expiry", "does not expire"]);
    for scope in ["read_builds", "read_agents", "write_agents"] {
        says(&ended, "ok", &["buildkite: scope", scope]);
    }
    says(&ended, "ok", &["buildkite: organization", FakeBuildkite::ORGANIZATION]);
    for right in ["list jobs", "list pods", "create pods", "delete pods", "create events"] {
        says(&ended, "ok", &["kubernetes: right", right]);
    }
    says(&ended, "note", &["kubernetes: right", "watch pods"]);
    for property in [
        "queue",
        "parallelism: 0",
        "restart policy: Never",
        "pod template",
        "selector",
        "deadline",
    ] {
        says(&ended, "ok", &[&format!("default/linux-template: {property}")]);
    }
    says(
        &ended,
        "ok",
        &["default/linux-template: agent token", "of organization acme"],
    );
    says(&ended, "ok", &["default/linux-template: queue in Buildkite", "linux"]);
    says(&ended, "ok", &["kubernetes: clock"]);
    says(&ended, "ok", &["buildkite: clock"]);
    assert!(world.pods().is_empty());
    let said = world.tap.requests();
    let reviews = said.iter().filter(|line| line.starts_with("POST "));
    assert!(reviews.clone().count() > 0 && reviews.clone().all(|line| line.contains("selfsubjectaccessreviews")));
    assert!(
        said.iter()
            .all(|line| line.starts_with("GET ") || line.starts_with("POST ")),
        "{said:?}"
    );
    assert!(
        world
            .buildkite_methods()
            .iter()
            .all(|method| method == http::Method::GET)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_is_told_with_what_to_do() {
    let world = World::start().await;
    world.add_template("linux");
    world
        .buildkite
        .fake()
        .inner_mut()
        .accounts
        .revoke(FakeBuildkite::ACCESS_TOKEN);
    let ended = doctor(&world, 1).await;
    says(&ended, "FAILED", &["buildkite: token", "BUILDKITE_ACCESS_TOKEN"]);
    says(&ended, "FAILED", &["buildkite: organization"]);
    says(&ended, "ok", &["default/linux-template: parallelism"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_scope_and_a_near_end_are_told() {
    let world = World::start().await;
    world.add_template("linux");
    let soon = wall_clock().after(Duration::from_secs(30 * 3600));
    world.buildkite.fake().inner_mut().accounts.put_token(AccessToken {
        expires_at: Some(soon),
        ..token(&[Scope::ReadBuilds, Scope::ReadAgents])
    });
    let ended = doctor(&world, 1).await;
    says(&ended, "FAILED", &["buildkite: scope", "write_agents", "add the scope"]);
    says(&ended, "note", &["buildkite: expiry", "in 29 h"]);
    says(&ended, "note", &["queue in Buildkite", "read_clusters"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_organization_is_told_from_a_wrong_token() {
    let world = World::start().await;
    world.buildkite.fake().inner_mut().accounts.put_token(AccessToken {
        for_this_organization: false,
        ..token(&[Scope::ReadBuilds, Scope::ReadAgents, Scope::WriteAgents])
    });
    let ended = doctor(&world, 1).await;
    says(&ended, "ok", &["buildkite: token"]);
    says(&ended, "FAILED", &["buildkite: organization", "--buildkite-org"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_missing_right_is_named() {
    let world = World::start().await;
    world.permit(vec![Rule::new(&["list"], "", &["pods"])]);
    let ended = doctor(&world, 1).await;
    for right in ["list jobs", "create pods", "delete pods"] {
        says(&ended, "FAILED", &["kubernetes: right", right, "ClusterRole"]);
    }
    says(&ended, "ok", &["kubernetes: right", "list pods"]);
    says(&ended, "FAILED", &["kubernetes: templates", "403"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_are_asked_for_in_the_namespace_that_is_looked_at() {
    let world = World::start().await;
    world.permit(vec![
        Rule::new(&["*"], "batch", &["jobs"]).in_namespace("default"),
        Rule::new(&["*"], "", &["pods"]).in_namespace("default"),
    ]);
    world.add_template("linux");
    let ended = world.finish(&["doctor", "--namespace=default"]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
    let ended = doctor(&world, 1).await;
    says(&ended, "FAILED", &["kubernetes: right", "in all namespaces"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mistake_of_a_template_is_told_at_once() {
    let world = World::start().await;
    let mut job = template("linux");
    job["metadata"]["name"] = json!("first");
    job["spec"]["parallelism"] = json!(1);
    job["spec"]["template"]["spec"]["containers"][0]["env"] = json!([]);
    job["spec"]["activeDeadlineSeconds"] = json!(60);
    job["spec"]["ttlSecondsAfterFinished"] = json!(5);
    world.add_job(job);
    world.add_template("linux");
    let ended = doctor(&world, 1).await;
    says(&ended, "FAILED", &["default/first: parallelism", "set it to 0"]);
    says(
        &ended,
        "FAILED",
        &["default/first: agent token", "BUILDKITE_AGENT_TOKEN"],
    );
    says(
        &ended,
        "FAILED",
        &["default/first: deadline", "activeDeadlineSeconds 60", "5 s later"],
    );
    says(&ended, "FAILED", &["default/first: queue", "cannot share a queue"]);
    says(
        &ended,
        "FAILED",
        &["default/linux-template: queue", "cannot share a queue"],
    );
    says(&ended, "ok", &["default/linux-template: parallelism"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_that_no_agent_has_and_queues_that_nobody_serves_are_told() {
    let world = World::start().await;
    world.add_template("linux");
    let picky = buildscaler_simulator::buildkite::JobSpec::script("linux", LONG).rule("gpu=a100");
    let build = buildscaler_simulator::buildkite::BuildSpec::new("pipeline", [picky]);
    world.buildkite.fake().inner_mut().create_build(wall_clock(), build);
    world.add_builds(1, "windows", LONG);
    let ended = doctor(&world, 1).await;
    says(&ended, "FAILED", &["queue linux: tags", "gpu=a100"]);
    says(&ended, "note", &["queue windows: template"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_buildkite_does_not_have_is_told() {
    let world = World::with_switches(Switches {
        clustered: true,
        ..Switches::default()
    })
    .await;
    world.add_template("linux");
    world.add_builds(1, "windows", LONG);
    let ended = doctor(&world, 1).await;
    says(&ended, "FAILED", &["queue in Buildkite", "no cluster", "linux"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_token_of_another_organization_is_told() {
    let world = World::start().await;
    world.add_template("linux");
    let mut other = FakeBuildkite::new(Switches::default());
    other.organization = "umbrella".into();
    let other = BuildkiteServer::start(other).await.expect("served");
    let endpoint = format!("--agent-endpoint={}", other.agent_endpoint());
    let ended = world.finish(&["doctor", &endpoint]).await;
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    says(&ended, "FAILED", &["agent token", "umbrella", "acme"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_of_a_template_is_looked_at_where_it_may_be() {
    let world = World::start().await;
    let mut job = template("linux");
    let container = &mut job["spec"]["template"]["spec"]["containers"][0];
    container["env"] = json!([]);
    container["envFrom"] = json!([{"secretRef": {"name": "buildkite-agent-token"}}]);
    world.add_job(job);
    let ended = doctor(&world, 0).await;
    says(&ended, "note", &["agent token", "may not read the Secret"]);

    world.permit(vec![Rule::new(&["*"], "*", &["*"])]);
    let ended = doctor(&world, 1).await;
    says(
        &ended,
        "FAILED",
        &["agent token", "there is no Secret default/buildkite-agent-token"],
    );

    let secret = |name: &str, token: &str| {
        json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name},
            // What `base64` writes of the two tokens.
            "data": {"BUILDKITE_AGENT_TOKEN": token},
        })
    };
    let create = |object: Value| {
        let created = world
            .kubernetes
            .with(|fake, now| fake.create(now, Resource::Secrets, "default", object));
        created.expect("the Secret is good");
    };
    create(secret("buildkite-agent-token", "YmtjdF9hZ2VudHM="));
    let ended = doctor(&world, 0).await;
    says(&ended, "ok", &["agent token", "of organization acme"]);

    let mut untidy = template("windows");
    let container = &mut untidy["spec"]["template"]["spec"]["containers"][0];
    container["env"] = json!([{
        "name": "BUILDKITE_AGENT_TOKEN",
        "valueFrom": {"secretKeyRef": {"name": "untidy", "key": "BUILDKITE_AGENT_TOKEN"}},
    }]);
    world.add_job(untidy);
    create(secret("untidy", "YmtjdF9hZ2VudHMK"));
    let ended = doctor(&world, 0).await;
    says(
        &ended,
        "note",
        &["default/windows-template: agent token", "line breaks"],
    );

    world
        .buildkite
        .fake()
        .inner_mut()
        .accounts
        .revoke_agent_token(FakeBuildkite::AGENT_TOKEN);
    let ended = doctor(&world, 1).await;
    says(&ended, "FAILED", &["agent token", "does not know it"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_cannot_be_reached_is_told_once() {
    let world = World::start().await;
    world.kubernetes.add_fault(Fault::on("*", Effect::Drop));
    let ended = doctor(&world, 1).await;
    says(&ended, "FAILED", &["kubernetes: access", "cannot be reached"]);
    says(&ended, "ok", &["buildkite: token"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_read_the_same_as_json() {
    let world = World::start().await;
    world.add_template("linux");
    let ended = world.finish(&["doctor", "-o", "json"]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
    let checks: Vec<Value> = serde_json::from_str(&ended.stdout).expect("JSON");
    let token = json!({"about": "buildkite", "check": "token", "result": "ok", "detail": "valid"});
    assert!(checks.contains(&token), "{checks:?}");
}
