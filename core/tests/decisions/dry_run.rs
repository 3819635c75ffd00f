//! Look before trust: a dry run decides everything and changes nothing.

use std::time::Duration;

use buildscaler_core::{
    Action, Command, Config, LeadershipConfig, MeteringConfig, Reason, Step, WithheldChange, withheld,
};
use proptest::prelude::*;

use crate::support::build::{jobs, pod, secs};
use crate::support::cases;
use crate::support::driver::{Driver, until};
use crate::support::story::{events, tell};
use crate::support::world::{World, idle_worker, one_queue};
use crate::support::worlds::worlds;

/// A dry run of a controller that would take the lead and meter usage.
fn dry() -> Config {
    Config {
        dry_run: true,
        leadership: Some(LeadershipConfig {
            identity: "dry".into(),
            namespace: "builds".into(),
            name: "buildscaler".into(),
            lease_duration: secs(15),
            renew_deadline: secs(10),
            retry_period: secs(2),
        }),
        metering: Some(MeteringConfig {
            product_code: "product".into(),
            public_key_version: 1,
            dimension: "hours".into(),
            instance: "dry".into(),
        }),
        ..Config::default()
    }
}

/// Actions and reasons, whatever their order.
fn spelt<'a>(all: impl Iterator<Item = (&'a Action, Reason)>) -> Vec<String> {
    let mut spelt: Vec<String> = all.map(|one| serde_json::to_string(&one).unwrap()).collect();
    spelt.sort();
    spelt
}

fn of_commands(commands: &[Command]) -> Vec<String> {
    spelt(commands.iter().map(|command| (&command.action, command.reason)))
}

fn kept_back(driver: &Driver) -> Vec<String> {
    spelt(driver.controller.withheld().map(|one| (&one.action, one.reason)))
}

/// What the steps of these rounds told: how much appeared, and how much went.
fn news(driver: &mut Driver, rounds: usize) -> (usize, usize) {
    driver.history = Some(Vec::new());
    driver.rounds(rounds);
    let steps = driver.history.take().unwrap();
    let steps = steps.iter().filter_map(|line| serde_json::from_str::<Step>(line).ok());
    let changes: Vec<WithheldChange> = steps.flat_map(|step| step.withheld).collect();
    let appeared = |change: &&WithheldChange| matches!(change, WithheldChange::Appeared(_));
    let count = changes.iter().filter(appeared).count();
    (count, changes.len() - count)
}

proptest! {
    #![proptest_config(cases(150))]

    /// Whatever happens outside, nothing leaves but looks.
    #[test]
    fn nothing_that_changes_anything_is_sent(world in worlds(), story in events()) {
        let mut driver = Driver::new(&dry(), world);
        driver.history = Some(Vec::new());
        tell(&mut driver, &story);
        let steps = driver.history.take().unwrap();
        for step in steps.iter().filter_map(|line| serde_json::from_str::<Step>(line).ok()) {
            for command in step.commands {
                let is_look = matches!(command.action, Action::ObserveCluster | Action::ObserveBuildkite { .. });
                prop_assert!(is_look && command.action.is_look(), "{command:?}");
            }
        }
    }

    /// What is kept back is what a controller that acts sends from the same
    /// view, all of it: slow start sends the first and, as they succeed, the
    /// rest.
    #[test]
    fn what_is_kept_back_is_what_would_be_sent(world in worlds()) {
        let mut dry = Driver::new(&dry(), world.clone());
        dry.round();
        let mut real = Driver::new(&Config::default(), world);
        let first = of_commands(&real.round());
        let kept = kept_back(&dry);
        prop_assert!(first.iter().all(|sent| kept.contains(sent)), "{first:?} of {kept:?}");
        prop_assert_eq!(of_commands(&real.carry_out()), kept);
    }

    /// A controller that acts keeps nothing back.
    #[test]
    fn a_controller_that_acts_keeps_nothing_back(world in worlds(), story in events()) {
        let mut driver = Driver::new(&Config::default(), world);
        tell(&mut driver, &story);
        prop_assert_eq!(driver.controller.withheld().count(), 0);
    }
}

#[test]
fn what_is_kept_back_is_told_when_it_appears_and_when_it_goes() {
    let mut driver = Driver::new(
        &dry(),
        World {
            jobs: jobs(3, "apple"),
            ..one_queue()
        },
    );
    assert_eq!(news(&mut driver, 1), (3, 0));
    assert_eq!(news(&mut driver, 20), (0, 0));
    assert_eq!(driver.controller.withheld().count(), 3);
    // Another controller makes two pods.
    let template = driver.world.templates[0].clone();
    driver.world.pods = ["one", "two"].map(|name| pod(name, &template)).to_vec();
    driver.world.connect_all();
    assert_eq!(news(&mut driver, 1), (0, 2));
    assert_eq!(driver.controller.withheld().count(), 1);
    driver.world.blind.pods = Some(crate::support::build::unavailable());
    assert_eq!(news(&mut driver, 1), (0, 1), "without a view nothing is planned");
}

/// Time passes for a dry run as for any other.
#[test]
fn an_agent_that_idles_would_be_stopped_after_its_time() {
    let mut driver = Driver::new(&dry(), idle_worker());
    assert_eq!(until(&mut driver, 300), Vec::new());
    assert_eq!(driver.controller.withheld().count(), 0);
    assert_eq!(until(&mut driver, 400), Vec::new());
    let reasons: Vec<Reason> = driver.controller.withheld().map(|one| one.reason).collect();
    assert_eq!(reasons, [Reason::IdleTimeout]);
}

#[test]
fn what_is_kept_back_wakes_nobody() {
    let mut driver = Driver::new(&dry(), crate::support::world::orphans(200));
    driver.rounds(3);
    let before = driver.now;
    let wakes = (0..20).filter(|_| driver.attempt().0).count();
    assert!(
        driver.now.since(before) >= Duration::from_secs(20) * 19,
        "{wakes} looks by {}",
        driver.now
    );
}

/// A burst is one line of the log.
#[test]
fn changes_of_one_kind_are_one_line() {
    let mut driver = Driver::new(
        &dry(),
        World {
            jobs: jobs(12, "apple"),
            ..one_queue()
        },
    );
    driver.round();
    let all = driver.controller.withheld().cloned();
    let appeared: Vec<_> = all.map(WithheldChange::Appeared).collect();
    let lines = withheld::in_words(&appeared);
    assert_eq!(lines.len(), 1);
    assert_eq!(
        (lines[0].what, lines[0].count, lines[0].reason),
        ("would create pods", 12, Reason::Demand)
    );
    assert_eq!(lines[0].queue.as_deref(), Some("apple"));
    assert!(lines[0].names.ends_with(", …"), "{}", lines[0].names);
}
