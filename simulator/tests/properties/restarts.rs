//! Invariants 31 and 32: restarts change nothing in the end, and two
//! controllers make no more than one.

use buildscaler_simulator::generate::Trouble;
use buildscaler_simulator::scenario::{Event, Moment, Scenario, Span};

use crate::support::{in_every_world, look_at, trouble_ends};

/// The scenario with something more happening at a time that depends on its
/// seed.
fn with_event(scenario: &Scenario, event: Event) -> Scenario {
    let mut other = scenario.clone();
    let millis = u64::try_from(trouble_ends(scenario).as_millis()).unwrap().max(1);
    let at = scenario.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) % millis;
    other.timeline.push(Moment {
        at: Span::millis(at),
        event,
    });
    other
}

/// Invariant 31: what is left in the end is the same, whenever the controller
/// is killed.
#[test]
fn a_restart_changes_no_final_state() {
    in_every_world(Trouble::None, |scenario| {
        let (one, other) = (
            look_at(scenario),
            look_at(&with_event(scenario, Event::CrashController)),
        );
        let (one, other) = (one.run.summary.total, other.run.summary.total);
        let (waiting, pods) = ((one.unstarted, other.unstarted), (one.pods_at_end, other.pods_at_end));
        if waiting.0 != waiting.1 || pods.0 != pods.1 {
            return Err(format!("jobs waiting {waiting:?}, pods at the end {pods:?}"));
        }
        Ok(())
    });
}

/// Invariant 32: however many controllers look at once, there are never more
/// pods than one would make, or than there are jobs. Templates stay as they
/// are: when one is replaced, how many of its pods count depends on how far
/// they are, and so on the moment of the look.
#[test]
fn two_controllers_create_no_more_than_one() {
    in_every_world(Trouble::None, |scenario| {
        let mut scenario = scenario.clone();
        let changes = |event: &Event| matches!(event, Event::ApplyTemplate(_) | Event::DeleteTemplate(_));
        scenario.timeline.retain(|moment| !changes(&moment.event));
        let mut both = scenario.clone();
        both.timeline.push(Moment {
            at: Span::secs(0),
            event: Event::StartSecondController,
        });
        let (one, two) = (look_at(&scenario).run.summary.total, look_at(&both).run.summary.total);
        if two.interrupted > 0 {
            return Err(format!("{} jobs were cut off", two.interrupted));
        }
        if two.pods_at_once > one.pods_at_once.max(one.jobs) {
            return Err(format!(
                "{} pods at once, {} with one controller",
                two.pods_at_once, one.pods_at_once
            ));
        }
        Ok(())
    });
}
