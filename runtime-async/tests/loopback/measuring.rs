//! Metrics of the real binary, beside what the world knows.

use buildscaler_simulator::buildkite::{AgentSpec, Ping};
use buildscaler_simulator::kubernetes::Resource;
use buildscaler_simulator::loopback::wall_clock;
use openmetrics_parser::openmetrics::parse_openmetrics;
use serde_json::{Value, json};

use crate::world::World;

/// Jobs of the burst.
const BURST: usize = 5;

impl World {
    /// Waits until all pods of a burst are there, runs them, and lets their
    /// agents take the jobs; then until the controller has seen all that.
    pub(crate) async fn serve_a_burst(&self, queue: &str) {
        for _ in 0..BURST {
            self.add_build(queue);
        }
        self.until("a pod for each", || self.pods_of(queue).len() == BURST)
            .await;
        for pod in self.pods_of(queue) {
            self.run(&pod);
            self.work(queue, &pod);
        }
        let started = format!("buildscaler_job_wait_seconds_count{{queue=\"{queue}\"}} {BURST}");
        self.until_answers("/metrics", 200, &[&started]).await;
    }

    /// Lets a pod run on a node, as a scheduler and a kubelet would.
    fn run(&self, pod: &Value) {
        let name = text(pod, "/metadata/name");
        let status = json!({
            "phase": "Running",
            "conditions": [{"type": "PodScheduled", "status": "True"}],
            "containerStatuses": [{
                "name": "agent", "image": "agent", "ready": true, "started": true, "restartCount": 0,
                "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
            }],
        });
        self.kubernetes.with(|fake, now| {
            fake.bind(now, "default", name, "node").expect("bound");
            fake.update_status(Resource::Pods, "default", name, status)
                .expect("runs");
        });
    }

    /// Connects the agent of a pod, and lets it begin a job.
    fn work(&self, queue: &str, pod: &Value) {
        let (name, uid) = (text(pod, "/metadata/name"), text(pod, "/metadata/uid"));
        let now = wall_clock();
        let mut fake = self.buildkite.fake();
        let fake = fake.inner_mut();
        let agent = fake.register(
            now,
            AgentSpec {
                name: format!("{name}-1"),
                hostname: name.to_owned(),
                tags: vec![format!("queue={queue}"), format!("pod-uid={uid}")],
                ..AgentSpec::default()
            },
        );
        fake.connect(now, &agent).expect("registered");
        let Ping::Assigned(job) = fake.ping(now, &agent).expect("connected") else {
            panic!("there is a job for it");
        };
        fake.accept(now, &agent, &job).expect("assigned");
        fake.start(now, &agent, &job).expect("accepted");
    }
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).expect("it is there")
}

/// The value of a series.
pub(crate) fn value(text: &str, series: &str) -> f64 {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    let value = line.unwrap_or_else(|| panic!("{series} is missing:\n{text}"));
    value.parse().expect("a number")
}

#[tokio::test]
async fn what_is_measured_is_what_the_world_knows() {
    let mut world = World::start().await;
    world.add_template("linux");
    world.until_answers("/readyz", 200, &["ok"]).await;
    world.serve_a_burst("linux").await;
    let (_, text) = world.read("/metrics").await;
    // This parser does not know that a histogram may have a unit.
    let lines = text.lines().filter(|line| !line.starts_with("# UNIT "));
    let without_units: String = lines.flat_map(|line| [line, "\n"]).collect();
    parse_openmetrics(&without_units).unwrap_or_else(|error| panic!("{error}:\n{text}"));

    let waits = world.buildkite.fake().inner_mut().waits();
    let known: f64 = waits.iter().map(|wait| wait.length(wall_clock()).as_secs_f64()).sum();
    let told = value(&text, "buildscaler_job_wait_seconds_sum{queue=\"linux\"}");
    // Buildkite tells milliseconds.
    assert!((told - known).abs() < 0.01, "{told} of {known}");
    for part in ["detection", "creation", "scheduling", "image"] {
        let series = format!("buildscaler_start_part_seconds_count{{queue=\"linux\",part=\"{part}\"}}");
        assert_eq!(value(&text, &series), BURST as f64, "{part}:\n{text}");
    }
    for (series, expected) in [
        ("active_pods_total", BURST as f64),
        ("active_agents_total", BURST as f64),
        ("buildkite_jobs_running_total", BURST as f64),
        ("sync_loop_errors_total", 0.0),
    ] {
        assert_eq!(value(&text, series), expected, "{series}");
    }
    let creates = "buildscaler_commands_total{action=\"create_pod\",reason=\"demand\",outcome=\"done\"}";
    assert_eq!(value(&text, creates), BURST as f64);
    assert!(value(&text, "sync_loop_runs_total") >= 2.0);
    world.end().await;
    let secrets = [
        buildscaler_simulator::buildkite::FakeBuildkite::ACCESS_TOKEN,
        crate::world::CLUSTER_TOKEN,
    ];
    assert!(secrets.iter().all(|secret| !text.contains(secret)));
}
