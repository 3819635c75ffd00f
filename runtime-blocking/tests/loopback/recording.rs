//! What `--record` leaves behind.

use std::fs;
use std::path::Path;
use std::time::Duration;

use buildscaler_recording::{Recording, replay};
use buildscaler_simulator::buildkite::FakeBuildkite;

use crate::world::{CLUSTER_TOKEN, World};

const LONG: Duration = Duration::from_secs(600);

/// Checks that the recording holds creates, holds no secret, and replays.
fn check(folder: &Path) {
    let recording = Recording::find(folder).expect("a recording");
    let files = recording.files().iter();
    let text: String = files.map(|path| fs::read_to_string(path).expect("text")).collect();
    for secret in [FakeBuildkite::ACCESS_TOKEN, FakeBuildkite::AGENT_TOKEN, CLUSTER_TOKEN] {
        assert!(!text.contains(secret), "{secret} is recorded:\n{text}");
    }
    assert!(text.contains("CreatePod"), "{text}");
    let replayed = replay(&recording).expect("readable");
    assert!(replayed.is_equal() && replayed.skipped.is_empty(), "{replayed}");
}

async fn world() -> World {
    let world = World::start().await;
    world.add_template("linux");
    world.add_builds(3, "linux", LONG);
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_replays_without_difference() {
    let (world, folder) = (world().await, tempfile::tempdir().expect("a folder"));
    let running = world.run(&["--record", folder.path().to_str().expect("text")]);
    running.until("three pods", || world.pods().len() == 3).await;
    assert_eq!(running.end().await.0, Some(0));
    check(folder.path());
}

/// Seen to fail when lines were collected in a buffer.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_run_leaves_all_it_did() {
    let (world, folder) = (world().await, tempfile::tempdir().expect("a folder"));
    let running = world.run(&["--record", folder.path().to_str().expect("text")]);
    running.until("three pods", || world.pods().len() == 3).await;
    running.kill().await;
    check(folder.path());
}

/// What a plan only imagines is not recorded: it would read as if it had been done.
///
/// Seen to fail when the rehearsal was recorded.
#[tokio::test(flavor = "multi_thread")]
async fn a_plan_and_an_apply_replay_too() {
    for task in ["plan", "apply"] {
        let (world, folder) = (world().await, tempfile::tempdir().expect("a folder"));
        let ended = world
            .finish(&[task, "--record", folder.path().to_str().expect("text")])
            .await;
        assert_eq!(ended.stderr, "");
        check(folder.path());
        let outcomes: usize = Recording::find(folder.path())
            .expect("a recording")
            .files()
            .iter()
            .map(|path| {
                fs::read_to_string(path)
                    .expect("text")
                    .matches("{\"outcome\":{")
                    .count()
            })
            .sum();
        assert_eq!(outcomes, if task == "apply" { 3 } else { 0 });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_cannot_be_written_does_not_stop_it() {
    let world = world().await;
    let ended = world.finish(&["apply", "--record=/dev/null/recording"]).await;
    assert_eq!((ended.code, world.pods().len()), (Some(0), 3), "{}", ended.stderr);
    let said = ended
        .stderr
        .matches("nothing is recorded in /dev/null/recording")
        .count();
    assert_eq!(said, 1, "{}", ended.stderr);
}
