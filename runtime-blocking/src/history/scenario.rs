//! The builds as a scenario of `buildscaler-sim`, version 1 of its format.
//!
//! Each job comes at the time at which an agent could have taken it, and runs
//! for as long as it ran.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use buildscaler_core::labels;
use serde::Serialize;

use super::part::Header;
use super::rows::{Build, Run};

/// Jobs of a build that could run within so much come together.
const TOGETHER: i64 = 5_000;
/// How long the world is watched after the last job might be done.
const AFTERWARDS: u64 = 3_600_000;
/// The longest value of a label.
const LABEL: usize = 63;
/// The longest name of a template.
const NAME: usize = 50;

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Scenario<'a> {
    version: u32,
    name: &'a str,
    description: String,
    starts: String,
    lasts: String,
    templates: Vec<Template>,
    timeline: Vec<Moment>,
}

#[derive(Serialize)]
struct Template {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
}

#[derive(Serialize)]
struct Moment {
    at: String,
    build: Steps,
}

#[derive(Serialize)]
struct Steps {
    steps: Vec<Step>,
}

#[derive(Serialize)]
struct Step {
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<String>,
    runs: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rules: Vec<String>,
    #[serde(skip_serializing_if = "is_zero")]
    priority: i64,
    #[serde(skip_serializing_if = "is_zero")]
    exits: i64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// The tags of each queue's agents, by key.
type Tags = BTreeMap<String, BTreeMap<String, String>>;

/// The text of the scenario.
pub(super) fn write(name: &str, header: &Header, builds: &[Build]) -> Result<String, String> {
    let mut tags = Tags::new();
    let mut moments = Vec::new();
    let mut end = 0;
    for build in builds {
        for runs in together(&build.runs) {
            let at = since(runs[0].at, header.from);
            let longest = runs.iter().map(|run| run.millis).max().unwrap_or_default();
            end = end.max(at.saturating_add(longest));
            let steps = runs.into_iter().map(|run| step(run, &mut tags)).collect();
            moments.push((at, steps));
        }
    }
    moments.sort_by_key(|(at, _)| *at);
    let scenario = Scenario {
        version: 1,
        name,
        description: format!(
            "Builds of {} from {} to {}, as Buildkite remembers them.",
            header.organization,
            date(header.from),
            date(header.to)
        ),
        starts: date(header.from),
        lasts: span(end.saturating_add(AFTERWARDS).div_ceil(60_000) * 60_000),
        templates: templates(&tags),
        timeline: moments
            .into_iter()
            .map(|(at, steps)| Moment {
                at: span(at),
                build: Steps { steps },
            })
            .collect(),
    };
    serde_saphyr::to_string(&scenario).map_err(|error| error.to_string())
}

/// The jobs in groups of those that could run at one time.
fn together(runs: &[Run]) -> Vec<Vec<&Run>> {
    let mut sorted: Vec<&Run> = runs.iter().collect();
    sorted.sort_by_key(|run| run.at);
    let mut groups: Vec<Vec<&Run>> = Vec::new();
    for run in sorted {
        match groups.last_mut() {
            Some(group) if run.at - group[0].at <= TOGETHER => group.push(run),
            Some(_) | None => groups.push(vec![run]),
        }
    }
    groups
}

/// A job as a step. Where jobs of one queue ask for different values of a tag,
/// its agents have the first, and the others do not ask for it.
fn step(run: &Run, tags: &mut Tags) -> Step {
    let queue = run.queue.as_deref().map(label);
    let named = queue.clone().unwrap_or_else(|| labels::DEFAULT_QUEUE.to_owned());
    let tags = tags.entry(named).or_default();
    let mut rules = run.rules.clone();
    rules.retain(|rule| match rule.split_once('=') {
        Some((key, "*")) => {
            tags.entry(key.to_owned()).or_insert_with(|| "any".to_owned());
            true
        }
        Some((key, value)) => tags.entry(key.to_owned()).or_insert_with(|| value.to_owned()) == value,
        None => false,
    });
    Step {
        queue,
        runs: span(run.millis),
        rules,
        priority: run.priority,
        exits: run.exits,
    }
}

fn templates(tags: &Tags) -> Vec<Template> {
    let mut taken = BTreeSet::new();
    let template = |(queue, tags): (&String, &BTreeMap<String, String>)| {
        let name = template_name(queue, &mut taken);
        Template {
            queue: (*queue != name).then(|| queue.clone()),
            tags: tags.iter().map(|(key, value)| format!("{key}={value}")).collect(),
            name,
        }
    };
    tags.iter().map(template).collect()
}

/// The queue as the value of a label, with what Kubernetes does not take there
/// replaced.
fn label(queue: &str) -> String {
    let good = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let text: String = queue
        .chars()
        .map(|c| if good(c) { c } else { '-' })
        .take(LABEL)
        .collect();
    match text.trim_matches(|c: char| !c.is_ascii_alphanumeric()) {
        "" => "unnamed".to_owned(),
        text => text.to_owned(),
    }
}

/// A name that a Job may have, and that no other template has.
fn template_name(queue: &str, taken: &mut BTreeSet<String>) -> String {
    let good = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '-'
        }
    };
    let plain: String = queue.chars().map(good).take(NAME).collect();
    let plain = plain.trim_matches('-').to_owned();
    let mut name = plain.clone();
    let mut number = 1;
    while !taken.insert(name.clone()) {
        number += 1;
        name = format!("{plain}-{number}");
    }
    name
}

fn since(at: i64, from: i64) -> u64 {
    u64::try_from(at.saturating_sub(from)).unwrap_or(0)
}

/// A length of time as scenarios write it.
fn span(mut millis: u64) -> String {
    let mut text = String::new();
    for (unit, length) in [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)] {
        if millis >= length {
            // Writing to a String does not fail.
            let _ = write!(text, "{}{unit}", millis / length);
            millis %= length;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

fn date(millis: i64) -> String {
    jiff::Timestamp::from_millisecond(millis)
        .unwrap_or_default()
        .to_string()
}
