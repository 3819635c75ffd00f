//! GitLab's autoscaler policy: in use plus
//! `max(idle_count, min(in use * scale_factor, limit))`.

use buildscaler_simulator::rivals::{Condition, GitlabFleeting, Stay};

use crate::example::{Example, NOTHING, create, stops};

// Broken and seen to fail: counting waiting jobs in preemptive mode creates 10.
#[test]
fn in_preemptive_mode_the_pool_grows_because_idle_instances_were_taken() {
    let mut policy = GitlabFleeting::WARM;
    // Nothing in use: target = 0 + 5, whatever waits.
    assert_eq!(Example::jobs(5, 0).shown_to(&mut policy, 0), create(5, Stay::ForGood));
    // Five in use: target = 5 + 5 = 10; five are there.
    let example = Example::jobs(3, 5).pods(5, Condition::Busy, 0);
    assert_eq!(example.shown_to(&mut policy, 3), create(5, Stay::ForGood));
}

#[test]
fn on_demand_every_job_that_waits_gets_an_instance() {
    let mut policy = GitlabFleeting::ON_DEMAND;
    // in use = 2 busy + 5 taken; target = 7; four are there.
    let example = Example::jobs(5, 2)
        .pods(2, Condition::Busy, 0)
        .pods(2, Condition::Starting, 0);
    assert_eq!(example.shown_to(&mut policy, 0), create(3, Stay::ForGood));
    assert_eq!(example.ceiling(6).shown_to(&mut policy, 0), create(2, Stay::ForGood));
}

// Broken and seen to fail: without the limit, 20 * 0.5 = 10 idle are wanted.
#[test]
fn the_scale_factor_asks_for_more_up_to_its_limit() {
    let mut policy = GitlabFleeting {
        scale_factor: 0.5,
        scale_factor_limit: 8,
        ..GitlabFleeting::WARM
    };
    // max(5, min(ceil(6 * 0.5), 8)) = 5: 6 + 5 - 6 = 5.
    let six = Example::jobs(0, 6).pods(6, Condition::Busy, 0);
    assert_eq!(six.shown_to(&mut policy, 0), create(5, Stay::ForGood));
    // max(5, min(ceil(13 * 0.5), 8)) = 7: 13 + 7 - 13 = 7.
    let thirteen = Example::jobs(0, 13).pods(13, Condition::Busy, 0);
    assert_eq!(thirteen.shown_to(&mut policy, 0), create(7, Stay::ForGood));
    // max(5, min(10, 8)) = 8.
    let twenty = Example::jobs(0, 20).pods(20, Condition::Busy, 0);
    assert_eq!(twenty.shown_to(&mut policy, 0), create(8, Stay::ForGood));
}

// Broken and seen to fail: without the idle time, both go at 1199 s.
#[test]
fn surplus_instances_go_when_they_were_idle_for_the_idle_time() {
    let mut policy = GitlabFleeting::WARM;
    // Seven idle, five wanted: two too many, the oldest first, after 20 min.
    let example = Example::jobs(0, 0).pods(7, Condition::Idle, 0);
    assert_eq!(example.shown_to(&mut policy, 1199), NOTHING);
    assert_eq!(example.shown_to(&mut policy, 1200), stops(&[1, 2]));
}
