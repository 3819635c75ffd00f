//! Malformed, truncated, foreign: a message with its place and never a panic.

use std::time::{Duration, Instant};

use buildscaler_simulator::scenario::Scenario;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::generate::any_scenario;

/// Reads what may be anything: it is a scenario, or the reasons why not.
fn tells(text: &str) -> Result<(), TestCaseError> {
    if let Err(problems) = Scenario::read("a.yaml", text) {
        prop_assert!(!problems.is_empty());
        for problem in problems {
            prop_assert!(problem.to_string().starts_with("a.yaml:"));
            prop_assert!(!problem.message.is_empty());
        }
    }
    Ok(())
}

const FRAGMENTS: &[&str] = &[
    "\n",
    "  ",
    "- ",
    ": ",
    "{",
    "}",
    "[",
    "]",
    "&a ",
    "*a",
    "<<: *a\n",
    "!!binary ",
    "\"",
    "'",
    "|",
    ">",
    "#",
    "---\n",
    "...\n",
    "\t",
    "\0",
    "\u{feff}",
    "null",
    "-1",
    "1e999",
    "18446744073709551616",
    ".nan",
    "at: ",
    "build: ",
    "timeline:\n",
    "%YAML 9.9\n",
    "? ",
];

proptest! {
    #[test]
    fn truncated_files_are_told(scenario in any_scenario(), end: Index) {
        let text = scenario.write();
        let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        tells(&text[..*end.get(&ends)])?;
    }

    #[test]
    fn mutated_files_are_told(
        scenario in any_scenario(),
        wounds in prop::collection::vec((any::<Index>(), any::<Index>(), any::<bool>()), 1..6),
    ) {
        let mut text: Vec<char> = scenario.write().chars().collect();
        for (place, what, cut) in wounds {
            let place = place.index(text.len().max(1)).min(text.len());
            if cut && place < text.len() {
                text.remove(place);
            } else {
                text.splice(place..place, what.get(FRAGMENTS).chars());
            }
        }
        tells(&text.into_iter().collect::<String>())?;
    }

    #[test]
    fn any_text_is_told(text: String) {
        tells(&text)?;
    }
}

/// Seen failing with the library's own limits: an overflow of the stack, and
/// 23 seconds for the aliases.
#[test]
fn depth_and_alias_bombs_are_refused_at_once() {
    let bomb: String = (1..30)
        .map(|level| format!("a{level}: &a{level} [*a{0}, *a{0}, *a{0}, *a{0}]\n", level - 1))
        .collect();
    let begun = Instant::now();
    for text in [
        "[".repeat(100_000),
        "{a: ".repeat(100_000),
        "- ".repeat(100_000),
        format!("a0: &a0 [x]\n{bomb}"),
        format!("version: 1\nname: a\nlasts: 1h\ncovers: &a0 [x]\n{bomb}"),
    ] {
        assert!(Scenario::read("a.yaml", &text).is_err());
    }
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}
