//! Builds as the REST API returns them become scenarios.

use buildscaler_simulator::import::{Imported, Options, import};
use buildscaler_simulator::scenario::{Event, Scenario, StepKind};
use proptest::prelude::*;
use serde_json::{Value, json};

const MARKER: &str = "do-not-copy-me";

fn script(created: &str, runnable: &str, seconds: u32, rules: &[&str]) -> Value {
    json!({
        "id": MARKER, "type": "script", "state": "passed", "name": MARKER, "command": MARKER,
        "step_key": MARKER, "env": { "TOKEN": MARKER }, "web_url": MARKER, "raw_log_url": MARKER,
        "agent_query_rules": rules, "priority": { "number": 2 }, "exit_status": 0, "artifact_paths": MARKER,
        "created_at": format!("2025-06-02T{created}Z"), "runnable_at": format!("2025-06-02T{runnable}Z"),
        "started_at": "2025-06-02T09:00:00.000Z", "finished_at": format!("2025-06-02T09:00:{seconds:02}.000Z"),
        "agent": { "name": MARKER, "meta_data": [MARKER] },
    })
}

fn gate(kind: &str, created: &str) -> Value {
    json!({ "type": kind, "created_at": format!("2025-06-02T{created}Z"), "unblocked_by": MARKER })
}

fn page(jobs: &[Value]) -> String {
    json!([{
        "id": "b-1", "number": 1, "state": "passed", "message": MARKER, "commit": MARKER, "branch": MARKER,
        "author": { "email": MARKER }, "env": { "A": MARKER }, "meta_data": { "a": MARKER },
        "pipeline": { "slug": "app", "repository": MARKER, "steps": [{ "command": MARKER }] }, "jobs": jobs,
    }])
    .to_string()
}

fn read(text: &str) -> Imported {
    let options = Options {
        name: "past-day".to_owned(),
        ..Options::default()
    };
    let imported = import("builds.json", text.as_bytes(), &options).unwrap();
    let text = imported.scenario.write();
    assert_eq!(Scenario::read("past-day.yaml", &text).as_ref(), Ok(&imported.scenario));
    assert!(!text.contains(MARKER), "{text}");
    imported
}

/// What comes when, as `at: step, step`.
fn story(imported: &Imported) -> Vec<String> {
    let mut lines = Vec::new();
    for moment in &imported.scenario.timeline {
        let Event::Build(build) = &moment.event else {
            panic!("{moment:?}")
        };
        let steps = build.steps.iter().map(|step| match step.kind {
            StepKind::Command => format!("{} {}", step.queue.as_deref().unwrap_or("-"), step.runs),
            StepKind::Wait => "wait".to_owned(),
            StepKind::Block => "block".to_owned(),
        });
        let steps: Vec<String> = steps.collect();
        lines.push(format!("{}: {}", moment.at, steps.join(", ")));
    }
    lines
}

#[test]
fn service_time_queue_rules_and_priority_are_taken_over() {
    let imported = read(&page(&[script(
        "08:00:00",
        "08:00:01",
        30,
        &["queue=linux", "os=ubuntu"],
    )]));
    let Event::Build(build) = &imported.scenario.timeline[0].event else {
        panic!()
    };
    assert_eq!(build.pipeline, "app");
    let step = &build.steps[0];
    assert_eq!((step.queue.as_deref(), step.priority), (Some("linux"), 2));
    assert_eq!(
        (step.runs.to_string().as_str(), &step.rules[..]),
        ("30s", &["os=ubuntu".to_owned()][..])
    );
    assert_eq!(imported.scenario.templates[0].tags, ["os=ubuntu"]);
}

/// Seen failing when the pipeline was called by its repository.
#[test]
fn nothing_else_is_copied() {
    read(&page(&[script("08:00:00", "08:00:01", 30, &[])]));
}

