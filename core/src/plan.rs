//! From the joined fleet to what should be done: pure, and without memory of
//! what has been asked for already.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::annotations::Terms;
use crate::assess::{Assessor, relation};
use crate::config::Config;
use crate::demand::{Demand, satisfies};
use crate::fleet::{Fleet, QueueFleet, Worker};
use crate::memory::Planned;
use crate::names::Queue;
use crate::pod::Pod;
use crate::reason::Reason;
use crate::report::QueueReport;
use crate::step::Action;
use crate::template::Template;
use crate::verdict::{Presence, Relation, Situation, Spare, Stage, Verdict, verdict};

/// The grace period of a gentle delete: longer than builds take. An agent that
/// connects after all ends its job on SIGTERM and leaves by itself.
pub(crate) const GENTLE_GRACE_SECONDS: u32 = 6 * 60 * 60;
/// What is left of it for a process that does not heed SIGTERM, once no agent
/// can be at work: Kubernetes' own default.
const LAST_GRACE_SECONDS: u32 = 30;

/// What should be done about the workers there are.
#[derive(Debug, Default)]
pub(crate) struct Plan<'v> {
    /// By urgency: orphaned and replaced agents before spare ones.
    pub(crate) stops: Vec<Planned>,
    /// By namespace.
    pub(crate) deletes: BTreeMap<&'v str, Vec<Planned>>,
    pub(crate) queues: BTreeMap<&'v Queue, QueueOutlook<'v>>,
    /// By the pod's place; there is none on pods that are not ours.
    pub(crate) verdicts: Vec<Option<(Verdict, Reason)>>,
    /// How often each verdict's reason was given.
    pub(crate) reasons: BTreeMap<Reason, u32>,
}

impl Plan<'_> {
    fn note(&mut self, place: usize, verdict: Verdict, reason: Reason) {
        if self.verdicts.len() <= place {
            self.verdicts.resize(place + 1, None);
        }
        self.verdicts[place] = Some((verdict, reason));
    }

    /// All pods that have not finished.
    pub(crate) fn pods(&self) -> u32 {
        self.queues.values().map(|outlook| outlook.report.pods).sum()
    }
}

/// One queue, counted.
#[derive(Debug)]
pub(crate) struct QueueOutlook<'v> {
    /// The template from which pods may be created.
    pub(crate) serving: Option<&'v Arc<Template>>,
    pub(crate) terms: Terms,
    pub(crate) report: QueueReport,
    /// The names of all its pods, finished ones included.
    pub(crate) names: Vec<&'v str>,
}

/// A worker with the situation it is in.
struct Assessed<'w, 'v> {
    worker: &'w Worker<'v>,
    situation: Situation,
}

/// Plans for one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Planner<'m> {
    pub(crate) config: &'m Config,
    pub(crate) assessor: Assessor<'m>,
    /// What the policy last wished for.
    pub(crate) wishes: &'m BTreeMap<Queue, u32>,
    /// Whether the fleet's ceiling keeps jobs waiting: then no agent is kept
    /// without a job, since its room is wanted.
    pub(crate) jobs_lack_room: bool,
}

