//! One job's way from waiting to running, and what is measured of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use buildscaler_core::{Action, Config, Cursor, Failure, Input, LookEnd, Outcome, PodStage, Spending};
use openmetrics_parser::openmetrics::parse_openmetrics;

use self::stage::{Story, a_job, agent, pod, template};
use super::catalogue;

mod cost;
mod stage;

/// The whole way of one job.
fn told() -> Story {
    let mut story = Story::begin();
    story.see_pods(0.1, Vec::new());
    let old = a_job(&story, "old", "linux", -100.0, Some(-50.0));
    story.look(0.5, &[], vec![old.clone()], Vec::new(), LookEnd::Complete);
    let waits = a_job(&story, "waits", "linux", 12.0, None);
    let foreign = a_job(&story, "foreign", "mac", 12.0, None);
    story.look(
        20.0,
        &[],
        vec![old.clone(), waits, foreign],
        Vec::new(),
        LookEnd::Complete,
    );
    let create = story.last.commands.iter();
    let create = create.filter(|command| matches!(command.action, Action::CreatePod(_)));
    let id = create.map(|command| command.id).next().expect("a pod is asked for");
    let (outcome, spending) = (Outcome::Done, Spending::default());
    story.tell(20.5, Input::Outcome { id, outcome, spending });
    for (seconds, stage) in [
        (21.0, PodStage::Unscheduled),
        (23.0, PodStage::Starting),
        (30.0, PodStage::Running),
    ] {
        let pods = vec![pod(&story, stage)];
        story.see_pods(seconds, pods);
    }
    let pods = [pod(&story, PodStage::Running)];
    let runs = a_job(&story, "waits", "linux", 12.0, Some(34.0));
    let agents = vec![agent(&story)];
    // In two parts, the second of which says the same again.
    let (page, end) = (
        vec![old.clone(), runs.clone()],
        LookEnd::More(Cursor::Builds { page: 2 }),
    );
    story.look(45.0, &pods, page, Vec::new(), end);
    story.look(45.2, &pods, vec![runs], agents, LookEnd::Complete);
    story
}

#[test]
fn each_part_of_a_wait_is_measured() {
    let story = told();
    for (part, seconds) in [
        ("detection", 8.0),
        ("creation", 0.5),
        ("scheduling", 2.0),
        ("image", 7.0),
        ("registration", 3.0),
    ] {
        let labels = format!("{{queue=\"linux\",part=\"{part}\"}}");
        story.expect(&format!("buildscaler_start_part_seconds_sum{labels}"), seconds);
        story.expect(&format!("buildscaler_start_part_seconds_count{labels}"), 1.0);
    }
}

#[test]
fn each_job_counts_once_when_it_begins() {
    let mut story = told();
    let expect = |story: &Story| {
        story.expect("buildscaler_job_wait_seconds_count{queue=\"linux\"}", 1.0);
        story.expect("buildscaler_job_wait_seconds_sum{queue=\"linux\"}", 22.0);
        assert_eq!(story.value("buildscaler_job_wait_seconds_count{queue=\"mac\"}"), None);
    };
    expect(&story);
    let runs = a_job(&story, "waits", "linux", 12.0, Some(34.0));
    let pods = [pod(&story, PodStage::Running)];
    let agents = vec![agent(&story)];
    story.look(70.0, &pods, vec![runs], agents, LookEnd::Complete);
    expect(&story);
}

#[test]
fn what_there_is_is_told() {
    let story = told();
    for (series, value) in [
        ("active_agents_total", 1.0),
        ("active_pods_total", 1.0),
        ("buildkite_jobs_running_total", 2.0),
        ("sync_loop_runs_total", 3.0),
        ("sync_loop_errors_total", 0.0),
        ("buildscaler_leader", 1.0),
        ("buildscaler_dry_run", 0.0),
        ("buildscaler_queue_pods{queue=\"linux\",state=\"busy\"}", 1.0),
        ("buildscaler_queue_pods{queue=\"linux\",state=\"other\"}", 0.0),
        ("buildscaler_verdicts{reason=\"busy\"}", 1.0),
        (
            "buildscaler_commands_total{action=\"create_pod\",reason=\"demand\",outcome=\"done\"}",
            1.0,
        ),
        ("buildscaler_commands_in_flight{action=\"create_pod\"}", 0.0),
        ("buildscaler_buildkite_requests_total", 8.0),
        ("buildscaler_buildkite_requests_left{limit=\"user\"}", 41.0),
        ("buildscaler_buildkite_requests_limit{limit=\"user\"}", 50.0),
        ("buildscaler_findings{kind=\"no_template\"}", 0.0),
        ("buildscaler_job_longest_wait_seconds{queue=\"linux\"}", 0.0),
    ] {
        story.expect(series, value);
    }
}

/// The alert asks whether any controller commands.
#[test]
fn a_dry_run_is_told_and_does_not_count_as_one_that_commands() {
    let story = Story::begin_as(Config {
        dry_run: true,
        ..Config::default()
    });
    story.expect("buildscaler_dry_run", 1.0);
    story.expect("buildscaler_leader", 0.0);
}

#[test]
fn a_look_that_fails_counts_and_makes_the_view_older() {
    let mut story = told();
    let age = "buildscaler_view_age_seconds{view=\"buildkite\"}";
    let before = story.value(age);
    let failure = Failure::Unavailable {
        message: "secret-marker".into(),
    };
    let end = LookEnd::Failed(Cursor::START, failure);
    story.look(70.0, &[], Vec::new(), Vec::new(), end);
    story.expect("sync_loop_runs_total", 4.0);
    story.expect("sync_loop_errors_total", 1.0);
    story.expect("buildscaler_findings{kind=\"buildkite_unknown\"}", 1.0);
    story.expect("active_agents_total", 1.0);
    assert!(story.value(age) >= before, "the view is no younger");
    assert!(!story.exposition().contains("marker"), "words of servers are no labels");
}

/// A queue that is gone takes its series with it.
#[test]
fn queues_that_are_gone_are_forgotten() {
    let mut story = told();
    assert!(story.exposition().contains("queue=\"linux\""));
    story.template = Arc::new(template("apple"));
    story.see_pods(60.0, Vec::new());
    let text = story.exposition();
    assert!(
        !text.contains("queue=\"linux\"") && text.contains("queue=\"apple\""),
        "{text}"
    );
}

#[test]
fn what_comes_out_is_open_metrics_and_what_is_documented() {
    let text = told().exposition();
    // This parser does not know that a histogram may have a unit.
    let lines = text.lines().filter(|line| !line.starts_with("# UNIT "));
    let without_units: String = lines.flat_map(|line| [line, "\n"]).collect();
    parse_openmetrics(&without_units).unwrap_or_else(|error| panic!("{error}:\n{text}"));
    let types: BTreeMap<&str, &str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .collect();
    let documented = catalogue::ALL.iter().map(|metric| metric.family());
    let names: Vec<String> = documented.collect();
    let told: BTreeSet<&str> = types.keys().copied().collect();
    assert_eq!(told, names.iter().map(String::as_str).collect());
    // The first Buildscaler's dashboards ask for these by name.
    for (name, kind) in [
        ("active_agents_total", "gauge"),
        ("active_pods_total", "gauge"),
        ("buildkite_jobs_running_total", "gauge"),
        ("needed_pods_total", "gauge"),
        ("sync_loop_runs", "counter"),
        ("sync_loop_errors", "counter"),
    ] {
        assert_eq!(types.get(name), Some(&kind), "{name}");
    }
}
