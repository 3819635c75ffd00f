//! Ten thousand pods are no trouble.

use buildscaler_simulator::kubernetes::Resource;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::world::{PODS, World, pod};

const MANY: usize = 10_000;

#[test]
fn ten_thousand_pods_are_created_bound_listed_and_deleted() {
    let mut world = World::new();
    for node in 0..10 {
        world.add_node(&format!("n{node}"), "True");
    }
    let template = json!({
        "metadata": { "name": "q" },
        "spec": { "parallelism": 0, "template": { "spec": pod("")["spec"] } },
    });
    world
        .fake
        .create(world.now, Resource::Jobs, "default", template)
        .unwrap();
    let mut watch = world.watch(&format!("resourceVersion={}", world.fake.version()));
    for number in 0..MANY {
        let (code, _) = world.answer(Method::POST, PODS, &pod(&format!("p{number:05}")));
        assert_eq!(code, StatusCode::CREATED);
        if number % 100 == 0 {
            world.pass(1);
        }
    }
    world.pass(1);
    assert_eq!(world.events(&mut watch).len(), 2 * MANY, "each is added, then bound");
    let bound = world
        .fake
        .objects(Resource::Pods, "")
        .filter(|pod| pod["spec"]["nodeName"].is_string())
        .count();
    assert_eq!(bound, MANY);
    assert_eq!(listed_in_pages(&mut world, 500), MANY);
    for number in 0..MANY {
        let path = format!("{PODS}/p{number:05}");
        let (code, _) = world.answer(Method::DELETE, &path, &json!({ "gracePeriodSeconds": 0 }));
        assert_eq!(code, StatusCode::OK);
    }
    world.pass(1);
    assert_eq!(world.fake.objects(Resource::Pods, "").count(), 0);
}

fn listed_in_pages(world: &mut World, limit: usize) -> usize {
    let (mut count, mut token) = (0, String::new());
    loop {
        let (_, page) = world.get(&format!("{PODS}?limit={limit}&continue={token}"));
        count += page["items"].as_array().map_or(0, Vec::len);
        match &page["metadata"]["continue"] {
            Value::String(next) => token.clone_from(next),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => return count,
        }
    }
}
