//! The fixed fleet.

use buildscaler_simulator::rivals::{AlwaysMax, Condition, Stay};

use crate::example::{Example, NOTHING, create};
use crate::workload::{one, scenario};

#[test]
fn the_fleet_is_as_large_as_the_ceiling_allows_whatever_there_is_to_do() {
    let mut fixed = AlwaysMax::new(&scenario(&[]));
    let example = Example::jobs(0, 0).ceiling(7);
    assert_eq!(example.shown_to(&mut fixed, 0), create(7, Stay::ForGood));
    let example = example.pods(6, Condition::Idle, 0).pods(1, Condition::Leaving, 0);
    assert_eq!(example.shown_to(&mut fixed, 10), create(1, Stay::ForGood));
}

// Broken and seen to fail: counting starts before ends at equal times gives 3.
#[test]
fn without_a_ceiling_the_fleet_is_the_workloads_own_peak() {
    // From 50 s to 100 s two jobs run; the third begins as the first ends.
    let mut fixed = AlwaysMax::new(&scenario(&[(0, one(100)), (50, one(100)), (100, one(10))]));
    assert_eq!(Example::jobs(0, 0).shown_to(&mut fixed, 0), create(2, Stay::ForGood));
    let example = Example::jobs(9, 2).pods(2, Condition::Busy, 0);
    assert_eq!(example.shown_to(&mut fixed, 10), NOTHING);
}
