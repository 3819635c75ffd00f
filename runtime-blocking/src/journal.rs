//! What the log says of steps.

use buildscaler_core::{Controller, FindingChange, Leadership, LeadershipNews, Loss, Report, Step, withheld};

use crate::deed::{Deed, is_look};

/// Remembers what it said of who commands.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    leadership: Option<Leadership>,
}

impl Journal {
    /// Logs what changed with a step, and after a look the queues.
    pub(crate) fn tell(&mut self, step: &Step, controller: &Controller, looked: bool) {
        self.leadership(controller.leadership());
        changes(step);
        kept_back(step);
        if looked {
            queues(controller.report());
        }
    }

    /// Logs who commands, whenever that is another.
    fn leadership(&mut self, now: Option<Leadership>) {
        let Some(now) = now else { return };
        let (why, holder) = (now.lost.map(Loss::as_str), now.holder.as_deref());
        match now.news(self.leadership.as_ref()) {
            None => {}
            Some(news @ LeadershipNews::StepsDown) => tracing::warn!(why, holder, "{news}"),
            Some(news @ (LeadershipNews::Leads | LeadershipNews::Follows)) => tracing::info!(holder, "{news}"),
        }
        self.leadership = Some(now);
    }
}

fn changes(step: &Step) {
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
}

/// What a dry run keeps back, as far as it is news.
fn kept_back(step: &Step) {
    for line in withheld::in_words(&step.withheld) {
        let (queue, reason, count) = (line.queue.as_deref(), line.reason.as_str(), line.count);
        tracing::info!(queue, reason, count, names = line.names, "dry run: {}", line.what);
    }
}

fn queues(report: &Report) {
    for (queue, now) in &report.queues {
        let queue = queue.as_str();
        let (waiting, pods, starting, idle, busy) = (now.waiting, now.pods, now.starting, now.idle, now.busy);
        let (desired, created) = (now.desired, now.created);
        tracing::debug!(queue, waiting, pods, starting, idle, busy, desired, created, "queue");
    }
}
