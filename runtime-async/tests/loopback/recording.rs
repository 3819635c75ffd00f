//! What `--record` leaves behind.

use std::fs;
use std::path::Path;

use buildscaler_recording::{Recording, replay};
use buildscaler_simulator::buildkite::FakeBuildkite;

use crate::world::{CLUSTER_TOKEN, World};

/// The whole text of a recording, which holds no secret.
fn text(folder: &Path) -> String {
    let recording = Recording::find(folder).expect("a recording");
    let files = recording.files().iter();
    let text: String = files.map(|path| fs::read_to_string(path).expect("text")).collect();
    for secret in [
        FakeBuildkite::ACCESS_TOKEN,
        CLUSTER_TOKEN,
        "as it is",
        "buildkite-agent-token",
    ] {
        assert!(!text.contains(secret), "{secret} is recorded:\n{text}");
    }
    text
}

async fn start(folder: &Path) -> World {
    let option = format!("--record={}", folder.display());
    let world = World::start_with(&[&option]).await;
    world.add_template("linux");
    world.add_build("linux");
    world.until_pod_of("linux").await;
    world
}

/// Seen to fail when the recorder was told another time than the controller.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_controller_did_replays_without_difference() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut world = start(folder.path()).await;
    world.end().await;
    assert!(text(folder.path()).contains("CreatePod"));
    let replayed = replay(&Recording::find(folder.path()).expect("a recording")).expect("readable");
    assert!(replayed.is_equal(), "{replayed}");
    assert!(
        replayed.skipped.is_empty() && replayed.unwritten.is_empty(),
        "{replayed}"
    );
}

/// Each line is handed to the operating system before the next thing is done.
///
/// Seen to fail when lines were collected in a buffer.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_controller_leaves_all_it_did() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut world = start(folder.path()).await;
    world.kill().await;
    // The pod is there, so its command was recorded before it was carried out.
    assert!(text(folder.path()).contains("CreatePod"));
    let replayed = replay(&Recording::find(folder.path()).expect("a recording")).expect("readable");
    assert!(replayed.is_equal(), "{replayed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_cannot_be_written_does_not_stop_scaling() {
    let mut world = start(Path::new("/dev/null/recording")).await;
    world.until_said(&["nothing is recorded in /dev/null/recording"]).await;
    assert_eq!(world.count(&["nothing is recorded"]), 1);
    world.end().await;
}
