//! What happens when something was seen: learn, judge, plan.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::judged::Judgements;
use super::{Controller, Known};
use crate::agent::Agent;
use crate::assess::Assessor;
use crate::blueprints::hunters;
use crate::create::{Waiting, Wish, creates, in_flight, missing, share};
use crate::demand::{Demand, demand};
use crate::failure::Failure;
use crate::finding::{Finding, FindingChange, FindingKind};
use crate::fleet::{Fleet, QueueFleet};
use crate::inspect;
use crate::memory::{Backlog, Glimpse, LaneKey};
use crate::names::{Queue, Uid};
use crate::plan::{Plan, Planner};
use crate::policy::QueueView;
use crate::reason::Reason;
use crate::report::{QueueReport, Report};
use crate::step::{CommandId, Look, LookEnd};
use crate::time::Timestamp;
use crate::view::{ClusterView, View};

impl Controller {
    /// Learns what Kubernetes shows, and judges the workers anew. Pods are
    /// only created after a look at Buildkite: what an older one showed
    /// waiting may have been served meanwhile.
    pub(super) fn see_cluster(
        &mut self,
        id: Option<CommandId>,
        mut view: ClusterView,
        now: Timestamp,
        findings: &mut Vec<FindingChange>,
    ) {
        if let Some(id) = id {
            self.flights.remove(&id);
        }
        for failure in [view.templates.failure(), view.pods.failure()].into_iter().flatten() {
            self.heed_cluster_limit(failure);
        }
        // Commanding begins with a look of its own: others acted since any
        // that was given up.
        if !self.is_in_command() || !self.looks.cluster_answered(id, now) {
            return;
        }
        sort(&mut view);
        if let View::Complete(pods) = &view.pods {
            self.sightings.see_pods(pods, now);
            self.holds.see_pods(pods, now);
        }
        self.restate(
            &[FindingKind::ClusterUnknown],
            inspect::cluster_failures(&view),
            findings,
        );
        self.notice_new_templates(&view, now);
        self.cluster = Some(view);
        self.plan(false, now, findings);
    }

    /// Learns what Buildkite shows, once all pages are in, and plans creates.
    pub(super) fn see_buildkite(
        &mut self,
        id: CommandId,
        look: Look,
        now: Timestamp,
        findings: &mut Vec<FindingChange>,
    ) {
        let spending = look.spending.clone();
        if let LookEnd::Failed(_, Failure::RateLimited { until, .. }) = &look.end {
            self.budget.block(*until);
        }
        let Some((grant, seen)) = self.looks.buildkite_answered(id, look, self.config.sync_interval, now) else {
            return;
        };
        self.flights.remove(&id);
        self.budget.settle_look(grant, &spending, now);
        let Some(seen) = seen else { return };
        self.restate(
            &[FindingKind::BuildkiteUnknown],
            inspect::buildkite_failures(&seen),
            findings,
        );
        if let View::Complete(jobs) = &seen.jobs {
            self.held_back.see(jobs, now);
        }
        let mut wanted = None;
        if let View::Complete(agents) = &seen.agents {
            self.holds.see_agents(agents, seen.begun_at);
            let jobs = seen.jobs.complete();
            wanted = jobs.map(|jobs| demand(jobs, agents, &self.held_back, now));
        }
        self.buildkite = Some(Known {
            begun_at: seen.begun_at,
            demand: wanted,
            agents: seen.agents,
        });
        self.plan(true, now, findings);
    }

