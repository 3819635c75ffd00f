//! `plan` says what would be done, and does nothing.

use std::time::Duration;

use buildscaler_simulator::fault::{Effect, Fault};
use serde_json::Value;

use crate::world::World;

const LONG: Duration = Duration::from_secs(600);

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_shows_every_create_and_sends_only_gets() {
    let world = World::start().await;
    world.add_template("linux");
    world.add_builds(12, "linux", LONG);
    world.add_builds(1, "windows", LONG);
    let plan = world.finish(&["plan"]).await;
    assert_eq!(plan.code, Some(3), "{}{}", plan.stdout, plan.stderr);
    let creates = plan.stdout.lines().filter(|line| line.starts_with("create"));
    assert_eq!(creates.count(), 12, "{}", plan.stdout);
    assert!(plan.stdout.contains("for queue linux (demand)"), "{}", plan.stdout);
    assert!(plan.stdout.contains("no_template windows"), "{}", plan.stdout);
    assert_eq!(plan.stderr, "");

    assert!(world.pods().is_empty());
    let said = world.tap.requests();
    assert!(
        !said.is_empty() && said.iter().all(|line| line.starts_with("GET ")),
        "{said:?}"
    );
    let methods = world.buildkite_methods();
    assert!(
        !methods.is_empty() && methods.iter().all(|method| method == http::Method::GET),
        "{methods:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_read_the_same_plan_as_json_and_yaml() {
    let world = World::start().await;
    world.add_template("linux");
    world.add_builds(2, "linux", LONG);
    let json = world.finish(&["plan", "--output=json"]).await;
    assert_eq!(json.code, Some(3));
    let json: Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert_eq!(json["queues"]["linux"]["waiting"], 2);
    assert_eq!(json["queues"]["linux"]["toCreate"], 2);
    let [first, _] = &json["commands"].as_array().expect("commands")[..] else {
        panic!("two builds: {json}");
    };
    assert_eq!((&first["do"], &first["reason"]), (&"create".into(), &"demand".into()));
    let yaml = world.finish(&["plan", "-o", "yaml"]).await;
    assert_eq!(yaml.code, Some(3));
    let yaml: Value = serde_saphyr::from_str(&yaml.stdout).expect("YAML");
    assert_eq!(yaml, json);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_world_leaves_nothing_to_do() {
    let world = World::start().await;
    world.add_template("linux");
    let plan = world.finish(&["plan"]).await;
    assert_eq!(plan.code, Some(0), "{}{}", plan.stdout, plan.stderr);
    assert!(plan.stdout.contains("nothing to do"), "{}", plan.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_of_many_pages_is_whole() {
    let world = World::start().await;
    world.add_template("linux");
    world.add_builds(450, "linux", LONG);
    let plan = world.finish(&["plan", "-o", "json"]).await;
    let json: Value = serde_json::from_str(&plan.stdout).expect("JSON");
    assert_eq!(json["queues"]["linux"]["waiting"], 450);
    assert_eq!(json["commands"].as_array().map(Vec::len), Some(450));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_buildkite_that_is_down_is_named() {
    let world = World::start().await;
    world.add_template("linux");
    let down = Effect::Refuse(http::StatusCode::BAD_GATEWAY);
    world.buildkite.fake().add(Fault::on("*", down));
    let plan = world.finish(&["plan"]).await;
    assert_eq!(plan.code, Some(1));
    assert_eq!(plan.stdout, "");
    let [line] = plan.stderr.lines().collect::<Vec<_>>()[..] else {
        panic!("one line: {}", plan.stderr);
    };
    assert!(line.starts_with("buildscalerctl: cannot look at Buildkite: "), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kubernetes_that_is_down_is_named() {
    let world = World::start().await;
    world.kubernetes.add_fault(Fault::on("*", Effect::Drop));
    let plan = world.finish(&["plan"]).await;
    assert_eq!(plan.code, Some(1));
    assert!(plan.stderr.contains("cannot look at Kubernetes: "), "{}", plan.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_cut_is_no_empty_page() {
    let world = World::start().await;
    world.add_template("linux");
    world.add_builds(1, "linux", LONG);
    world.buildkite.fake().add(Fault::on("*/builds*", Effect::Cut(10)));
    let plan = world.finish(&["plan"]).await;
    assert_eq!(plan.code, Some(1), "{}{}", plan.stdout, plan.stderr);
}
