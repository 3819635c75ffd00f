//! What the agent's container is given, and what is said of templates that
//! give it too little.

use buildscaler_core::FindingKind;
use serde_json::{Value, json};

use crate::manifests::{driver, manifest, with_container, with_pod_template};

fn env(container: Value) -> Vec<(String, Value)> {
    let manifest = manifest(with_container(container)).unwrap();
    let env = manifest["spec"]["containers"][0]["env"].as_array().unwrap();
    env.iter()
        .map(|one| {
            let mut one = one.as_object().unwrap().clone();
            let Some(Value::String(name)) = one.remove("name") else {
                panic!("a variable without name")
            };
            (name, Value::Object(one))
        })
        .collect()
}

fn value(container: Value, name: &str) -> Option<String> {
    let all = env(container);
    let found = all.iter().rev().find(|(known, _)| known == name)?;
    found.1["value"].as_str().map(str::to_owned)
}

/// Seen to fail when the tag was not appended, and when it came before the
/// variable that it refers to.
#[test]
fn a_template_as_plain_as_the_specifications_gets_its_queue_and_its_link() {
    let all = env(json!({"name": "agent", "envFrom": [{"secretRef": {"name": "buildkite-agent-token"}}]}));
    assert_eq!(
        all,
        [
            (
                "BUILDSCALER_POD_UID".into(),
                json!({"valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}})
            ),
            (
                "BUILDKITE_AGENT_TAGS".into(),
                json!({"value": "queue=apple,pod-uid=$(BUILDSCALER_POD_UID)"})
            ),
            (
                "BUILDKITE_AGENT_DISCONNECT_AFTER_IDLE_TIMEOUT".into(),
                json!({"value": "300"})
            ),
        ]
    );
}

/// Seen to fail when the template's own tags were replaced.
#[test]
fn our_tags_are_added_to_the_templates_own() {
    for (own, expected) in [
        ("os=linux", "os=linux,queue=apple,pod-uid=$(BUILDSCALER_POD_UID)"),
        ("queue=apple", "queue=apple,pod-uid=$(BUILDSCALER_POD_UID)"),
        ("", "queue=apple,pod-uid=$(BUILDSCALER_POD_UID)"),
    ] {
        let container = json!({"name": "agent", "env": [{"name": "BUILDKITE_AGENT_TAGS", "value": own}]});
        assert_eq!(
            value(container, "BUILDKITE_AGENT_TAGS").as_deref(),
            Some(expected),
            "{own:?}"
        );
    }
}

/// Seen to fail when the older name of the variable was not known.
#[test]
fn tags_under_their_older_name_are_kept_there() {
    let container = json!({"name": "agent", "env": [{"name": "BUILDKITE_AGENT_META_DATA", "value": "os=linux"}]});
    assert_eq!(
        value(container.clone(), "BUILDKITE_AGENT_META_DATA").as_deref(),
        Some("os=linux,queue=apple,pod-uid=$(BUILDSCALER_POD_UID)")
    );
    assert_eq!(value(container, "BUILDKITE_AGENT_TAGS"), None);
}

/// Seen to fail when the value from elsewhere was overwritten.
#[test]
fn tags_that_come_from_elsewhere_are_referred_to() {
    let from = json!({"secretKeyRef": {"name": "tags", "key": "tags"}});
    let container = json!({"name": "agent", "env": [{"name": "BUILDKITE_AGENT_TAGS", "valueFrom": from}]});
    let all = env(container);
    let tags: Vec<_> = all.iter().filter(|(name, _)| name == "BUILDKITE_AGENT_TAGS").collect();
    assert_eq!(tags[0].1, json!({"valueFrom": from}));
    assert_eq!(
        tags[1].1,
        json!({"value": "$(BUILDKITE_AGENT_TAGS),queue=apple,pod-uid=$(BUILDSCALER_POD_UID)"})
    );
}

/// The agent refuses to start with a queue of its own and a tag.
///
/// Seen to fail when the tag was added all the same.
#[test]
fn a_queue_named_by_other_means_is_not_named_twice() {
    for container in [
        json!({"name": "agent", "env": [{"name": "BUILDKITE_AGENT_QUEUE", "value": "apple"}]}),
        json!({"name": "agent", "args": ["start", "--queue=apple"]}),
        json!({"name": "agent", "command": ["buildkite-agent", "start", "--queue", "apple"]}),
    ] {
        assert_eq!(
            value(container.clone(), "BUILDKITE_AGENT_TAGS").as_deref(),
            Some("pod-uid=$(BUILDSCALER_POD_UID)"),
            "{container}"
        );
    }
}

/// Seen to fail when the option overrode the template.
#[test]
fn an_idle_timeout_of_the_templates_own_holds() {
    let name = "BUILDKITE_AGENT_DISCONNECT_AFTER_IDLE_TIMEOUT";
    let container = json!({"name": "agent", "env": [{"name": name, "value": "7"}]});
    assert_eq!(value(container, name).as_deref(), Some("7"));
}

/// Seen to fail when the first container was always the agent's.
#[test]
fn the_agent_is_the_container_of_that_name_or_else_the_first() {
    for (names, agent) in [(["docker", "agent"], 1), (["build", "docker"], 0)] {
        let containers: Vec<Value> = names.iter().map(|name| json!({"name": name})).collect();
        let made = manifest(with_pod_template(json!({"spec": {"containers": containers}}))).unwrap();
        assert!(made["spec"]["containers"][agent].get("env").is_some(), "{names:?}");
        assert!(made["spec"]["containers"][1 - agent].get("env").is_none(), "{names:?}");
    }
}

/// Seen to fail when a pod without containers was made.
#[test]
fn a_template_from_which_no_pod_can_be_made_is_reported() {
    for pod_template in [
        json!({}),
        json!(null),
        json!({"spec": {}}),
        json!({"spec": {"containers": []}}),
        json!({"spec": {"containers": "none"}}),
        json!({"spec": {"containers": [7]}}),
        json!({"spec": {"containers": [{"name": "agent", "env": {"A": "b"}}]}}),
    ] {
        let driver = driver(with_pod_template(pod_template.clone()));
        assert!(driver.stands(FindingKind::BadTemplate), "{pod_template}");
        assert_eq!(driver.pending, Vec::new(), "{pod_template}");
    }
}

/// Seen to fail when only the variable itself was looked for.
#[test]
fn a_template_without_a_token_is_reported_and_serves() {
    let token = json!([{"name": "BUILDKITE_AGENT_TOKEN", "value": "t"}]);
    for (container, is_missing) in [
        (json!({"name": "agent"}), true),
        (json!({"name": "agent", "env": token}), false),
        (
            json!({"name": "agent", "envFrom": [{"secretRef": {"name": "s"}}]}),
            false,
        ),
        (json!({"name": "agent", "args": ["start", "--token", "t"]}), false),
    ] {
        let driver = driver(with_container(container.clone()));
        assert_eq!(driver.stands(FindingKind::NoAgentToken), is_missing, "{container}");
        assert_eq!(driver.pending.len(), 1, "{container}");
    }
}

/// Seen to fail when tags and label were not compared.
#[test]
fn tags_that_name_another_queue_are_reported() {
    let env = json!([{"name": "BUILDKITE_AGENT_TAGS", "value": "queue=berry"}]);
    assert!(driver(with_container(json!({"name": "agent", "env": env}))).stands(FindingKind::QueueMismatch));
}
