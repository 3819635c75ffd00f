//! The committed scenarios are right, follow the schema, and the README says
//! what each of them covers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use buildscaler_simulator::scenario::Scenario;

use crate::schema::validate;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")
}

/// The scenarios of a folder with their files' names, without `.yaml`.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let scenarios = entries.filter(|path| path.extension().is_some_and(|ending| ending == "yaml"));
    let named = |path: PathBuf| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        (name, std::fs::read_to_string(path).unwrap())
    };
    scenarios.map(named).collect()
}

fn read(name: &str, text: &str) -> Scenario {
    Scenario::read(&format!("{name}.yaml"), text).unwrap_or_else(|problems| {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        panic!("{}", problems.join("\n"))
    })
}

#[test]
fn every_committed_scenario_is_right_and_named_as_its_file() {
    for (name, text) in files(&folder()).into_iter().chain(files(&folder().join("recorded"))) {
        assert_eq!(read(&name, &text).name, name);
        assert_eq!(validate(&text), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn every_committed_scenario_says_what_it_shows_and_expects() {
    for (name, text) in files(&folder()) {
        let scenario = read(&name, &text);
        assert!(
            !scenario.description.is_empty() && !scenario.covers.is_empty(),
            "{name}"
        );
        assert!(
            scenario.expect.pods_at_end == Some(0) || scenario.expect.finished.is_some(),
            "{name}"
        );
    }
}

/// Run with `UPDATE_DOCS=1` to rewrite the table.
#[test]
fn the_readme_says_which_scenario_covers_what() {
    let path = folder().join("README.md");
    let committed = std::fs::read_to_string(&path).unwrap();
    let mut covered: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, text) in files(&folder()) {
        for label in read(&name, &text).covers {
            covered
                .entry(label)
                .or_default()
                .insert(format!("[{name}]({name}.yaml)"));
        }
    }
    let mut lines = Vec::new();
    for line in committed.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let label = cells.get(1).and_then(|cell| cell.strip_prefix('`')?.strip_suffix('`'));
        let Some(label) = label.filter(|label| label.contains(':')) else {
            lines.push(line.to_owned());
            continue;
        };
        let scenarios = covered
            .remove(label)
            .map(|names| names.into_iter().collect::<Vec<_>>().join(", "));
        let last = scenarios.unwrap_or_else(|| {
            assert!(
                cells[3].starts_with("does not apply: "),
                "nothing covers {label}, and no reason is given"
            );
            cells[3].to_owned()
        });
        lines.push(format!("| `{label}` | {} | {last} |", cells[2]));
    }
    assert!(covered.is_empty(), "the table has no row for {covered:?}");
    let now = lines.join("\n") + "\n";
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap();
    assert_eq!(committed, now, "run with UPDATE_DOCS=1 to rewrite {}", path.display());
}
