//! `run --record`, `replay`: a recorded run is taken through the core again.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may panic")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn sim(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_buildscaler-sim"))
        .args(arguments)
        .output()
        .unwrap()
}

/// Records a committed scenario in `folder`.
fn record(scenario: &str, folder: &Path) {
    let file = format!("{}/scenarios/{scenario}.yaml", env!("CARGO_MANIFEST_DIR"));
    let output = sim(&["run", &file, "--record", folder.to_str().unwrap()]);
    assert!(output.status.success(), "{output:?}");
}

fn replay(path: &Path) -> (Option<i32>, String) {
    let output = sim(&["replay", path.to_str().unwrap()]);
    let words = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(words).unwrap())
}

fn only_file(folder: &Path) -> PathBuf {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files.remove(0)
}

#[test]
fn a_recorded_run_replays_without_a_difference() {
    for scenario in [
        "template-replaced",
        "replies-lost-after-create",
        "clock-jumps",
        "controller-crashes",
    ] {
        let folder = tempfile::tempdir().unwrap();
        record(scenario, folder.path());
        let (code, words) = replay(folder.path());
        assert_eq!(code, Some(0), "{scenario}: {words}");
    }
}

/// Seen to fail with a replay that compares nothing.
#[test]
fn a_step_that_was_decided_otherwise_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    record("burst", folder.path());
    let file = only_file(folder.path());
    let text = std::fs::read_to_string(&file).unwrap();
    let altered = text.replacen("\"Demand\"", "\"Lifetime\"", 1);
    assert_ne!(text, altered);
    std::fs::write(&file, altered).unwrap();
    let (code, words) = replay(folder.path());
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains("Lifetime") && words.contains("Demand"), "{words}");
}

#[test]
fn what_is_no_recording_is_told_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let (code, words) = replay(&folder.path().join("nowhere"));
    assert_eq!(code, Some(2), "{words}");
    let file = folder.path().join("notes.jsonl");
    std::fs::write(&file, "{\"hello\": 1}\n").unwrap();
    let (code, words) = replay(&file);
    assert_eq!(code, Some(2), "{words}");
    assert!(words.contains("notes.jsonl"), "{words}");
}
