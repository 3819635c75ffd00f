//! What is written is read back equal.

use buildscaler_simulator::scenario::{Rule, Scenario};
use proptest::prelude::*;

use crate::generate::any_scenario;

proptest! {
    /// Seen failing when spans were written without their milliseconds.
    #[test]
    fn a_written_scenario_reads_back_equal(scenario in any_scenario()) {
        let text = scenario.write();
        let back: Result<Scenario, _> = serde_saphyr::from_str(&text);
        prop_assert_eq!(back.as_ref().ok(), Some(&scenario), "{}\n{:?}", text, back.as_ref().err());
    }

    #[test]
    fn values_that_mean_nothing_are_told_with_their_lines(scenario in any_scenario()) {
        let Err(problems) = Scenario::read("a.yaml", &scenario.write()) else { return Ok(()) };
        for problem in problems {
            prop_assert!(problem.line.is_some(), "{}", problem);
            prop_assert!(!matches!(problem.rule, Rule::Syntax | Rule::Shape), "{}", problem);
        }
    }
}
