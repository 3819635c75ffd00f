//! Ceilings hold for creates that were decided on a while ago (Invariant 7).

use buildscaler_core::{Config, Outcome};

use crate::support::build::{jobs, pod, template};
use crate::support::driver::{Driver, creates, is_write};
use crate::support::world::World;

/// Creates that are sent after four pods of the queue turned up which this
/// controller has not made: another one did, say.
fn creates_after_a_surprise(config: &Config) -> usize {
    let template = template("apple", "apple");
    let surprise: Vec<_> = (0..4)
        .map(|number| pod(&format!("other-{number}"), &template))
        .collect();
    let mut driver = Driver::new(
        config,
        World {
            templates: vec![template],
            jobs: jobs(6, "apple"),
            ..World::default()
        },
    );
    driver.round();
    let first = driver.take(is_write).expect("a create");
    driver.world.pods.extend(surprise);
    driver.push_cluster();
    // One of six is under way, four have come: there is room for one.
    let mut waiting = vec![first];
    let mut sent = 0;
    while let Some(create) = waiting.pop() {
        let next = driver.answer(&create, Outcome::Done);
        sent += creates(&next);
        waiting.extend(next.into_iter().filter(|command| is_write(&command.action)));
    }
    sent
}

/// Seen to fail when what waited was sent as it had been planned.
#[test]
fn a_queues_ceiling_holds_when_pods_turn_up() {
    let config = Config {
        max_active_builds: Some(6),
        ..Config::default()
    };
    assert!(creates_after_a_surprise(&config) <= 1);
}

/// Seen to fail like the one above.
#[test]
fn the_fleets_ceiling_holds_when_pods_turn_up() {
    let config = Config {
        max_pods: Some(6),
        ..Config::default()
    };
    assert!(creates_after_a_surprise(&config) <= 1);
}

/// Otherwise the two above could not fail.
#[test]
fn without_a_ceiling_slow_start_goes_on() {
    assert_eq!(creates_after_a_surprise(&Config::default()), 5);
}
