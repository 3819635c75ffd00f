//! `apply --state`: what takes two looks is done by the second run, as a
//! CronJob would have it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use buildscaler_recording::{Recording, replay};
use buildscaler_simulator::fault::{Effect, Fault};
use buildscaler_simulator::kubernetes::{DeleteOptions, Resource};
use serde_json::Value;
use tempfile::TempDir;

use crate::world::{Ended, World};

/// A world with a pod that has neither a template nor an agent, and a folder.
struct Orphaned {
    world: World,
    folder: TempDir,
}

impl Orphaned {
    async fn new() -> Self {
        let world = World::start().await;
        world.add_template("linux");
        world.add_builds(1, "linux", Duration::from_secs(600));
        assert_eq!(world.finish(&["apply"]).await.code, Some(0));
        let gone = world.kubernetes.with(|fake, now| {
            let options = DeleteOptions::default();
            fake.delete(now, Resource::Jobs, "default", "linux-template", &options)
        });
        gone.expect("it was there");
        assert_eq!(world.pods().len(), 1);
        let folder = tempfile::tempdir().expect("a folder");
        Self { world, folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("state.json")
    }

    async fn run(&self, task: &str) -> Ended {
        let option = format!("--state={}", self.path().display());
        self.world.finish(&[task, &option]).await
    }

    /// A run that succeeds; what it wrote to stderr.
    async fn apply(&self) -> String {
        let ended = self.run("apply").await;
        assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
        ended.stderr
    }

    fn state(&self) -> Value {
        serde_json::from_slice(&fs::read(self.path()).expect("a state")).expect("JSON")
    }

    fn change(&self, change: impl FnOnce(&mut Value)) {
        let mut state = self.state();
        change(&mut state);
        fs::write(self.path(), state.to_string()).expect("written");
    }
}

/// Seen to fail when sightings were not recalled.
#[tokio::test(flavor = "multi_thread")]
async fn an_orphan_goes_at_the_second_run_and_never_without_a_state() {
    let orphaned = Orphaned::new().await;
    for _ in 0..3 {
        assert_eq!(orphaned.world.finish(&["apply"]).await.code, Some(0));
        assert_eq!(orphaned.world.pods().len(), 1, "nobody remembers");
    }
    let said = orphaned.apply().await;
    assert!(
        said.contains("there is no state") && said.lines().count() == 1,
        "{said}"
    );
    assert_eq!(orphaned.world.pods().len(), 1, "seen once");
    let mode = fs::metadata(orphaned.path()).expect("a state").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let plan = orphaned.run("plan").await;
    assert_eq!((plan.code, plan.stderr.as_str()), (Some(3), ""), "{}", plan.stdout);
    assert!(plan.stdout.contains("delete   pod default/"), "{}", plan.stdout);
    assert_eq!(orphaned.world.pods().len(), 1, "a plan changes nothing");

    assert_eq!(orphaned.apply().await, "");
    assert!(orphaned.world.pods().is_empty());
    let others = fs::read_dir(orphaned.folder.path()).expect("a folder").count();
    assert_eq!(others, 1, "the file was replaced in one step");
}

/// Each is told with what it means, and leads to what a first run does.
#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_cannot_be_used_is_told_and_deletes_nothing() {
    let orphaned = Orphaned::new().await;
    let now = || orphaned.state()["memory"]["saved_at"].as_i64().expect("a time");
    let changes: [(&str, &dyn Fn()); 7] = [
        ("no state of buildscalerctl", &|| {
            fs::write(orphaned.path(), "{}").expect("written")
        }),
        ("no state of buildscalerctl", &|| {
            fs::write(orphaned.path(), "bkua_").expect("written")
        }),
        ("of version 7", &|| {
            orphaned.change(|state| state["memory"]["version"] = 7.into())
        }),
        ("is damaged", &|| {
            orphaned.change(|state| state["memory"]["holds"] = Value::Null)
        }),
        ("another organization", &|| {
            orphaned.change(|state| state["world"]["organization"] = "umbrella".into());
        }),
        ("in the future", &|| {
            let later = now() + 3_600_000;
            orphaned.change(|state| state["memory"]["saved_at"] = later.into());
        }),
        ("contradicts itself", &|| {
            let earlier = now() - 40_000;
            orphaned.change(|state| state["memory"]["saved_at"] = earlier.into());
        }),
    ];
    for (words, change) in changes {
        // A fresh state, which has seen the pod once.
        drop(fs::remove_file(orphaned.path()));
        orphaned.apply().await;
        change();
        let said = orphaned.apply().await;
        assert!(said.contains(words) && said.lines().count() == 1, "{words:?}: {said}");
        assert_eq!(orphaned.world.pods().len(), 1, "after a state that {words}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_state_is_told_with_the_option_that_helps() {
    let orphaned = Orphaned::new().await;
    orphaned.apply().await;
    orphaned.change(|state| {
        let text = state.to_string();
        // All times are ten minutes earlier.
        let older: String = shifted(&text, -600_000);
        *state = serde_json::from_str(&older).expect("JSON");
    });
    let option = format!("--state={}", orphaned.path().display());
    let seldom = ["apply", "--sync-interval=300", &option];
    let state = fs::read(orphaned.path()).expect("a state");
    let said = orphaned.apply().await;
    assert!(said.contains("--sync-interval"), "{said}");
    assert_eq!(orphaned.world.pods().len(), 1);
    fs::write(orphaned.path(), state).expect("written");
    let ended = orphaned.world.finish(&seldom).await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{}", ended.stdout);
    assert!(
        orphaned.world.pods().is_empty(),
        "runs are known to be five minutes apart"
    );
}

/// Every number that is a time of these days, later by so many milliseconds.
fn shifted(text: &str, millis: i64) -> String {
    let mut shifted = String::new();
    let mut digits = String::new();
    for letter in text.chars().chain([' ']) {
        if letter.is_ascii_digit() {
            digits.push(letter);
            continue;
        }
        match digits.parse::<i64>() {
            Ok(time) if digits.len() == 13 => shifted.push_str(&(time + millis).to_string()),
            Ok(_) | Err(_) => shifted.push_str(&digits),
        }
        digits.clear();
        shifted.push(letter);
    }
    shifted
}

/// A recording begins with what its controller recalls, and so replays.
///
/// Seen to fail when the recorder was not told of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_controller_that_remembers_replays_with_its_memory() {
    let orphaned = Orphaned::new().await;
    let state = format!("--state={}", orphaned.path().display());
    for run in ["first", "second"] {
        let folder = orphaned.folder.path().join(run);
        let record = format!("--record={}", folder.display());
        let ended = orphaned.world.finish(&["apply", &state, &record]).await;
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let recording = Recording::find(&folder).expect("a recording");
        let replayed = replay(&recording).expect("readable");
        assert!(replayed.is_equal() && replayed.skipped.is_empty(), "{replayed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_that_fails_leaves_the_state_as_it_was() {
    let orphaned = Orphaned::new().await;
    orphaned.apply().await;
    let before = orphaned.state();
    orphaned
        .world
        .buildkite
        .fake()
        .add(Fault::on("*", Effect::Refuse(http::StatusCode::BAD_GATEWAY)));
    assert_eq!(orphaned.run("apply").await.code, Some(1));
    assert_eq!(orphaned.state(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_cannot_be_written_is_told() {
    let orphaned = Orphaned::new().await;
    let ended = orphaned
        .world
        .finish(&["apply", "--state=/nowhere/at-all/state.json"])
        .await;
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    assert!(
        ended.stderr.contains("all is done, but the state cannot be written"),
        "{}",
        ended.stderr
    );
}
