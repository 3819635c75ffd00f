//! The original Buildscaler: `need = min(max, running + scheduled)`; create
//! what is missing; stop agents idle for longer than the timeout and above the
//! need; delete pods without an agent after 600 s.

use std::time::Duration;

use buildscaler_simulator::rivals::{Condition, Original, Rival, Stay};

use crate::example::{Example, NOTHING, create, deletes, stops};

fn original() -> Original {
    Original {
        sync_interval: Duration::from_secs(20),
        idle_timeout: Duration::from_secs(300),
        startup_timeout: Duration::from_secs(600),
    }
}

// Broken and seen to fail: without `running` in the need, nothing is created.
#[test]
fn pods_are_created_up_to_running_plus_scheduled_jobs() {
    // need = 2 + 3 = 5; live: 2 busy, 1 starting = 3; 5 - 3 = 2.
    let example = Example::jobs(3, 2)
        .pods(2, Condition::Busy, 0)
        .pods(1, Condition::Starting, 10);
    assert_eq!(example.shown_to(&mut original(), 20), create(2, Stay::ForGood));
    // With --max-active-builds 4: need = min(4, 5) = 4; 4 - 3 = 1.
    let example = example.ceiling(4);
    assert_eq!(example.shown_to(&mut original(), 20), create(1, Stay::ForGood));
}

// Broken and seen to fail: without `live > need`, pods 1, 2 and 3 are stopped.
#[test]
fn agents_idle_beyond_the_timeout_leave_as_far_as_they_are_not_needed() {
    // need = 1 + 0 = 1; live = 4, so at most 3 may go; three are idle: since
    // 300 s, 300 s and 299 s at 300 s. The last is not yet over the timeout.
    let example = Example::jobs(0, 1)
        .pods(2, Condition::Idle, 0)
        .pods(1, Condition::Idle, 1)
        .pods(1, Condition::Busy, 0);
    assert_eq!(example.shown_to(&mut original(), 300), stops(&[1, 2]));
    // need = 2 + 1 = 3: only one of four may go.
    let example = Example::jobs(2, 1)
        .pods(3, Condition::Idle, 0)
        .pods(1, Condition::Busy, 0);
    assert_eq!(example.shown_to(&mut original(), 300), stops(&[1]));
}

#[test]
fn a_pod_without_an_agent_is_deleted_after_ten_minutes() {
    let example = Example::jobs(1, 0).pods(1, Condition::Starting, 0);
    assert_eq!(example.shown_to(&mut original(), 600), NOTHING);
    assert_eq!(example.shown_to(&mut original(), 601), deletes(&[1]));
}

#[test]
fn it_looks_as_often_as_its_flag_says() {
    assert_eq!(original().interval(), Duration::from_secs(20));
}
