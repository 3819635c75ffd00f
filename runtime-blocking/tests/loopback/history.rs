//! `history` makes a scenario of past builds.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use buildscaler_core::Timestamp;
use buildscaler_simulator::buildkite::{AgentSpec, BuildSpec, Ending, FakeBuildkite, JobSpec, Limits, Ping, Switches};
use buildscaler_simulator::fault::{Effect, Fault};
use buildscaler_simulator::scenario::Scenario;
use http::StatusCode;
use tempfile::TempDir;

use crate::world::{Ended, World};

/// 2026-10-01T00:00:00Z.
const OCTOBER: Timestamp = Timestamp::from_millis(1_790_812_800_000);
const RUNS: Duration = Duration::from_secs(90);

/// A world in which builds have run, and a folder.
struct Past {
    world: World,
    folder: TempDir,
}

impl Past {
    async fn with(switches: Switches) -> Self {
        let world = World::with_switches(switches).await;
        world.buildkite.fake().inner_mut().limits = Limits {
            user: 1_000,
            organization: 1_000,
            ..Limits::default()
        };
        let folder = tempfile::tempdir().expect("a folder");
        Self { world, folder }
    }

    /// So many builds of two jobs each, so far apart.
    fn run_builds(&self, count: u32, begin: Timestamp, apart: Duration) {
        let mut fake = self.world.buildkite.fake();
        let times = (0..count).map(|number| begin.after(apart * number));
        for at in times {
            let steps = [
                JobSpec::script("linux", RUNS).rule("gpu=a100"),
                JobSpec::anywhere(RUNS).exits(1),
            ];
            fake.inner_mut()
                .create_build(at, BuildSpec::new("secret-pipeline", steps));
        }
        // The clock of a fake goes forward only, so they all run afterwards.
        let end = begin.after(apart * count);
        for queue in ["linux", "default"] {
            work(fake.inner_mut(), queue, end);
        }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("october.yaml")
    }

    fn part(&self) -> PathBuf {
        self.folder.path().join("october.yaml.part")
    }

    async fn download(&self) -> Ended {
        let file = self.file();
        let arguments = ["history", "--from=2026-10-01", "--to=2026-11-01", "-o"];
        let arguments = [&arguments[..], &[file.to_str().expect("text")]].concat();
        self.world.finish(&arguments).await
    }

    async fn scenario(&self) -> (String, Scenario) {
        let ended = self.download().await;
        assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
        assert!(!self.part().exists());
        let text = fs::read_to_string(self.file()).expect("a scenario");
        let scenario = Scenario::read("october.yaml", &text).expect("it is valid");
        (text, scenario)
    }

    fn requests(&self) -> usize {
        self.world.buildkite.fake().inner().observed().requests().len()
    }
}

/// Runs every job that waits on the queue, one after the other.
fn work(fake: &mut FakeBuildkite, queue: &str, begin: Timestamp) {
    let mut now = begin;
    loop {
        let agent = fake.register(
            now,
            AgentSpec {
                tags: vec![format!("queue={queue}"), "gpu=a100".into()],
                ..AgentSpec::default()
            },
        );
        fake.connect(now, &agent).expect("it is registered");
        let Ping::Assigned(job) = fake.ping(now, &agent).expect("it is connected") else {
            return fake.disconnect(now, &agent).expect("it leaves");
        };
        fake.accept(now, &agent, &job).expect("it is its");
        fake.start(now, &agent, &job).expect("it is accepted");
        now = now.after(RUNS);
        let exit = if queue == "linux" { 0 } else { 1 };
        fake.finish(now, &agent, &job, Ending::exited(exit)).expect("it runs");
        fake.disconnect(now, &agent).expect("it leaves");
    }
}

