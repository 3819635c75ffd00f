//! A controller that is looked at, and what it is shown.

use std::sync::Arc;
use std::time::Duration;

use buildscaler_core::selector::LabelSelector;
use buildscaler_core::{
    Action, Agent, BuildkiteJob, ClusterView, Command, Config, ConnectionState, Controller, Failure, Input, JobState,
    LimitReading, LimitScope, Look, LookEnd, Outcome, Pod, PodStage, PodTemplate, Refusal, Spending, Template,
    Timestamp, View,
};
use serde_json::json;

use crate::run::Observer;
use crate::serve::About;
use crate::status::notes::{Notes, Onlooker};

/// 2026-11-24 03:00:00 UTC.
pub(super) const START: Timestamp = Timestamp::from_millis(1_795_489_200_000);
/// What is in the template's environment and nowhere else.
pub(super) const MARKER: &str = "marker-of-a-secret-value";
/// Looks like a token of Buildkite's.
pub(super) const TOKEN: &str = "bkua_0123456789abcdef0123456789abcdef01234567";

pub(super) fn at(seconds: u64) -> Timestamp {
    START.after(Duration::from_secs(seconds))
}

/// A controller that is looked at.
pub(super) struct Stage {
    controller: Controller,
    pub(super) onlooker: Onlooker,
    now: Timestamp,
    commands: Vec<Command>,
}

impl Stage {
    fn new(dry_run: bool) -> Self {
        let config = Config {
            max_active_builds: Some(6),
            dry_run,
            ..Config::default()
        };
        let about = About {
            organization: "acme",
            namespace: Some("ci"),
            config: &config,
        };
        let mut stage = Self {
            onlooker: Onlooker::new(&about),
            controller: Controller::new(config),
            now: START,
            commands: Vec::new(),
        };
        stage.tell(Input::Tick);
        stage
    }

    pub(super) fn tell(&mut self, input: Input) {
        self.now = self.now.after(Duration::from_millis(250));
        self.onlooker.told(self.now, &input);
        let step = self.controller.step(self.now, input);
        self.onlooker.stepped(self.now, &step, &self.controller);
        self.commands.extend(step.commands);
    }

    fn take(&mut self, of: impl Fn(&Action) -> bool) -> Command {
        let place = self
            .commands
            .iter()
            .position(|command| of(&command.action))
            .expect("sent");
        self.commands.remove(place)
    }

    pub(super) fn show_cluster(&mut self, templates: View<Vec<Arc<Template>>>, pods: Vec<Pod>) {
        let id = self.take(|action| matches!(action, Action::ObserveCluster)).id;
        let pods = View::Complete(pods.into_iter().map(Arc::new).collect());
        let begun_at = self.now;
        let view = ClusterView {
            begun_at,
            templates,
            pods,
        };
        self.tell(Input::Cluster { id: Some(id), view });
    }

    pub(super) fn show_buildkite(&mut self, jobs: Vec<BuildkiteJob>, agents: Vec<Agent>, end: LookEnd) {
        let id = self.take(|action| matches!(action, Action::ObserveBuildkite { .. })).id;
        let limits = vec![LimitReading {
            scope: LimitScope::Organization,
            limit: 200,
            remaining: 188,
            reset_at: at(60),
        }];
        let spending = Spending { requests: 2, limits };
        let begun_at = self.now;
        let look = Look {
            begun_at,
            jobs,
            agents,
            end,
            spending,
        };
        self.tell(Input::Buildkite { id, look });
    }

    fn answer_create(&mut self, outcome: Outcome) {
        let id = self.take(|action| matches!(action, Action::CreatePod(_))).id;
        let spending = Spending::default();
        self.tell(Input::Outcome { id, outcome, spending });
    }

    pub(super) fn wait(&mut self, seconds: u64) {
        self.now = self.now.after(Duration::from_secs(seconds));
        self.tell(Input::Tick);
    }

    pub(super) fn notes(&self) -> Notes {
        self.onlooker.notebook().read()
    }
}

