//! agent-stack-k8s: `pods += min(|Q|, M - unfinished, bucket)`, one job per pod.

use buildscaler_simulator::rivals::{AgentStackK8s, Condition, Stay};

use crate::example::{Example, NOTHING, create, deletes};

// Broken and seen to fail: without subtracting pods that have no job yet, the
// second look creates three pods again.
#[test]
fn each_job_gets_a_pod_once() {
    let mut stack = AgentStackK8s::default();
    assert_eq!(Example::jobs(3, 0).shown_to(&mut stack, 0), create(3, Stay::OneJob));
    // The three pods are on their way: their jobs are in the in-flight map.
    let example = Example::jobs(3, 0).pods(3, Condition::Starting, 0);
    assert_eq!(example.shown_to(&mut stack, 1), NOTHING);
    // One runs, two more jobs came: |Q| = 4 - 2 = 2.
    let example = Example::jobs(4, 1)
        .pods(1, Condition::Busy, 0)
        .pods(2, Condition::Starting, 0);
    assert_eq!(example.shown_to(&mut stack, 2), create(2, Stay::OneJob));
}

#[test]
fn unfinished_pods_use_up_the_limiter() {
    let mut stack = AgentStackK8s::default();
    // M - unfinished = 25 - 22 = 3, although 10 jobs want a pod.
    let example = Example::jobs(10, 22).pods(22, Condition::Busy, 0).ceiling(25);
    assert_eq!(example.shown_to(&mut stack, 0), create(3, Stay::OneJob));
    // A pod on its way out is unfinished still: 25 - 25 = 0.
    let example = Example::jobs(10, 24)
        .pods(24, Condition::Busy, 0)
        .pods(1, Condition::Leaving, 0)
        .ceiling(25);
    assert_eq!(example.shown_to(&mut stack, 1), NOTHING);
}

// Broken and seen to fail: with a bucket of 40, the first look creates 40.
#[test]
fn the_bucket_lets_twenty_through_and_then_ten_a_second() {
    let mut stack = AgentStackK8s::default();
    assert_eq!(Example::jobs(50, 0).shown_to(&mut stack, 0), create(20, Stay::OneJob));
    let example = Example::jobs(50, 0).pods(20, Condition::Pending, 0);
    assert_eq!(example.shown_to(&mut stack, 1), create(10, Stay::OneJob));
    let example = Example::jobs(50, 0).pods(30, Condition::Pending, 0);
    assert_eq!(example.shown_to(&mut stack, 2), create(10, Stay::OneJob));
}

#[test]
fn pods_of_cancelled_jobs_go_within_five_seconds() {
    let mut stack = AgentStackK8s::default();
    let example = Example::jobs(3, 0).pods(3, Condition::Starting, 0);
    assert_eq!(example.shown_to(&mut stack, 0), NOTHING);
    // Two of the three jobs are cancelled; the check comes every 5 s.
    let example = Example::jobs(1, 0).pods(3, Condition::Starting, 0);
    assert_eq!(example.shown_to(&mut stack, 4), NOTHING);
    assert_eq!(example.shown_to(&mut stack, 5), deletes(&[3, 2]));
}

#[test]
fn a_pod_pending_for_fifteen_minutes_is_given_up() {
    let mut stack = AgentStackK8s::default();
    let example = Example::jobs(1, 0).pods(1, Condition::Pending, 0);
    assert_eq!(example.shown_to(&mut stack, 900), NOTHING);
    assert_eq!(example.shown_to(&mut stack, 901), deletes(&[1]));
}
