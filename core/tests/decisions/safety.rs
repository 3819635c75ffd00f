//! Whatever happens outside, no command breaks a rule.

use buildscaler_core::Config;
use proptest::prelude::*;

use crate::support::driver::Driver;
use crate::support::story::{events, tell};
use crate::support::worlds::worlds;

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn no_story_makes_the_controller_break_a_rule(world in worlds(), story in events()) {
        let mut driver = Driver::new(&Config::default(), world);
        tell(&mut driver, &story);
        driver.witness.object_to_spending(50);
    }
}
