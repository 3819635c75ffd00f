//! Invariants 25 and 32: no build is interrupted by us.

use buildscaler_simulator::generate::Trouble;
use buildscaler_simulator::scenario::Scenario;

use crate::support::{in_every_world, look_at};

fn nobody_is_interrupted(scenario: &Scenario) -> Result<(), String> {
    match look_at(scenario).run.summary.total.interrupted {
        0 => Ok(()),
        cut => Err(format!("{cut} jobs were cut off by scaling")),
    }
}

#[test]
fn no_build_is_interrupted_whatever_requests_controllers_and_clocks_do() {
    in_every_world(Trouble::Requests, nobody_is_interrupted);
}

#[test]
fn no_build_is_interrupted_whatever_happens() {
    in_every_world(Trouble::Anything, nobody_is_interrupted);
}
