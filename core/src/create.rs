//! How many pods to create, of which queue, within which ceilings.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::annotations::Terms;
use crate::blueprint::Blueprint;
use crate::demand::{Demand, satisfies};
use crate::fleet::QueueFleet;
use crate::index::fingerprint;
use crate::memory::{Holds, KnownTags, LaneKey, PodRun};
use crate::names::Queue;
use crate::plan::QueueOutlook;
use crate::template::Template;
use crate::time::Timestamp;

/// The most pods one plan creates for one queue, whatever a policy wishes.
const MOST_AT_ONCE: u32 = 5_000;
/// How long an idle agent that is not ours is believed to take a job.
const FOREIGN_FAITH: Duration = Duration::from_secs(60);

/// Jobs of a queue that its agents can take, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    since: Vec<Timestamp>,
    /// Rules of jobs that no agent of the queue can satisfy.
    pub(crate) unmatchable: BTreeSet<String>,
}

impl Waiting {
    /// Sorts the jobs that a template's agents can take from those they can't.
    /// `seen` are the tags that its agents had before.
    pub(crate) fn of(
        demand: &Demand,
        queue: &QueueFleet<'_>,
        blueprint: Option<&Blueprint>,
        seen: Option<&KnownTags>,
        now: Timestamp,
    ) -> Self {
        let mut since = demand.plain.clone();
        let mut unmatchable = BTreeSet::new();
        for wanting in &demand.picky {
            if is_matchable(&wanting.rules, queue, blueprint, seen) {
                since.extend(wanting.runnable_at);
            } else {
                unmatchable.insert(wanting.rules.join(", "));
            }
        }
        let nobody = queue.workers.is_empty() && queue.foreign_idle == 0;
        let doubtful = !unmatchable.is_empty() && seen.is_some_and(|seen| seen.are_doubtful(now));
        if (demand.held_back > 0 || doubtful) && nobody && since.is_empty() {
            since.push(now);
        }
        since.sort_unstable();
        Self { since, unmatchable }
    }

    /// How many jobs are left when idle agents of others have taken theirs. A
    /// job that has waited for long is not theirs to take, it seems.
    pub(crate) fn beyond(&self, foreign_idle: u32, now: Timestamp) -> u32 {
        let fresh = self
            .since
            .iter()
            .filter(|since| now.since(**since) < FOREIGN_FAITH)
            .count();
        let taken = fresh.min(usize::try_from(foreign_idle).unwrap_or(usize::MAX));
        u32::try_from(self.since.len() - taken).unwrap_or(u32::MAX)
    }

    /// How long the oldest job has waited.
    pub(crate) fn longest(&self, now: Timestamp) -> Duration {
        self.since.first().map_or(Duration::ZERO, |since| now.since(*since))
    }

    /// Since when the job has waited for which the `nth` of `of` pods is made;
    /// the oldest jobs are answered by agents that are idle or on their way.
    fn since(&self, nth: u32, of: u32, now: Timestamp) -> Timestamp {
        let answered = self
            .since
            .len()
            .saturating_sub(usize::try_from(of).unwrap_or(usize::MAX));
        let place = answered.saturating_add(usize::try_from(nth).unwrap_or(usize::MAX));
        self.since.get(place).copied().unwrap_or(now)
    }
}

/// Where a template does not tell all tags of its agents, those there are tell,
/// or else those there were.
fn is_matchable(
    rules: &[String],
    queue: &QueueFleet<'_>,
    blueprint: Option<&Blueprint>,
    seen: Option<&KnownTags>,
) -> bool {
    let Some(blueprint) = blueprint else { return true };
    let mut agents = queue.workers.iter().flat_map(|worker| worker.agents.iter()).peekable();
    let nobody_tells = blueprint.tags.open && agents.peek().is_none();
    let plausible = nobody_tells && seen.and_then(|seen| seen.satisfy(rules)).unwrap_or(true);
    plausible || satisfies(&blueprint.tags.known, rules) || agents.any(|agent| satisfies(&agent.tags, rules))
}

/// A queue that wants pods, and may have them as far as it alone is concerned.
#[derive(Debug)]
pub(crate) struct Wish<'v> {
    pub(crate) queue: &'v Queue,
    pub(crate) template: &'v Arc<Template>,
    pub(crate) blueprint: Arc<Blueprint>,
    pub(crate) waiting: Waiting,
    /// Pods that jobs want, before the queue's ceiling.
    pub(crate) wanted: u32,
    /// Pods that may be made, those to be kept warm included.
    pub(crate) allowed: u32,
}

impl Wish<'_> {
    /// Whether jobs wait for pods that may not be made.
    pub(crate) fn is_cut(&self) -> bool {
        self.allowed < self.wanted
    }
}

/// Pods missing to what the policy wishes for, and how many of them and of
/// those to be kept warm the ceiling lets through.
pub(crate) fn missing(wish: u32, outlook: &QueueOutlook<'_>, in_flight: u32, terms: &Terms) -> (u32, u32) {
    let report = &outlook.report;
    let live = report.busy + report.idle + report.starting + in_flight;
    let short_of = |pods: u32| pods.saturating_sub(live).min(MOST_AT_ONCE);
    let room = terms
        .max_active_builds
        .map_or(u32::MAX, |most| most.saturating_sub(report.pods + in_flight));
    (short_of(wish), short_of(wish.saturating_add(terms.min_idle)).min(room))
}

/// Hands out the fleet's headroom: whoever has waited longest comes first, and
/// what is to be kept warm comes last.
pub(crate) fn share(wishes: &mut [Wish<'_>], headroom: Option<u32>, now: Timestamp) {
    let total: u64 = wishes.iter().map(|wish| u64::from(wish.allowed)).sum();
    let Some(headroom) = headroom.filter(|headroom| u64::from(*headroom) < total) else {
        return;
    };
    let mut claims: Vec<(bool, Timestamp, usize)> = wishes
        .iter()
        .enumerate()
        .flat_map(|(place, wish)| {
            let since = move |nth| wish.waiting.since(nth, wish.wanted, now);
            (0..wish.allowed).map(move |nth| (nth >= wish.wanted, since(nth), place))
        })
        .collect();
    claims.sort_unstable();
    for wish in wishes.iter_mut() {
        wish.allowed = 0;
    }
    for (_, _, place) in claims.into_iter().take(usize::try_from(headroom).unwrap_or(usize::MAX)) {
        wishes[place].allowed += 1;
    }
}

/// The creates for one wish, in the lowest slots that are free.
pub(crate) fn creates(wish: &Wish<'_>, outlook: &QueueOutlook<'_>) -> (LaneKey, PodRun) {
    let mut names: Vec<u64> = outlook.names.iter().map(|name| fingerprint(name.as_bytes())).collect();
    names.sort_unstable();
    let run = PodRun {
        template: Arc::clone(wish.template),
        queue: wish.queue.clone(),
        blueprint: Arc::clone(&wish.blueprint),
        names,
        left: wish.allowed,
        for_jobs: wish.wanted,
        slot: 0,
    };
    (
        LaneKey::Create(wish.template.uid.clone(), wish.template.hash.clone()),
        run,
    )
}

/// Pods that were asked for and are not seen yet, by queue, and all together.
pub(crate) fn in_flight(holds: &Holds) -> (BTreeMap<&Queue, u32>, u32) {
    let by_queue = holds.creates_by_queue();
    let total = by_queue.values().sum();
    (by_queue, total)
}