    /// Judges every worker and replaces what waits to be sent. Without a view
    /// of the pods nothing is planned (Invariant 4).
    fn plan(&mut self, fresh: bool, now: Timestamp, findings: &mut Vec<FindingChange>) {
        let Some(cluster) = self.cluster.take() else { return };
        if let View::Complete(pods) = &cluster.pods {
            let buildkite = self.buildkite.take();
            let agents = buildkite.as_ref().and_then(|seen| seen.agents.complete());
            let fleet = Fleet::join(&cluster.templates, pods, agents.map(Vec::as_slice));
            let first = self.sightings.listed_at().is_none();
            let mut newcomers = Vec::new();
            if let Some(seen) = buildkite.as_ref().filter(|_| fresh && agents.is_some()) {
                // Many pages take their time, which is no outage.
                let period = self.looks.period(&self.budget, self.config.sync_interval);
                let patience = period.max(now.since(seen.begun_at)).saturating_mul(3);
                let glimpses = glimpses(&fleet, pods.len());
                newcomers = self.sightings.newcomers(&glimpses);
                self.sightings.see_agents(seen.begun_at, &glimpses, patience);
                self.count(&fleet, patience, now);
            }
            self.learn_of_starts(&fleet, &newcomers, first, agents.is_some(), now);
            let demand = buildkite.as_ref().and_then(|known| known.demand.as_ref());
            self.blueprints.refresh(&fleet, &self.config);

            let mut plan = self.judge(&fleet, agents.is_some(), demand, now);
            let found = inspect::fleet(&fleet, &self.blueprints, &self.config, now);
            self.restate(inspect::FLEET_KINDS, found, findings);
            self.tell_of_starts(&fleet, &plan, now, findings);
            self.forget_refusals(&fleet, pods, findings);
            self.keep_creates(&fleet, demand.is_some());
            match demand {
                Some(demand) if fresh && fleet.templates_known => {
                    self.plan_creates(&fleet, demand, &mut plan, now, findings);
                }
                Some(_) | None => {
                    self.cap_creates(&plan);
                    self.cut_failing(&plan, now);
                }
            }
            self.take_over(plan, fresh && demand.is_some());
            self.buildkite = buildkite;
        } else {
            self.lanes.clear(|_| true);
            self.judgements = Judgements::default();
        }
        self.cluster = Some(cluster);
    }