#[test]
fn wait_steps_keep_their_places() {
    let imported = read(&page(&[
        script("08:00:00", "08:00:01", 30, &["queue=linux"]),
        gate("waiter", "08:00:00"),
        script("08:00:00", "08:10:00", 20, &["queue=linux"]),
        script("08:00:00", "08:10:01", 10, &["queue=linux"]),
    ]));
    assert_eq!(story(&imported), ["0s: linux 30s, wait, linux 20s, linux 10s"]);
}

#[test]
fn what_a_human_or_an_unknown_dependency_held_up_comes_when_it_came() {
    let imported = read(&page(&[
        script("08:00:00", "08:00:00", 30, &[]),
        script("08:00:00", "08:02:00", 31, &[]),
        gate("manual", "08:00:00"),
        script("08:00:00", "08:30:00", 32, &[]),
    ]));
    assert_eq!(story(&imported), ["0s: - 30s", "2m: - 31s", "30m: - 32s"]);
}

#[test]
fn uploads_of_steps_come_each_at_their_time() {
    let imported = read(&page(&[
        script("08:00:00", "08:00:00", 5, &["queue=upload"]),
        script("08:00:20", "08:00:20", 30, &["queue=linux"]),
        gate("waiter", "08:00:20"),
        script("08:00:20", "08:05:00", 31, &["queue=linux"]),
    ]));
    assert_eq!(story(&imported), ["0s: upload 5s", "20s: linux 30s, wait, linux 31s"]);
}

#[test]
fn jobs_that_never_ran_are_counted() {
    let mut never = script("08:00:00", "08:00:01", 30, &[]);
    never["started_at"] = Value::Null;
    let mut unfinished = script("08:00:00", "08:00:01", 30, &[]);
    unfinished["finished_at"] = Value::Null;
    let imported = read(&page(&[
        script("08:00:00", "08:00:01", 30, &[]),
        never,
        unfinished,
        gate("trigger", "08:00:00"),
    ]));
    let skipped: Vec<(&str, u64, u64)> = imported
        .skipped
        .iter()
        .map(|(why, s)| (*why, s.rows, s.first))
        .collect();
    assert_eq!(
        skipped,
        [
            ("that have not finished", 1, 3),
            ("that need no agent (triggers)", 1, 4),
            ("that never started", 1, 2),
        ]
    );
}

#[test]
fn rules_that_contradict_each_other_are_asked_for_once() {
    let imported = read(&page(&[
        script("08:00:00", "08:00:01", 30, &["queue=linux", "os=a", "gpu=*"]),
        script("08:00:00", "08:00:01", 30, &["queue=linux", "os=b"]),
    ]));
    assert_eq!(imported.scenario.templates[0].tags, ["gpu=any", "os=a"]);
    let Event::Build(build) = &imported.scenario.timeline[0].event else {
        panic!()
    };
    assert_eq!(build.steps[1].rules, Vec::<String>::new());
}

#[test]
fn broken_json_has_a_line() {
    let told = |text: &str| import("a.json", text.as_bytes(), &Options::default()).unwrap_err()[0].to_string();
    assert!(told("[\n{\"jobs\": [").starts_with("a.json:2:10: syntax: "));
    assert!(told("[\n{\"jobs\": [{\"started_at\": 5}]}]").starts_with("a.json:2:"));
    assert!(told("{\"message\": \"Authentication required\"}").contains("nothing is left"));
}

proptest! {
    #[test]
    fn truncated_and_mutated_pages_are_told(end: prop::sample::Index, place: prop::sample::Index, byte: u8) {
        let text = page(&[script("08:00:00", "08:00:01", 30, &["queue=linux"]), gate("waiter", "08:00:00")]);
        let mut bytes = text.into_bytes();
        let at = place.index(bytes.len());
        bytes[at] = byte;
        let end = end.index(bytes.len());
        let options = Options { name: "a".to_owned(), ..Options::default() };
        let _ = import("a.json", &bytes, &options);
        let _ = import("a.json", &bytes[..end], &options);
    }
}
