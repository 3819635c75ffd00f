//! What the documents for operators say is true of the program.
//!
//! Seen failing: with a kind left out of `docs/findings.md`, with another kind named in the third
//! incident, and with a case of the sixth that does not exist.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use buildscaler_core::FindingKind;
use buildscaler_simulator::scenario::Scenario;
use buildscaler_simulator::{Options, run};
use libtest_mimic::Trial;

/// The checks of `docs/findings.md` and `docs/operations.md`.
pub(crate) fn trials() -> Vec<Trial> {
    let incidents = incidents();
    let mut trials = vec![
        Trial::test("every_kind_of_finding_is_explained", || {
            let page = document("findings.md");
            let rows = page.lines().filter(|line| line.starts_with("| `"));
            let rows: Vec<&str> = rows.filter_map(|row| ticked(row).next()).collect();
            let kinds: Vec<&str> = FindingKind::ALL.iter().map(|kind| kind.as_str()).collect();
            assert_eq!(rows, kinds, "each once, in the order of the list");
            Ok(())
        }),
        Trial::test("there_are_ten_incidents_at_least", {
            let count = incidents.len();
            move || {
                assert!(count >= 10, "{count}");
                Ok(())
            }
        }),
    ];
    let tests: Arc<str> = test_sources().into();
    trials.extend(incidents.into_iter().map(|incident| {
        let tests = Arc::clone(&tests);
        Trial::test(format!("incident_{}", incident.number), move || {
            incident.is_reproduced(&tests);
            Ok(())
        })
    }));
    trials
}

/// A section of `docs/operations.md`.
struct Incident {
    number: String,
    sees: String,
    reproduce: String,
}

impl Incident {
    fn read(section: &str) -> Option<Self> {
        let (number, _) = section.split_once('.')?;
        number.parse::<u32>().ok()?;
        let paragraph = |start: &str| {
            let found = section.split("\n\n").find(|paragraph| paragraph.starts_with(start));
            found.unwrap_or_default().to_owned()
        };
        Some(Self {
            number: number.into(),
            sees: paragraph("*You see*"),
            reproduce: paragraph("*Reproduce*"),
        })
    }

    /// Its scenarios are there and show the finding that it names first; its tests exist.
    fn is_reproduced(&self, tests: &str) {
        let scenarios: Vec<PathBuf> = ticked(&self.reproduce)
            .flat_map(str::split_whitespace)
            .filter(|word| word.ends_with(".yaml"))
            .map(|word| super::folder().join(Path::new(word).file_name().unwrap()))
            .collect();
        let filters: Vec<&str> = ticked(&self.reproduce)
            .filter_map(|command| command.split_once(" -- "))
            .map(|(_, filter)| filter)
            .collect();
        assert!(
            !scenarios.is_empty() || !filters.is_empty(),
            "incident {} cannot be reproduced",
            self.number
        );
        for filter in filters {
            assert!(tests.contains(filter), "no test of this name: {filter}");
        }
        let first = ticked(&self.sees).find(|word| is_kind(word));
        if let Some(first) = first.filter(|_| !scenarios.is_empty()) {
            let raised: BTreeSet<String> = scenarios.iter().flat_map(|path| raised_in(path)).collect();
            assert!(raised.contains(first), "{first} is not among {raised:?}");
        }
    }
}

fn incidents() -> Vec<Incident> {
    let page = document("operations.md");
    page.split("\n## ").filter_map(Incident::read).collect()
}

/// The kinds of findings in a scenario's story.
fn raised_in(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap();
    let Ok(scenario) = Scenario::read(&path.display().to_string(), &text) else {
        panic!("{} is no scenario", path.display());
    };
    let story = run(&scenario, Options::default(), &mut |_| {}).story;
    let kinds = story.iter().filter_map(|line| line.split_once("finding: "));
    kinds
        .filter_map(|(_, rest)| rest.split_whitespace().next().map(str::to_owned))
        .collect()
}

/// What stands between backticks, whatever the lines.
fn ticked(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

fn is_kind(word: &str) -> bool {
    FindingKind::ALL.iter().any(|kind| kind.as_str() == word)
}

fn document(name: &str) -> String {
    std::fs::read_to_string(root().join("docs").join(name)).unwrap()
}

/// The tests of both runtimes, in one text.
fn test_sources() -> String {
    let mut texts = String::new();
    let mut folders = vec![
        root().join("runtime-async/tests"),
        root().join("runtime-blocking/tests"),
    ];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                texts.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    texts
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
