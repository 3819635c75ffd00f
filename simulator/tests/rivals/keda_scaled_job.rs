//! KEDA ScaledJob with a target of 1 and `minReplicaCount` 0.

use buildscaler_simulator::rivals::{Condition, KedaScaledJob, Stay, Strategy};

use crate::example::{Example, NOTHING, create};

fn shown(strategy: Strategy, example: &Example) -> Vec<buildscaler_simulator::rivals::Move> {
    example.shown_to(&mut KedaScaledJob { strategy }, 0)
}

// Broken and seen to fail: with a metric of queued jobs only, the default
// strategy starves: 3 - 5 < 0.
#[test]
fn default_subtracts_every_unfinished_pod_from_queued_and_running_jobs() {
    // q = 3 + 4 = 7; unfinished = 4 busy + 1 starting = 5; 7 - 5 = 2.
    let example = Example::jobs(3, 4)
        .pods(4, Condition::Busy, 0)
        .pods(1, Condition::Starting, 0);
    assert_eq!(shown(Strategy::Default, &example), create(2, Stay::OneJob));
    // maxReplicaCount 6: maxScale = 6; 6 - 5 = 1.
    assert_eq!(shown(Strategy::Default, &example.ceiling(6)), create(1, Stay::OneJob));
}

// Broken and seen to fail: subtracting all unfinished pods gives nothing.
#[test]
fn accurate_subtracts_pending_pods_from_queued_jobs() {
    // q = 3; pending = 1; maxScale + run - pend = 3 + 5 - 1 = 7 <= 10: 3 - 1 = 2.
    let example = Example::jobs(3, 4)
        .pods(4, Condition::Busy, 0)
        .pods(1, Condition::Starting, 0)
        .ceiling(10);
    assert_eq!(shown(Strategy::Accurate, &example), create(2, Stay::OneJob));
    // maxReplicaCount 6: 3 + 5 - 1 = 7 > 6: 6 - 5 = 1.
    assert_eq!(shown(Strategy::Accurate, &example.ceiling(6)), create(1, Stay::OneJob));
}

#[test]
fn accurate_makes_a_duplicate_for_an_agent_that_just_connected() {
    // Its job is still queued, but its pod is no longer pending: 1 - 0 = 1.
    let example = Example::jobs(1, 0).pods(1, Condition::Idle, 0);
    assert_eq!(shown(Strategy::Accurate, &example), create(1, Stay::OneJob));
    assert_eq!(shown(Strategy::Default, &example), NOTHING);
}

#[test]
fn nothing_is_ever_ended() {
    let example = Example::jobs(0, 0).pods(5, Condition::Idle, 0);
    assert_eq!(shown(Strategy::Default, &example), NOTHING);
    assert_eq!(shown(Strategy::Accurate, &example), NOTHING);
}
