//! A recorded life becomes a scenario in which about the same happens.

use std::path::Path;
use std::time::Duration;

use buildscaler_core::{Config, Input, Step, Timestamp};
use buildscaler_recording::{Program, Recorder, Recording, Settings};
use buildscaler_simulator::lift::{Lifted, lift};
use buildscaler_simulator::scenario::{Event, Range, Scenario, Span};

use buildscaler_simulator::{Options, Witness, run};

/// Records what the first controller learns and decides.
struct Recorded {
    recorder: Recorder,
    now: Timestamp,
}

impl Witness for Recorded {
    fn input(&mut self, _: u8, clock: Timestamp, input: &Input) {
        self.now = clock;
        assert!(self.recorder.input(clock, input).is_none());
    }

    fn step(&mut self, _: u8, step: &Step) {
        assert!(self.recorder.step(self.now, step).is_none());
    }
}

fn recorder(folder: &Path, config: Config) -> Recorder {
    let settings = Settings {
        folder: folder.to_owned(),
        most_bytes: 64 << 20,
        program: Program {
            name: "test".into(),
            version: "0".into(),
        },
    };
    Recorder::new(settings, config)
}

/// Runs a scenario under a recorder, and lifts what was recorded.
fn recorded(text: &str, folder: &Path) -> (Scenario, Lifted) {
    let scenario = Scenario::read("original.yaml", text).unwrap();
    let config = scenario.controller.config(&scenario.world.buildkite);
    let mut witness = Recorded {
        recorder: recorder(folder, config),
        now: Timestamp::default(),
    };
    let options = Options {
        witness: Some(&mut witness),
        ..Options::default()
    };
    run(&scenario, options, &mut |_| {});
    let moments = Recording::find(folder).unwrap().moments();
    let lifted = lift("recording", "lifted", moments).unwrap();
    let text = lifted.scenario.write();
    assert_eq!(Scenario::read("lifted.yaml", &text).as_ref(), Ok(&lifted.scenario));
    (scenario, lifted)
}

/// Jobs as (when they come, how long they run), in the order of time.
fn jobs(scenario: &Scenario) -> Vec<(Span, Span)> {
    let mut jobs = Vec::new();
    for moment in &scenario.timeline {
        if let Event::Build(build) = &moment.event {
            for step in &build.steps {
                jobs.extend((0..step.parallelism).map(|_| (moment.at, step.runs)));
            }
        }
    }
    jobs.sort_unstable();
    jobs
}

const DAY: &str = "
version: 1
name: day
lasts: 40m
starts: 2025-06-02T08:00:00Z
controller: {sync-interval: 10s, idle-timeout: 4m, max-pods: 9}
world:
  pods: {scheduling: 2s, image-pull: 0s, agent-start: 20s}
templates:
  - {name: linux, tags: [os=ubuntu], annotations: {max-active-builds: '4'}}
  - {name: arm-template, queue: arm}
timeline:
  - {at: 1m, build: {steps: [{queue: linux, runs: 3m, parallelism: 3, rules: [os=ubuntu]}, {queue: arm, runs: 2m}]}}
  - {at: 10m, apply-template: {name: linux, image: 'buildkite/agent:4', tags: [os=ubuntu]}}
  - {at: 12m, build: {steps: [{queue: linux, runs: 5m}]}}
  - {at: 20m, delete-template: arm-template}
";

/// Seen failing when the end was taken for the beginning.
#[test]
fn jobs_come_when_they_came_and_run_as_long_as_they_ran() {
    let folder = tempfile::tempdir().unwrap();
    let (original, lifted) = recorded(DAY, folder.path());
    let (expected, found) = (jobs(&original), jobs(&lifted.scenario));
    assert_eq!(found.len(), expected.len());
    for ((at, runs), (lifted_at, lifted_runs)) in expected.into_iter().zip(found) {
        let off = |one: Span, other: Span| one.0.abs_diff(other.0);
        assert!(off(at, lifted_at) < Duration::from_secs(1), "{at} {lifted_at}");
        // Both ends lie somewhere between two looks.
        assert!(
            off(runs, lifted_runs) <= Duration::from_secs(11),
            "{runs} {lifted_runs}"
        );
    }
    assert_eq!(lifted.notes, Vec::<String>::new());
}

