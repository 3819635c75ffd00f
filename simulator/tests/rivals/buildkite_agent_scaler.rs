//! buildkite-agent-scaler with one agent per instance, threshold 0.5, a
//! scale-out cooldown of 300 s and scale-in disabled.

use std::time::Duration;

use buildscaler_simulator::rivals::{BuildkiteAgentScaler, Condition, Stay};

use crate::example::{Example, NOTHING, create};

const STAY: Stay = Stay::UntilIdle(Duration::from_secs(600));

// Broken and seen to fail: with a cooldown of 30 s, the look at 60 s scales out.
#[test]
fn a_second_burst_waits_for_the_cooldown() {
    let mut scaler = BuildkiteAgentScaler::shipped();
    // t=0: D = need = 4; inst = 0 -> desired = 0; D > inst, OUT: desired = 4.
    assert_eq!(Example::jobs(4, 0).shown_to(&mut scaler, 0), create(4, STAY));
    // t=60: all four busy, six more jobs: D = 6 + 4 = 10 > 4, but 60 - 0 < 300.
    let example = Example::jobs(6, 4).pods(4, Condition::Busy, 0);
    assert_eq!(example.shown_to(&mut scaler, 60), NOTHING);
    assert_eq!(example.shown_to(&mut scaler, 290), NOTHING);
    // t=300: 300 - 0 is not below 300: D - 4 = 6.
    assert_eq!(example.shown_to(&mut scaler, 300), create(6, STAY));
}

// Broken and seen to fail: without the availability rule, nothing is created.
#[test]
fn instances_that_boot_are_taken_for_trouble() {
    let mut scaler = BuildkiteAgentScaler::shipped();
    assert_eq!(Example::jobs(3, 0).shown_to(&mut scaler, 0), create(3, STAY));
    // t=300: still no agent: A / exp = 0 / 3 < 0.5 and actual == desired == 3:
    // D = max(3, 3 + 1) = 4.
    let booting = Example::jobs(3, 0).pods(3, Condition::Starting, 0);
    assert_eq!(booting.shown_to(&mut scaler, 300), create(1, STAY));
    // Two of four connected: 2 / 4 is not below 0.5: D = 3 < 4.
    let half = Example::jobs(1, 2)
        .pods(2, Condition::Busy, 0)
        .pods(2, Condition::Starting, 0);
    assert_eq!(half.shown_to(&mut scaler, 600), NOTHING);
}

// Broken and seen to fail: if departures did not lower the desired size, the
// look at 1000 s would find D = 2 not above desired = 3.
#[test]
fn whoever_left_lowers_the_desired_size_and_can_be_replaced() {
    let mut scaler = BuildkiteAgentScaler::shipped();
    assert_eq!(Example::jobs(3, 0).shown_to(&mut scaler, 0), create(3, STAY));
    // All three left when idle: actual 0, so desired = 3 - 3 = 0.
    assert_eq!(Example::jobs(0, 0).shown_to(&mut scaler, 990), NOTHING);
    assert_eq!(Example::jobs(2, 0).shown_to(&mut scaler, 1000), create(2, STAY));
}

#[test]
fn nothing_is_ever_ended_from_outside_and_the_ceiling_holds() {
    let mut scaler = BuildkiteAgentScaler::shipped();
    let example = Example::jobs(9, 0).ceiling(5);
    assert_eq!(example.shown_to(&mut scaler, 0), create(5, STAY));
    let idle = Example::jobs(0, 0).pods(5, Condition::Idle, 10);
    assert_eq!(idle.shown_to(&mut scaler, 4000), NOTHING);
}
