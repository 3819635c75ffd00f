//! What is computed of a run.

use std::time::Duration;

use buildscaler_simulator::compare::Figures;
use buildscaler_simulator::measure::QueueSummary;

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn waits_are_nearest_ranks_and_times_are_hours() {
    // 1, 2, ..., 20: the mean is 10.5; ranks 10 and 19 of 20.
    let figures = Figures::of(&QueueSummary {
        jobs: 20,
        waits: (1..=20).map(secs).collect(),
        pod_time: secs(7200),
        busy_time: secs(5400),
        ..QueueSummary::default()
    });
    assert_eq!(figures.wait_mean, Duration::from_millis(10_500));
    assert_eq!(
        (figures.wait_p50, figures.wait_p95, figures.wait_max),
        (secs(10), secs(19), secs(20))
    );
    assert_eq!(
        (figures.pod_hours, figures.busy_hours, figures.idle_share),
        (2.0, 1.5, 0.25)
    );
}

#[test]
fn a_run_without_jobs_has_no_waits() {
    let figures = Figures::of(&QueueSummary::default());
    assert_eq!((figures.wait_mean, figures.wait_max), (secs(0), secs(0)));
    assert!(figures.idle_share.abs() < f64::EPSILON);
}

// Broken and seen to fail: with an unsigned difference, the second is 0.
#[test]
fn regret_is_what_lies_beyond_the_bound_and_may_be_negative_in_pod_hours() {
    let of = |seconds, pod_hours| Figures {
        wait_mean: secs(seconds),
        wait_p95: secs(2 * seconds),
        pod_hours,
        ..Figures::default()
    };
    let regret = of(30, 12.0).against(&of(10, 10.0)).regret.unwrap();
    assert_eq!(
        (regret.wait_mean, regret.wait_p95, regret.pod_hours),
        (secs(20), secs(40), 2.0)
    );
    assert!(of(30, 9.0).against(&of(10, 10.0)).regret.unwrap().pod_hours < 0.0);
}
