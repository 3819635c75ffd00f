//! Where a run falls short of what was expected.

use std::collections::BTreeSet;
use std::time::Duration;

use buildscaler_core::{FindingKind, Reason};

use super::{QueueSummary, Summary};
use crate::scenario::{Expectations, Span, WaitExpectation};

impl Expectations {
    /// One sentence for each expectation that the run does not meet.
    pub fn unmet(
        &self,
        summary: &Summary,
        findings: &BTreeSet<FindingKind>,
        reasons: &BTreeSet<Reason>,
    ) -> Vec<String> {
        let mut unmet = Vec::new();
        let total = &summary.total;
        if total.interrupted > 0 {
            unmet.push(format!(
                "{} jobs were interrupted by scaling; none may be",
                total.interrupted
            ));
        }
        let allowed = self.interrupted_by_the_world_at_most.unwrap_or(u64::MAX);
        at_most(
            &mut unmet,
            "jobs interrupted by the world",
            total.interrupted_by_the_world,
            Some(allowed),
        );
        exactly(&mut unmet, "jobs finished", total.finished, self.finished);
        exactly(
            &mut unmet,
            "jobs waiting at the end",
            total.unstarted,
            self.waiting_at_end,
        );
        exactly(&mut unmet, "pods at the end", total.pods_at_end, self.pods_at_end);
        let created = total.pods_created;
        if self.pods_created_at_least.is_some_and(|least| created < least) {
            let least = self.pods_created_at_least.unwrap_or_default();
            unmet.push(format!("pods created: {created}, expected at least {least}"));
        }
        at_most(&mut unmet, "pods created", created, self.pods_created_at_most);
        at_most(
            &mut unmet,
            "pods at once",
            total.pods_at_once,
            self.pods_at_once_at_most,
        );
        unmet.extend(self.waits.iter().filter_map(|wait| too_long(wait, summary)));
        for kind in &self.findings {
            if !findings.iter().any(|found| found.as_str() == kind) {
                unmet.push(format!("the finding {kind} never appeared"));
            }
        }
        for reason in &self.reasons {
            if !reasons.iter().any(|found| found.as_str() == reason) {
                unmet.push(format!("no command was sent for the reason {reason}"));
            }
        }
        unmet
    }
}

fn exactly(unmet: &mut Vec<String>, what: &str, seen: u64, expected: Option<u64>) {
    if let Some(expected) = expected.filter(|expected| *expected != seen) {
        unmet.push(format!("{what}: {seen}, expected {expected}"));
    }
}

fn at_most(unmet: &mut Vec<String>, what: &str, seen: u64, most: Option<u64>) {
    if let Some(most) = most.filter(|most| seen > *most) {
        unmet.push(format!("{what}: {seen}, expected at most {most}"));
    }
}

fn too_long(wait: &WaitExpectation, summary: &Summary) -> Option<String> {
    let nothing = QueueSummary::default();
    let of_queue = wait.queue.as_ref().map(|queue| {
        let found = summary.queues.iter().find(|(known, _)| known.as_str() == queue);
        found.map_or(&nothing, |(_, found)| found)
    });
    let longest: Duration = of_queue.unwrap_or(&summary.total).wait(100);
    (longest > wait.at_most.0).then(|| {
        let whose = wait
            .queue
            .as_deref()
            .map(|queue| format!(" of {queue}"))
            .unwrap_or_default();
        format!(
            "the longest wait{whose}: {}, expected at most {}",
            Span(longest),
            wait.at_most
        )
    })
}