    fn judge<'v>(
        &self,
        fleet: &Fleet<'v>,
        agents_known: bool,
        demand: Option<&BTreeMap<Queue, Demand>>,
        now: Timestamp,
    ) -> Plan<'v> {
        let assessor = Assessor {
            sightings: &self.sightings,
            holds: &self.holds,
            agents_known,
            now,
        };
        Planner {
            config: &self.config,
            assessor,
            wishes: &self.wishes,
            jobs_lack_room: self.jobs_lack_room,
        }
        .plan(fleet, demand)
    }

    fn plan_creates(
        &mut self,
        fleet: &Fleet<'_>,
        demand: &BTreeMap<Queue, Demand>,
        plan: &mut Plan<'_>,
        now: Timestamp,
        findings: &mut Vec<FindingChange>,
    ) {
        let mut found = inspect::demand_without_template(fleet, demand);
        let mut wishes = self.wish(fleet, demand, plan, &mut found, now);
        let (_, in_flight_total) = in_flight(&self.holds);
        let pods: u32 = plan.queues.values().map(|outlook| outlook.report.pods).sum();
        let headroom = self
            .config
            .max_pods
            .map(|most| most.saturating_sub(pods + in_flight_total));
        self.brake(&mut wishes, plan, now);
        let is_short = |wish: &Wish<'_>, before: u32| wish.allowed < before.min(wish.wanted);
        let before: Vec<u32> = wishes.iter().map(|wish| wish.allowed).collect();
        share(&mut wishes, headroom, now);
        self.jobs_lack_room = wishes.iter().zip(before).any(|(wish, before)| is_short(wish, before));
        let held_up = wishes.iter().filter(|wish| !self.fails(wish.template));
        found.extend(held_up.filter_map(inspect::ceiling_reached));
        self.lanes.clear(|lane| matches!(lane, LaneKey::Create(..)));
        for wish in wishes.iter().filter(|wish| wish.allowed > 0) {
            let Some(outlook) = plan.queues.get_mut(wish.queue) else {
                continue;
            };
            let (lane, run) = creates(wish, outlook);
            outlook.report.created = wish.allowed;
            self.lanes.plan(lane, Backlog::Pods(Box::new(run)));
        }
        self.restate(inspect::DEMAND_KINDS, found, findings);
    }

    /// Asks the policy about every queue, and sets the queues' own ceilings.
    fn wish<'v>(
        &mut self,
        fleet: &Fleet<'v>,
        demand: &BTreeMap<Queue, Demand>,
        plan: &mut Plan<'_>,
        found: &mut Vec<Finding>,
        now: Timestamp,
    ) -> Vec<Wish<'v>> {
        let none = Demand::default();
        let hunters = hunters(fleet.templates.iter());
        let (by_queue, _) = in_flight(&self.holds);
        let mut wishes = Vec::new();
        self.wishes.retain(|queue, _| fleet.queues.contains_key(queue));
        for (queue, queue_fleet) in &fleet.queues {
            let Some(outlook) = plan.queues.get_mut(*queue) else {
                continue;
            };
            let in_flight = by_queue.get(*queue).copied().unwrap_or(0);
            let blueprint = outlook.serving.map(|template| self.blueprints.of(template, &hunters));
            let drawn = blueprint.as_ref().and_then(|drawn| drawn.as_ref().ok());
            let wanting = demand.get(*queue).unwrap_or(&none);
            let tags = outlook
                .serving
                .and_then(|template| self.breakers.of(template))
                .map(|breaker| &breaker.tags);
            let waiting = Waiting::of(wanting, queue_fleet, drawn.map(|drawn| &***drawn), tags, now);
            found.extend(inspect::unmatchable(queue, &waiting));
            let report = &mut outlook.report;
            report.waiting = waiting.beyond(queue_fleet.foreign_idle, now);
            report.starting += in_flight;
            let desired = self.policy.desired(&view(queue, report, &waiting, now));
            report.starting -= in_flight;
            self.wishes.insert((*queue).clone(), desired);
            report.desired = desired.saturating_add(outlook.terms.min_idle);
            if let (Some(template), Some(Ok(blueprint))) = (queue_fleet.serving(), blueprint) {
                let (wanted, allowed) = missing(desired, outlook, in_flight, &outlook.terms);
                wishes.push(Wish {
                    queue,
                    template,
                    blueprint: Arc::clone(blueprint),
                    waiting,
                    wanted,
                    allowed,
                });
            }
        }
        wishes
    }

    /// Drops what waits to be created from templates that no longer serve, or
    /// all of it where demand is not known any more. How creates failed is
    /// remembered for as long as their template serves.
    fn keep_creates(&mut self, fleet: &Fleet<'_>, demand_known: bool) {
        let serving: BTreeMap<_, _> = fleet
            .queues
            .values()
            .filter_map(QueueFleet::serving)
            .map(|template| (&template.uid, &template.hash))
            .collect();
        self.lanes.retain(|lane| match lane {
            LaneKey::Create(uid, hash) => serving.get(uid) == Some(&hash),
            LaneKey::Delete(_) | LaneKey::Stop => true,
        });
        if !demand_known {
            self.lanes.clear(|lane| matches!(lane, LaneKey::Create(..)));
        }
    }

    /// Cuts what waits to be created to the ceilings as they are now: pods may
    /// have come, and ceilings gone down, since it was planned (Invariant 7).
    fn cap_creates(&mut self, plan: &Plan<'_>) {
        let (by_queue, in_flight_total) = in_flight(&self.holds);
        for (queue, outlook) in &plan.queues {
            let Some(template) = outlook.serving else { continue };
            if let Some(most) = outlook.terms.max_active_builds {
                let in_flight = by_queue.get(*queue).copied().unwrap_or(0);
                let room = most.saturating_sub(outlook.report.pods + in_flight);
                self.lanes
                    .cap(&LaneKey::Create(template.uid.clone(), template.hash.clone()), room);
            }
        }
        if let Some(most) = self.config.max_pods {
            self.lanes
                .cap_creates(most.saturating_sub(plan.pods() + in_flight_total));
        }
    }

    fn take_over(&mut self, mut plan: Plan<'_>, fresh: bool) {
        self.judgements = Judgements::taken_from(&mut plan);
        self.lanes.plan(LaneKey::Stop, Backlog::Errands(plan.stops.into()));
        self.lanes.clear(|lane| matches!(lane, LaneKey::Delete(_)));
        for (namespace, planned) in plan.deletes {
            self.lanes
                .plan(LaneKey::Delete(namespace.to_owned()), Backlog::Errands(planned.into()));
        }
        self.lanes.forget_deletes(self.clock);
        let old = std::mem::take(&mut self.report.queues);
        self.report = Report {
            queues: plan
                .queues
                .into_iter()
                .map(|(queue, outlook)| {
                    let known = old.get(queue).copied().unwrap_or_default();
                    (queue.clone(), carried_over(outlook.report, known, fresh))
                })
                .collect(),
            verdicts: plan.reasons,
        };
    }

    /// A template that is new or has changed may have jobs waiting for it.
    fn notice_new_templates(&mut self, view: &ClusterView, now: Timestamp) {
        let View::Complete(templates) = &view.templates else {
            return;
        };
        let versions: Vec<_> = templates
            .iter()
            .filter(|template| !template.deleting)
            .map(|template| {
                let queue = template.queue.as_ref().map_or("", |queue| queue.as_str());
                let mut version = format!("{} {} {queue}", template.hash, template.parallelism);
                if !template.annotations.is_empty() {
                    version.push_str(&format!(" {:?}", template.annotations));
                }
                (template.uid.clone(), version)
            })
            .collect();
        let is_new = |version: &(Uid, String)| self.versions.binary_search(version).is_err();
        let appeared: BTreeSet<&Uid> = versions.iter().filter(|one| is_new(one)).map(|(uid, _)| uid).collect();
        // What waits to be created was wished for on other terms.
        self.lanes
            .clear(|lane| matches!(lane, LaneKey::Create(uid, _) if appeared.contains(uid)));
        if !appeared.is_empty() && self.buildkite.is_some() {
            self.looks
                .hurry(Reason::TemplateChanged, self.config.sync_interval, now);
        }
        self.versions = versions;
    }
}

