//! What holds whatever AWS, Buildkite, clocks and restarts do.

use proptest::collection::vec;
use proptest::prelude::*;

use super::at_work;
use super::aws::{Fate, Metered, fates};
use crate::support::build::{secs, unavailable};
use crate::support::cases;

#[derive(Clone, Debug)]
enum Event {
    Live(u64),
    /// The same with this many agents.
    Agents(u32, u64),
    /// The same while Buildkite cannot be seen.
    Blind(u64),
    Fates(Vec<Fate>),
    /// From now on.
    Weather(Fate),
    Restart,
    /// The clock goes on by so many minutes at once.
    Jump(u64),
}

fn events() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (1..130u64).prop_map(Event::Live),
        2 => (0..40u32, 1..130u64).prop_map(|(agents, minutes)| Event::Agents(agents, minutes)),
        2 => (1..200u64).prop_map(Event::Blind),
        3 => vec(fates(), 1..4).prop_map(Event::Fates),
        2 => fates().prop_map(Event::Weather),
        1 => Just(Event::Restart),
        1 => (1..600u64).prop_map(Event::Jump),
    ]
}

/// Agent-minutes that were there to be seen, and what was told of them.
fn tell(events: &[Event]) -> (Metered, u64) {
    let mut metered = Metered::new(at_work(3));
    let mut agents = 3;
    let mut minutes = 0;
    for event in events {
        let begun = metered.driver.now;
        match event {
            Event::Live(length) => metered.live(*length),
            Event::Agents(count, length) => {
                agents = *count;
                metered.driver.world = at_work(agents);
                metered.live(*length);
            }
            Event::Blind(length) => {
                metered.driver.world.blind.agents = Some(unavailable());
                metered.live(*length);
                metered.driver.world.blind.agents = None;
            }
            Event::Fates(fates) => metered.fates.extend(fates),
            Event::Weather(fate) => metered.otherwise = *fate,
            Event::Restart => metered.restart(),
            Event::Jump(length) => metered.driver.now = metered.driver.now.after(secs(60 * length)),
        }
        let most = u64::from(agents);
        minutes += most * (metered.driver.now.since(begun).as_secs() / 60 + 1);
    }
    (metered, minutes)
}

proptest! {
    #![proptest_config(cases(60))]

    /// Invariant 23, which the witness in [`super::aws::Aws`] states, and that no
    /// customer pays for more than there was.
    #[test]
    fn no_hour_is_recorded_twice_and_none_is_billed_for_more_than_there_was(events in vec(events(), 1..24)) {
        let (metered, minutes) = tell(&events);
        prop_assert!(metered.aws.billed() * 60 <= minutes, "{} hours of {minutes} minutes", metered.aws.billed());
    }

    /// Whatever happened before: once AWS answers, records come again, and
    /// nothing stands in the findings.
    #[test]
    fn metering_heals(events in vec(events(), 1..12)) {
        let (mut metered, _) = tell(&events);
        metered.fates.clear();
        metered.otherwise = Fate::Served;
        metered.driver.world = at_work(5);
        metered.live(125);
        let before = metered.aws.billed();
        metered.live(300);
        let after = metered.aws.billed();
        // Four or five whole hours with five agents.
        prop_assert!(after >= before + 20, "{before} and then {after}");
        let stands = metered.driver.controller.findings().any(|finding| finding.kind.as_str().starts_with("metering"));
        prop_assert!(!stands);
    }
}
