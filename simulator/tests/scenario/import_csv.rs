//! CSV traces become scenarios, and rows that cannot are counted.

use std::io::Write;

use buildscaler_simulator::import::{Imported, Options, Skipped, import};
use buildscaler_simulator::scenario::{Event, Scenario};
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;

const GENERIC: &str = "\
runnable_at,queue,duration_s,build
2025-06-02T08:00:00Z,linux,60,1
2025-06-02T08:00:00Z,Mac OS,90.5,1
2025-06-02T09:00:00+01:00,linux,1,1
2025-06-02T08:05:00Z,linux,30,2
2025-06-02T08:06:00Z,linux,-3,2
2025-06-02T08:06:00Z,linux,,2
never,linux,3,2
2025-06-02T08:06:00Z,,3,2
2025-06-02T08:06:00Z,linux
";

fn options() -> Options {
    Options {
        name: "trace".to_owned(),
        ..Options::default()
    }
}

fn read(text: &str, options: &Options) -> Imported {
    let imported = import("trace.csv", text.as_bytes(), options).unwrap();
    let text = imported.scenario.write();
    assert_eq!(Scenario::read("trace.yaml", &text).as_ref(), Ok(&imported.scenario));
    imported
}

/// What comes when, as `at: queue runs, ...`.
fn story(imported: &Imported) -> Vec<String> {
    let mut lines = Vec::new();
    for moment in &imported.scenario.timeline {
        let Event::Build(build) = &moment.event else {
            panic!("{moment:?}")
        };
        let steps = build.steps.iter();
        let steps = steps.map(|step| format!("{} {}", step.queue.as_deref().unwrap_or("-"), step.runs));
        lines.push(format!("{}: {}", moment.at, steps.collect::<Vec<_>>().join(", ")));
    }
    lines
}

#[test]
fn what_is_runnable_at_once_comes_at_once() {
    let imported = read(GENERIC, &options());
    let expected = ["0s: linux 1m, Mac-OS 1m30s500ms, linux 1s", "5m: linux 30s"];
    assert_eq!(story(&imported), expected);
    assert_eq!((imported.builds, imported.jobs), (2, 4));
    assert_eq!(imported.scenario.starts.as_deref(), Some("2025-06-02T08:00:00Z"));
}

#[test]
fn there_is_a_template_for_each_queue() {
    let imported = read(GENERIC, &options());
    let templates = imported.scenario.templates.iter();
    let names: Vec<(&str, &str)> = templates
        .map(|template| (template.name.as_str(), template.queue()))
        .collect();
    assert_eq!(names, [("mac-os", "Mac-OS"), ("linux", "linux")]);
}

#[test]
fn rows_that_cannot_be_used_are_counted_with_the_first_of_them() {
    let imported = read(GENERIC, &options());
    let skipped: Vec<(&str, Skipped)> = imported.skipped.into_iter().collect();
    let one = |first| Skipped { rows: 1, first };
    assert_eq!(
        skipped,
        [
            ("with a negative duration", one(6)),
            ("with another number of fields than the header", one(10)),
            ("without a duration: the job never ran", one(7)),
            ("without a queue", one(9)),
            ("without a time at which the job could run", one(8)),
        ]
    );
}

#[test]
fn queues_get_other_names() {
    let queues = "linux=small,*=rest".parse().unwrap();
    let imported = read(GENERIC, &Options { queues, ..options() });
    assert_eq!(
        story(&imported),
        ["0s: small 1m, rest 1m30s500ms, small 1s", "5m: small 30s"]
    );
}

#[test]
fn only_builds_of_a_time_are_taken() {
    let at = |text: &str| Some(text.parse().unwrap());
    let from = Options {
        from: at("2025-06-02T08:01:00Z"),
        ..options()
    };
    assert_eq!(story(&read(GENERIC, &from)), ["4m: linux 30s"]);
    let to = Options {
        to: at("2025-06-02T08:05:00Z"),
        ..options()
    };
    assert_eq!(read(GENERIC, &to).builds, 1);
}

/// Seen failing when the seed did not count.
#[test]
fn a_sample_takes_whole_builds_and_the_same_ones_again() {
    let mut text = "runnable_at,queue,duration_s,build\n".to_owned();
    for build in 0..500 {
        for _ in 0..3 {
            text += &format!("2025-06-02T08:{:02}:00Z,linux,60,{build}\n", build % 60);
        }
    }
    let sample = |percent, seed| {
        let imported = read(
            &text,
            &Options {
                sample_percent: Some(percent),
                seed,
                ..options()
            },
        );
        assert_eq!(imported.jobs, imported.builds * 3);
        imported
    };
    let fifth = sample(20, 1);
    assert!((70..130).contains(&fifth.builds), "{}", fifth.builds);
    assert_eq!(story(&fifth), story(&sample(20, 1)));
    assert_ne!(story(&fifth), story(&sample(20, 2)));
    assert_eq!(sample(100, 1).builds, 500);
}

#[test]
fn unknown_columns_are_told() {
    let problems = import("a.csv", b"when,where\n1,2\n", &options()).unwrap_err();
    assert_eq!(
        problems[0].to_string(),
        "a.csv:1:1: shape: the columns \"when,where\" are of no known trace: name them runnable_at, queue, duration_s and, if you have it, build"
    );
}

#[test]
fn nothing_usable_is_told_with_the_reasons() {
    let problems = import("a.csv", b"runnable_at,queue,duration_s\nx,linux,1\n", &options()).unwrap_err();
    assert!(
        problems[0]
            .message
            .contains("1 without a time at which the job could run (first: 2)")
    );
}

fn packed(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn gzip_is_unpacked_and_a_truncated_file_is_told() {
    let packed = packed(GENERIC);
    assert_eq!(import("a.gz", &packed, &options()).unwrap().jobs, 4);
    let problems = import("a.gz", &packed[..packed.len() / 2], &options()).unwrap_err();
    assert!(problems[0].message.contains("gzip cannot unpack it"), "{}", problems[0]);
}

#[test]
fn a_gzip_bomb_is_refused() {
    let bomb = packed(&"0".repeat(1 << 20)).repeat(257);
    let problems = import("a.gz", &bomb, &options()).unwrap_err();
    assert!(problems[0].message.contains("more than"), "{}", problems[0]);
}

#[test]
fn a_trace_longer_than_a_scenario_is_told() {
    let text = "runnable_at,queue,duration_s\n2020-01-01T00:00:00Z,a,1\n2025-01-01T00:00:00Z,a,1\n";
    let problems = import("a.csv", text.as_bytes(), &options()).unwrap_err();
    assert!(problems[0].message.contains("try --from"), "{}", problems[0]);
}

proptest! {
    #[test]
    fn any_bytes_are_imported_or_told(bytes: Vec<u8>) {
        let _ = import("a", &bytes, &options());
    }

    #[test]
    fn any_rows_are_imported_or_told(rows in prop::collection::vec("[-0-9a-zA-Z:,.\"TZ\n]{0,60}", 0..6)) {
        let text = format!("runnable_at,queue,duration_s,build\n2025-06-02T08:00:00Z,a,1,1\n{}", rows.join("\n"));
        if let Err(problems) = import("a.csv", text.as_bytes(), &options()) {
            prop_assert!(!problems.is_empty());
        }
    }
}
