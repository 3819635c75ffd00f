//! One of several controllers: when it commands, and what it forgets when it
//! does not any more.

use std::collections::BTreeMap;

use super::{Controller, Subject};
use crate::blueprints::Blueprints;
use crate::demand::HeldBack;
use crate::failure::{Failure, Refusal};
use crate::finding::{Finding, FindingChange, FindingKind};
use crate::lease::Lease;
use crate::memory::{Breakers, Errand, Sightings};
use crate::reason::Reason;
use crate::report::Report;
use crate::step::{Command, CommandId};
use crate::time::Timestamp;
use crate::view::View;

impl Controller {
    /// Whether it may look and command: it has no others beside it, or holds
    /// the Lease.
    pub(super) fn is_in_command(&self) -> bool {
        self.candidacy
            .as_ref()
            .is_none_or(|candidacy| candidacy.valid_until().is_some())
    }

    /// When what it sends now may not be sent any more.
    pub(super) fn not_after(&self) -> Option<Timestamp> {
        self.candidacy.as_ref()?.valid_until()
    }

    /// Steps down if the claim was not renewed in time.
    pub(super) fn let_claim_lapse(&mut self, now: Timestamp, findings: &mut Vec<FindingChange>) {
        if self.candidacy.as_mut().is_some_and(|candidacy| candidacy.pass(now)) {
            self.forget(findings);
        }
    }

    /// Learns what became of a request for the Lease.
    pub(super) fn see_lease(
        &mut self,
        id: CommandId,
        view: &View<Option<Lease>>,
        now: Timestamp,
        findings: &mut Vec<FindingChange>,
    ) {
        let Some(Subject::Lease(_)) = self.flights.get(&id) else {
            return;
        };
        self.flights.remove(&id);
        if let Some(failure) = view.failure() {
            self.heed_cluster_limit(failure);
        }
        let Some(candidacy) = &mut self.candidacy else { return };
        let Some((errand, is_lost)) = candidacy.answered(id, view, now) else {
            return;
        };
        let trouble = view.failure().filter(|failure| is_trouble(errand, failure));
        let found = trouble.map(|failure| Finding {
            kind: FindingKind::LeaseTrouble,
            subject: candidacy.subject(),
            detail: trouble_detail(errand, failure, candidacy.namespace()),
        });
        self.restate(&[FindingKind::LeaseTrouble], found.into_iter().collect(), findings);
        if is_lost {
            self.forget(findings);
        }
    }

    /// Asks about the Lease or claims it, or gives it back in the end: once
    /// nothing is in flight that changes anything.
    pub(super) fn tend_lease(&mut self, now: Timestamp, commands: &mut Vec<Command>) {
        let is_quiet = !self.flights.values().any(Subject::is_write);
        let is_blocked = self.cluster_blocked(now);
        let Some(candidacy) = &mut self.candidacy else { return };
        let due = if self.shutting_down {
            if is_quiet { candidacy.release(now) } else { None }
        } else if is_blocked {
            None
        } else {
            candidacy.due(now)
        };
        let Some((errand, action)) = due else { return };
        self.next_id += 1;
        let id = CommandId(self.next_id);
        candidacy.sent(id, errand, now);
        self.flights.insert(id, Subject::Lease(errand));
        commands.push(Command {
            id,
            action,
            reason: Reason::Leadership,
            not_after: None,
        });
    }

    /// When the Lease has to be tended again.
    pub(super) fn lease_wake(&self, now: Timestamp) -> Option<(Timestamp, Reason)> {
        let at = self.candidacy.as_ref()?.wake(self.cluster_blocked_until, now);
        Some((at, Reason::Leadership))
    }

    /// Forgets what a new controller does not know, but for what was sent and
    /// what servers said of their limits. Others act meanwhile, so what was
    /// seen proves nothing any more; the policy keeps what it knows.
    fn forget(&mut self, findings: &mut Vec<FindingChange>) {
        self.lanes.clear(|_| true);
        self.looks.abandon();
        self.cluster = None;
        self.buildkite = None;
        self.versions = Vec::new();
        self.blueprints = Blueprints::default();
        self.breakers = Breakers::default();
        self.sightings = Sightings::default();
        self.held_back = HeldBack::default();
        self.wishes = BTreeMap::new();
        self.report = Report::default();
        self.metering.step_down();
        self.jobs_lack_room = false;
        let kinds: Vec<FindingKind> = FindingKind::ALL
            .iter()
            .copied()
            .filter(|kind| *kind != FindingKind::LeaseTrouble)
            .collect();
        self.restate(&kinds, Vec::new(), findings);
    }
}

impl Subject {
    fn is_write(&self) -> bool {
        match self {
            Self::Create { .. } | Self::Stop { .. } | Self::Delete { .. } | Self::Registration | Self::Record => true,
            Self::Cluster | Self::Buildkite | Self::Lease(_) => false,
        }
    }
}

/// Whether an operator should hear of it: somebody else was first is none.
fn is_trouble(errand: Errand, failure: &Failure) -> bool {
    match failure {
        Failure::AlreadyExists { .. } => false,
        Failure::NotFound { .. } => errand == Errand::Create,
        Failure::Forbidden { .. }
        | Failure::RateLimited { .. }
        | Failure::Unavailable { .. }
        | Failure::Rejected { .. }
        | Failure::Malformed { .. }
        | Failure::FateUnknown { .. }
        | Failure::TimeRefused { .. }
        | Failure::OverBudget => true,
    }
}

fn trouble_detail(errand: Errand, failure: &Failure, namespace: &str) -> String {
    let verb = errand.verb();
    let advice = match failure {
        Failure::Forbidden {
            kind: Refusal::Permission,
            ..
        } => format!("grant the right to {verb} leases (coordination.k8s.io) in the namespace {namespace}"),
        Failure::NotFound { .. } => format!("there is no namespace {namespace}: make it, or name another"),
        Failure::Forbidden { .. }
        | Failure::AlreadyExists { .. }
        | Failure::RateLimited { .. }
        | Failure::Unavailable { .. }
        | Failure::Rejected { .. }
        | Failure::Malformed { .. }
        | Failure::FateUnknown { .. }
        | Failure::TimeRefused { .. }
        | Failure::OverBudget => "it is tried again".into(),
    };
    format!("cannot {verb} the lease: {failure}; {advice}; whoever cannot does not command")
}
