//! Why: the story of one thing, picked out of a recording.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use buildscaler_core::selector::LabelSelector;
use buildscaler_core::{
    Agent, BuildkiteJob, ClusterView, CommandId, ConnectionState, Input, JobState, Look, LookEnd, Outcome, Pod,
    PodStage, PodTemplate, Queue, Spending, Template, Uid, View,
};
use buildscaler_recording::{Kind, Recording, Story, why};
use serde_json::json;

use crate::odd::later;
use crate::support::{Life, START};

fn told(folder: &Path, id: &str) -> Story {
    why(&Recording::find(folder).unwrap(), id)
        .unwrap()
        .expect("it is known")
}

fn template() -> Arc<Template> {
    let pod_template = PodTemplate(json!({"spec": {"containers": [{"name": "agent", "envFrom": [{}]}]}}));
    Arc::new(Template {
        uid: Uid::from("template"),
        namespace: "builds".into(),
        name: "linux".into(),
        queue: Some(Queue::from("linux")),
        parallelism: 0,
        created_at: START,
        deleting: false,
        finished: false,
        selector: LabelSelector {
            match_labels: [("batch.kubernetes.io/controller-uid".to_owned(), "template".to_owned())].into(),
            match_expressions: Vec::new(),
        },
        annotations: std::collections::BTreeMap::new(),
        hash: pod_template.fingerprint(),
        pod_template,
    })
}

fn pod(name: &str, stage: PodStage, template: &Template) -> Arc<Pod> {
    Arc::new(Pod {
        uid: Uid::from("pod-uid"),
        namespace: "builds".into(),
        name: name.into(),
        queue: template.queue.clone(),
        template_uid: Some(template.uid.clone()),
        template_hash: Some(template.hash.clone()),
        created_at: later(START, 12),
        deleting: false,
        stage,
        hostname: Some(name.into()),
        trouble: None,
        message: None,
        adopted: false,
    })
}

/// An agent that is linked by its hostname alone.
fn agent(pod: &Pod, running: Option<&str>) -> Agent {
    Agent {
        id: "agent".into(),
        hostname: pod.hostname.clone(),
        state: ConnectionState::Connected,
        running: running.map(Into::into),
        paused: false,
        queues: vec![Queue::from("linux")],
        tags: Vec::new(),
        pod_uid: None,
        connected_at: Some(later(START, 30)),
    }
}

fn waiting(id: &str, queue: &str) -> BuildkiteJob {
    BuildkiteJob {
        id: id.into(),
        state: JobState::Scheduled,
        queue: Queue::from(queue),
        rules: Vec::new(),
        runnable_at: Some(START),
        started_at: None,
    }
}

fn cluster(pods: Vec<Arc<Pod>>) -> Input {
    Input::Cluster {
        id: Some(CommandId(0)),
        view: ClusterView {
            begun_at: START,
            templates: View::Complete(vec![template()]),
            pods: View::Complete(pods),
        },
    }
}

fn look(jobs: Vec<BuildkiteJob>, agents: Vec<Agent>) -> Input {
    Input::Buildkite {
        id: CommandId(0),
        look: Look {
            begun_at: START,
            jobs,
            agents,
            end: LookEnd::Complete,
            spending: Spending {
                requests: 2,
                limits: Vec::new(),
            },
        },
    }
}

