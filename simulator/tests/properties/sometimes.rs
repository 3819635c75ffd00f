//! Invariant 34: what is generated is not all alike. Each reason and each
//! failure that worlds can show is shown by some.

use std::collections::BTreeSet;

use buildscaler_simulator::generate::{self, Trouble};

use crate::support::look_at;

#[test]
fn every_failure_and_every_kind_of_deed_is_met_in_some_world() {
    let mut failures = BTreeSet::new();
    let mut deeds = BTreeSet::new();
    for seed in 1..=250 {
        let seen = look_at(&generate::scenario(seed, Trouble::Anything));
        failures.extend(seen.steps.inputs);
        deeds.extend(
            seen.steps
                .deeds
                .iter()
                .map(|(_, action)| format!("{action:?}").split(['(', ' ']).next().unwrap().to_owned()),
        );
    }
    let expected = [
        "AlreadyExists",
        "FateUnknown",
        "Malformed",
        "NotFound",
        "RateLimited",
        "Unavailable",
    ];
    for failure in expected {
        assert!(failures.contains(failure), "{failure} was never met, of {failures:?}");
    }
    assert_eq!(deeds.len(), 3, "{deeds:?}");
}
