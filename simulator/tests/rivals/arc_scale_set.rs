//! ARC scale sets: `target = min(minRunners + assigned, maxRunners)`; runners
//! are deleted only for patch 0.

use buildscaler_simulator::rivals::{ArcScaleSet, Condition, Stay};

use crate::example::{Example, NOTHING, create, stops};

// Broken and seen to fail: with the target of `max(minRunners, assigned)`, as
// its users first think, the warm runners are not topped up.
#[test]
fn min_runners_come_on_top_of_assigned_jobs() {
    let mut set = ArcScaleSet::new(2);
    // assigned = 3 + 1 = 4; target = 2 + 4 = 6; total = 1 busy + 2 idle = 3.
    let example = Example::jobs(3, 1)
        .pods(1, Condition::Busy, 0)
        .pods(2, Condition::Idle, 0);
    assert_eq!(example.shown_to(&mut set, 0), create(3, Stay::OneJob));
    // maxRunners 5: target = min(6, 5) = 5.
    let example = example.ceiling(5);
    assert_eq!(example.shown_to(&mut ArcScaleSet::new(2), 0), create(2, Stay::OneJob));
}

#[test]
fn between_messages_nothing_happens() {
    let mut set = ArcScaleSet::new(0);
    assert_eq!(Example::jobs(1, 0).shown_to(&mut set, 0), create(1, Stay::OneJob));
    // The same counts and no runner, as if it had failed: the next message
    // comes with the long poll's timeout.
    assert_eq!(Example::jobs(1, 0).shown_to(&mut set, 49), NOTHING);
    assert_eq!(Example::jobs(1, 0).shown_to(&mut set, 50), create(1, Stay::OneJob));
}

// Broken and seen to fail: without asking for a resting target, the runners go
// at 10 s already, with the message that tells of the cancellation.
#[test]
fn idle_runners_go_only_when_nothing_happened_and_the_target_rests() {
    let mut set = ArcScaleSet::new(0);
    let example = Example::jobs(2, 0).pods(2, Condition::Idle, 0);
    assert_eq!(example.shown_to(&mut set, 0), NOTHING);
    // The jobs are cancelled: an event, so the patch has a number above 0.
    let example = Example::jobs(0, 0).pods(2, Condition::Idle, 0);
    assert_eq!(example.shown_to(&mut set, 10), NOTHING);
    // The long poll ends empty at 60 s: target = 0 = last = minRunners.
    assert_eq!(example.shown_to(&mut set, 59), NOTHING);
    assert_eq!(example.shown_to(&mut set, 60), stops(&[1, 2]));
}

#[test]
fn a_job_that_came_and_went_between_two_looks_is_an_event() {
    let mut set = ArcScaleSet::new(0);
    let example = Example::jobs(0, 0).pods(1, Condition::Idle, 0);
    assert_eq!(example.shown_to(&mut set, 0), NOTHING);
    assert_eq!(example.clone().finished(1).shown_to(&mut set, 40), NOTHING);
    // The poll begins anew at 40 s.
    assert_eq!(example.shown_to(&mut set, 50), NOTHING);
    assert_eq!(example.shown_to(&mut set, 90), stops(&[1]));
}
