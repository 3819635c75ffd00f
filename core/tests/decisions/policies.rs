//! No policy can break a rule, and no loss of memory can.

use buildscaler_core::Config;
use buildscaler_core::policy::{QueueView, ScalingPolicy};
use proptest::prelude::*;

use crate::support::build::secs;
use crate::support::cases;
use crate::support::driver::Driver;
use crate::support::story::{Event, events, tell};
use crate::support::worlds::worlds;

/// Wishes for whatever comes next in its list.
#[derive(Clone, Debug)]
struct Whim(Vec<u32>, usize);

impl ScalingPolicy for Whim {
    fn desired(&mut self, _: &QueueView<'_>) -> u32 {
        self.1 += 1;
        self.0[self.1 % self.0.len()]
    }
}

fn whims() -> impl Strategy<Value = Whim> {
    let wish = prop_oneof![Just(0), 1..9u32, Just(u32::MAX)];
    proptest::collection::vec(wish, 1..6).prop_map(|wishes| Whim(wishes, 0))
}

proptest! {
    #![proptest_config(cases(80))]

    /// Invariant 19: whatever a policy wishes, the witness has nothing to
    /// object to, ceilings included.
    ///
    /// Seen to fail when the wish was allowed beyond the ceiling.
    #[test]
    fn no_policy_makes_the_controller_break_a_rule(world in worlds(), story in events(), whim in whims()) {
        let config = Config {
            max_active_builds: Some(6),
            max_pods: Some(12),
            idle_timeout: secs(60),
            max_agent_lifetime: Some(secs(900)),
            ..Config::default()
        };
        let mut driver = Driver::with_policy(&config, Box::new(whim), world);
        let told: Vec<Event> = story.into_iter().filter(|event| !matches!(event, Event::Restart | Event::Resume(..))).collect();
        tell(&mut driver, &told);
    }

    /// Invariant 20: a controller without memory neither deletes for absence
    /// nor stops for idleness before it has seen them last for long enough.
    ///
    /// The witness forgets with the controller, so it objects to whatever is
    /// done on the strength of what only the last one saw.
    ///
    /// Seen to fail when agents counted as idle since ever, when absence counted
    /// since ever, and when the pod's age alone was asked for.
    #[test]
    fn amnesia_is_safe(world in worlds(), story in events(), every in 1..6usize) {
        let config = Config { idle_timeout: secs(60), max_agent_lifetime: Some(secs(900)), ..Config::default() };
        let mut driver = Driver::new(&config, world);
        for part in story.chunks(every) {
            tell(&mut driver, part);
            driver.restart();
            tell(&mut driver, &[Event::Rounds(2), Event::Obey]);
        }
    }

    /// Invariant 7, with ceilings of queues and of the fleet.
    ///
    /// Seen to fail when creates in flight did not count, for the queue and
    /// for the fleet.
    #[test]
    fn ceilings_hold(world in worlds(), story in events(), queue in 0..5u32, fleet in 0..9u32) {
        let config = Config { max_active_builds: Some(queue), max_pods: Some(fleet), ..Config::default() };
        let mut driver = Driver::new(&config, world);
        let told: Vec<Event> = story
            .into_iter()
            .filter(|event| !matches!(event, Event::Restart | Event::Resume(..)))
            .flat_map(|event| [Event::JobArrives(0), Event::JobArrives(1), event])
            .collect();
        tell(&mut driver, &told);
    }
}
