//! What is learnt of how pods start, and what follows from it.

use std::collections::BTreeSet;

use super::Controller;
use crate::annotations::Terms;
use crate::assess::{Assessor, relation};
use crate::create::{Wish, in_flight};
use crate::failing::{FailedStart, FailingTemplate, Start, slow_start, template_failing};
use crate::finding::{Finding, FindingChange, FindingKind};
use crate::fleet::{Fleet, QueueFleet, Worker};
use crate::memory::LaneKey;
use crate::names::Uid;
use crate::plan::Plan;
use crate::pod::{Pod, PodStage};
use crate::template::Template;
use crate::time::Timestamp;

impl Controller {
    /// The templates whose pods fail, so that they are made one at a time.
    pub fn failing_templates(&self) -> impl Iterator<Item = FailingTemplate> {
        let templates = self.cluster.as_ref().and_then(|cluster| cluster.templates.complete());
        templates.into_iter().flatten().filter_map(|template| {
            let breaker = self.breakers.of(template)?;
            let trials = breaker.trials?;
            Some(FailingTemplate {
                template: format!("{}/{}", template.namespace, template.name),
                queue: template.queue.clone()?,
                failed: breaker.failed,
                since: trials.since,
                next_trial_at: trials.next_at,
                last: breaker.last.clone(),
            })
        })
    }

    /// Learns from the pods of each template that serves. `newcomers` are the
    /// places of pods whose agents this look was the first to show; `first`
    /// says whether it was the first look of all, to which every agent is new.
    pub(super) fn learn_of_starts(
        &mut self,
        fleet: &Fleet<'_>,
        newcomers: &[usize],
        first: bool,
        agents_known: bool,
        now: Timestamp,
    ) {
        if fleet.templates_known {
            let serving = fleet.queues.values().filter_map(QueueFleet::serving);
            let serving: BTreeSet<&Uid> = serving.map(|template| &template.uid).collect();
            self.breakers.retain(|uid| serving.contains(uid));
        }
        let assessor = Assessor {
            sightings: &self.sightings,
            holds: &self.holds,
            agents_known,
            now,
        };
        for queue in fleet.queues.values() {
            let Some(template) = queue.serving() else { continue };
            let startup_timeout = Terms::of(Some(template), &self.config).startup_timeout;
            let breaker = self.breakers.learn(template);
            let workers = || queue.workers.iter().filter(|worker| is_of(worker, template));
            let mut works = false;
            for worker in workers().filter(|worker| newcomers.binary_search(&worker.place).is_ok()) {
                works = true;
                worker
                    .agents
                    .iter()
                    .for_each(|agent| breaker.tags.see(&agent.tags, now));
            }
            // Agents from before this controller's time say nothing of pods
            // that fail now.
            if works && first {
                breaker.work();
            }
            // They are in the order of their pods' uids.
            let is_there = |uid: &Uid| queue.workers.binary_search_by(|worker| worker.pod.uid.cmp(uid)).is_ok();
            breaker.keep_counted(is_there);
            for worker in workers().filter(|worker| agents_known && assessor.never_had_agent(worker)) {
                if breaker.has_counted(&worker.pod.uid) {
                    continue;
                }
                let presence = || {
                    assessor
                        .situation(queue, worker, relation(fleet, queue, worker), startup_timeout)
                        .presence
                };
                match Start::of(worker.pod, presence) {
                    Start::Open => {}
                    Start::Well => breaker.count_well(&worker.pod.uid),
                    Start::Failed => breaker.count_failed(&worker.pod.uid, FailedStart::of(worker.pod), now),
                }
            }
            if works && !first {
                breaker.work();
            }
        }
    }

    /// Says which templates fail, and which are slow.
    pub(super) fn tell_of_starts(
        &mut self,
        fleet: &Fleet<'_>,
        plan: &Plan<'_>,
        now: Timestamp,
        findings: &mut Vec<FindingChange>,
    ) {
        let mut found: Vec<Finding> = Vec::new();
        let (by_queue, _) = in_flight(&self.holds);
        for (queue, queue_fleet) in &fleet.queues {
            let Some(template) = queue_fleet.serving() else {
                continue;
            };
            let timeout = Terms::of(Some(template), &self.config).startup_timeout;
            let slow = || {
                queue_fleet.workers.iter().filter(|worker| {
                    is_of(worker, template)
                        && is_being_prepared(worker.pod)
                        // Two thirds of the time it has.
                        && now.since(worker.pod.created_at).saturating_mul(3) > timeout.saturating_mul(2)
                })
            };
            if let Some(oldest) = slow().min_by_key(|worker| (worker.pod.created_at, &worker.pod.name)) {
                let pods = u32::try_from(slow().count()).unwrap_or(u32::MAX);
                found.push(slow_start(template, pods, oldest.pod, timeout, now));
            }
            let Some(breaker) = self.breakers.of(template) else {
                continue;
            };
            if let (Some(trials), Some(last)) = (breaker.trials, &breaker.last) {
                let starting = plan.queues.get(queue).map_or(0, |outlook| outlook.report.starting);
                let coming = starting + by_queue.get(queue).copied().unwrap_or(0);
                let next = trials.next_at.since(now);
                found.push(template_failing(template, breaker.failed, last, coming, next));
            }
        }
        self.restate(&[FindingKind::TemplateFailing, FindingKind::SlowStart], found, findings);
    }

    /// Leaves one pod, to try, of what is wished for from a template that fails.
    pub(super) fn brake(&self, wishes: &mut [Wish<'_>], plan: &Plan<'_>, now: Timestamp) {
        let (by_queue, _) = in_flight(&self.holds);
        for wish in wishes {
            let Some(outlook) = plan.queues.get(wish.queue) else {
                continue;
            };
            let coming = outlook.report.starting + by_queue.get(wish.queue).copied().unwrap_or(0);
            if let Some(room) = self.room(wish.template, coming, now) {
                wish.allowed = wish.allowed.min(room);
            }
        }
    }

    /// Cuts what waits to be created from templates that have begun to fail.
    pub(super) fn cut_failing(&mut self, plan: &Plan<'_>, now: Timestamp) {
        let (by_queue, _) = in_flight(&self.holds);
        for (queue, outlook) in &plan.queues {
            let Some(template) = outlook.serving else { continue };
            let coming = outlook.report.starting + by_queue.get(*queue).copied().unwrap_or(0);
            if let Some(room) = self.breakers.of(template).and_then(|breaker| breaker.room(coming, now)) {
                let lane = LaneKey::Create(template.uid.clone(), template.hash.clone());
                self.lanes.cap(&lane, room);
            }
        }
    }

    /// Whether a template fails: then it is not a ceiling that jobs wait for.
    pub(super) fn fails(&self, template: &Template) -> bool {
        self.breakers
            .of(template)
            .is_some_and(|breaker| breaker.trials.is_some())
    }

    fn room(&self, template: &Template, coming: u32, now: Timestamp) -> Option<u32> {
        self.breakers.of(template)?.room(coming, now)
    }
}

/// Whether the pod was made from this version of the template.
fn is_of(worker: &Worker<'_>, template: &Template) -> bool {
    worker.pod.template_hash.as_ref() == Some(&template.hash) && worker.pod.template_uid.as_ref() == Some(&template.uid)
}

/// Whether its image is on its way, or its volumes are, as far as is known.
fn is_being_prepared(pod: &Pod) -> bool {
    pod.stage == PodStage::Starting && pod.trouble.is_none() && !pod.deleting
}
