//! Metering: what is told to AWS Marketplace, and what an operator is told of
//! how that ended. Scaling asks nothing of it.

use std::time::Duration;

use super::{Controller, Subject};
use crate::failure::{Failure, Refusal};
use crate::finding::{Finding, FindingChange, FindingKind};
use crate::fleet::Fleet;
use crate::memory::passes;
use crate::reason::Reason;
use crate::step::{Action, Command, Outcome};
use crate::time::Timestamp;

const KINDS: &[FindingKind] = &[FindingKind::MeteringDelayed, FindingKind::MeteringRefused];
/// So many failures that may pass are nothing to mend.
const PATIENT_FAILURES: u32 = 2;

impl Controller {
    /// Sends what is to be told of the usage, if it is metered at all.
    pub(super) fn meter(&mut self, now: Timestamp, commands: &mut Vec<Command>) {
        let Some(config) = &self.config.metering else { return };
        let Some((action, reason)) = self.metering.due(config, now) else {
            return;
        };
        let id = self.next_id();
        let subject = if matches!(action, Action::RegisterUsage { .. }) {
            Subject::Registration
        } else {
            Subject::Record
        };
        self.flights.insert(id, subject);
        commands.push(Command {
            id,
            action,
            reason,
            not_after: self.not_after(),
        });
    }

    /// Counts the agents of our pods that a complete look has shown. What
    /// nobody saw for `patience` is not counted.
    pub(super) fn count(&mut self, fleet: &Fleet<'_>, patience: Duration, now: Timestamp) {
        if self.config.metering.is_none() {
            return;
        }
        let workers = fleet.queues.values().flat_map(|queue| &queue.workers);
        let agents = workers.map(|worker| worker.agents.iter().count()).sum::<usize>();
        self.metering
            .see(u32::try_from(agents).unwrap_or(u32::MAX), patience, now);
    }

    /// When metering has something to do next.
    pub(super) fn next_metering(&self, now: Timestamp) -> Option<(Timestamp, Reason)> {
        self.config.metering.as_ref().filter(|_| self.is_in_command())?;
        self.metering.next_due(now)
    }

    pub(super) fn settle_registration(&mut self, outcome: &Outcome, now: Timestamp, findings: &mut Vec<FindingChange>) {
        let failures = self.metering.settle_registration(outcome, now);
        self.tell("RegisterUsage", outcome, failures, findings);
    }

    pub(super) fn settle_record(&mut self, outcome: &Outcome, now: Timestamp, findings: &mut Vec<FindingChange>) {
        let failures = self.metering.settle_record(outcome, now);
        self.tell("MeterUsage", outcome, failures, findings);
    }

    fn tell(&mut self, subject: &str, outcome: &Outcome, failures: u32, findings: &mut Vec<FindingChange>) {
        if !self.is_in_command() {
            return;
        }
        let failure = match outcome {
            Outcome::Done => return self.restate(KINDS, Vec::new(), findings),
            Outcome::Failed(failure) => failure,
        };
        let kind = if !passes(failure) {
            FindingKind::MeteringRefused
        } else if failures > PATIENT_FAILURES {
            FindingKind::MeteringDelayed
        } else {
            return;
        };
        let finding = Finding {
            kind,
            subject: subject.into(),
            detail: format!("{failure}; {}", advice(failure)),
        };
        if self
            .standing
            .iter()
            .any(|standing| standing.kind == kind && standing.detail != finding.detail)
        {
            // Another refusal asks for something else.
            self.restate(&[FindingKind::MeteringRefused], Vec::new(), findings);
        }
        self.restate(KINDS, vec![finding], findings);
    }
}

/// What to do about it, and what happens meanwhile.
fn advice(failure: &Failure) -> &'static str {
    match failure {
        Failure::Forbidden { kind, .. } => match kind {
            Refusal::Credentials => {
                "AWS has no credentials for this pod: check the annotation eks.amazonaws.com/role-arn of its service \
                 account and the role's trust policy; it is tried again within five minutes, and scaling goes on"
            }
            Refusal::Permission => {
                "the role must allow aws-marketplace:RegisterUsage and aws-marketplace:MeterUsage; it is tried again \
                 in an hour, and scaling goes on"
            }
            Refusal::NotEntitled => {
                "subscribe to the product in AWS Marketplace with this account; what was used without a subscription \
                 is not recorded later; it is tried again in an hour, and scaling goes on"
            }
            Refusal::QuotaExceeded
            | Refusal::Admission
            | Refusal::NamespaceTerminating
            | Refusal::Webhook
            | Refusal::Other => {
                "ask whoever administers the AWS account; it is tried again in an hour, and scaling goes on"
            }
        },
        Failure::TimeRefused { .. } => {
            "mend the clock of this node: AWS and it differ; the usage goes into the record of a later hour, and \
             scaling goes on"
        }
        Failure::AlreadyExists { .. } => {
            "this hour has a record of another quantity, so another controller meters the same product: run one; \
             nothing more is recorded for the hour, and scaling goes on"
        }
        Failure::Rejected { .. } | Failure::Malformed { .. } => "it is tried again in an hour, and scaling goes on",
        Failure::RateLimited { .. }
        | Failure::Unavailable { .. }
        | Failure::FateUnknown { .. }
        | Failure::NotFound { .. }
        | Failure::OverBudget => "it is tried again within five minutes, and scaling goes on",
    }
}
