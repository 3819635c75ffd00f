//! What is sent when, and what is learnt from how it ended.

use std::time::Duration;

use super::{Controller, Subject};
use crate::failure::{Failure, Refusal};
use crate::finding::{Finding, FindingChange, FindingKind};
use crate::memory::{Errand, LaneKey, Planned, pod_key};
use crate::names::Uid;
use crate::plan::GENTLE_GRACE_SECONDS;
use crate::reason::Reason;
use crate::step::{Action, Command, CommandId, Outcome, Spending, Wake};
use crate::time::Timestamp;
use crate::withheld::{Withheld, WithheldChange};

impl Controller {
    /// Sends a look if one is due and the budget allows it.
    pub(super) fn look(&mut self, now: Timestamp, commands: &mut Vec<Command>, findings: &mut Vec<FindingChange>) {
        let interval = self.config.sync_interval;
        let blocked = self.cluster_blocked(now);
        if let Some((action, reason)) = self.looks.due(&mut self.budget, blocked, interval, now) {
            let id = self.next_id();
            self.looks.sent(id, &action, reason);
            let subject = if let Action::ObserveBuildkite { grant, .. } = &action {
                self.budget.grant(*grant);
                Subject::Buildkite
            } else {
                Subject::Cluster
            };
            self.flights.insert(id, subject);
            commands.push(Command {
                id,
                action,
                reason,
                not_after: None,
            });
        }
        let tight = self.looks.is_tight().then(|| Finding {
            kind: FindingKind::BudgetTight,
            subject: "Buildkite".into(),
            detail: "a look at all builds and agents needs more requests than the token's rate limit leaves, so looks \
                     are rarer than --sync-interval; raise the interval, or ask Buildkite for a higher limit"
                .into(),
        });
        self.restate(&[FindingKind::BudgetTight], tight.into_iter().collect(), findings);
    }

    /// Sends what waits, as far as slow start, back-off and budget allow.
    pub(super) fn dispatch(&mut self, now: Timestamp, commands: &mut Vec<Command>) {
        for lane in self.lanes.waiting() {
            while self.may_send(&lane, now) {
                let Some(planned) = self.lanes.pop(&lane, &self.holds, now) else {
                    break;
                };
                commands.push(self.send(&lane, planned, now));
            }
        }
    }

    /// Keeps back all that waits, in a dry run. Nothing is taken out of the
    /// lanes, and nothing is held as if it had been asked for.
    pub(super) fn withhold(&mut self) -> Vec<WithheldChange> {
        let wanted = self.lanes.backlog(&self.holds);
        self.withheld
            .replace(wanted.map(|Planned { action, reason }| Withheld { action, reason }))
    }

    fn may_send(&mut self, lane: &LaneKey, now: Timestamp) -> bool {
        match lane {
            // The next look must find its requests unspent.
            LaneKey::Stop => self.budget.available(now) > self.looks.reserve(&self.budget),
            LaneKey::Create(..) | LaneKey::Delete(_) => !self.cluster_blocked(now),
        }
    }

    fn send(&mut self, lane: &LaneKey, planned: Planned, now: Timestamp) -> Command {
        let Planned { action, reason } = planned;
        let id = self.next_id();
        let subject = match &action {
            Action::CreatePod(create) => {
                let key = pod_key(&create.namespace, &create.name);
                self.holds.hold_create(key.clone(), create.queue.clone());
                if let LaneKey::Create(uid, hash) = lane {
                    self.breakers.sent(uid, hash, now);
                }
                let template = self.name_of(&create.template);
                Subject::Create {
                    key,
                    lane: lane.clone(),
                    template,
                }
            }
            Action::StopAgent { agent } => {
                self.budget.grant(1);
                self.holds.hold_stop(agent.clone());
                Subject::Stop { agent: agent.clone() }
            }
            Action::DeletePod {
                namespace,
                name,
                uid,
                grace_seconds,
            } => {
                let gently = grace_seconds.is_some_and(|grace| grace >= GENTLE_GRACE_SECONDS);
                self.holds.hold_delete(uid.clone(), gently);
                Subject::Delete {
                    uid: uid.clone(),
                    lane: lane.clone(),
                    pod: pod_key(namespace, name),
                }
            }
            Action::ObserveCluster => Subject::Cluster,
            Action::ObserveBuildkite { .. } => Subject::Buildkite,
            Action::RegisterUsage { .. } => Subject::Registration,
            Action::MeterUsage { .. } => Subject::Record,
            Action::ReadLease { .. } => Subject::Lease(Errand::Read),
            Action::WriteLease(_) => Subject::Lease(Errand::Claim),
        };
        self.flights.insert(id, subject);
        Command {
            id,
            action,
            reason,
            not_after: self.not_after(),
        }
    }

