//! What Buildkite may be asked, and when: never more than its limits allow,
//! shared between looks and stops.

use buildscaler_core::{
    Action, BudgetConfig, Config, FindingKind, LimitReading, LimitScope, Outcome, Reason, Spending,
};
use proptest::prelude::*;

use crate::support::build::{START, rate_limited, secs, template};
use crate::support::cases;
use crate::support::driver::{Driver, is_write, only_writes, stops};
use crate::support::story::{events, tell};
use crate::support::world::orphans;
use crate::support::worlds::worlds;

/// Invariant 21: both uses of Buildkite heed what one of them is told.
///
/// Seen to fail when a refused stop did not keep looks away.
#[test]
fn a_limited_stop_keeps_looks_away_too() {
    let mut driver = Driver::new(&Config::default(), orphans(1));
    driver.round();
    let stop = driver.take(is_write).unwrap();
    let until = driver.now.after(secs(100));
    driver.answer(&stop, Outcome::Failed(rate_limited(until)));
    // The witness objects to a look before that time.
    driver.round();
    assert!(until <= driver.now && driver.now < until.after(secs(61)));
}

/// Seen to fail when a limited look was retried at the next interval.
#[test]
fn buildkite_is_not_asked_before_its_limit_resets() {
    let mut driver = Driver::new(&Config::default(), orphans(2));
    let until = driver.now.after(secs(100));
    driver.world.blind.jobs = Some(rate_limited(until));
    driver.round();
    driver.world.blind.jobs = None;
    // The witness objects to any look before that time.
    assert_eq!(stops(&driver.turn()).len(), 2);
    assert!(driver.now >= until);
    assert!(driver.now < until.after(secs(61)), "and then it goes on");
}

/// A look that is larger than the budget of a minute goes on in the next.
///
/// Seen to fail when a look over its grant began anew.
#[test]
fn a_look_at_ten_thousand_agents_ends_with_fifty_requests_a_minute() {
    let mut world = orphans(50);
    let doomed = world.agents.len();
    world.templates.push(template("apple", "apple"));
    world.pods[0].template_uid = Some("uid-of-old".into());
    let mut driver = Driver::new(&Config::default(), world);
    driver.cost = 101;
    driver.round();
    assert!(driver.now <= START.after(secs(180)), "{:?}", driver.now.since(START));
    assert!(driver.changes(FindingKind::BudgetTight).0 > 0);
    let mut stopped = Vec::new();
    while stopped.is_empty() {
        stopped = stops(&driver.wait(secs(1)));
        assert!(driver.now <= START.after(secs(300)), "{doomed} agents");
    }
    assert_eq!(stopped, [("agent-pod-00000".into(), Reason::Replaced)]);
    driver.rounds(2);
    driver.witness.object_to_spending(50);
}

/// Seen to fail when what stops spent was not booked.
#[test]
fn many_stops_stay_within_the_budget_and_leave_room_to_look() {
    let mut driver = Driver::new(&Config::default(), orphans(300));
    let mut stopped = 0;
    while stopped < 300 {
        let begun = driver.now;
        stopped += stops(&driver.turn()).len();
        assert!(driver.now.since(begun) <= secs(90), "looks go on");
        assert!(driver.now < START.after(secs(1_200)), "{stopped} stopped");
    }
    driver.witness.object_to_spending(50);
}

/// Invariant 26 needs it: demand is seen while many agents are drained, though
/// answers trickle in one by one.
///
/// Seen to fail when looks had to find the stops' share untouched, and when
/// requests that were granted and not yet spent were forgotten.
#[test]
fn a_mass_of_stops_does_not_keep_the_controller_from_looking() {
    for cost in [2, 12, 30, 45] {
        let mut driver = Driver::new(&Config::default(), orphans(300));
        driver.cost = cost;
        driver.round();
        let mut looked = driver.now;
        while driver.now < START.after(secs(400)) {
            driver.wait(secs(1));
            if let Some(stop) = driver.take(is_write) {
                let outcome = driver.world.carry_out(&stop.action, driver.now);
                driver.answer(&stop, outcome);
            }
            while let Some(look) = driver.take(|action| !is_write(action)) {
                looked = driver.now;
                if matches!(look.action, Action::ObserveCluster) {
                    driver.show_cluster(&look);
                } else {
                    driver.show_buildkite(&look);
                }
            }
            let blind = driver.now.since(looked);
            assert!(
                blind <= secs(120),
                "no look for {blind:?}, with looks of {cost} requests"
            );
        }
        driver.witness.object_to_spending(50);
    }
}

/// Seen to fail when the headers' readings were not believed.
#[test]
fn what_the_answers_say_is_left_counts() {
    let mut driver = Driver::new(&Config::default(), orphans(5));
    driver.round();
    let stop = driver.take(is_write).unwrap();
    let reset_at = driver.now.after(secs(40));
    driver.pending.clear();
    let step = driver.step(buildscaler_core::Input::Outcome {
        id: stop.id,
        outcome: Outcome::Done,
        spending: Spending {
            requests: 1,
            limits: vec![LimitReading {
                scope: LimitScope::Organization,
                limit: 200,
                remaining: 1,
                reset_at,
            }],
        },
    });
    assert_eq!(only_writes(step.commands), Vec::new());
    let sent = driver.wait(secs(39));
    assert_eq!(only_writes(sent), Vec::new());
}

proptest! {
    #![proptest_config(cases(60))]

    /// Invariant 21: in no minute more requests than the budget, whatever a
    /// look costs.
    ///
    /// Seen to fail when the window was 50 seconds.
    #[test]
    fn the_budget_holds(world in worlds(), story in events(), cost in 2..70u32, user in 10..60u32) {
        let config = Config { budget: BudgetConfig { user, ..BudgetConfig::default() }, ..Config::default() };
        let mut driver = Driver::new(&config, world);
        driver.cost = cost;
        tell(&mut driver, &story.into_iter().filter(|event| {
            // A new controller cannot know what the last one spent.
            !matches!(event, crate::support::story::Event::Restart)
        }).collect::<Vec<_>>());
        driver.witness.object_to_spending(user);
    }
}
