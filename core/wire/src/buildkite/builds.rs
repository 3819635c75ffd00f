//! From a page of builds to Buildkite jobs.

use buildscaler_core::{BuildkiteJob, BuildkiteJobId, Failure, JobState, Queue, labels};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::rows::{lax, objects, texts};
use crate::date;

#[derive(Deserialize)]
struct BuildRow<'a> {
    #[serde(default, deserialize_with = "lax")]
    state: Option<String>,
    #[serde(borrow, default)]
    jobs: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct JobRow {
    id: String,
    #[serde(default, deserialize_with = "lax")]
    r#type: Option<String>,
    #[serde(default, deserialize_with = "lax")]
    state: Option<String>,
    #[serde(default, deserialize_with = "lax")]
    retried: Option<bool>,
    /// Without them it could not be told where the job may run, so they are
    /// not taken lightly.
    #[serde(default, deserialize_with = "texts")]
    agent_query_rules: Vec<String>,
    #[serde(default, deserialize_with = "lax")]
    runnable_at: Option<String>,
    #[serde(default, deserialize_with = "lax")]
    started_at: Option<String>,
}

/// Reads a page of builds. A build or job that cannot be read is left out: a
/// job too few is a delay.
pub(super) fn read(body: &[u8], jobs: &mut Vec<BuildkiteJob>) -> Result<(), Failure> {
    for row in objects(body)? {
        let Ok(build) = serde_json::from_str::<BuildRow<'_>>(row.get()) else {
            continue;
        };
        // Its jobs end soon, whatever their states say.
        let canceling = build.state.as_deref() == Some("canceling");
        let rows = build.jobs.iter().filter_map(|row| serde_json::from_str(row.get()).ok());
        jobs.extend(rows.filter_map(|row: JobRow| row.into_job(canceling)));
    }
    Ok(())
}

impl JobRow {
    fn into_job(self, canceling: bool) -> Option<BuildkiteJob> {
        if self.id.is_empty() || self.r#type.as_deref() != Some("script") || self.retried == Some(true) {
            return None;
        }
        let state = match self.state.as_deref().map_or(JobState::Other, state) {
            // Finished steps and those that wait for others are the bulk of
            // large builds, and mean nothing to a scaler.
            JobState::Other => return None,
            JobState::Scheduled | JobState::Limited if canceling => return None,
            state @ (JobState::Scheduled | JobState::Limited | JobState::Active) => state,
        };
        let (queue, rules) = place(self.agent_query_rules);
        Some(BuildkiteJob {
            id: BuildkiteJobId::from(self.id),
            state,
            queue,
            rules,
            runnable_at: self.runnable_at.as_deref().and_then(date::parse),
            started_at: self.started_at.as_deref().and_then(date::parse),
        })
    }
}

fn state(state: &str) -> JobState {
    match state {
        "scheduled" => JobState::Scheduled,
        "limiting" | "limited" | "platform_limiting" | "platform_limited" => JobState::Limited,
        "assigned" | "accepted" | "running" | "canceling" | "timing_out" => JobState::Active,
        _ => JobState::Other,
    }
}

/// The queue that the rules name, and the other rules. `*` is how no rule was
/// spelt once.
fn place(rules: Vec<String>) -> (Queue, Vec<String>) {
    let mut queue = None;
    let mut others = Vec::new();
    for rule in rules {
        match rule.split_once('=') {
            Some((labels::QUEUE_TAG, name)) if queue.is_none() => queue = Some(Queue::from(name)),
            Some(_) => others.push(rule),
            None if rule == "*" => {}
            None => others.push(rule),
        }
    }
    (queue.unwrap_or_else(|| Queue::from(labels::DEFAULT_QUEUE)), others)
}
