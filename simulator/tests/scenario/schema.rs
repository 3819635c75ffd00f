//! The committed JSON Schema is that of the types, and the committed scenarios
//! follow it.

use std::path::{Path, PathBuf};

use buildscaler_simulator::scenario::{Scenario, schema};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Run with `UPDATE_DOCS=1` to rewrite the file.
#[test]
fn the_committed_schema_is_that_of_the_types() {
    let path = folder("schema").join("scenario.schema.json");
    let now = format!("{}\n", serde_json::to_string_pretty(&schema()).unwrap());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(committed, now, "run with UPDATE_DOCS=1 to rewrite {}", path.display());
}

pub(crate) fn validate(text: &str) -> Vec<String> {
    let validator = jsonschema::validator_for(schema().as_value()).unwrap();
    let value: serde_json::Value = serde_saphyr::from_str(text).unwrap();
    let errors = validator.iter_errors(&value);
    errors
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

/// A scenario in which everything of the format is used.
const EVERYTHING: &str = include_str!("everything.yaml");

#[test]
fn everything_that_can_be_read_follows_the_schema() {
    let scenario = Scenario::read("everything.yaml", EVERYTHING).unwrap_or_else(|problems| {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        panic!("{}", problems.join("\n"))
    });
    assert_eq!(validate(EVERYTHING), Vec::<String>::new());
    assert_eq!(validate(&scenario.write()), Vec::<String>::new());
}

#[test]
fn the_schema_refuses_unknown_fields_and_events() {
    for (right, wrong) in [
        ("pods-each", "pods-many"),
        ("crash-controller", "crash-contoller"),
        ("lose-reply", "loose-reply"),
        ("idle-timeout: 2m", "idle-timeout: {from: 1m}"),
        ("finished:", "finish:"),
    ] {
        assert!(EVERYTHING.contains(right));
        assert_ne!(
            validate(&EVERYTHING.replacen(right, wrong, 1)),
            Vec::<String>::new(),
            "{wrong}"
        );
    }
}
