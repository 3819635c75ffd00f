//! One job's way from waiting to running, and what is measured of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use buildscaler_core::{
    Action, Agent, BuildkiteJob, ClusterView, CommandId, Config, ConnectionState, Controller, Cursor, Failure, Input,
    JobState, LimitReading, LimitScope, Look, LookEnd, Outcome, Pod, PodStage, Queue, Spending, Step, Template,
    Timestamp, Uid, View,
};
use openmetrics_parser::openmetrics::parse_openmetrics;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use serde_json::json;

use super::catalogue;
use super::meter::Meter;
use crate::clock;
use crate::run::Observer;

/// A controller with a meter on it.
struct Story {
    start: Timestamp,
    registry: Registry,
    meter: Meter,
    controller: Controller,
    last: Step,
    template: Arc<Template>,
}

impl Story {
    fn begin() -> Self {
        Self::begin_as(Config::default())
    }

    fn begin_as(config: Config) -> Self {
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

    fn at(&self, seconds: f64) -> Timestamp {
        Timestamp::from_millis(self.start.as_millis() + (seconds * 1000.0) as i64)
    }

    fn tell(&mut self, seconds: f64, input: Input) {
        let now = self.at(seconds);
        self.meter.told(now, &input);
        self.last = self.controller.step(now, input);
        self.meter.stepped(now, &self.last, &self.controller);
    }

    /// Tells a view of these pods, as an answer if the controller has asked.
    fn see_pods(&mut self, seconds: f64, pods: Vec<Arc<Pod>>) {
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
    fn look(&mut self, seconds: f64, pods: &[Arc<Pod>], jobs: Vec<BuildkiteJob>, agents: Vec<Agent>, end: LookEnd) {
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

    fn exposition(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("encoded");
        text
    }

    /// The value of a series; none if there is none.
    fn value(&self, series: &str) -> Option<f64> {
        let text = self.exposition();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map(|value| value.parse().expect("a number"))
    }

    fn expect(&self, series: &str, value: f64) {
        let found = self.value(series);
        let close = found.is_some_and(|found| (found - value).abs() < 0.002);
        assert!(close, "{series}: {found:?}, not {value}:\n{}", self.exposition());
    }
}

fn template(queue: &str) -> Template {
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

fn pod(story: &Story, stage: PodStage) -> Arc<Pod> {
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

fn agent(story: &Story) -> Agent {
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

fn a_job(story: &Story, id: &str, queue: &str, runnable: f64, started: Option<f64>) -> BuildkiteJob {
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

/// The whole way of one job.
fn told() -> Story {
    let mut story = Story::begin();
    story.see_pods(0.1, Vec::new());
    let old = a_job(&story, "old", "linux", -100.0, Some(-50.0));
    story.look(0.5, &[], vec![old.clone()], Vec::new(), LookEnd::Complete);
    let waits = a_job(&story, "waits", "linux", 12.0, None);
    let foreign = a_job(&story, "foreign", "mac", 12.0, None);
    story.look(
        20.0,
        &[],
        vec![old.clone(), waits, foreign],
        Vec::new(),
        LookEnd::Complete,
    );
    let create = story.last.commands.iter();
    let create = create.filter(|command| matches!(command.action, Action::CreatePod(_)));
    let id = create.map(|command| command.id).next().expect("a pod is asked for");
    let (outcome, spending) = (Outcome::Done, Spending::default());
    story.tell(20.5, Input::Outcome { id, outcome, spending });
    for (seconds, stage) in [
        (21.0, PodStage::Unscheduled),
        (23.0, PodStage::Starting),
        (30.0, PodStage::Running),
    ] {
        let pods = vec![pod(&story, stage)];
        story.see_pods(seconds, pods);
    }
    let pods = [pod(&story, PodStage::Running)];
    let runs = a_job(&story, "waits", "linux", 12.0, Some(34.0));
    let agents = vec![agent(&story)];
    // In two parts, the second of which says the same again.
    let (page, end) = (
        vec![old.clone(), runs.clone()],
        LookEnd::More(Cursor::Builds { page: 2 }),
    );
    story.look(45.0, &pods, page, Vec::new(), end);
    story.look(45.2, &pods, vec![runs], agents, LookEnd::Complete);
    story
}

#[test]
fn each_part_of_a_wait_is_measured() {
    let story = told();
    for (part, seconds) in [
        ("detection", 8.0),
        ("creation", 0.5),
        ("scheduling", 2.0),
        ("image", 7.0),
        ("registration", 3.0),
    ] {
        let labels = format!("{{queue=\"linux\",part=\"{part}\"}}");
        story.expect(&format!("buildscaler_start_part_seconds_sum{labels}"), seconds);
        story.expect(&format!("buildscaler_start_part_seconds_count{labels}"), 1.0);
    }
}

#[test]
fn each_job_counts_once_when_it_begins() {
    let mut story = told();
    let expect = |story: &Story| {
        story.expect("buildscaler_job_wait_seconds_count{queue=\"linux\"}", 1.0);
        story.expect("buildscaler_job_wait_seconds_sum{queue=\"linux\"}", 22.0);
        assert_eq!(story.value("buildscaler_job_wait_seconds_count{queue=\"mac\"}"), None);
    };
    expect(&story);
    let runs = a_job(&story, "waits", "linux", 12.0, Some(34.0));
    let pods = [pod(&story, PodStage::Running)];
    let agents = vec![agent(&story)];
    story.look(70.0, &pods, vec![runs], agents, LookEnd::Complete);
    expect(&story);
}

#[test]
fn what_there_is_is_told() {
    let story = told();
    for (series, value) in [
        ("active_agents_total", 1.0),
        ("active_pods_total", 1.0),
        ("buildkite_jobs_running_total", 2.0),
        ("sync_loop_runs_total", 3.0),
        ("sync_loop_errors_total", 0.0),
        ("buildscaler_leader", 1.0),
        ("buildscaler_dry_run", 0.0),
        ("buildscaler_queue_pods{queue=\"linux\",state=\"busy\"}", 1.0),
        ("buildscaler_queue_pods{queue=\"linux\",state=\"other\"}", 0.0),
        ("buildscaler_verdicts{reason=\"busy\"}", 1.0),
        (
            "buildscaler_commands_total{action=\"create_pod\",reason=\"demand\",outcome=\"done\"}",
            1.0,
        ),
        ("buildscaler_commands_in_flight{action=\"create_pod\"}", 0.0),
        ("buildscaler_buildkite_requests_total", 8.0),
        ("buildscaler_buildkite_requests_left{limit=\"user\"}", 41.0),
        ("buildscaler_buildkite_requests_limit{limit=\"user\"}", 50.0),
        ("buildscaler_findings{kind=\"no_template\"}", 0.0),
        ("buildscaler_job_longest_wait_seconds{queue=\"linux\"}", 0.0),
    ] {
        story.expect(series, value);
    }
}

/// The alert asks whether any controller commands.
#[test]
fn a_dry_run_is_told_and_does_not_count_as_one_that_commands() {
    let story = Story::begin_as(Config {
        dry_run: true,
        ..Config::default()
    });
    story.expect("buildscaler_dry_run", 1.0);
    story.expect("buildscaler_leader", 0.0);
}

#[test]
fn a_look_that_fails_counts_and_makes_the_view_older() {
    let mut story = told();
    let age = "buildscaler_view_age_seconds{view=\"buildkite\"}";
    let before = story.value(age);
    let failure = Failure::Unavailable {
        message: "secret-marker".into(),
    };
    let end = LookEnd::Failed(Cursor::START, failure);
    story.look(70.0, &[], Vec::new(), Vec::new(), end);
    story.expect("sync_loop_runs_total", 4.0);
    story.expect("sync_loop_errors_total", 1.0);
    story.expect("buildscaler_findings{kind=\"buildkite_unknown\"}", 1.0);
    story.expect("active_agents_total", 1.0);
    assert!(story.value(age) >= before, "the view is no younger");
    assert!(!story.exposition().contains("marker"), "words of servers are no labels");
}

/// A queue that is gone takes its series with it.
#[test]
fn queues_that_are_gone_are_forgotten() {
    let mut story = told();
    assert!(story.exposition().contains("queue=\"linux\""));
    story.template = Arc::new(template("apple"));
    story.see_pods(60.0, Vec::new());
    let text = story.exposition();
    assert!(
        !text.contains("queue=\"linux\"") && text.contains("queue=\"apple\""),
        "{text}"
    );
}

#[test]
fn what_comes_out_is_open_metrics_and_what_is_documented() {
    let text = told().exposition();
    // This parser does not know that a histogram may have a unit.
    let lines = text.lines().filter(|line| !line.starts_with("# UNIT "));
    let without_units: String = lines.flat_map(|line| [line, "\n"]).collect();
    parse_openmetrics(&without_units).unwrap_or_else(|error| panic!("{error}:\n{text}"));
    let types: BTreeMap<&str, &str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .collect();
    let documented = catalogue::ALL.iter().map(|metric| metric.family());
    let names: Vec<String> = documented.collect();
    let told: BTreeSet<&str> = types.keys().copied().collect();
    assert_eq!(told, names.iter().map(String::as_str).collect());
    // The first Buildscaler's dashboards ask for these by name.
    for (name, kind) in [
        ("active_agents_total", "gauge"),
        ("active_pods_total", "gauge"),
        ("buildkite_jobs_running_total", "gauge"),
        ("needed_pods_total", "gauge"),
        ("sync_loop_runs", "counter"),
        ("sync_loop_errors", "counter"),
    ] {
        assert_eq!(types.get(name), Some(&kind), "{name}");
    }
}

/// What the meter adds to a look at a large fleet, of all that the look takes:
/// printed, and held to a bound that leaves room for slow machines.
#[test]
fn measuring_a_large_fleet_costs_little_beside_deciding_on_it() {
    const FLEET: usize = 10_000;
    let mut story = Story::begin();
    let pods: Vec<Arc<Pod>> = (0..FLEET)
        .map(|number| {
            let one = Pod::clone(&pod(&story, PodStage::Running));
            Arc::new(Pod {
                uid: Uid::from(format!("pod-{number:05}")),
                name: format!("pod-{number:05}"),
                ..one
            })
        })
        .collect();
    let agents: Vec<Agent> = (0..FLEET)
        .map(|number| Agent {
            id: format!("agent-{number:05}").into(),
            pod_uid: Some(Uid::from(format!("pod-{number:05}"))),
            running: Some(format!("job-{number:05}").into()),
            ..agent(&story)
        })
        .collect();
    let jobs: Vec<BuildkiteJob> = (0..FLEET)
        .map(|number| a_job(&story, &format!("job-{number:05}"), "linux", 1.0, Some(2.0)))
        .collect();
    story.see_pods(0.1, pods.clone());
    let (mut metering, mut all) = (Duration::ZERO, Duration::ZERO);
    for round in 0..10 {
        let seconds = 30.0 * f64::from(round) + 1.0;
        let begun = Instant::now();
        story.look(seconds, &pods, jobs.clone(), agents.clone(), LookEnd::Complete);
        all += begun.elapsed();
        let now = story.at(seconds);
        let view = ClusterView {
            begun_at: now,
            templates: View::Complete(vec![Arc::clone(&story.template)]),
            pods: View::Complete(pods.clone()),
        };
        let look = Look {
            begun_at: now,
            jobs: jobs.clone(),
            agents: agents.clone(),
            end: LookEnd::Complete,
            spending: Spending::default(),
        };
        let (view, look) = (
            Input::Cluster { id: None, view },
            Input::Buildkite {
                id: CommandId(u64::MAX),
                look,
            },
        );
        let begun = Instant::now();
        story.meter.told(now, &view);
        story.meter.told(now, &look);
        metering += begun.elapsed();
    }
    println!("ten rounds: metering took {metering:?} of {all:?}");
    // In tests the core is compiled to be fast and the meter is not, which makes
    // it ten times as slow. This is for what grows with the fleet's square.
    assert!(metering < 5 * (all - metering.min(all)), "{metering:?} of {all:?}");
}
