//! What the agent's container is given: its queue, the link to its pod, and
//! the idle timeout. A template as plain as the specification's names none.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{Tags, template_finding};
use crate::finding::{Finding, FindingKind};
use crate::labels;
use crate::names::Queue;
use crate::template::Template;

pub(super) struct Equipped {
    pub(super) tags: Tags,
    pub(super) notes: Vec<Finding>,
    /// The agent's container among all.
    pub(super) place: usize,
}

/// Adds environment to the agent's container in `spec`.
pub(super) fn equip(
    spec: &mut Map<String, Value>,
    template: &Template,
    queue: &Queue,
    idle_timeout: Duration,
) -> Result<Equipped, String> {
    let has_volumes = spec
        .get("volumes")
        .and_then(Value::as_array)
        .is_some_and(|volumes| !volumes.is_empty());
    let containers = spec
        .get_mut("containers")
        .and_then(Value::as_array_mut)
        .filter(|containers| !containers.is_empty())
        .ok_or("its pod template has no containers")?;
    let chosen = place(containers);
    let container = containers[chosen]
        .as_object_mut()
        .ok_or("its agent container is not an object")?;

    let words = command_line(container);
    let mut notes = Vec::new();
    if !has_token(container, &words, has_volumes) {
        notes.push(template_finding(
            FindingKind::NoAgentToken,
            template,
            format!(
                "its agent container gets no {}; add envFrom with a secretRef to the Secret buildkite-agent-token",
                labels::TOKEN_VARIABLE
            ),
        ));
    }
    let mut env = match container.remove("env") {
        Some(Value::Array(env)) => env,
        None | Some(Value::Null) => Vec::new(),
        Some(_) => return Err("the env of its agent container is not a list".into()),
    };
    let tags = tag(&mut env, queue, &words, container.contains_key("envFrom"));
    notes.extend(queue_mismatch(&tags, template, queue));
    notes.extend(unlinked(&words, template));
    if position(&env, labels::POD_UID_VARIABLE).is_none() {
        // First, since `$(NAME)` refers to variables defined before it.
        env.insert(
            0,
            json!({"name": labels::POD_UID_VARIABLE, "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}}),
        );
    }
    if position(&env, labels::IDLE_TIMEOUT_VARIABLE).is_none() {
        env.push(json!({"name": labels::IDLE_TIMEOUT_VARIABLE, "value": idle_timeout.as_secs().to_string()}));
    }
    container.insert("env".into(), Value::Array(env));
    Ok(Equipped {
        tags,
        notes,
        place: chosen,
    })
}

/// Which of these containers runs the agent: the one called `agent`, or else
/// the first one.
pub(crate) fn place(containers: &[Value]) -> usize {
    let named = containers.iter().position(|container| container["name"] == "agent");
    named.unwrap_or(0)
}

/// Appends our tags to the template's own and tells what is known of the sum.
fn tag(env: &mut Vec<Value>, queue: &Queue, words: &[String], has_env_from: bool) -> Tags {
    let mut tags = Tags {
        known: Vec::new(),
        open: sets_tags(words) || has_env_from,
    };
    let variable =
        if position(env, labels::TAGS_VARIABLE).is_none() && position(env, labels::META_DATA_VARIABLE).is_some() {
            labels::META_DATA_VARIABLE
        } else {
            labels::TAGS_VARIABLE
        };
    let place = position(env, variable);
    let own = place
        .and_then(|place| env[place].get("value"))
        .and_then(Value::as_str)
        .map(str::to_owned);
    if let Some(own) = &own {
        tags.known.extend(
            own.split(',')
                .map(|tag| tag.trim().to_owned())
                .filter(|tag| !tag.is_empty()),
        );
    }
    let names_queue = tags.known.iter().any(|tag| is_queue_tag(tag));
    let has_queue_variable = position(env, labels::QUEUE_VARIABLE).is_some()
        || words
            .iter()
            .any(|word| word == "--queue" || word.starts_with("--queue="));
    let mut added = String::new();
    if !names_queue {
        tags.known.push(format!("{}={queue}", labels::QUEUE_TAG));
        // The agent refuses to start with a queue of its own and a tag.
        if !has_queue_variable {
            added = format!("{}={queue},", labels::QUEUE_TAG);
        }
    }
    added.push_str(&format!("{}=$({})", labels::POD_UID_TAG, labels::POD_UID_VARIABLE));
    match (place, own) {
        (Some(place), Some(own)) if own.trim().is_empty() => env[place]["value"] = json!(added),
        (Some(place), Some(own)) => env[place]["value"] = json!(format!("{own},{added}")),
        (Some(_), None) => {
            // Its value comes from elsewhere: a second definition refers to it.
            tags.open = true;
            env.push(json!({"name": variable, "value": format!("$({variable}),{added}")}));
        }
        (None, _) => env.push(json!({"name": variable, "value": added})),
    }
    tags
}

fn queue_mismatch(tags: &Tags, template: &Template, queue: &Queue) -> Option<Finding> {
    let expected = format!("{}={queue}", labels::QUEUE_TAG);
    let other = tags.known.iter().find(|tag| is_queue_tag(tag) && **tag != expected)?;
    Some(template_finding(
        FindingKind::QueueMismatch,
        template,
        format!("its label says {expected}, its agent's tags say {other}: the agents would serve another queue"),
    ))
}

/// The command line beats the environment, and so the tag that names the pod.
fn unlinked(words: &[String], template: &Template) -> Option<Finding> {
    sets_tags(words).then(|| {
        template_finding(
            FindingKind::UnlinkedAgents,
            template,
            format!(
                "the command line of its agent sets --tags, which beats the tag that links the agent to its pod; set {} \
                 in env instead",
                labels::TAGS_VARIABLE
            ),
        )
    })
}

fn sets_tags(words: &[String]) -> bool {
    words.iter().any(|word| word == "--tags" || word.starts_with("--tags="))
}

fn is_queue_tag(tag: &str) -> bool {
    tag.split_once('=').is_some_and(|(key, _)| key == labels::QUEUE_TAG)
}

/// The variable of this name that holds: the last one.
pub(crate) fn variable<'v>(env: &'v [Value], name: &str) -> Option<&'v Value> {
    position(env, name).map(|place| &env[place])
}

fn position(env: &[Value], name: &str) -> Option<usize> {
    env.iter().rposition(|variable| variable["name"] == name)
}

fn has_token(container: &Map<String, Value>, words: &[String], has_volumes: bool) -> bool {
    let named = |variable: &Value| variable["name"] == labels::TOKEN_VARIABLE;
    container.get("env").and_then(Value::as_array).is_some_and(|env| env.iter().any(named))
        || container.get("envFrom").and_then(Value::as_array).is_some_and(|sources| !sources.is_empty())
        || words.iter().any(|word| word.contains("--token"))
        // A mounted file may well be the agent's configuration.
        || has_volumes
}

fn command_line(container: &Map<String, Value>) -> Vec<String> {
    ["command", "args"]
        .iter()
        .filter_map(|key| container.get(*key).and_then(Value::as_array))
        .flatten()
        .filter_map(|word| word.as_str().map(str::to_owned))
        .collect()
}