/// A job on `linux` that waits from the start for 50 seconds, another on `mac`
/// that nobody serves.
fn recorded(folder: &Path) -> String {
    let mut life = Life::begin(folder, 10_000_000);
    let jobs = || vec![waiting("served", "linux"), waiting("forgotten", "mac")];
    life.tell(9, cluster(Vec::new()));
    let step = life.tell(1, look(jobs(), Vec::new()));
    let name = step
        .commands
        .iter()
        .find_map(|command| match &command.action {
            buildscaler_core::Action::CreatePod(create) => Some(create.name.clone()),
            buildscaler_core::Action::ObserveCluster
            | buildscaler_core::Action::ObserveBuildkite { .. }
            | buildscaler_core::Action::StopAgent { .. }
            | buildscaler_core::Action::DeletePod { .. }
            | buildscaler_core::Action::RegisterUsage { .. }
            | buildscaler_core::Action::MeterUsage { .. }
            | buildscaler_core::Action::ReadLease { .. }
            | buildscaler_core::Action::WriteLease(_) => None,
        })
        .expect("a pod is asked for");
    life.tell(
        1,
        Input::Outcome {
            id: CommandId(0),
            outcome: Outcome::Done,
            spending: Spending::default(),
        },
    );
    life.tell(9, Input::Tick);
    life.tell(1, cluster(vec![pod(&name, PodStage::Running, &template())]));
    let running = agent(&pod(&name, PodStage::Running, &template()), Some("served"));
    life.tell(9, Input::Tick);
    life.tell(20, look(jobs(), vec![running]));
    name
}

fn mark(story: &Story, name: &str) -> Option<u64> {
    let mark = story.marks.iter().find(|mark| mark.name == name)?;
    Some(mark.after_millis)
}

/// Seen to fail when agents were linked to their pods by tag only.
#[test]
fn a_served_job_is_told_with_its_agent_and_the_pod_of_its_agent() {
    let folder = tempfile::tempdir().unwrap();
    recorded(folder.path());
    let story = told(folder.path(), "served");
    assert_eq!(
        (story.kind, story.queue.as_deref()),
        (Kind::BuildkiteJob, Some("linux"))
    );
    assert_eq!(mark(&story, "detected"), Some(10_000), "{}", story.summary);
    assert_eq!(mark(&story, "pod asked for"), Some(10_000));
    assert_eq!(mark(&story, "created"), Some(11_000));
    assert_eq!(mark(&story, "running"), Some(21_000));
    assert_eq!(mark(&story, "agent connected"), Some(30_000));
    assert_eq!(mark(&story, "started"), Some(50_000));
    assert!(
        story.summary.starts_with("waited 50.0 s: detected after 10.0 s"),
        "{}",
        story.summary
    );
}

#[test]
fn a_job_that_nobody_serves_is_told_with_the_finding() {
    let folder = tempfile::tempdir().unwrap();
    recorded(folder.path());
    let story = told(folder.path(), "forgotten");
    assert!(
        story.summary.starts_with("has waited 50.0 s when the recording ends"),
        "{}",
        story.summary
    );
    assert!(
        story
            .events
            .iter()
            .any(|event| event.what.starts_with("no_template mac")),
        "{story:?}"
    );
}

#[test]
fn a_pod_is_found_by_its_name_its_key_and_its_uid() {
    let folder = tempfile::tempdir().unwrap();
    let name = recorded(folder.path());
    let story = told(folder.path(), &name);
    assert_eq!(story.kind, Kind::Pod);
    assert!(
        story.events.iter().any(|event| event.what.contains("runs job served")),
        "{story:?}"
    );
    for id in [&format!("builds/{name}"), "pod-uid"] {
        assert_eq!(told(folder.path(), id).events, story.events);
    }
    assert_eq!(told(folder.path(), "agent").kind, Kind::Agent);
    let unknown = why(&Recording::find(folder.path()).unwrap(), "nobody").unwrap();
    assert_eq!(unknown, None);
}

/// Half a recording is better than none.
#[test]
fn what_cannot_be_read_is_named_and_the_rest_is_told() {
    let folder = tempfile::tempdir().unwrap();
    recorded(folder.path());
    let damaged = folder.path().join("recording-00000000000001-1-000001.jsonl");
    fs::write(&damaged, "damaged\n").unwrap();
    let story = told(folder.path(), "served");
    assert_eq!(mark(&story, "started"), Some(50_000));
    let [unread] = story.unread.as_slice() else {
        panic!("{:?}", story.unread);
    };
    assert!(unread.contains(damaged.to_str().unwrap()), "{unread}");
}
