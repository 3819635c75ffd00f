//! Single things, as plain as they come: tests vary them by struct update.

use std::collections::BTreeMap;
use std::time::Duration;

use buildscaler_core::selector::LabelSelector;
use buildscaler_core::{
    Agent, BuildkiteJob, ConnectionState, Failure, JobState, Pod, PodStage, PodTemplate, Queue, Template, Timestamp,
    Uid,
};
use serde_json::json;

/// Where every test's time begins.
pub(crate) const START: Timestamp = Timestamp::from_millis(1_793_534_400_000);
/// The specification's ten minutes.
pub(crate) const TEN_MINUTES: Duration = Duration::from_secs(600);

pub(crate) fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

pub(crate) fn queue(name: &str) -> Queue {
    Queue::from(name)
}

/// A Job as the API server returns it: its labels are on the pod template too.
pub(crate) fn template(name: &str, queue: &str) -> Template {
    let uid = format!("uid-{name}");
    let pod_template = PodTemplate(json!({
        "metadata": {"labels": {
            "controller-uid": uid, "job-name": name,
            "batch.kubernetes.io/controller-uid": uid, "batch.kubernetes.io/job-name": name
        }},
        "spec": {
            "restartPolicy": "OnFailure",
            "containers": [{
                "name": "agent", "image": "buildkite/agent:3",
                "env": [{"name": "BASH_JOB", "value": "my_bash_job"}],
                "envFrom": [{"secretRef": {"name": "buildkite-agent-token"}}]
            }]
        }
    }));
    Template {
        uid: Uid::from(uid.as_str()),
        namespace: "builds".into(),
        name: name.into(),
        queue: Some(Queue::from(queue)),
        parallelism: 0,
        created_at: START.before(secs(86_400)),
        deleting: false,
        finished: false,
        selector: LabelSelector {
            match_labels: BTreeMap::from([("batch.kubernetes.io/controller-uid".into(), uid)]),
            match_expressions: Vec::new(),
        },
        annotations: BTreeMap::new(),
        hash: pod_template.fingerprint(),
        pod_template,
    }
}

/// A running pod made from `template` a minute ago.
pub(crate) fn pod(uid: &str, template: &Template) -> Pod {
    Pod {
        uid: Uid::from(uid),
        namespace: template.namespace.clone(),
        name: format!("pod-{uid}"),
        queue: template.queue.clone(),
        template_uid: Some(template.uid.clone()),
        template_hash: Some(template.hash.clone()),
        created_at: START.before(secs(60)),
        deleting: false,
        stage: PodStage::Running,
        hostname: Some(format!("pod-{uid}")),
        trouble: None,
        message: None,
        adopted: false,
    }
}

/// An idle agent in `pod`.
pub(crate) fn agent(id: &str, pod: &Pod) -> Agent {
    Agent {
        pod_uid: Some(pod.uid.clone()),
        hostname: pod.hostname.clone(),
        tags: vec![format!("pod-uid={}", pod.uid)],
        ..foreign_agent(id, pod.queue.as_ref().map_or("default", Queue::as_str))
    }
}

/// An idle agent that belongs to no pod.
pub(crate) fn foreign_agent(id: &str, queue: &str) -> Agent {
    Agent {
        id: id.into(),
        hostname: Some(format!("host-{id}")),
        state: ConnectionState::Connected,
        running: None,
        paused: false,
        queues: vec![Queue::from(queue)],
        tags: vec![format!("queue={queue}")],
        pod_uid: None,
        connected_at: Some(START),
    }
}

/// An agent in `pod` that runs a job of nobody's list.
pub(crate) fn busy(id: &str, pod: &Pod) -> Agent {
    Agent {
        running: Some(format!("job-of-{id}").into()),
        ..agent(id, pod)
    }
}

/// A job that wants an agent of `queue` now.
pub(crate) fn waiting(id: &str, queue: &str) -> BuildkiteJob {
    BuildkiteJob {
        id: id.into(),
        state: JobState::Scheduled,
        queue: Queue::from(queue),
        rules: Vec::new(),
        runnable_at: Some(START),
        started_at: None,
    }
}

/// `count` such jobs.
pub(crate) fn jobs(count: usize, queue: &str) -> Vec<BuildkiteJob> {
    (0..count)
        .map(|number| waiting(&format!("{queue}-{number}"), queue))
        .collect()
}

pub(crate) fn unavailable() -> Failure {
    Failure::Unavailable {
        message: "connection refused".into(),
    }
}

pub(crate) fn fate_unknown() -> Failure {
    Failure::FateUnknown {
        message: "connection reset".into(),
    }
}

pub(crate) fn already_exists() -> Failure {
    Failure::AlreadyExists {
        message: "exists".into(),
    }
}

pub(crate) fn not_found() -> Failure {
    Failure::NotFound { message: "gone".into() }
}

pub(crate) fn forbidden(kind: buildscaler_core::Refusal) -> Failure {
    Failure::Forbidden {
        kind,
        message: "no".into(),
    }
}

pub(crate) fn rate_limited(until: Timestamp) -> Failure {
    Failure::RateLimited {
        until,
        message: "slow down".into(),
    }
}
