//! From the builds of a trace to a scenario.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::{Imported, Options, Trace, names, problem};
use crate::scenario::{
    BuildEvent, ControllerSettings, Event, Expectations, Moment, Problem, Rule, Scenario, Span, Step, StepKind,
    TemplateSpec, VERSION, WorldSettings,
};

/// How long the world is watched after the last job might be done.
const AFTERWARDS: Duration = Duration::from_secs(3600);

/// A build of a trace: parts of it come at times of their own.
#[derive(Debug)]
pub(super) struct TracedBuild {
    /// Tells builds apart, over all pipelines.
    pub(super) id: String,
    pub(super) pipeline: String,
    pub(super) parts: Vec<Part>,
}

/// Steps that a trace shows coming at one time.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) at: Timestamp,
    pub(super) steps: Vec<Step>,
}

impl TracedBuild {
    /// When its first part comes.
    pub(super) fn begins(&self) -> Option<Timestamp> {
        self.parts.iter().map(|part| part.at).min()
    }
}

/// The scenario in which these builds come again.
pub(super) fn assemble(file: &str, trace: Trace, options: &Options) -> Result<Imported, Vec<Problem>> {
    let Trace {
        kind,
        mut builds,
        skipped,
    } = trace;
    for step in builds
        .iter_mut()
        .flat_map(|build| &mut build.parts)
        .flat_map(|part| &mut part.steps)
    {
        step.queue = step.queue.as_deref().map(|queue| options.queues.name(queue));
    }
    let first = builds.iter().filter_map(TracedBuild::begins).min();
    let starts = options.from.or(first).unwrap_or(Timestamp::UNIX_EPOCH);
    let templates = templates(&mut builds);
    let (mut timeline, mut ends) = (Vec::new(), Duration::ZERO);
    let count = builds.len();
    for build in builds {
        moments(build, starts, &mut timeline, &mut ends);
    }
    timeline.sort_by_key(|moment| moment.at);
    let scenario = Scenario {
        version: VERSION,
        name: options.name.clone(),
        description: format!("Imported from {kind}."),
        covers: Vec::new(),
        seed: options.seed,
        starts: Some(starts.to_string()),
        lasts: whole_minutes(ends.saturating_add(AFTERWARDS)),
        controller: ControllerSettings::default(),
        world: WorldSettings::default(),
        templates,
        timeline,
        expect: Expectations::default(),
    };
    if let Some(complaint) = scenario.complaints().into_iter().next() {
        let message = format!("it makes no scenario: {complaint}; try --from, --to or --sample");
        return Err(vec![problem(file, None, Rule::Size, message)]);
    }
    Ok(Imported {
        builds: count as u64,
        jobs: scenario.jobs(),
        scenario,
        skipped,
    })
}

/// A template for each queue, whose agents have the tags that its jobs ask
/// for. Where jobs of one queue ask for different values of a tag, the agents
/// have the first, and the others no longer ask.
fn templates(builds: &mut [TracedBuild]) -> Vec<TemplateSpec> {
    let mut tags: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for step in builds
        .iter_mut()
        .flat_map(|build| &mut build.parts)
        .flat_map(|part| &mut part.steps)
    {
        if step.kind != StepKind::Command {
            continue;
        }
        let queue = step
            .queue
            .clone()
            .unwrap_or_else(|| buildscaler_core::labels::DEFAULT_QUEUE.to_owned());
        let tags = tags.entry(queue).or_default();
        step.rules.retain(|rule| match rule.split_once('=') {
            Some((key, "*")) => tags.contains_key(key) || tags.insert(key.to_owned(), "any".to_owned()).is_none(),
            Some((key, value)) => tags.entry(key.to_owned()).or_insert_with(|| value.to_owned()) == value,
            None => false,
        });
    }
    let mut taken = BTreeSet::new();
    let template = |(queue, tags): (String, BTreeMap<String, String>)| {
        let name = names::template(&queue, &mut taken);
        TemplateSpec {
            queue: (queue != name).then_some(queue),
            tags: tags.into_iter().map(|(key, value)| format!("{key}={value}")).collect(),
            ..TemplateSpec::named(name)
        }
    };
    tags.into_iter().map(template).collect()
}

fn moments(build: TracedBuild, starts: Timestamp, timeline: &mut Vec<Moment>, ends: &mut Duration) {
    let pipeline = names::label(&build.pipeline);
    for Part { at, steps } in build.parts {
        let at = span_since(at, starts);
        *ends = (*ends).max(at.0.saturating_add(length(&steps)));
        let event = Event::Build(BuildEvent {
            id: None,
            pipeline: pipeline.clone(),
            steps,
        });
        timeline.push(Moment { at, event });
    }
}

/// How long steps take at most, one stage after the other.
fn length(steps: &[Step]) -> Duration {
    let mut stages = vec![Duration::ZERO];
    for step in steps {
        let after_others = step.kind != StepKind::Command || !step.after.is_empty() && stages.len() == 1;
        if after_others {
            stages.push(Duration::ZERO);
        }
        if let Some(stage) = stages.last_mut() {
            *stage = (*stage).max(step.runs.0);
        }
    }
    stages
        .iter()
        .fold(Duration::ZERO, |sum, stage| sum.saturating_add(*stage))
}

fn span_since(at: Timestamp, starts: Timestamp) -> Span {
    let millis = at.as_millisecond().saturating_sub(starts.as_millisecond());
    Span::millis(u64::try_from(millis).unwrap_or(0))
}

fn whole_minutes(length: Duration) -> Span {
    Span::secs(length.as_secs().div_ceil(60).saturating_mul(60))
}
