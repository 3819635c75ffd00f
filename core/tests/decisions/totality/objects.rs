//! Odd things that both APIs could show.

use std::sync::Arc;

use buildscaler_core::{
    Agent, BuildkiteJob, ConnectionState, JobState, Pod, PodStage, PodTemplate, Template, Uid, annotations,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::{name, time};
use crate::support::build::{agent, pod, template, waiting};

fn pod_templates() -> impl Strategy<Value = Value> {
    select(vec![
        json!(null),
        json!([]),
        json!({"metadata": 1, "spec": {"containers": [{}]}}),
        json!({"metadata": {"labels": {"a": 1}}, "spec": {"containers": [{"env": [1, {"name": "BUILDKITE_AGENT_TAGS"}]}]}}),
        json!({"spec": {"containers": [{"env": [{"name": "BUILDKITE_AGENT_TAGS", "value": 7}], "args": "x"}], "volumes": 1}}),
        json!({"spec": {"containers": [{"name": "agent", "env": null, "command": [1]}]}}),
    ])
}

pub(super) fn templates() -> impl Strategy<Value = Arc<Template>> {
    let texts = (name(), name(), name(), proptest::option::of(name()));
    (
        texts,
        any::<i64>(),
        time(),
        any::<bool>(),
        proptest::option::of(pod_templates()),
        proptest::option::of((select(annotations::ALL.to_vec()), name())),
    )
        .prop_map(
            |((uid, namespace, name, queue), parallelism, created_at, deleting, pod_template, note)| {
                let mut made = template("apple", "a");
                made.uid = uid.into();
                made.namespace = namespace;
                made.name = name;
                made.queue = queue.map(Into::into);
                made.parallelism = if parallelism % 3 == 0 { parallelism } else { 0 };
                made.created_at = created_at;
                made.deleting = deleting;
                if let Some(pod_template) = pod_template {
                    made.pod_template = PodTemplate(pod_template);
                }
                made.hash = made.pod_template.fingerprint();
                made.annotations
                    .extend(note.map(|(annotation, value)| (annotation.into(), value)));
                Arc::new(made)
            },
        )
}

pub(super) fn pods() -> impl Strategy<Value = Arc<Pod>> {
    let stage = select(vec![
        PodStage::Unscheduled,
        PodStage::Starting,
        PodStage::Running,
        PodStage::AgentEnded,
        PodStage::Succeeded,
        PodStage::Failed,
    ]);
    (
        name(),
        name(),
        proptest::option::of(name()),
        time(),
        any::<bool>(),
        stage,
        any::<bool>(),
    )
        .prop_map(|(uid, name, queue, created_at, deleting, stage, adopted)| {
            Arc::new(Pod {
                name: name.clone(),
                queue: queue.map(Into::into),
                hostname: Some(name),
                created_at,
                deleting,
                stage,
                adopted,
                trouble: (!adopted).then(|| "ImagePullBackOff".into()),
                ..pod(&uid, &template("apple", "a"))
            })
        })
}

pub(super) fn agents() -> impl Strategy<Value = Agent> {
    let state = select(vec![
        ConnectionState::Connected,
        ConnectionState::Stopping,
        ConnectionState::Other,
    ]);
    (
        name(),
        proptest::option::of(name()),
        proptest::option::of(name()),
        state,
        any::<bool>(),
        proptest::option::of(name()),
    )
        .prop_map(|(id, hostname, uid, state, paused, running)| Agent {
            hostname,
            pod_uid: uid.map(Uid::from),
            state,
            paused,
            running: running.map(Into::into),
            ..agent(&id, &pod("a", &template("apple", "a")))
        })
}

pub(super) fn jobs() -> impl Strategy<Value = BuildkiteJob> {
    let state = select(vec![
        JobState::Scheduled,
        JobState::Limited,
        JobState::Active,
        JobState::Other,
    ]);
    (name(), name(), state, proptest::option::of(time()), vec(name(), 0..2)).prop_map(
        |(id, queue, state, runnable_at, rules)| BuildkiteJob {
            state,
            runnable_at,
            rules,
            ..waiting(&id, &queue)
        },
    )
}
