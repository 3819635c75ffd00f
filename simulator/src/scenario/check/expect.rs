//! Expectations, which must be such as could come true.

use std::collections::BTreeSet;

use buildscaler_core::{FindingKind, Reason};

use super::Complaints;
use crate::scenario::outline::Place;
use crate::scenario::problem::Rule;
use crate::scenario::{Expectations, Scenario};

pub(super) fn check(scenario: &Scenario, place: &Place<'_>, complaints: &mut Complaints) {
    let expect = &scenario.expect;
    counts(expect, scenario.jobs(), place, complaints);
    let queues = scenario.queues();
    for (number, wait) in expect.waits.iter().enumerate() {
        if let Some(queue) = wait.queue.as_ref().filter(|queue| !queues.contains(queue.as_str())) {
            let message = format!("no template and no job of this scenario has the queue {queue}");
            let place = place.key("waits");
            complaints.add(&place.index(number).key("queue"), Rule::Reference, message);
        }
    }
    let findings: BTreeSet<&str> = FindingKind::ALL.iter().map(|kind| kind.as_str()).collect();
    known(
        &expect.findings,
        &findings,
        "finding",
        &place.key("findings"),
        complaints,
    );
    let reasons: BTreeSet<&str> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
    known(&expect.reasons, &reasons, "reason", &place.key("reasons"), complaints);
}

fn counts(expect: &Expectations, jobs: u64, place: &Place<'_>, complaints: &mut Complaints) {
    let asked = expect
        .finished
        .unwrap_or(0)
        .saturating_add(expect.waiting_at_end.unwrap_or(0));
    if asked > jobs {
        let field = if expect.finished.is_some() {
            "finished"
        } else {
            "waiting-at-end"
        };
        let message = format!("{asked} jobs are to be finished or waiting, there are only {jobs}");
        complaints.add(&place.key(field), Rule::Number, message);
    }
    if let (Some(least), Some(most)) = (expect.pods_created_at_least, expect.pods_created_at_most)
        && least > most
    {
        let message = format!("at least {least} and at most {most} pods cannot both be created");
        complaints.add(&place.key("pods-created-at-most"), Rule::Number, message);
    }
}

fn known(given: &[String], known: &BTreeSet<&str>, what: &str, place: &Place<'_>, complaints: &mut Complaints) {
    for (number, name) in given.iter().enumerate() {
        if !known.contains(name.as_str()) {
            let all: Vec<&str> = known.iter().copied().collect();
            let message = format!("there is no {what} {name:?}; there are {}", all.join(", "));
            complaints.add(&place.index(number), Rule::Reference, message);
        }
    }
}
