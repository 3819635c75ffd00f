//! What is kept of that which was decided.

use buildscaler_core::{
    Action, Command, CreatePod, Finding, FindingChange, FindingKind, Step, Withheld, WithheldChange,
};

use super::{LEFT_OUT, Redactor};

impl Redactor {
    /// A step without what comes from texts that are left out of the inputs.
    pub(crate) fn step(&self, step: &Step) -> Step {
        let mut findings: Vec<FindingChange> = step.findings.iter().map(|change| self.change(change)).collect();
        if findings.iter().any(is_renamed) {
            // They come in the order of their subjects, and pseudonyms have another.
            findings.sort_by_key(order);
        }
        Step {
            commands: step.commands.iter().map(|command| self.command(command)).collect(),
            wake: step.wake,
            findings,
            withheld: step.withheld.iter().map(|change| self.kept_back(change)).collect(),
            finished: step.finished,
        }
    }

    fn command(&self, command: &Command) -> Command {
        Command {
            id: command.id,
            action: self.action(&command.action),
            reason: command.reason,
            not_after: command.not_after,
        }
    }

    fn kept_back(&self, change: &WithheldChange) -> WithheldChange {
        let redacted = |Withheld { action, reason }: &Withheld| Withheld {
            action: self.action(action),
            reason: *reason,
        };
        match change {
            WithheldChange::Appeared(withheld) => WithheldChange::Appeared(redacted(withheld)),
            WithheldChange::Gone(withheld) => WithheldChange::Gone(redacted(withheld)),
        }
    }

    fn action(&self, action: &Action) -> Action {
        match action {
            Action::CreatePod(create) => Action::CreatePod(CreatePod {
                manifest: self.manifest(&create.manifest),
                namespace: create.namespace.clone(),
                name: create.name.clone(),
                queue: create.queue.clone(),
                template: create.template.clone(),
            }),
            Action::ObserveCluster
            | Action::ObserveBuildkite { .. }
            | Action::StopAgent { .. }
            | Action::DeletePod { .. }
            // What a product is called is no secret.
            | Action::RegisterUsage { .. }
            | Action::MeterUsage { .. }
            | Action::ReadLease { .. }
            | Action::WriteLease(_) => action.clone(),
        }
    }

    fn change(&self, change: &FindingChange) -> FindingChange {
        match change {
            FindingChange::Raised(finding) => FindingChange::Raised(self.finding(finding)),
            FindingChange::Cleared(finding) => FindingChange::Cleared(self.finding(finding)),
        }
    }

    fn finding(&self, finding: &Finding) -> Finding {
        let Finding { kind, subject, detail } = finding;
        let left_out = || Finding {
            kind: *kind,
            subject: subject.clone(),
            detail: LEFT_OUT.into(),
        };
        match kind {
            // They quote an annotation, rules, or what a server said.
            FindingKind::BadAnnotation
            | FindingKind::UnmatchableDemand
            | FindingKind::CreateRefused
            | FindingKind::TemplateFailing
            | FindingKind::ClusterUnknown
            | FindingKind::BuildkiteUnknown
            | FindingKind::StopRefused
            | FindingKind::DeleteRefused
            | FindingKind::MeteringDelayed
            | FindingKind::MeteringRefused
            | FindingKind::LeaseTrouble => left_out(),
            FindingKind::PodTrouble => self.pod_trouble(finding),
            FindingKind::ContestedQueue
            | FindingKind::Parallelism
            | FindingKind::NoQueue
            | FindingKind::BadTemplate
            | FindingKind::Adoption
            | FindingKind::AdoptedPod
            | FindingKind::NoAgentToken
            | FindingKind::QueueMismatch
            | FindingKind::UnlinkedAgents
            | FindingKind::NoTemplate
            | FindingKind::CeilingReached
            | FindingKind::SlowStart
            | FindingKind::BudgetTight => Finding {
                kind: *kind,
                subject: subject.clone(),
                detail: detail.clone(),
            },
        }
    }

    /// Its subject is `queue: trouble`, and its detail has the trouble too.
    fn pod_trouble(&self, finding: &Finding) -> Finding {
        let (queue, trouble) = finding.subject.split_once(": ").unwrap_or((&finding.subject, ""));
        let shown = self.trouble(trouble);
        let is_kept = shown == trouble && !trouble.starts_with('~');
        Finding {
            kind: finding.kind,
            subject: format!("{queue}: {shown}"),
            detail: if is_kept {
                finding.detail.clone()
            } else {
                LEFT_OUT.into()
            },
        }
    }
}

fn is_renamed(change: &FindingChange) -> bool {
    let (FindingChange::Raised(finding) | FindingChange::Cleared(finding)) = change;
    finding.kind == FindingKind::PodTrouble && finding.detail == LEFT_OUT
}

fn order(change: &FindingChange) -> (bool, FindingKind, String) {
    match change {
        FindingChange::Cleared(finding) => (false, finding.kind, finding.subject.clone()),
        FindingChange::Raised(finding) => (true, finding.kind, finding.subject.clone()),
    }
}