#[test]
fn templates_and_what_became_of_them_are_lifted() {
    let folder = tempfile::tempdir().unwrap();
    let (_, lifted) = recorded(DAY, folder.path());
    let [arm, linux] = &lifted.scenario.templates[..] else {
        panic!()
    };
    assert_eq!((arm.name.as_str(), arm.queue()), ("arm-template", "arm"));
    assert_eq!((linux.name.as_str(), linux.queue()), ("linux", "linux"));
    // What the value was is no part of a recording; that it is the same one is.
    let [tag] = &linux.tags[..] else { panic!() };
    assert!(tag.starts_with("os=~"), "{tag}");
    assert_eq!(linux.annotations["max-active-builds"], "4");
    let mut changes = Vec::new();
    for moment in &lifted.scenario.timeline {
        let minutes = moment.at.0.as_secs() / 60;
        if let Event::ApplyTemplate(spec) = &moment.event {
            changes.push(format!("{minutes} {}", spec.name));
        }
        if let Event::DeleteTemplate(name) = &moment.event {
            changes.push(format!("{minutes} no {name}"));
        }
    }
    assert_eq!(changes, ["10 linux", "20 no arm-template"]);
}

#[test]
fn settings_and_medians_are_lifted() {
    let folder = tempfile::tempdir().unwrap();
    let (original, lifted) = recorded(DAY, folder.path());
    let settings = &lifted.scenario.controller;
    assert_eq!(settings.sync_interval, original.controller.sync_interval);
    assert_eq!(settings.max_pods, Some(9));
    assert_eq!(lifted.scenario.starts, original.starts);
    let Range::Fixed(start) = lifted.scenario.world.pods.agent_start else {
        panic!()
    };
    assert!((18..=24).contains(&start.0.as_secs()), "{start}");
}

#[test]
fn what_is_lifted_runs_to_the_same_end() {
    let folder = tempfile::tempdir().unwrap();
    let (_, lifted) = recorded(DAY, folder.path());
    let outcome = run(&lifted.scenario, Options::default(), &mut |_| {});
    assert_eq!(outcome.summary.total.finished, 5, "{}", outcome.story.join("\n"));
}

#[test]
fn jobs_of_which_not_all_is_known_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let text = concat!(
        "{version: 1, name: a, lasts: 5m, controller: {max-pods: 1}, templates: [{name: linux}], ",
        "timeline: [{at: 30s, build: {steps: [{queue: linux, runs: 1h, parallelism: 2}]}}]}",
    );
    let (_, lifted) = recorded(text, folder.path());
    assert_eq!(
        lifted.notes,
        [
            "1 jobs still ran at the end and end there",
            "1 jobs still waited at the end, and run as long as others of their queue",
        ]
    );
}

#[test]
fn a_damaged_recording_is_told_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    recorded(DAY, folder.path());
    let file = Recording::find(folder.path()).unwrap().files()[0].clone();
    let text = std::fs::read_to_string(&file).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines[5] = "{\"at\": []}";
    std::fs::write(&file, lines.join("\n")).unwrap();
    let problems = lift("recording", "lifted", Recording::find(&file).unwrap().moments()).unwrap_err();
    assert_eq!(problems[0].line, Some(6), "{}", problems[0]);
    std::fs::write(&file, "version: 1\n").unwrap();
    let problems = lift("recording", "lifted", Recording::find(&file).unwrap().moments()).unwrap_err();
    assert!(problems[0].message.contains("this is no recording"), "{}", problems[0]);
}
