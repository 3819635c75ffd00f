//! A controller that is told things, and what must hold of each of its steps.

use std::sync::Arc;
use std::time::Duration;

use buildscaler_core::{
    Action, Agent, BuildkiteJob, ClusterView, Command, CommandId, Config, ConnectionState, Controller, FindingChange,
    Input, JobState, Look, LookEnd, Outcome, Pod, Queue, Spending, Step, Template, Timestamp, View,
};
use buildscaler_wire::{pod, template};
use serde_json::json;

use crate::replies::NOW;

/// More commands than any step here can have: eight at a time, in each of a
/// few lanes, and two looks.
const MOST_COMMANDS: usize = 64;
/// More letters than any finding may have.
const LONGEST_DETAIL: usize = 4_000;
/// The jobs that wait in each queue that there is a template for.
const JOBS: usize = 12;

/// A controller and what it was told last.
pub(crate) struct Life {
    controller: Controller,
    now: Timestamp,
    open: Vec<Command>,
    templates: Vec<Arc<Template>>,
    pods: Vec<Arc<Pod>>,
    agents: Vec<Agent>,
}

impl Life {
    /// A controller that has been started and knows nothing.
    pub(crate) fn new() -> Self {
        Self::of(Controller::new(Config::default()), NOW)
    }

    /// Any controller, at any time.
    pub(crate) fn of(controller: Controller, now: Timestamp) -> Self {
        let mut life = Self {
            controller,
            now,
            open: Vec::new(),
            templates: Vec::new(),
            pods: Vec::new(),
            agents: Vec::new(),
        };
        life.tell(Input::Tick);
        life
    }

    /// One that has seen a template with some pods.
    pub(crate) fn with_pods() -> Self {
        let mut life = Self::new();
        life.show(vec![template_of("linux", json!({}))], (0..4).map(running_pod).collect());
        life
    }

    /// Shows a cluster, as the answer to the look that waits.
    pub(crate) fn show(&mut self, templates: Vec<Template>, pods: Vec<Pod>) {
        let id = self.cluster_id();
        let view = ClusterView {
            begun_at: self.now,
            templates: View::Complete(templates.into_iter().map(Arc::new).collect()),
            pods: View::Complete(pods.into_iter().map(Arc::new).collect()),
        };
        self.tell(Input::Cluster { id: Some(id), view });
    }

    /// The look at the cluster that waits for its answer.
    pub(crate) fn cluster_id(&mut self) -> CommandId {
        self.take(|action| matches!(action, Action::ObserveCluster))
    }

    /// The look at Buildkite that waits for its answer.
    pub(crate) fn look_id(&mut self) -> CommandId {
        self.take(|action| matches!(action, Action::ObserveBuildkite { .. }))
    }

    /// Waits until there is such a command, and takes it.
    fn take(&mut self, is_meant: impl Fn(&Action) -> bool) -> CommandId {
        for _ in 0..50 {
            if let Some(at) = self.open.iter().position(|command| is_meant(&command.action)) {
                return self.open.remove(at).id;
            }
            self.now = self.now.after(Duration::from_secs(20));
            self.tell(Input::Tick);
        }
        // It waits for a limit that some answer told of.
        CommandId(u64::MAX)
    }

    /// Tells the controller something, and looks at what it makes of it.
    pub(crate) fn tell(&mut self, input: Input) {
        match &input {
            Input::Cluster { view, .. } => {
                if let (View::Complete(templates), View::Complete(pods)) = (&view.templates, &view.pods) {
                    (self.templates, self.pods) = (templates.clone(), pods.clone());
                }
            }
            Input::Buildkite { look, .. } => {
                if look.end == LookEnd::Complete {
                    self.agents.clone_from(&look.agents);
                }
            }
            Input::Tick | Input::Outcome { .. } | Input::Lease { .. } | Input::Shutdown => {}
        }
        let step = self.controller.step(self.now, input);
        self.judge(&step);
        self.open.extend(step.commands);
    }

    /// Lets a few hours pass: everything is answered, queues have work.
    pub(crate) fn go_on(&mut self) {
        for round in 0..12_u64 {
            self.now = self.now.after(Duration::from_secs(15 * (round + 1)));
            for command in std::mem::take(&mut self.open) {
                let answer = self.answer(&command);
                self.tell(answer);
            }
            self.tell(Input::Tick);
        }
        self.assert_reads_back();
    }

    fn answer(&self, command: &Command) -> Input {
        let id = command.id;
        match &command.action {
            Action::ObserveCluster => Input::Cluster {
                id: Some(id),
                view: ClusterView {
                    begun_at: self.now,
                    templates: View::Complete(self.templates.clone()),
                    pods: View::Complete(self.pods.clone()),
                },
            },
            Action::ObserveBuildkite { .. } => Input::Buildkite {
                id,
                look: Look {
                    begun_at: self.now,
                    jobs: self
                        .templates
                        .iter()
                        .filter_map(|row| row.queue.as_ref())
                        .flat_map(jobs)
                        .collect(),
                    agents: self.agents.clone(),
                    end: LookEnd::Complete,
                    spending: Spending::default(),
                },
            },
            Action::ReadLease { .. } | Action::WriteLease(_) => Input::Lease {
                id,
                view: View::Complete(None),
            },
            Action::CreatePod(_)
            | Action::StopAgent { .. }
            | Action::DeletePod { .. }
            | Action::RegisterUsage { .. }
            | Action::MeterUsage { .. } => Input::Outcome {
                id,
                outcome: Outcome::Done,
                spending: Spending::default(),
            },
        }
    }

