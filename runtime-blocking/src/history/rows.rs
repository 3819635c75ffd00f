//! What is taken over of a build: times, queues and tags. Commands, messages,
//! branches, people and environments are passed by.

use buildscaler_core::labels;
use buildscaler_wire::parse_date;
use serde::{Deserialize, Serialize};

/// A build, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Build {
    pub(super) id: String,
    /// In milliseconds since the Unix epoch, as all times here.
    pub(super) created_at: i64,
    pub(super) runs: Vec<Run>,
    /// Jobs that never ran, or have not ended.
    pub(super) skipped: u64,
}

/// A job that ran on an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Run {
    /// When an agent could have taken it.
    pub(super) at: i64,
    pub(super) millis: u64,
    /// None is Buildkite's default.
    pub(super) queue: Option<String>,
    /// What else its agent had to have, as `key=value`.
    pub(super) rules: Vec<String>,
    pub(super) priority: i64,
    pub(super) exits: i64,
}

/// A build as Buildkite tells it.
#[derive(Deserialize)]
pub(super) struct Told {
    id: String,
    created_at: String,
    #[serde(default)]
    jobs: Vec<Job>,
}

#[derive(Deserialize)]
struct Job {
    #[serde(default, rename = "type")]
    kind: String,
    runnable_at: Option<String>,
    started_at: Option<String>,
    finished_at: Option<String>,
    exit_status: Option<i64>,
    agent_query_rules: Option<Vec<String>>,
    priority: Option<Priority>,
}

#[derive(Deserialize)]
struct Priority {
    #[serde(default)]
    number: i64,
}

impl Told {
    /// What is kept of it; none if it has no time.
    pub(super) fn kept(self) -> Option<Build> {
        let created_at = parse_date(&self.created_at)?.as_millis();
        let scripts = self.jobs.into_iter().filter(|job| job.kind == "script");
        let runs: Vec<Option<Run>> = scripts.map(Job::run).collect();
        let count = runs.len();
        let runs: Vec<Run> = runs.into_iter().flatten().collect();
        Some(Build {
            id: self.id,
            created_at,
            skipped: (count - runs.len()) as u64,
            runs,
        })
    }
}

impl Job {
    fn run(self) -> Option<Run> {
        let time = |text: Option<String>| Some(parse_date(&text?)?.as_millis());
        let started = time(self.started_at)?;
        let at = time(self.runnable_at).unwrap_or(started).min(started);
        let millis = u64::try_from(time(self.finished_at)?.checked_sub(started)?).ok()?;
        let (mut queue, mut rules) = (None, Vec::new());
        for rule in self.agent_query_rules.into_iter().flatten() {
            match rule.split_once('=') {
                Some((labels::QUEUE_TAG, key)) => queue = Some(key.to_owned()),
                Some(_) => rules.push(rule),
                // A tag without a value, or `*`, which is none.
                None => {}
            }
        }
        Some(Run {
            at,
            millis,
            queue,
            rules,
            priority: self.priority.map_or(0, |priority| priority.number),
            exits: self.exit_status.unwrap_or(0),
        })
    }
}
