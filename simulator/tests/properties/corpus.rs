//! Worlds in which something did not hold once, and generated worlds as files.

use buildscaler_simulator::generate::{self, Trouble};
use buildscaler_simulator::scenario::Scenario;

use crate::support::look_at;

#[test]
fn no_regression_shows_again() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/regressions");
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let scenario = Scenario::read(&path.display().to_string(), &text).unwrap();
        let unmet = look_at(&scenario).run.unmet;
        assert!(unmet.is_empty(), "{}: {unmet:?}", path.display());
    }
}

#[test]
fn a_generated_world_is_a_valid_scenario() {
    for seed in 1..=500 {
        let scenario = generate::scenario(seed, Trouble::Anything);
        let text = scenario.write();
        let read = Scenario::read("generated", &text).unwrap_or_else(|problems| panic!("seed {seed}: {problems:?}"));
        assert_eq!(read, scenario, "seed {seed}");
    }
}