/// The order of API lists changes nothing (Invariant 13).
fn sort(view: &mut ClusterView) {
    if let View::Complete(templates) = &mut view.templates {
        templates.sort_by(|a, b| a.uid.cmp(&b.uid));
        templates.dedup_by(|a, b| a.uid == b.uid);
    }
    if let View::Complete(pods) = &mut view.pods {
        pods.sort_by(|a, b| a.uid.cmp(&b.uid));
        pods.dedup_by(|a, b| a.uid == b.uid);
    }
}

/// What a listing shows of every pod's agents, in the order of the pods.
fn glimpses(fleet: &Fleet<'_>, pods: usize) -> Vec<Glimpse> {
    let mut glimpses = vec![Glimpse::Absent; pods];
    for worker in fleet.queues.values().flat_map(|queue| &queue.workers) {
        if !worker.agents.is_empty() {
            let idle = worker.agents.iter().all(Agent::is_idle);
            glimpses[worker.place] = if idle { Glimpse::Idle } else { Glimpse::Engaged };
        }
    }
    glimpses
}

fn view<'a>(queue: &'a Queue, report: &QueueReport, waiting: &Waiting, now: Timestamp) -> QueueView<'a> {
    QueueView {
        queue,
        now,
        waiting: report.waiting,
        longest_wait: waiting.longest(now),
        busy: report.busy,
        idle: report.idle,
        starting: report.starting,
    }
}

/// Between two looks at Buildkite, demand and wish are those of the last one.
fn carried_over(new: QueueReport, old: QueueReport, fresh: bool) -> QueueReport {
    if fresh {
        new
    } else {
        QueueReport {
            waiting: old.waiting,
            desired: old.desired,
            ..new
        }
    }
}
