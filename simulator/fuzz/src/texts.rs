//! Files that people write or export: scenarios, and traces to make some of.

use buildscaler_simulator::import;
use buildscaler_simulator::scenario::{Problem, Scenario};

/// More problems than are told of one file.
const MOST_PROBLEMS: usize = 1_000;
/// More letters than a problem may have.
const LONGEST_PROBLEM: usize = 2_000;

/// A scenario, read and written.
pub(crate) fn scenario(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match Scenario::read("a.yaml", text) {
        Ok(scenario) => {
            let written = scenario.write();
            let read = Scenario::read("b.yaml", &written);
            assert_eq!(
                read.as_ref(),
                Ok(&scenario),
                "a scenario reads back as it was written: {written}"
            );
        }
        Err(problems) => told(&problems),
    }
}

/// A trace: CSV or JSON, compressed or not.
pub(crate) fn import(bytes: &[u8]) {
    match import::import("a.csv", bytes, &import::Options::default()) {
        Ok(imported) => assert!(imported.jobs <= bytes.len() as u64 * 1_100, "each job is in the file"),
        Err(problems) => told(&problems),
    }
}

fn told(problems: &[Problem]) {
    assert!(!problems.is_empty(), "something is wrong, and it is said what");
    assert!(problems.len() <= MOST_PROBLEMS, "{} problems", problems.len());
    for problem in problems {
        let length = problem.to_string().len();
        assert!(length <= LONGEST_PROBLEM, "a problem of {length} letters");
    }
}
