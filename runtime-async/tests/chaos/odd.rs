//! Templates, names and namespaces that nobody thought of.

use std::time::Duration;

use buildscaler_core::labels;
use buildscaler_simulator::buildkite::{BuildSpec, FakeBuildkite, JobSpec};
use buildscaler_simulator::kubernetes::{DeleteOptions, Resource};
use buildscaler_simulator::loopback::wall_clock;
use serde_json::{Value, json};

use crate::actor;
use crate::promises;
use crate::story::Story;
use crate::world::World;

fn quiet() -> Story {
    Story {
        events: Vec::new(),
        faults: Vec::new(),
        limit: 600,
        sync_interval: 1,
        idle_timeout: 2,
        agents_stay: false,
        span: Duration::ZERO,
        ..Story::of(0)
    }
}

fn token() -> Value {
    json!({"name": "BUILDKITE_AGENT_TOKEN", "value": FakeBuildkite::AGENT_TOKEN})
}

fn template(name: &str, queue: &str, spec: Value) -> Value {
    let mut spec = spec;
    spec["restartPolicy"] = json!("Never");
    json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": name, "labels": {labels::APP: labels::APP_VALUE, labels::QUEUE: queue}},
        "spec": {"parallelism": 0, "template": {"spec": spec}},
    })
}

fn agent(env: &[Value]) -> Value {
    json!({"name": "agent", "image": "buildkite/agent:3", "env": env})
}

fn create(world: &World, resource: Resource, namespace: &str, object: Value) {
    world.kubernetes.with(|fake, now| {
        fake.create(now, resource, namespace, object).expect("it is good");
    });
}

fn build(world: &World, queue: &str) {
    let step = JobSpec::script(queue, Duration::from_millis(500));
    let mut fake = world.buildkite.fake();
    fake.inner_mut()
        .create_build(wall_clock(), BuildSpec::new("pipeline", [step]));
}

/// Runs a build on each of these templates, and everything to its end.
async fn serves(templates: Vec<Value>) {
    let story = quiet();
    let mut world = World::start(&story).await;
    let settings = json!({"metadata": {"name": "settings"},
        "data": {"BUILDKITE_AGENT_TOKEN": FakeBuildkite::AGENT_TOKEN, "BUILDKITE_AGENT_PRIORITY": "3"}});
    create(&world, Resource::ConfigMaps, "default", settings);
    for template in templates {
        let queue = template["metadata"]["labels"][labels::QUEUE]
            .as_str()
            .expect("a queue")
            .to_owned();
        create(&world, Resource::Jobs, "default", template);
        build(&world, &queue);
    }
    actor::play(&story, &mut world).await;
    let mut objections = promises::in_the_end(&story, &mut world).await;
    world.end().await;
    objections.extend(promises::of_the_past(&story, &world));
    assert!(objections.is_empty(), "{objections:#?}\n{}", world.history());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn odd_names_are_served() {
    let long = "q".repeat(63);
    let spec = || json!({"containers": [agent(&[token()])]});
    serves(vec![
        template("dotted.name.of-a-template", "A.b_C-1", spec()),
        template(&"t".repeat(63), &long, spec()),
        template("1", "0", spec()),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn odd_containers_are_served() {
    let from = json!([{"configMapRef": {"name": "settings"}}]);
    let key = json!({"name": "BUILDKITE_AGENT_TOKEN",
        "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "BUILDKITE_AGENT_TOKEN"}}});
    serves(vec![
        template("no-env", "no-env", json!({"containers": [{"name": "agent", "image": "a", "envFrom": from}]})),
        template("other-name", "other-name", json!({"containers": [{"name": "runner", "image": "a", "env": [key]}]})),
        template(
            "sidecar",
            "sidecar",
            json!({
                "initContainers": [{"name": "fetch", "image": "b", "env": [token()]}],
                "containers": [agent(&[token()]), {"name": "docker", "image": "docker:dind"}],
            }),
        ),
        template(
            "tags",
            "tags",
            json!({"containers": [agent(&[
                token(),
                json!({"name": "BUILDKITE_AGENT_TAGS", "value": "queue=tags,os=linux,,"}),
                json!({"name": "HOME", "value": "$(BUILDKITE_AGENT_TAGS)"}),
            ])]}),
        ),
        template(
            "queue-variable",
            "queue-variable",
            json!({"containers": [agent(&[token(), json!({"name": "BUILDKITE_AGENT_QUEUE", "value": "queue-variable"})])]}),
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_namespace_that_vanishes_takes_its_templates_along_and_no_others() {
    let story = quiet();
    let mut world = World::start(&story).await;
    world.kubernetes.with(|fake, now| fake.add_namespace(now, "gone"));
    let spec = || json!({"containers": [agent(&[token()])]});
    create(&world, Resource::Jobs, "gone", template("gone", "gone", spec()));
    create(&world, Resource::Jobs, "default", template("stays", "stays", spec()));
    actor::play(&story, &mut world).await;
    build(&world, "gone");
    let has_pod = |world: &World| {
        world
            .kubernetes
            .with(|fake, _| fake.objects(Resource::Pods, "gone").next().is_some())
    };
    while !has_pod(&world) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    world.kubernetes.with(|fake, now| {
        let deleted = fake.delete(now, Resource::Namespaces, "", "gone", &DeleteOptions::default());
        deleted.expect("it is there");
    });
    build(&world, "gone");
    build(&world, "stays");
    let mut objections = promises::in_the_end(&story, &mut world).await;
    world.end().await;
    objections.extend(promises::of_the_past(&story, &world));
    assert!(objections.is_empty(), "{objections:#?}\n{}", world.history());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn six_thousand_waiting_jobs_are_seen_and_the_ceiling_holds() {
    let story = quiet();
    let mut world = World::start(&story).await;
    let spec = json!({"containers": [agent(&[token()])]});
    let mut template = template("crowd", "crowd", spec);
    template["metadata"]["annotations"] = json!({"buildscaler.elotl.co/max-active-builds": "3"});
    create(&world, Resource::Jobs, "default", template);
    for _ in 0..120 {
        let steps = (0..50).map(|_| JobSpec::script("crowd", Duration::from_secs(60)));
        world
            .buildkite
            .fake()
            .inner_mut()
            .create_build(wall_clock(), BuildSpec::new("pipeline", steps));
    }
    actor::play(&story, &mut world).await;
    let enough = async {
        while world.pods().len() < 3 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(40), enough)
        .await
        .expect("three pods");
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(world.pods().len(), 3);
    world.end().await;
}
