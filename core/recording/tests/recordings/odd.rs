//! Generators of everything a controller can be told, with a marker wherever
//! somebody may have put a secret.

use std::collections::BTreeMap;
use std::sync::Arc;

use buildscaler_core::selector::{LabelSelector, Operator, Requirement};
use buildscaler_core::{
    Agent, BuildkiteJob, ClusterView, CommandId, ConnectionState, Cursor, Failure, Input, JobState, Look, LookEnd,
    Outcome, Pod, PodStage, PodTemplate, Queue, Refusal, Spending, Template, Timestamp, Uid, View,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::support::{MARKER, START};

fn texts() -> impl Strategy<Value = String> {
    select(vec![MARKER, "marker-5ecret, with words", "plain", ""]).prop_map(str::to_owned)
}

fn tags() -> impl Strategy<Value = String> {
    select(vec![
        "os=marker-5ecret",
        "os=plan9",
        "os=marker-5ecret=*",
        "os=*",
        "=*",
        "os=",
        "marker-5ecret",
        "gpu",
        "odd marker-5ecret key=1",
        "odd marker-5ecret key=*",
        "queue=apple",
        "queue=berry",
        "$(BUILDKITE_AGENT_TAGS)",
    ])
    .prop_map(str::to_owned)
}

fn words() -> impl Strategy<Value = Value> {
    select(vec![
        json!("buildkite-agent"),
        json!("--tags"),
        json!("--tags=secret=marker-5ecret"),
        json!("--tags=marker-5ecret--token"),
        json!("--queue"),
        json!("--queue=marker-5ecret"),
        json!("--token=marker-5ecret"),
        json!("echo marker-5ecret --token"),
        json!("marker-5ecret"),
        json!({"marker-5ecret": 1}),
    ])
}

fn variables() -> impl Strategy<Value = Value> {
    let names = select(vec![
        "BUILDKITE_AGENT_TAGS",
        "BUILDKITE_AGENT_META_DATA",
        "BUILDKITE_AGENT_QUEUE",
        "BUILDKITE_AGENT_TOKEN",
        "BUILDKITE_AGENT_DISCONNECT_AFTER_IDLE_TIMEOUT",
        "BUILDSCALER_POD_UID",
        "PASSWORD",
        MARKER,
    ]);
    let values = prop_oneof![
        3 => vec(tags(), 0..4).prop_map(|tags| json!(tags.join(" ,"))),
        1 => texts().prop_map(|text| json!(text)),
        1 => Just(json!("  ")),
        1 => Just(json!(["marker-5ecret"])),
    ];
    let sources = Just(json!({"secretKeyRef": {"name": MARKER, "key": MARKER}}));
    (names, option::of(values), option::of(sources)).prop_map(|(name, value, source)| {
        let mut variable = json!({ "name": name });
        if let Some(value) = value {
            variable["value"] = value;
        }
        if let Some(source) = source {
            variable["valueFrom"] = source;
        }
        variable
    })
}

fn containers() -> impl Strategy<Value = Value> {
    let env = prop_oneof![
        6 => vec(variables(), 0..4).prop_map(Value::Array),
        1 => select(vec![json!(null), json!("marker-5ecret"), json!(["marker-5ecret", 3])]),
    ];
    let sources = select(vec![
        json!([]),
        json!([{"secretRef": {"name": MARKER}}]),
        json!(MARKER),
        json!(null),
    ]);
    let name = select(vec!["agent", "sidecar", MARKER]);
    (
        name,
        option::of(vec(words(), 0..3)),
        option::of(vec(words(), 0..3)),
        option::of(env),
        option::of(sources),
    )
        .prop_map(|(name, command, args, env, sources)| {
            let mut container =
                json!({"name": name, "image": MARKER, "livenessProbe": {"exec": {"command": [MARKER]}}});
            let fields = [
                ("command", command.map(Value::Array)),
                ("args", args.map(Value::Array)),
                ("env", env),
                ("envFrom", sources),
            ];
            for (key, value) in fields {
                if let Some(value) = value {
                    container[key] = value;
                }
            }
            container
        })
}

fn pod_templates() -> impl Strategy<Value = Value> {
    let whole = (
        vec(containers(), 0..3),
        option::of(vec(Just(json!({"name": MARKER})), 0..2)),
        labels(),
    )
        .prop_map(|(containers, volumes, labels)| {
            let mut template = json!({
                "metadata": {"labels": labels, "annotations": {"note": MARKER}, "name": MARKER},
                "spec": {"containers": containers, "restartPolicy": MARKER, "initContainers": [{"args": [MARKER]}]}
            });
            if let Some(volumes) = volumes {
                template["spec"]["volumes"] = json!(volumes);
            }
            template
        });
    let broken = select(vec![
        json!(MARKER),
        json!({"spec": MARKER}),
        json!({"spec": {"containers": [MARKER]}}),
        json!({"metadata": {"labels": [MARKER]}, "spec": {"containers": {"a": MARKER}}}),
    ]);
    // Rules meet tags often enough only where templates are plain.
    let plain = vec(tags(), 0..3).prop_map(|tags| {
        let variable = json!({"name": "BUILDKITE_AGENT_TAGS", "value": tags.join(" , ")});
        json!({"spec": {"containers": [{"name": "agent", "env": [variable]}]}})
    });
    prop_oneof![8 => whole, 8 => plain, 1 => broken]
}

fn labels() -> impl Strategy<Value = BTreeMap<String, String>> {
    let keys = select(vec!["team", "tier", "job-name", "an odd marker-5ecret key"]).prop_map(str::to_owned);
    let values = select(vec![MARKER, "blue", "red"]).prop_map(str::to_owned);
    proptest::collection::btree_map(keys, values, 0..3).prop_map(|mut labels| {
        // By these, things know each other: they are names, and are kept.
        labels
            .entry("job-name".into())
            .and_modify(|value| *value = "agents".into());
        labels
    })
}

fn selectors() -> impl Strategy<Value = LabelSelector> {
    let operator = select(vec![
        Operator::In,
        Operator::NotIn,
        Operator::Exists,
        Operator::DoesNotExist,
        Operator::Unknown,
    ]);
    let requirement = (operator, vec(select(vec![MARKER, "blue"]), 0..2)).prop_map(|(operator, values)| Requirement {
        key: "team".into(),
        operator,
        values: values.into_iter().map(str::to_owned).collect(),
    });
    let generated = Just(LabelSelector {
        match_labels: BTreeMap::from([("batch.kubernetes.io/controller-uid".into(), "uid".into())]),
        match_expressions: Vec::new(),
    });
    let manual = (labels(), vec(requirement, 0..2)).prop_map(|(match_labels, match_expressions)| LabelSelector {
        match_labels,
        match_expressions,
    });
    prop_oneof![3 => generated, 1 => manual]
}

fn templates() -> impl Strategy<Value = Arc<Template>> {
    let annotation = select(vec![
        ("max-active-builds", "2"),
        ("max-active-builds", " 1 "),
        ("max-active-builds", MARKER),
        ("max-active-builds", "2 marker-5ecret"),
        ("max-active-build", MARKER),
        ("min-idle", "1"),
        ("min-idle", "3"),
        ("disconnect-after-idle-timeout", "30"),
        ("pvc-size", "10Gi"),
        ("pvc-size", MARKER),
        ("pvc-mount-path", "/marker-5ecret"),
        ("pvc-mount-path", MARKER),
        ("pvc-storage-class-name", "marker-5ecret"),
        ("pvc-storage-class-name", "marker-5ecret!"),
    ]);
    let annotations = vec(annotation, 0..4);
    let which = (
        0..3u8,
        select(vec!["apple", "berry"]),
        select(vec![0i64, 0, 0, 1]),
        any::<bool>(),
    );
    (which, annotations, selectors(), pod_templates()).prop_map(
        |((number, queue, parallelism, deleting), annotations, selector, pod_template)| {
            let pod_template = PodTemplate(pod_template);
            Arc::new(Template {
                uid: Uid::from(format!("template-{number}")),
                namespace: "builds".into(),
                name: format!("agents-{number}"),
                queue: Some(Queue::from(queue)),
                parallelism,
                created_at: START,
                deleting: deleting && number == 2,
                finished: false,
                selector,
                annotations: annotations
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .collect(),
                hash: pod_template.fingerprint(),
                pod_template,
            })
        },
    )
}

fn pods() -> impl Strategy<Value = Arc<Pod>> {
    let stage = select(vec![
        PodStage::Unscheduled,
        PodStage::Starting,
        PodStage::Running,
        PodStage::Failed,
    ]);
    let trouble = select(vec![
        None,
        Some("ImagePullBackOff"),
        Some("of marker-5ecret: b"),
        Some("a marker-5ecret"),
    ]);
    (0..6u8, 0..3u8, select(vec!["apple", "berry"]), stage, trouble).prop_map(
        |(number, template, queue, stage, trouble)| {
            Arc::new(Pod {
                uid: Uid::from(format!("pod-{number}")),
                namespace: "builds".into(),
                name: format!("pod-{number}"),
                queue: Some(Queue::from(queue)),
                template_uid: Some(Uid::from(format!("template-{template}"))),
                template_hash: None,
                created_at: START,
                deleting: false,
                stage,
                hostname: Some(format!("pod-{number}")),
                trouble: trouble.map(str::to_owned),
                message: trouble.map(|_| "no words".into()),
                adopted: false,
            })
        },
    )
}

fn agents() -> impl Strategy<Value = Agent> {
    let running = option::of((0..6u8).prop_map(|number| format!("job-{number}").into()));
    (0..6u8, vec(tags(), 0..4), running, option::of(0..6u8)).prop_map(|(number, tags, running, pod)| Agent {
        id: format!("agent-{number}").into(),
        hostname: None,
        state: ConnectionState::Connected,
        running,
        paused: false,
        queues: vec![Queue::from("apple")],
        tags,
        pod_uid: pod.map(|pod| Uid::from(format!("pod-{pod}"))),
        connected_at: None,
    })
}

fn buildkite_jobs() -> impl Strategy<Value = BuildkiteJob> {
    let rules = prop_oneof![1 => vec(tags(), 0..3), 1 => select(vec!["os=*", "os=plan9"]).prop_map(|rule| vec![rule.to_owned()])];
    (0..9u8, select(vec!["apple", "berry", "cherry"]), rules).prop_map(|(number, queue, rules)| BuildkiteJob {
        id: format!("job-{number}").into(),
        state: JobState::Scheduled,
        queue: Queue::from(queue),
        rules,
        runnable_at: Some(START),
        started_at: None,
    })
}

fn failures() -> impl Strategy<Value = Failure> {
    let message = || MARKER.to_owned();
    select(vec![
        Failure::AlreadyExists { message: message() },
        Failure::NotFound { message: message() },
        Failure::Forbidden {
            kind: Refusal::Webhook,
            message: message(),
        },
        Failure::RateLimited {
            until: later(START, 30),
            message: message(),
        },
        Failure::Unavailable { message: message() },
        Failure::Rejected {
            status: 422,
            message: message(),
        },
        Failure::Malformed { message: message() },
        Failure::FateUnknown { message: message() },
        Failure::TimeRefused { message: message() },
        Failure::OverBudget,
    ])
}

fn views<T: std::fmt::Debug + Clone>(
    rows: impl Strategy<Value = T>,
    most: usize,
) -> impl Strategy<Value = View<Vec<T>>> {
    prop_oneof![
        8 => vec(rows, 0..most).prop_map(View::Complete),
        1 => failures().prop_map(View::Unknown),
    ]
}

/// What a controller can be told; ids are filled in by the teller.
pub(crate) fn inputs() -> impl Strategy<Value = Input> {
    let cluster =
        (views(templates(), 4), views(pods(), 6), any::<bool>()).prop_map(|(templates, pods, asked)| Input::Cluster {
            id: asked.then_some(CommandId(0)),
            view: ClusterView {
                begun_at: START,
                templates,
                pods,
            },
        });
    let end = prop_oneof![
        6 => Just(LookEnd::Complete),
        1 => Just(LookEnd::More(Cursor::Agents { page: 2 })),
        1 => failures().prop_map(|failure| LookEnd::Failed(Cursor::START, failure)),
    ];
    let look =
        (vec(buildkite_jobs(), 0..6), vec(agents(), 0..6), end).prop_map(|(jobs, agents, end)| Input::Buildkite {
            id: CommandId(0),
            look: Look {
                begun_at: START,
                jobs,
                agents,
                end,
                spending: Spending {
                    requests: 2,
                    limits: Vec::new(),
                },
            },
        });
    let outcome = prop_oneof![2 => Just(Outcome::Done), 1 => failures().prop_map(Outcome::Failed)];
    let outcome = outcome.prop_map(|outcome| Input::Outcome {
        id: CommandId(0),
        outcome,
        spending: Spending::default(),
    });
    prop_oneof![2 => Just(Input::Tick), 4 => cluster, 4 => look, 4 => outcome]
}

/// A life: what a controller is told, and how many seconds pass before it.
pub(crate) fn lives() -> impl Strategy<Value = Vec<(u32, Input)>> {
    vec((0..90u32, inputs()), 1..30)
}

/// A life that needs more than one small file.
pub(crate) fn long_lives() -> impl Strategy<Value = Vec<(u32, Input)>> {
    vec((0..90u32, inputs()), 40..90)
}

/// The time so many seconds after another.
pub(crate) fn later(at: Timestamp, seconds: u32) -> Timestamp {
    at.after(std::time::Duration::from_secs(seconds.into()))
}
