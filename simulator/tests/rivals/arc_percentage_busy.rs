//! ARC's PercentageRunnersBusy with its defaults: 0.8 up by 1.3, 0.3 down by
//! 0.7, no decrease within 600 s after an increase.

use buildscaler_simulator::rivals::{ArcPercentageBusy, Condition, Stay};

use crate::example::{Example, NOTHING, create, stops};

// Broken and seen to fail: with a factor of 2, the second minute creates 2.
#[test]
fn a_burst_is_met_thirty_percent_a_minute() {
    let mut autoscaler = ArcPercentageBusy::default();
    // It begins with one runner, whatever waits.
    assert_eq!(
        Example::jobs(9, 0).shown_to(&mut autoscaler, 0),
        create(1, Stay::OneJob)
    );
    // f = 1/1 >= 0.8: ceil(1 * 1.3) = 2.
    let example = Example::jobs(8, 1).pods(1, Condition::Busy, 0);
    assert_eq!(example.shown_to(&mut autoscaler, 50), NOTHING);
    assert_eq!(example.shown_to(&mut autoscaler, 60), create(1, Stay::OneJob));
    // f = 2/2: ceil(2.6) = 3. f = 3/3: ceil(3.9) = 4. f = 4/4: ceil(5.2) = 6.
    for (minute, busy, more) in [(2, 2, 1), (3, 3, 1), (4, 4, 2)] {
        let example = Example::jobs(9 - busy, busy).pods(u64::from(busy), Condition::Busy, 0);
        assert_eq!(
            example.shown_to(&mut autoscaler, minute * 60),
            create(more, Stay::OneJob)
        );
    }
}

// Broken and seen to fail: without the delay, two runners are stopped at 240 s.
#[test]
fn a_decrease_waits_for_ten_minutes_after_an_increase() {
    let mut autoscaler = ArcPercentageBusy::default();
    for (second, busy) in [(0, 0), (60, 1), (120, 2), (180, 3)] {
        Example::jobs(1, busy)
            .pods(u64::from(busy), Condition::Busy, 0)
            .shown_to(&mut autoscaler, second);
    }
    // Four wanted since 180 s. f = 0/4 < 0.3: int(4 * 0.7) = 2, not before 780 s.
    let idle = Example::jobs(0, 0).pods(4, Condition::Idle, 200);
    assert_eq!(idle.shown_to(&mut autoscaler, 240), NOTHING);
    assert_eq!(idle.shown_to(&mut autoscaler, 720), NOTHING);
    assert_eq!(idle.shown_to(&mut autoscaler, 780), stops(&[1, 2]));
}

#[test]
fn a_runner_that_took_its_job_is_replaced_at_once() {
    let mut autoscaler = ArcPercentageBusy::default();
    Example::jobs(0, 0).shown_to(&mut autoscaler, 0);
    let example = Example::jobs(0, 0).pods(1, Condition::Leaving, 0);
    assert_eq!(example.shown_to(&mut autoscaler, 10), create(1, Stay::OneJob));
}
