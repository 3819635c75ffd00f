//! The wait-against-cost frontier.

use buildscaler_simulator::compare::Role::{Bound, Ours, Rival};

use crate::lines::{compared, line};

// Broken and seen to fail: without comparing waits, "dearer-and-slower" is on it.
#[test]
fn the_frontier_holds_whoever_no_other_beats_on_both_axes() {
    let compared = compared(vec![
        line("ours", Ours, 20, 12.0),
        line("fixed", Rival, 0, 90.0),
        line("dearer-and-slower", Rival, 30, 13.0),
        line("cheap", Rival, 60, 10.0),
        line("just-as-good", Rival, 60, 10.0),
        line("as-cheap-but-slower", Rival, 70, 10.0),
        line("bound", Bound, 0, 9.0),
    ]);
    let names: Vec<&str> = compared
        .frontier()
        .iter()
        .map(|line| line.contestant.as_str())
        .collect();
    assert_eq!(names, ["cheap", "just-as-good", "ours", "fixed"]);
}

#[test]
fn whoever_cuts_builds_off_is_not_on_the_frontier() {
    let mut reckless = line("reckless", Rival, 0, 1.0);
    reckless.total.interrupted = 1;
    let compared = compared(vec![reckless, line("ours", Ours, 20, 12.0)]);
    assert_eq!(compared.frontier().len(), 1);
}