/// The lists are never deep, whatever the depth: what Buildkite would refuse is
/// not asked for.
#[tokio::test(flavor = "multi_thread")]
async fn all_builds_become_a_scenario_that_the_simulator_reads() {
    let past = Past::with(Switches {
        deepest_build: 300,
        ..Switches::default()
    })
    .await;
    past.run_builds(350, OCTOBER.after(Duration::from_secs(3600)), Duration::from_secs(60));
    // More than a page of them within one second.
    past.run_builds(
        230,
        OCTOBER.after(Duration::from_secs(20 * 86_400)),
        Duration::from_millis(4),
    );
    let (text, scenario) = past.scenario().await;
    assert_eq!(scenario.jobs(), 2 * (350 + 230));
    assert_eq!(scenario.name, "october");
    assert_eq!(scenario.starts_at(), Some(OCTOBER));
    assert_eq!(scenario.timeline[0].at.to_string(), "1h");
    assert!(text.contains("gpu=a100") && text.contains("exits: 1") && text.contains("runs: 1m30s"));
    let queues: Vec<&str> = scenario.queues().into_iter().collect();
    assert_eq!(queues, ["default", "linux"]);
    for secret in ["secret-pipeline", "command", "branch", "acme/"] {
        assert!(!text.contains(secret), "{secret}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_download_goes_on_where_it_was() {
    let past = Past::with(Switches::default()).await;
    past.run_builds(450, OCTOBER.after(Duration::from_secs(3600)), Duration::from_secs(60));
    let (whole, _) = past.scenario().await;
    let requests = past.requests();
    assert!(requests >= 5, "{requests}");

    fs::remove_file(past.file()).expect("removed");
    let refused = Effect::Refuse(StatusCode::FORBIDDEN);
    past.world.buildkite.fake().add(Fault::on("*/builds*", refused).skip(3));
    let cut = past.download().await;
    assert_eq!(cut.code, Some(1), "{}", cut.stdout);
    assert!(
        cut.stderr.contains("october.yaml.part holds what has come"),
        "{}",
        cut.stderr
    );
    assert!(!past.file().exists());
    let part = fs::read(past.part()).expect("what has come");
    fs::write(past.part(), &part[..part.len() - 5]).expect("torn");

    past.world.buildkite.fake().mend();
    let before = past.requests();
    let (again, _) = past.scenario().await;
    assert_eq!(past.requests() - before, requests - 2, "two pages had come whole");
    assert_eq!(again, whole);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_download_of_other_builds_is_not_gone_on_with() {
    let past = Past::with(Switches::default()).await;
    past.run_builds(1, OCTOBER.after(Duration::from_secs(3600)), Duration::from_secs(60));
    let refused = Effect::Refuse(StatusCode::FORBIDDEN);
    past.world.buildkite.fake().add(Fault::on("*/builds*", refused));
    assert_eq!(past.download().await.code, Some(1));
    let file = past.file();
    let arguments = ["history", "--from=2026-10-02", "-o", file.to_str().expect("text")];
    let other = past.world.finish(&arguments).await;
    assert_eq!(other.code, Some(2), "{}", other.stderr);
    assert!(
        other
            .stderr
            .contains("october.yaml.part is the download of other builds"),
        "{}",
        other.stderr
    );
}

/// A share of the limit is left to the controller, and 429 is never met.
#[tokio::test(flavor = "multi_thread")]
async fn the_request_limit_is_kept_and_a_share_of_it_left() {
    let past = Past::with(Switches::default()).await;
    past.run_builds(850, OCTOBER.after(Duration::from_secs(3600)), Duration::from_secs(60));
    past.world.buildkite.fake().inner_mut().limits = Limits {
        user: 5,
        window: Duration::from_secs(2),
        ..Limits::default()
    };
    let (_, scenario) = past.scenario().await;
    assert_eq!(scenario.jobs(), 2 * 850);
    let fake = past.world.buildkite.fake();
    let requests: Vec<_> = fake.inner().observed().requests().iter().collect();
    assert!(requests.len() >= 9 && requests.iter().all(|request| request.status == StatusCode::OK));
    for (number, request) in requests.iter().enumerate() {
        let before = request.at.before(Duration::from_secs(2));
        let within = requests[..=number].iter().filter(|other| other.at > before).count();
        assert!(within <= 4, "{within} of 5 in two seconds");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_that_ends_before_it_begins_is_refused() {
    let world = World::start().await;
    for (to, words) in [
        ("2026-09-30", "--from is not before --to"),
        ("yesterday", "2026-11-01T08:00:00Z"),
    ] {
        let ended = world
            .finish(&["history", "--from=2026-10-01", "--to", to, "-o", "/nowhere/h.yaml"])
            .await;
        assert_eq!(ended.code, Some(2), "{}", ended.stderr);
        assert!(ended.stderr.contains(words), "{}", ended.stderr);
    }
}