    /// Learns how a command ended. An answer that nobody waits for is ignored.
    pub(super) fn settle(
        &mut self,
        id: CommandId,
        outcome: &Outcome,
        spending: &Spending,
        now: Timestamp,
        findings: &mut Vec<FindingChange>,
    ) {
        let cap = self.config.sync_interval.saturating_mul(2);
        match self.flights.remove(&id) {
            Some(Subject::Create { key, lane, template }) => {
                self.holds.settle_create(&key, outcome, now);
                self.lanes.settle(&lane, outcome, cap, now);
                if let Outcome::Failed(failure) = outcome {
                    self.heed_cluster_limit(failure);
                }
                self.state(FindingKind::CreateRefused, template, refusal(outcome), findings);
            }
            Some(Subject::Delete { uid, lane, pod }) => {
                self.holds.settle_delete(&uid, outcome, now);
                self.lanes.settle(&lane, outcome, cap, now);
                if let Outcome::Failed(failure) = outcome {
                    self.heed_cluster_limit(failure);
                }
                let namespace = pod
                    .split_once('/')
                    .map_or(pod.as_str(), |(namespace, _)| namespace)
                    .to_owned();
                self.state(FindingKind::DeleteRefused, namespace, refusal(outcome), findings);
            }
            Some(Subject::Stop { agent }) => {
                self.budget.settle(1, spending, now);
                self.holds.settle_stop(&agent, outcome, now);
                self.lanes.settle(&LaneKey::Stop, outcome, cap, now);
                if let Outcome::Failed(Failure::RateLimited { until, .. }) = outcome {
                    self.budget.block(*until);
                }
                self.state(FindingKind::StopRefused, "Buildkite".into(), refusal(outcome), findings);
            }
            Some(Subject::Registration) => self.settle_registration(outcome, now, findings),
            Some(Subject::Record) => self.settle_record(outcome, now, findings),
            Some(subject @ (Subject::Cluster | Subject::Buildkite | Subject::Lease(_))) => {
                // These do not end in an outcome: this answers something else.
                self.flights.insert(id, subject);
            }
            None => {}
        }
    }

    /// When to be called again: at the latest after one interval, and always
    /// later than now (Invariant 15).
    pub(super) fn wake(&self, now: Timestamp) -> Wake {
        let latest = Wake {
            at: now.after(self.config.sync_interval),
            reason: Reason::Interval,
        };
        if self.shutting_down {
            return Wake {
                reason: Reason::Shutdown,
                ..latest
            };
        }
        let lease = self.lease_wake(now);
        let look = self.looks.next_due(&self.budget, now).filter(|_| self.is_in_command());
        let opening = self.lanes.next_opening(now).map(|at| (at, Reason::Retry));
        let unblocked = self
            .cluster_blocked_until
            .filter(|until| *until > now)
            .map(|at| (at, Reason::Retry));
        let stops = !self.config.dry_run && self.lanes.waiting().contains(&LaneKey::Stop);
        let budget = stops
            .then(|| self.budget.next_change(now))
            .flatten()
            .map(|at| (at, Reason::Budget));
        let metering = self.next_metering(now);
        let soon = now.after(Duration::from_millis(1));
        [lease, look, opening, unblocked, budget, metering]
            .into_iter()
            .flatten()
            .map(|(at, reason)| Wake {
                at: at.max(soon),
                reason,
            })
            .fold(latest, |first, next| if next.at < first.at { next } else { first })
    }

    /// Raises the finding if there is something to say, or else clears it.
    /// A follower says nothing of what it did as a leader.
    fn state(&mut self, kind: FindingKind, subject: String, detail: Option<String>, findings: &mut Vec<FindingChange>) {
        let detail = detail.filter(|_| self.is_in_command());
        let mut standing: Vec<Finding> = self
            .standing
            .iter()
            .filter(|finding| finding.kind == kind && finding.subject != subject)
            .collect();
        standing.extend(detail.map(|detail| Finding { kind, subject, detail }));
        self.restate(&[kind], standing, findings);
    }

    /// Kubernetes says when it wants to be asked again, whatever it was asked.
    pub(super) fn heed_cluster_limit(&mut self, failure: &Failure) {
        if let Failure::RateLimited { until, .. } = failure {
            self.cluster_blocked_until = self.cluster_blocked_until.max(Some(*until));
        }
    }

    pub(crate) fn cluster_blocked(&self, now: Timestamp) -> bool {
        self.cluster_blocked_until.is_some_and(|until| now < until)
    }

    fn name_of(&self, template: &Uid) -> String {
        let templates = self.cluster.as_ref().and_then(|cluster| cluster.templates.complete());
        let found = templates.and_then(|templates| {
            templates
                .binary_search_by(|known| known.uid.cmp(template))
                .ok()
                .map(|place| &templates[place])
        });
        found.map_or_else(
            || template.to_string(),
            |template| format!("{}/{}", template.namespace, template.name),
        )
    }

    pub(super) fn next_id(&mut self) -> CommandId {
        // Nobody lives to see the last one, but a file may claim to have.
        self.next_id = self.next_id.saturating_add(1);
        CommandId(self.next_id)
    }
}

/// What an operator should know of a failed write; nothing of one that merely
/// found its work done.
fn refusal(outcome: &Outcome) -> Option<String> {
    let failure = match outcome {
        Outcome::Done | Outcome::Failed(Failure::AlreadyExists { .. } | Failure::NotFound { .. }) => return None,
        Outcome::Failed(failure) => failure,
    };
    let advice = match failure {
        Failure::Forbidden { kind, .. } => match kind {
            Refusal::Credentials => "the token is not valid any more: renew it",
            Refusal::Permission => "grant the missing right: see the README for those needed",
            Refusal::QuotaExceeded => "a ResourceQuota is used up: raise it, or lower the ceiling; it is tried again",
            Refusal::Admission => "the namespace's rules refuse this pod: change the template or the rules",
            Refusal::NamespaceTerminating => "the namespace is being deleted",
            Refusal::Webhook => "an admission webhook refuses it: ask its owner",
            Refusal::NotEntitled | Refusal::Other => "ask whoever administers it",
        },
        Failure::Rejected { .. } => "it will be refused until something changes",
        Failure::RateLimited { .. }
        | Failure::Unavailable { .. }
        | Failure::FateUnknown { .. }
        | Failure::Malformed { .. }
        | Failure::TimeRefused { .. }
        | Failure::OverBudget
        | Failure::AlreadyExists { .. }
        | Failure::NotFound { .. } => "it is tried again",
    };
    Some(format!("{failure}; {advice}"))
}
