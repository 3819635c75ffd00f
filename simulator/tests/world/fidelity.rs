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

#[test]
fn both_fidelities_tell_the_same_story() {
    let text = std::fs::read_to_string("/tmp/burst.yaml").unwrap();
    let scenario: Scenario = serde_saphyr::from_str(&text).unwrap();
    let domain = story(&scenario, Fidelity::Domain);
    let wire = story(&scenario, Fidelity::Wire);
    println!("{}", domain.join("\n"));
    println!("-----");
    println!("{}", wire.join("\n"));
    assert_eq!(domain, wire);
}