fn template() -> Arc<Template> {
    let pod_template = PodTemplate(json!({"spec": {"containers": [{
        "name": "agent",
        "image": "buildkite/agent:3",
        "env": [{"name": "LICENCE", "value": MARKER}],
        "envFrom": [{"secretRef": {"name": "buildkite-agent-token"}}],
    }]}}));
    Arc::new(Template {
        uid: "t-1".into(),
        namespace: "ci".into(),
        name: "linux-template".into(),
        queue: Some("linux".into()),
        parallelism: 0,
        created_at: at(0).before(Duration::from_secs(86_400)),
        deleting: false,
        finished: false,
        selector: LabelSelector {
            match_labels: [("controller-uid".to_owned(), "t-1".to_owned())].into(),
            match_expressions: Vec::new(),
        },
        annotations: std::collections::BTreeMap::default(),
        hash: pod_template.fingerprint(),
        pod_template,
    })
}

fn pod(name: &str, stage: PodStage) -> Pod {
    let template = template();
    Pod {
        uid: format!("uid-{name}").into(),
        namespace: "ci".into(),
        name: name.into(),
        queue: template.queue.clone(),
        template_uid: Some(template.uid.clone()),
        template_hash: Some(template.hash.clone()),
        created_at: at(0).before(Duration::from_secs(120)),
        deleting: false,
        stage,
        hostname: Some(name.into()),
        trouble: None,
        message: None,
        adopted: false,
    }
}

fn agent(id: &str, pod: &str, running: Option<&str>) -> Agent {
    Agent {
        id: id.into(),
        hostname: Some(pod.into()),
        state: ConnectionState::Connected,
        running: running.map(Into::into),
        paused: false,
        queues: vec!["linux".into()],
        tags: vec!["queue=linux".into()],
        pod_uid: Some(format!("uid-{pod}").into()),
        connected_at: Some(at(0).before(Duration::from_secs(60))),
    }
}

fn work(id: &str, queue: &str, state: JobState, waited: u64) -> BuildkiteJob {
    BuildkiteJob {
        id: id.into(),
        state,
        queue: queue.into(),
        rules: Vec::new(),
        runnable_at: Some(at(0).before(Duration::from_secs(waited))),
        started_at: None,
    }
}

fn jobs() -> Vec<BuildkiteJob> {
    let mut jobs = vec![
        work("job-running", "linux", JobState::Active, 100),
        work("job-oldest", "linux", JobState::Scheduled, 95),
        work("job-mac", "mac", JobState::Scheduled, 300),
        work("job-held", "linux", JobState::Limited, 20),
    ];
    jobs.extend((0..8).map(|number| work(&format!("job-{number}"), "linux", JobState::Scheduled, 40 - number)));
    jobs
}

/// A burst on a queue with a busy, an idle and a starting agent, a ceiling that
/// is too low, a queue that nobody serves, and a create that is refused with
/// words that hold secrets.
pub(super) fn burst() -> Stage {
    let mut stage = Stage::new(false);
    let pods = || {
        vec![
            pod("linux-busy", PodStage::Running),
            pod("linux-idle", PodStage::Running),
            pod("linux-new", PodStage::Starting),
        ]
    };
    let agents = || {
        vec![
            agent("agent-busy", "linux-busy", Some("job-running")),
            agent("agent-idle", "linux-idle", None),
        ]
    };
    stage.show_cluster(View::Complete(vec![template()]), pods());
    stage.show_buildkite(jobs(), agents(), LookEnd::Complete);
    let message = format!("webhook says no to LICENCE={MARKER}, <b>Bearer {TOKEN}</b>");
    let kind = Refusal::Webhook;
    stage.answer_create(Outcome::Failed(Failure::Forbidden { kind, message }));
    stage
}

/// A dry run on that burst, of which the idle agent has an old template and a
/// pod is over.
pub(super) fn dry_burst() -> Stage {
    let mut stage = Stage::new(true);
    let old = Pod {
        template_hash: Some(PodTemplate(json!({"spec": {}})).fingerprint()),
        ..pod("linux-idle", PodStage::Running)
    };
    let pods = vec![
        pod("linux-busy", PodStage::Running),
        old,
        pod("linux-over", PodStage::Succeeded),
    ];
    let agents = vec![
        agent("agent-busy", "linux-busy", Some("job-running")),
        agent("agent-idle", "linux-idle", None),
    ];
    stage.show_cluster(View::Complete(vec![template()]), pods);
    stage.show_buildkite(jobs(), agents, LookEnd::Complete);
    stage
}
