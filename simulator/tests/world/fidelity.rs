//! The domain fidelity is held against the wire: both tell the same story.

use buildscaler_simulator::scenario::Scenario;
use buildscaler_simulator::{Fidelity, Options, run};

fn story(scenario: &Scenario, fidelity: Fidelity) -> Vec<String> {
    let options = Options {
        fidelity,
        ..Options::default()
    };
    run(scenario, options, &mut |_| {}).story
}

/// The first line in which two stories differ, with what came before.
fn difference(domain: &[String], wire: &[String]) -> Option<String> {
    let at = (0..domain.len().max(wire.len())).find(|at| domain.get(*at) != wire.get(*at))?;
    let before = domain[at.saturating_sub(5)..at].join("\n");
    Some(format!(
        "{before}\ndomain: {:?}\n  wire: {:?}",
        domain.get(at),
        wire.get(at)
    ))
}

#[test]
fn both_fidelities_tell_the_same_story_of_every_committed_scenario() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let scenario = Scenario::read(&path.display().to_string(), &text).unwrap();
        let (domain, wire) = (story(&scenario, Fidelity::Domain), story(&scenario, Fidelity::Wire));
        if let Some(difference) = difference(&domain, &wire) {
            panic!("{}:\n{difference}", path.display());
        }
        seen += 1;
    }
    assert!(seen > 0, "no scenarios in {folder}");
}
