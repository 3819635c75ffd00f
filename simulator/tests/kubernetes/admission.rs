//! The refusals that a cluster has to be set up for.

use buildscaler_simulator::kubernetes::{Resource, Settings, Webhook};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::world::{PODS, World, pod};

fn refusal(settings: Settings, pod: &Value) -> (StatusCode, String) {
    let mut world = World::with(settings);
    world.pass(0);
    let (code, status) = world.answer(Method::POST, PODS, pod);
    (code, status["message"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn a_webhook_denies_with_its_own_words() {
    let webhook = Some(Webhook::Denies("no agents on Fridays".to_owned()));
    let (code, message) = refusal(
        Settings {
            webhook,
            ..Settings::default()
        },
        &pod("p"),
    );
    assert_eq!(code, StatusCode::BAD_REQUEST);
    assert_eq!(
        message,
        "admission webhook \"pods.example.com\" denied the request: no agents on Fridays"
    );
}

#[test]
fn a_broken_webhook_is_an_internal_error() {
    let (code, message) = refusal(
        Settings {
            webhook: Some(Webhook::Broken),
            ..Settings::default()
        },
        &pod("p"),
    );
    assert_eq!(code, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(
        message.contains("failed calling webhook \"pods.example.com\""),
        "{message}"
    );
}

#[test]
fn a_pod_needs_its_service_account() {
    let settings = Settings {
        service_accounts: true,
        ..Settings::default()
    };
    let (code, _) = refusal(settings.clone(), &pod("p"));
    assert_eq!(code, StatusCode::CREATED, "every namespace has a default account");
    let mut other = pod("p");
    other["spec"]["serviceAccountName"] = json!("builder");
    let (code, message) = refusal(settings, &other);
    assert_eq!(code, StatusCode::FORBIDDEN);
    let why = "error looking up service account default/builder: serviceaccount \"builder\" not found";
    assert_eq!(message, format!("pods \"p\" is forbidden: {why}"));
}

#[test]
fn a_quota_of_thousands_counts_only_what_has_not_ended() {
    let mut world = World::without_controllers();
    let quota = json!({ "metadata": { "name": "many" }, "spec": { "hard": { "pods": "1000" } } });
    world
        .fake
        .create(world.now, Resource::ResourceQuotas, "default", quota)
        .unwrap();
    for number in 0..1000 {
        world.create(pod(&format!("p{number}")));
    }
    assert_eq!(world.answer(Method::POST, PODS, &pod("more")).0, StatusCode::FORBIDDEN);
    world
        .fake
        .update_status(Resource::Pods, "default", "p7", json!({ "phase": "Failed" }))
        .unwrap();
    assert_eq!(world.answer(Method::POST, PODS, &pod("more")).0, StatusCode::CREATED);
}
