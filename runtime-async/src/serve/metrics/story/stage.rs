//! A controller that is measured, and what it is shown.

use std::sync::Arc;

use buildscaler_core::{
    Action, Agent, BuildkiteJob, ClusterView, Config, ConnectionState, Controller, Input, JobState, LimitReading,
    LimitScope, Look, LookEnd, Pod, PodStage, Queue, Spending, Step, Template, Timestamp, Uid, View,
};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use serde_json::json;

use crate::clock;
use crate::run::Observer;
use crate::serve::metrics::meter::Meter;

/// A controller with a meter on it.
pub(super) struct Story {
    start: Timestamp,
    registry: Registry,
    pub(super) meter: Meter,
    controller: Controller,
    pub(super) last: Step,
    pub(super) template: Arc<Template>,
}

impl Story {
    pub(super) fn begin() -> Self {
        Self::begin_as(Config::default())
    }

    pub(super) fn begin_as(config: Config) -> Self {
        let start = clock::wall();
        let mut registry = Registry::default();
        let mut meter = Meter::new(&mut registry);
        let mut controller = Controller::new(config);
        meter.told(start, &Input::Tick);
        let last = controller.step(start, Input::Tick);
        meter.stepped(start, &last, &controller);
        Self {
            start,
            registry,
            meter,
            controller,
            last,
            template: Arc::new(template("linux")),
        }
    }

    pub(super) fn at(&self, seconds: f64) -> Timestamp {
        Timestamp::from_millis(self.start.as_millis() + (seconds * 1000.0) as i64)
    }

    pub(super) fn tell(&mut self, seconds: f64, input: Input) {
        let now = self.at(seconds);
        self.meter.told(now, &input);
        self.last = self.controller.step(now, input);
        self.meter.stepped(now, &self.last, &self.controller);
    }

    /// Tells a view of these pods, as an answer if the controller has asked.
    pub(super) fn see_pods(&mut self, seconds: f64, pods: Vec<Arc<Pod>>) {
        let asked = self
            .last
            .commands
            .iter()
            .find(|command| command.action == Action::ObserveCluster);
        let view = ClusterView {
            begun_at: self.at(seconds),
            templates: View::Complete(vec![Arc::clone(&self.template)]),
            pods: View::Complete(pods),
        };
        let id = asked.map(|command| command.id);
        self.tell(seconds, Input::Cluster { id, view });
    }

    /// Asks for a look, shows these pods, and tells how the look ended.
    pub(super) fn look(
        &mut self,
        seconds: f64,
        pods: &[Arc<Pod>],
        jobs: Vec<BuildkiteJob>,
        agents: Vec<Agent>,
        end: LookEnd,
    ) {
        if !self.asks_buildkite() {
            self.tell(seconds, Input::Tick);
            self.see_pods(seconds, pods.to_vec());
        }
        let asked = self.last.commands.iter();
        let asked = asked.filter(|command| matches!(command.action, Action::ObserveBuildkite { .. }));
        let look = Look {
            begun_at: self.at(seconds),
            jobs,
            agents,
            end,
            spending: Spending {
                requests: 2,
                limits: vec![LimitReading {
                    scope: LimitScope::User,
                    limit: 50,
                    remaining: 41,
                    reset_at: self.at(seconds + 3600.0),
                }],
            },
        };
        let id = asked.map(|command| command.id).next().expect("it asks");
        self.tell(seconds, Input::Buildkite { id, look });
    }

    fn asks_buildkite(&self) -> bool {
        let mut commands = self.last.commands.iter();
        commands.any(|command| matches!(command.action, Action::ObserveBuildkite { .. }))
    }

    pub(super) fn exposition(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("encoded");
        text
    }

    /// The value of a series; none if there is none.
    pub(super) fn value(&self, series: &str) -> Option<f64> {
        let text = self.exposition();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map(|value| value.parse().expect("a number"))
    }

    pub(super) fn expect(&self, series: &str, value: f64) {
        let found = self.value(series);
        let close = found.is_some_and(|found| (found - value).abs() < 0.002);
        assert!(close, "{series}: {found:?}, not {value}:\n{}", self.exposition());
    }
}

pub(super) fn template(queue: &str) -> Template {
    let object = json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {
            "name": queue, "namespace": "default", "uid": "template-uid",
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "labels": {"app.elotl.co": "buildscaler", "buildscaler.elotl.co/queue": queue},
        },
        "spec": {
            "parallelism": 0,
            "selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": "template-uid"}},
            "template": {"spec": {"restartPolicy": "Never", "containers": [{
                "name": "agent", "image": "agent",
                "env": [{"name": "BUILDKITE_AGENT_TOKEN", "value": "bkct_marker"}],
            }]}},
        },
    });
    buildscaler_wire::template(&object).expect("a template")
}

pub(super) fn pod(story: &Story, stage: PodStage) -> Arc<Pod> {
    Arc::new(Pod {
        uid: Uid::from("pod-uid"),
        namespace: "default".into(),
        name: "linux-1".into(),
        queue: Some(Queue::from("linux")),
        template_uid: Some(story.template.uid.clone()),
        template_hash: Some(story.template.hash.clone()),
        created_at: story.at(20.0),
        deleting: false,
        stage,
        hostname: Some("linux-1".into()),
        trouble: None,
        message: None,
        adopted: false,
    })
}

pub(super) fn agent(story: &Story) -> Agent {
    Agent {
        id: "agent".into(),
        hostname: Some("linux-1".into()),
        state: ConnectionState::Connected,
        running: Some("waits".into()),
        paused: false,
        queues: vec![Queue::from("linux")],
        tags: Vec::new(),
        pod_uid: Some(Uid::from("pod-uid")),
        connected_at: Some(story.at(33.0)),
    }
}

pub(super) fn a_job(story: &Story, id: &str, queue: &str, runnable: f64, started: Option<f64>) -> BuildkiteJob {
    BuildkiteJob {
        id: id.into(),
        state: if started.is_some() {
            JobState::Active
        } else {
            JobState::Scheduled
        },
        queue: Queue::from(queue),
        rules: Vec::new(),
        runnable_at: Some(story.at(runnable)),
        started_at: started.map(|at| story.at(at)),
    }
}
