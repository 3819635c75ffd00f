//! KEDA ScaledObject and HPA with a target of 1; looks every 15 s.

use buildscaler_simulator::rivals::{Condition, KedaHpa, Metric, Move, PodId, Stay};

use crate::example::{Example, NOTHING, create, deletes};

// Broken and seen to fail: with +8 instead of +4, the look at 15 s creates 8.
#[test]
fn it_grows_from_nothing_by_four_and_then_by_doubling() {
    let mut hpa = KedaHpa::new(Metric::QueuedAndRunning, 1);
    // KEDA: active, replicas 0 -> 1.
    assert_eq!(Example::jobs(30, 0).shown_to(&mut hpa, 0), create(1, Stay::ForGood));
    // HPA: raw = 30, at most max(2 * 1, 1 + 4) = 5; then max(10, 9) = 10; then
    // max(20, 14) = 20; then 30.
    let mut pods = 1;
    for (second, replicas) in [(15, 5), (30, 10), (45, 20), (60, 30)] {
        let example = Example::jobs(30, 0).pods(pods, Condition::Starting, 0);
        let more = replicas - u32::try_from(pods).unwrap();
        assert_eq!(example.shown_to(&mut hpa, second), create(more, Stay::ForGood));
        pods = u64::from(replicas);
    }
}

/// Ten replicas with ten busy pods, at 30 s.
fn ten_busy(metric: Metric) -> KedaHpa {
    let mut hpa = KedaHpa::new(metric, 1);
    Example::jobs(10, 0).shown_to(&mut hpa, 0);
    Example::jobs(10, 0).pods(1, Condition::Busy, 0).shown_to(&mut hpa, 15);
    Example::jobs(10, 0).pods(5, Condition::Busy, 0).shown_to(&mut hpa, 30);
    hpa
}

// Broken and seen to fail: without the window, six pods are deleted at 45 s.
#[test]
fn it_shrinks_to_the_highest_wish_of_five_minutes_whoever_is_busy() {
    let mut hpa = ten_busy(Metric::QueuedAndRunning);
    let four = Example::jobs(0, 4)
        .pods(4, Condition::Busy, 0)
        .pods(6, Condition::Idle, 40);
    // The wish of 10 at 30 s holds until 330 s.
    for second in (45..=330).step_by(15) {
        assert_eq!(four.shown_to(&mut hpa, second), NOTHING);
    }
    // 345 s: raw = 4; six victims of ten, drawn without a look at who is busy.
    let victims = four.shown_to(&mut hpa, 345);
    assert_eq!(victims.len(), 6);
    let busy = |victim: &&Move| matches!(victim, Move::Delete(PodId(id)) if *id <= 4);
    assert!(
        victims.iter().any(|victim| busy(&victim)),
        "{victims:?} spares every busy pod"
    );
}

#[test]
fn pods_without_an_agent_are_the_first_victims() {
    let mut hpa = ten_busy(Metric::QueuedAndRunning);
    let example = Example::jobs(0, 8)
        .pods(8, Condition::Busy, 0)
        .pods(2, Condition::Pending, 30);
    for second in (45..=330).step_by(15) {
        assert_eq!(example.shown_to(&mut hpa, second), NOTHING);
    }
    assert_eq!(example.shown_to(&mut hpa, 345), deletes(&[10, 9]));
}

// Broken and seen to fail: with a tolerance of 0.05, a pod goes at 345 s.
#[test]
fn within_a_tenth_of_the_target_it_keeps_still() {
    let mut hpa = ten_busy(Metric::QueuedAndRunning);
    let nine = Example::jobs(0, 9)
        .pods(9, Condition::Busy, 0)
        .pods(1, Condition::Idle, 30);
    // |1 - 9 / 10| <= 0.1: keep, after the window too; 12 / 10 is beyond it.
    for second in (45..=600).step_by(15) {
        assert_eq!(nine.shown_to(&mut hpa, second), NOTHING);
    }
    let twelve = Example::jobs(2, 10).pods(10, Condition::Busy, 0);
    assert_eq!(twelve.shown_to(&mut hpa, 615), create(2, Stay::ForGood));
}

// Broken and seen to fail: with the other metric, nothing is deleted.
#[test]
fn on_queued_jobs_alone_busy_pods_are_invisible() {
    let mut hpa = ten_busy(Metric::Queued);
    let busy = Example::jobs(0, 10).pods(10, Condition::Busy, 0);
    for second in (45..=315).step_by(15) {
        assert_eq!(busy.shown_to(&mut hpa, second), NOTHING);
    }
    // 330 s is the wish's last look, and KEDA saw nothing queued for 300 s
    // since 30 s: it takes away all ten, every one of them busy.
    assert_eq!(busy.shown_to(&mut hpa, 330).len(), 10);
}

#[test]
fn after_five_minutes_without_jobs_keda_switches_off() {
    let mut hpa = KedaHpa::new(Metric::QueuedAndRunning, 1);
    assert_eq!(Example::jobs(1, 0).shown_to(&mut hpa, 0), create(1, Stay::ForGood));
    let idle = Example::jobs(0, 0).pods(1, Condition::Idle, 10);
    for second in (15..300).step_by(15) {
        assert_eq!(idle.shown_to(&mut hpa, second), NOTHING);
    }
    assert_eq!(idle.shown_to(&mut hpa, 300), deletes(&[1]));
}
