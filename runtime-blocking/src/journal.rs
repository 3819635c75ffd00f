//! What the log says of steps.

use buildscaler_core::{FindingChange, Report, Step};

use crate::deed::{Deed, is_look};

/// Logs what changed with a step, and after a look the queues.
pub(crate) fn tell(step: &Step, looked: Option<&Report>) {
    for change in &step.findings {
        match change {
            FindingChange::Raised(finding) => {
                let (kind, subject, detail) = (finding.kind.as_str(), &finding.subject, &finding.detail);
                tracing::warn!(kind, subject, detail, "finding");
            }
            FindingChange::Cleared(finding) => {
                let (kind, subject) = (finding.kind.as_str(), &finding.subject);
                tracing::info!(kind, subject, "finding cleared");
            }
        }
    }
    for command in &step.commands {
        if !is_look(command) {
            let Deed {
                verb,
                subject,
                queue,
                reason,
            } = Deed::of(command);
            tracing::info!(queue, reason, "{verb} {subject}");
        }
    }
    let queues = looked.into_iter().flat_map(|report| &report.queues);
    for (queue, now) in queues {
        let queue = queue.as_str();
        let (waiting, pods, starting, idle, busy) = (now.waiting, now.pods, now.starting, now.idle, now.busy);
        let (desired, created) = (now.desired, now.created);
        tracing::debug!(queue, waiting, pods, starting, idle, busy, desired, created, "queue");
    }
}