impl Planner<'_> {
    /// Passes a verdict on every worker. Without demand (the jobs could not be
    /// seen) no agent is spare.
    pub(crate) fn plan<'v>(&self, fleet: &Fleet<'v>, demand: Option<&BTreeMap<Queue, Demand>>) -> Plan<'v> {
        let mut plan = Plan::default();
        let mut urgent = Vec::new();
        let mut spare = Vec::new();
        for (queue, queue_fleet) in &fleet.queues {
            let terms = Terms::of(queue_fleet.claims.first().map(|template| &***template), self.config);
            let mut workers = self.assess(fleet, queue_fleet, &terms);
            let outlook = self.outlook(queue_fleet, &workers, terms);
            if let Some(demand) = demand {
                let suits = |rules: &[String]| {
                    let mut agents = queue_fleet.workers.iter().flat_map(|worker| worker.agents.iter());
                    agents.any(|agent| agent.is_idle() && satisfies(&agent.tags, rules))
                };
                let jobs = demand.get(*queue).map_or(0, |demand| demand.suiting(suits));
                let wish = self.wishes.get(*queue).copied().unwrap_or(0);
                let wanted = jobs.max(wish.saturating_sub(outlook.report.busy));
                self.mark_spare(&mut workers, wanted, &outlook);
            }
            for assessed in &workers {
                let (verdict, reason) = verdict(&assessed.situation);
                plan.note(assessed.worker.place, verdict, reason);
                *plan.reasons.entry(reason).or_default() += 1;
                let is_spare = matches!(reason, Reason::IdleTimeout | Reason::Lifetime);
                let stops = if is_spare { &mut spare } else { &mut urgent };
                self.carry(&mut plan, stops, assessed.worker, verdict, reason);
            }
            plan.queues.insert(queue, outlook);
        }
        if let Some(foreign) = u32::try_from(fleet.foreign_pods.len()).ok().filter(|count| *count > 0) {
            plan.reasons.insert(Reason::NotOurs, foreign);
        }
        plan.stops = urgent;
        plan.stops.append(&mut spare);
        plan
    }

    fn assess<'w, 'v>(&self, fleet: &Fleet<'v>, queue: &'w QueueFleet<'v>, terms: &Terms) -> Vec<Assessed<'w, 'v>> {
        queue
            .workers
            .iter()
            .map(|worker| Assessed {
                worker,
                situation: self.assessor.situation(
                    queue,
                    worker,
                    relation(fleet, queue, worker),
                    terms.startup_timeout,
                ),
            })
            .collect()
    }

    fn outlook<'v>(&self, queue: &QueueFleet<'v>, workers: &[Assessed<'_, 'v>], terms: Terms) -> QueueOutlook<'v> {
        let mut report = QueueReport::default();
        for Assessed { worker, situation } in workers {
            if situation.stage == Stage::Finished || worker.pod.stage.is_finished() {
                continue;
            }
            report.pods += 1;
            let serves = matches!(situation.stage, Stage::Pending | Stage::Running);
            let current = situation.relation == Relation::Current;
            let awaited = matches!(situation.presence, Presence::Unproven | Presence::Awaited);
            if !serves {
                continue;
            }
            if situation.presence == Presence::Busy {
                report.busy += 1;
            } else if current && situation.presence == Presence::Idle {
                report.idle += 1;
            } else if current && awaited && !self.had_agent(worker) {
                report.starting += 1;
            }
        }
        let names = workers
            .iter()
            .map(|assessed| assessed.worker.pod.name.as_str())
            .collect();
        QueueOutlook {
            serving: queue.serving(),
            terms,
            report,
            names,
        }
    }

    fn had_agent(&self, worker: &Worker<'_>) -> bool {
        self.assessor
            .sightings
            .at(worker.place)
            .is_some_and(|sighting| sighting.had_agent)
    }

    /// Marks the idle agents that may go: those that are too old, and of the
    /// rest the longest idle ones beyond what jobs want and what is kept warm.
    fn mark_spare(&self, workers: &mut [Assessed<'_, '_>], wanted: u32, outlook: &QueueOutlook<'_>) {
        let terms = &outlook.terms;
        let warm = if self.jobs_lack_room { 0 } else { terms.min_idle };
        // A pod that ends is no capacity, although its agent may still be listed.
        let is_idle = |assessed: &Assessed<'_, '_>| {
            let situation = &assessed.situation;
            matches!(situation.stage, Stage::Pending | Stage::Running)
                && situation.presence == Presence::Idle
                && situation.relation == Relation::Current
        };
        if let Some(lifetime) = terms.max_agent_lifetime {
            let most = self.may_retire(workers, warm, outlook);
            let now = self.assessor.now;
            let mut old: Vec<_> = workers
                .iter_mut()
                .filter(|assessed| is_idle(assessed) && now.since(assessed.worker.pod.created_at) > lifetime)
                .collect();
            old.sort_by_key(|assessed| (assessed.worker.pod.created_at, assessed.worker.place));
            for assessed in old.into_iter().take(most) {
                assessed.situation.spare = Spare::TooOld;
            }
        }
        let mut idle: Vec<_> = workers
            .iter_mut()
            .filter(|assessed| is_idle(assessed) && assessed.situation.spare == Spare::Wanted)
            .map(|assessed| (self.idle_for(assessed.worker), assessed))
            .collect();
        let kept = usize::try_from(wanted.saturating_add(warm)).unwrap_or(usize::MAX);
        let surplus = idle.len().saturating_sub(kept);
        idle.sort_by(|(a, first), (b, second)| b.cmp(a).then(first.worker.place.cmp(&second.worker.place)));
        // The agents leave by themselves at the idle timeout, which costs no
        // request: half an interval later is soon enough for those that don't.
        let patience = terms.idle_timeout.saturating_add(self.config.sync_interval / 2);
        for (idle_for, assessed) in idle.into_iter().take(surplus) {
            if idle_for >= patience {
                assessed.situation.spare = Spare::IdleTooLong;
            }
        }
    }

    /// How many agents may go for their age. Those that are kept warm were made
    /// together and grow old together: they go one by one, each when the one
    /// before has been replaced, so that the others stay warm.
    fn may_retire(&self, workers: &[Assessed<'_, '_>], warm: u32, outlook: &QueueOutlook<'_>) -> usize {
        if warm == 0 {
            return usize::MAX;
        }
        let on_its_way_out = workers.iter().any(|assessed| {
            let situation = &assessed.situation;
            situation.stage == Stage::Leaving || situation.presence == Presence::Stopping
        });
        let report = &outlook.report;
        let room = outlook
            .terms
            .max_active_builds
            .map(|most| most.saturating_sub(report.busy));
        // Within the fleet's ceiling there may never be as many as asked for.
        let is_full = self.config.max_pods.is_some() || report.idle >= warm.min(room.unwrap_or(u32::MAX));
        let may_one_go = is_full && report.starting == 0 && !on_its_way_out;
        let beyond = report.idle.saturating_sub(warm);
        usize::try_from(beyond.max(u32::from(may_one_go))).unwrap_or(usize::MAX)
    }

    fn idle_for(&self, worker: &Worker<'_>) -> Duration {
        let sightings = self.assessor.sightings;
        let since = sightings.at(worker.place).and_then(|sighting| sighting.idle_since);
        match (sightings.listed_at(), since) {
            (Some(listed_at), Some(since)) => listed_at.since(since),
            _ => Duration::ZERO,
        }
    }

    fn carry<'v>(
        &self,
        plan: &mut Plan<'v>,
        stops: &mut Vec<Planned>,
        worker: &Worker<'v>,
        verdict: Verdict,
        reason: Reason,
    ) {
        match verdict {
            Verdict::Keep | Verdict::Forget => {}
            Verdict::Stop => {
                for agent in worker.agents.iter().filter(|agent| agent.may_be_stopped()) {
                    if !self.assessor.holds.was_asked(&agent.id) {
                        stops.push(Planned {
                            action: Action::StopAgent {
                                agent: agent.id.clone(),
                            },
                            reason,
                        });
                    }
                }
            }
            Verdict::Delete => self.delete(plan, worker.pod, None, reason),
            Verdict::EndGrace => {
                // An agent that connected before SIGTERM came would be listed
                // by now; one that had not takes no job after it.
                let listed_at = self.assessor.sightings.listed_at();
                let proven = listed_at.map(|at| at.before(self.config.sync_interval));
                let gently = |at| self.assessor.holds.was_deleted_gently(&worker.pod.uid, at);
                if worker.pod.deleting && proven.is_some_and(gently) {
                    self.delete(plan, worker.pod, Some(LAST_GRACE_SECONDS), reason);
                }
            }
            Verdict::DeleteGently => self.delete(plan, worker.pod, Some(GENTLE_GRACE_SECONDS), reason),
        }
    }

    fn delete<'v>(&self, plan: &mut Plan<'v>, pod: &'v Arc<Pod>, grace_seconds: Option<u32>, reason: Reason) {
        let gently = grace_seconds.is_some_and(|grace| grace >= GENTLE_GRACE_SECONDS);
        if self.assessor.holds.bars_delete(&pod.uid, gently) {
            return;
        }
        let action = Action::DeletePod {
            namespace: pod.namespace.clone(),
            name: pod.name.clone(),
            uid: pod.uid.clone(),
            grace_seconds,
        };
        plan.deletes
            .entry(pod.namespace.as_str())
            .or_default()
            .push(Planned { action, reason });
    }
}
