//! Demand: the jobs that want an agent now and have none.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::agent::Agent;
use crate::buildkite_job::{BuildkiteJob, JobState};
use crate::index::{Index, fingerprint, may_repeat};
use crate::names::{BuildkiteJobId, Queue};
use crate::time::Timestamp;

/// How long a job may be `scheduled` without being runnable before one pod is
/// tried all the same: that it means "limited" is an assumption, and a wrong
/// one must not hold a queue up for ever.
const LIMITED_FOR: Duration = Duration::from_secs(120);

/// The jobs of one queue that want an agent.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Demand {
    /// Jobs of no rules but the queue: since when each has waited.
    pub(crate) plain: Vec<Timestamp>,
    /// Jobs with further rules.
    pub(crate) picky: Vec<BuildkiteJob>,
    /// Jobs that are scheduled and not runnable for longer than is plausible.
    pub(crate) held_back: u32,
}

impl Demand {
    /// All jobs that want an agent, whether one can satisfy them or not.
    pub(crate) fn size(&self) -> u32 {
        u32::try_from(self.plain.len().saturating_add(self.picky.len())).unwrap_or(u32::MAX)
    }

    /// The jobs that some agent could take, as far as `suits` tells of their
    /// rules. What nobody can take is no reason to keep anybody.
    pub(crate) fn suiting(&self, suits: impl Fn(&[String]) -> bool) -> u32 {
        // Many jobs share few rules.
        let mut known: BTreeMap<&[String], bool> = BTreeMap::new();
        let mut count = self.plain.len();
        for wanting in &self.picky {
            let suited = *known.entry(&wanting.rules).or_insert_with(|| suits(&wanting.rules));
            count += usize::from(suited);
        }
        u32::try_from(count).unwrap_or(u32::MAX)
    }
}

/// Since when jobs have been seen scheduled and not runnable.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HeldBack {
    since: BTreeMap<BuildkiteJobId, Timestamp>,
}

impl HeldBack {
    /// Takes note of a complete list of jobs.
    pub(crate) fn see(&mut self, jobs: &[BuildkiteJob], now: Timestamp) {
        let known = std::mem::take(&mut self.since);
        for held in jobs.iter().filter(|one| is_held_back(one)) {
            let since = known.get(&held.id).copied().unwrap_or(now);
            self.since.insert(held.id.clone(), since);
        }
    }

    /// Whether nothing in it is later than `end`.
    pub(crate) fn is_consistent(&self, end: Timestamp) -> bool {
        self.since.values().all(|since| *since <= end)
    }

    fn is_implausible(&self, held: &BuildkiteJob, now: Timestamp) -> bool {
        self.since
            .get(&held.id)
            .is_some_and(|since| now.since(*since) >= LIMITED_FOR)
    }
}

/// Demand by queue. A job that some agent already runs is no demand: it was
/// picked up between the two halves of the look.
///
/// It is worked out once for each look, and the jobs themselves are dropped:
/// fifty thousand of them are not needed again.
pub(crate) fn demand(
    jobs: &[BuildkiteJob],
    agents: &[Agent],
    held_back: &HeldBack,
    now: Timestamp,
) -> BTreeMap<Queue, Demand> {
    let mut running = Index::with_room(agents.len());
    for id in agents.iter().filter_map(|agent| agent.running.as_ref()) {
        running.place_of(id.as_bytes());
    }
    let wants = |one: &&BuildkiteJob| {
        one.state == JobState::Scheduled
            && (one.runnable_at.is_some() || held_back.is_implausible(one, now))
            && running.find(one.id.as_bytes()).is_none()
    };
    let wanting = || jobs.iter().filter(wants);
    let (demand, repeats) = tally(wanting());
    if !repeats {
        return demand;
    }
    // A job that moved between pages is there twice.
    let mut distinct: Vec<&BuildkiteJob> = wanting().collect();
    distinct.sort_by(|a, b| (&a.id, a.runnable_at).cmp(&(&b.id, b.runnable_at)));
    distinct.dedup_by(|a, b| a.id == b.id);
    tally(distinct.into_iter()).0
}

/// Sorts jobs by queue, and tells whether one of them may be there twice.
fn tally<'v>(jobs: impl Iterator<Item = &'v BuildkiteJob>) -> (BTreeMap<Queue, Demand>, bool) {
    let mut places = Index::default();
    let mut queues: Vec<(&Queue, Demand)> = Vec::new();
    let mut fingerprints = Vec::new();
    for wanting in jobs {
        fingerprints.push(fingerprint(wanting.id.as_bytes()));
        let (place, is_new) = places.place_of(wanting.queue.as_bytes());
        if is_new {
            queues.push((&wanting.queue, Demand::default()));
        }
        let demand = &mut queues[place].1;
        match wanting.runnable_at {
            Some(_) if !wanting.rules.is_empty() => demand.picky.push(wanting.clone()),
            Some(since) => demand.plain.push(since),
            None => demand.held_back += 1,
        }
    }
    let demand = queues
        .into_iter()
        .map(|(queue, demand)| (queue.clone(), demand))
        .collect();
    (demand, may_repeat(fingerprints))
}

/// Whether an agent with these tags satisfies all of a job's rules.
pub(crate) fn satisfies(tags: &[String], rules: &[String]) -> bool {
    rules.iter().all(|rule| match rule.strip_suffix("=*") {
        Some(key) => tags
            .iter()
            .any(|tag| tag.split_once('=').is_some_and(|(tag_key, _)| tag_key == key)),
        None => tags.contains(rule),
    })
}

fn is_held_back(one: &BuildkiteJob) -> bool {
    one.state == JobState::Scheduled && one.runnable_at.is_none()
}
