//! `why` tells from a recording what happened.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use buildscaler_core::Input;
use buildscaler_recording::Recording;
use buildscaler_simulator::buildkite::Switches;
use serde_json::Value;

use crate::running::start_kubelet;
use crate::world::{Ended, World};

/// A controller that has served one job to its end, and gone.
async fn recorded(folder: &Path) {
    let world = World::with_switches(Switches {
        ping_interval: Duration::from_millis(200),
        ..Switches::default()
    })
    .await;
    let kubelet = start_kubelet(&world).await;
    world.add_template("linux");
    let running = world.run(&[
        "--disconnect-after-idle-timeout=2",
        "--record",
        folder.to_str().expect("text"),
    ]);
    world.add_builds(1, "linux", Duration::from_secs(2));
    world.add_builds(1, "windows", Duration::from_secs(2));
    let finished = || world.buildkite.fake().inner().truth().finished();
    running.until("the job to end", || finished() == 1).await;
    running.until("its pod to go", || world.pods().is_empty()).await;
    running
        .until("a look", || running.count("look at Buildkite: done") > 0)
        .await;
    assert_eq!(running.end().await.0, Some(0));
    kubelet.stop().await.expect("it followed");
}

/// Runs `why`, which needs no server and no token.
fn why(folder: &Path, arguments: &[&str]) -> Ended {
    let output = Command::new(env!("CARGO_BIN_EXE_buildscalerctl"))
        .arg("why")
        .args(arguments)
        .arg("--recording")
        .arg(folder)
        .env_clear()
        .output()
        .expect("it starts");
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("text"),
        stderr: String::from_utf8(output.stderr).expect("text"),
    }
}

/// The id of the one job on the queue, as the recording has it.
fn job_on(folder: &Path, queue: &str) -> String {
    let recording = Recording::find(folder).expect("a recording");
    let looks = recording.moments().filter_map(|moment| {
        if let Input::Buildkite { look, .. } = moment.expect("readable").1.input {
            Some(look)
        } else {
            None
        }
    });
    let mut on_queue = looks
        .flat_map(|look| look.jobs)
        .filter(|one| one.queue.as_str() == queue);
    on_queue.next().expect("a job").id.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_was_served_is_told_from_its_wait_to_its_start() {
    let folder = tempfile::tempdir().expect("a folder");
    recorded(folder.path()).await;
    let id = job_on(folder.path(), "linux");
    let told = why(folder.path(), &[&id]);
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    let lines: Vec<_> = told.stdout.lines().collect();
    assert_eq!(lines[0], format!("job {id} of queue linux"));
    for part in [
        "waited ",
        "detected after ",
        "pod asked for after ",
        "created after ",
        "scheduled after ",
        "agent connected after ",
        "started after ",
    ] {
        assert!(lines[1].contains(part), "{part} is missing: {}", told.stdout);
    }
    for event in [
        "waits for an agent, on queue linux",
        "is asked for (demand)",
        "runs on agent ",
    ] {
        assert!(told.stdout.contains(event), "{event} is missing: {}", told.stdout);
    }

    let json = why(folder.path(), &[&id, "-o", "json"]);
    let json: Value = serde_json::from_str(&json.stdout).expect("JSON");
    let marks: Vec<_> = json["marks"].as_array().expect("marks").iter().collect();
    assert!(
        marks
            .iter()
            .any(|mark| mark["name"] == "started" && mark["afterMillis"].is_u64())
    );
    let pod = json["events"]
        .as_array()
        .expect("events")
        .iter()
        .find(|event| event["reason"] == "demand")
        .expect("a create")["about"]
        .as_str()
        .expect("text")
        .trim_start_matches("pod ")
        .to_owned();

    // The same from the pod's side, and from the agent's.
    let told = why(folder.path(), &[&pod]);
    assert!(told.stdout.contains("there for "), "{}", told.stdout);
    assert!(told.stdout.contains(&format!("runs job {id}")), "{}", told.stdout);
    let (_, rest) = told.stdout.split_once("agent ").expect("an agent");
    let (_, rest) = rest.split_once("  agent ").expect("an agent");
    let agent = rest.split_whitespace().next().expect("its id");
    let told = why(folder.path(), &[agent]);
    assert!(told.stdout.contains("served for "), "{}", told.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_waits_in_vain_is_told_with_what_is_in_its_way() {
    let folder = tempfile::tempdir().expect("a folder");
    recorded(folder.path()).await;
    let told = why(folder.path(), &[&job_on(folder.path(), "windows")]);
    assert!(told.stdout.contains("when the recording ends"), "{}", told.stdout);
    assert!(told.stdout.contains("no pod was asked for"), "{}", told.stdout);
    assert!(told.stdout.contains("no_template windows"), "{}", told.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_recording_does_not_know_is_said_so() {
    let folder = tempfile::tempdir().expect("a folder");
    recorded(folder.path()).await;
    let told = why(folder.path(), &["nobody"]);
    assert_eq!((told.code, told.stdout.as_str()), (Some(1), ""));
    assert!(
        told.stderr.contains("knows no Buildkite job, agent or pod \"nobody\""),
        "{}",
        told.stderr
    );
    let told = why(Path::new("/dev/null/nowhere"), &["nobody"]);
    assert_eq!(told.code, Some(1));
    assert!(told.stderr.contains("/dev/null/nowhere"), "{}", told.stderr);
}
