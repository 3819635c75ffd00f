//! Builds as Buildkite's REST API returns them: the pages of `builds`, with
//! their jobs.
//!
//! Wait steps keep their places, so that what follows them waits for what the
//! simulated fleet takes. What follows a block step comes when it came: a human
//! decided that. What else became runnable later than the rest of its stage
//! depended on something that the API does not tell, and comes at its recorded
//! time too.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::assemble::{Part, TracedBuild};
use super::names::is_tag;
use super::{Trace, problem};
use crate::scenario::{Problem, Rule, Span, Step, StepKind};

/// Jobs that became runnable within so much belong together.
const TOGETHER: SignedDuration = SignedDuration::from_secs(5);

/// What is taken over of a build; all else is passed by.
#[derive(Deserialize)]
struct Build {
    #[serde(default)]
    id: String,
    #[serde(default)]
    number: u64,
    #[serde(default)]
    pipeline: Pipeline,
    #[serde(default)]
    jobs: Vec<Job>,
}

#[derive(Default, Deserialize)]
struct Pipeline {
    #[serde(default)]
    slug: String,
}

/// What is taken over of a job. There is no command here, and no environment.
#[derive(Deserialize)]
struct Job {
    #[serde(default, rename = "type")]
    kind: String,
    created_at: Option<Timestamp>,
    runnable_at: Option<Timestamp>,
    started_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
    exit_status: Option<i64>,
    agent_query_rules: Option<Vec<String>>,
    priority: Option<Priority>,
}

#[derive(Deserialize)]
struct Priority {
    #[serde(default)]
    number: i64,
}

/// Reads what `GET /v2/organizations/{org}/builds` answered.
pub(super) fn read(file: &str, text: &str) -> Result<Trace, Vec<Problem>> {
    let bad = |error: serde_json::Error| {
        let place = Some((error.line() as u64, error.column() as u64));
        let rule = if error.is_data() { Rule::Shape } else { Rule::Syntax };
        vec![problem(
            file,
            place,
            rule,
            format!("no builds of Buildkite's REST API: {error}"),
        )]
    };
    let builds: Vec<Build> = if text.trim_start().starts_with('[') {
        serde_json::from_str(text).map_err(bad)?
    } else {
        vec![serde_json::from_str(text).map_err(bad)?]
    };
    let mut trace = Trace {
        kind: "builds of Buildkite's REST API",
        ..Trace::default()
    };
    let mut number = 0;
    for build in builds {
        if let Some(build) = traced(build, &mut number, &mut trace) {
            trace.builds.push(build);
        }
    }
    Ok(trace)
}

fn traced(build: Build, number: &mut u64, trace: &mut Trace) -> Option<TracedBuild> {
    let id = if build.id.is_empty() {
        build.number.to_string()
    } else {
        build.id
    };
    // Jobs that are uploaded together wait for each other's wait steps only.
    let mut uploads: BTreeMap<Timestamp, Upload> = BTreeMap::new();
    for job in build.jobs {
        *number += 1;
        match step(&job) {
            Ok((step, runnable)) => {
                let created = job.created_at.unwrap_or(runnable);
                let upload = uploads.entry(whole_seconds(created)).or_default();
                upload.add(step, runnable);
            }
            Err(why) => trace.skip(why, *number),
        }
    }
    let parts: Vec<Part> = uploads.into_values().flat_map(Upload::parts).collect();
    (!parts.is_empty()).then_some(TracedBuild {
        id: format!("{}-{id}", build.pipeline.slug),
        pipeline: build.pipeline.slug,
        parts,
    })
}

fn whole_seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

/// The step of a job and when it could run, or why it cannot be used.
fn step(job: &Job) -> Result<(Step, Timestamp), &'static str> {
    let known = job.runnable_at.or(job.created_at);
    match job.kind.as_str() {
        "waiter" => return Ok((Step::of(StepKind::Wait), known.ok_or("without any time")?)),
        "manual" => return Ok((Step::of(StepKind::Block), known.ok_or("without any time")?)),
        "script" => {}
        _ => return Err("that need no agent (triggers)"),
    }
    let started = job.started_at.ok_or("that never started")?;
    let finished = job.finished_at.ok_or("that have not finished")?;
    let runs = u64::try_from(finished.duration_since(started).as_millis()).map_err(|_| "that end before they start")?;
    let mut step = Step::of(StepKind::Command);
    step.runs = Span::millis(runs);
    step.priority = job.priority.as_ref().map_or(0, |priority| priority.number);
    step.exits = job
        .exit_status
        .filter(|status| (-1..=255).contains(status))
        .unwrap_or(0);
    for rule in job.agent_query_rules.iter().flatten() {
        match rule.split_once('=') {
            Some(("queue", queue)) => step.queue = Some(queue.to_owned()),
            Some(_) if is_tag(rule) => step.rules.push(rule.clone()),
            Some(_) | None => {}
        }
    }
    Ok((step, known.unwrap_or(started)))
}

/// The jobs of one upload of steps: those up to a block step, those up to the
/// next, and so on.
#[derive(Default)]
struct Upload(Vec<Vec<Stage>>);

/// What runs at once: wait steps begin new stages.
#[derive(Default)]
struct Stage(Vec<(Timestamp, Step)>);

impl Upload {
    fn add(&mut self, step: Step, runnable: Timestamp) {
        if self.0.is_empty() || step.kind == StepKind::Block {
            self.0.push(vec![Stage::default()]);
        }
        let Some(stages) = self.0.last_mut() else { return };
        match step.kind {
            StepKind::Command => {
                if let Some(stage) = stages.last_mut() {
                    stage.0.push((runnable, step));
                }
            }
            StepKind::Wait => stages.push(Stage::default()),
            StepKind::Block => {}
        }
    }

    /// What comes at one time, and each job that came later than its stage.
    fn parts(self) -> impl Iterator<Item = Part> {
        self.0.into_iter().flat_map(parts)
    }
}

fn parts(stages: Vec<Stage>) -> Vec<Part> {
    let first = stages.iter().flat_map(|stage| &stage.0).map(|(at, _)| *at).min();
    let Some(at) = first else { return Vec::new() };
    let (mut steps, mut late) = (Vec::new(), Vec::new());
    for Stage(commands) in stages {
        let Some(begins) = commands.iter().map(|(at, _)| *at).min() else {
            continue;
        };
        if !steps.is_empty() {
            steps.push(Step::of(StepKind::Wait));
        }
        for (runnable, step) in commands {
            if runnable.duration_since(begins) > TOGETHER {
                let steps = vec![step];
                late.push(Part { at: runnable, steps });
            } else {
                steps.push(step);
            }
        }
    }
    std::iter::once(Part { at, steps }).chain(late).collect()
}