    fn judge(&self, step: &Step) {
        assert!(
            step.commands.len() <= MOST_COMMANDS,
            "{} commands in one step",
            step.commands.len()
        );
        for change in &step.findings {
            let (FindingChange::Raised(finding) | FindingChange::Cleared(finding)) = change;
            let length = finding.detail.len() + finding.subject.len();
            assert!(length <= LONGEST_DETAIL, "a finding of {length} letters");
        }
        for command in &step.commands {
            match &command.action {
                Action::DeletePod { uid, .. } => self.assert_not_at_work(uid.as_str()),
                Action::CreatePod(create) => {
                    let kind = create.manifest.get("kind").and_then(serde_json::Value::as_str);
                    assert_eq!(kind, Some("Pod"), "what is created is a pod");
                }
                Action::ObserveCluster
                | Action::ObserveBuildkite { .. }
                | Action::StopAgent { .. }
                | Action::RegisterUsage { .. }
                | Action::MeterUsage { .. }
                | Action::ReadLease { .. }
                | Action::WriteLease(_) => {}
            }
        }
        let written = serde_json::to_string(step).expect("a step can be written");
        let read: Step = serde_json::from_str(&written).expect("what was written can be read");
        assert_eq!(&read, step, "a step reads back as it was written");
    }

    /// The one promise: no build is interrupted (Invariant 1).
    fn assert_not_at_work(&self, uid: &str) {
        let alive = |pod: &Pod| pod.uid.as_str() == uid && !pod.stage.is_finished();
        let at_work = |agent: &Agent| {
            agent.running.is_some()
                && agent.state != ConnectionState::Other
                && agent.pod_uid.as_ref().is_some_and(|pod| pod.as_str() == uid)
        };
        let interrupted = self.pods.iter().any(|pod| alive(pod)) && self.agents.iter().any(at_work);
        assert!(!interrupted, "a pod is deleted whose agent is at work: {uid}");
    }

    /// A controller that is written down and read takes the same step.
    fn assert_reads_back(&mut self) {
        let written = serde_json::to_string(&self.controller).expect("a controller can be written");
        let mut read: Controller = serde_json::from_str(&written).expect("what was written can be read");
        let later = self.now.after(Duration::from_secs(3600));
        assert_eq!(read.step(later, Input::Tick), self.controller.step(later, Input::Tick));
        let saved = self.controller.save();
        let written = serde_json::to_string(&saved).expect("memory can be written");
        assert_eq!(
            serde_json::from_str(&written).ok().as_ref(),
            Some(&saved),
            "memory reads back as it was written"
        );
    }
}

/// Jobs that wait in a queue.
fn jobs(queue: &Queue) -> impl Iterator<Item = BuildkiteJob> {
    (0..JOBS).map(move |number| BuildkiteJob {
        id: format!("{queue}-{number}").into(),
        state: JobState::Scheduled,
        queue: queue.clone(),
        rules: Vec::new(),
        runnable_at: Some(NOW),
        started_at: None,
    })
}

/// A template of this queue with these annotations.
pub(crate) fn template_of(queue: &str, annotations: serde_json::Value) -> Template {
    let job = json!({
        "metadata": {
            "uid": format!("template-{queue}"), "namespace": "builds", "name": queue,
            "creationTimestamp": "2026-11-01T08:00:00Z",
            "labels": {"app.elotl.co": "buildscaler", "buildscaler.elotl.co/queue": queue},
            "annotations": annotations,
        },
        "spec": {
            "parallelism": 0,
            "selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": format!("template-{queue}")}},
            "template": {"metadata": {}, "spec": {
                "restartPolicy": "Never",
                "containers": [{
                    "name": "agent", "image": "buildkite/agent:3",
                    "env": [{"name": "BUILDKITE_AGENT_TOKEN", "value": "token"}],
                }],
            }},
        },
    });
    template(&job).expect("a template")
}

/// A running pod of the template of the queue `linux`.
pub(crate) fn running_pod(number: usize) -> Pod {
    let object = json!({
        "metadata": {
            "uid": format!("pod-{number}"), "namespace": "builds", "name": format!("linux-{number}"),
            "creationTimestamp": "2026-11-01T08:00:00Z",
            "labels": {
                "app.elotl.co": "buildscaler", "buildscaler.elotl.co/queue": "linux",
                "buildscaler.elotl.co/job-uid": "template-linux",
            },
        },
        "spec": {"nodeName": "node-1", "containers": [{"name": "agent"}]},
        "status": {"phase": "Running", "containerStatuses": [{
            "name": "agent", "state": {"running": {"startedAt": "2026-11-01T08:00:00Z"}},
        }]},
    });
    pod(&object).expect("a pod")
}
