//! `buildscaler-sim compare`, as a user runs it.

use std::process::{Command, Output};

fn compare(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_buildscaler-sim"))
        .arg("compare")
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn scenarios_and_policies_make_a_table_and_nothing_else_on_a_pipe() {
    let output = compare(&[
        "scenarios/burst.yaml",
        "--policies",
        "ours,clairvoyant",
        "--ours",
        "idle-timeout=60s",
    ]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let lines: Vec<&str> = text(&output.stdout).lines().collect();
    let firsts = lines[2..]
        .iter()
        .map(|line| line.split("  ").find(|word| !word.is_empty()));
    let firsts: Vec<&str> = firsts.flatten().collect();
    assert_eq!(firsts, ["ours", "ours idle-timeout=60s", "clairvoyant"]);
    assert!(
        output.stderr.is_empty(),
        "a progress bar where nobody watches: {output:?}"
    );
}

#[test]
fn json_csv_and_the_page_hold_the_same_contestants() {
    let page = std::env::temp_dir().join(format!("buildscaler-compare-{}.html", std::process::id()));
    let path = page.to_str().unwrap();
    let few = ["scenarios/burst.yaml", "--policies", "keda-hpa,clairvoyant"];
    let json = compare(&[&few[..], &["--format", "json", "--report", path]].concat());
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["scenarios"][0]["lines"][0]["contestant"], "keda-hpa");
    let csv = compare(&[&few[..], &["--format", "csv"]].concat());
    assert_eq!(text(&csv.stdout).lines().count(), 5, "{csv:?}");
    let html = std::fs::read_to_string(&page).unwrap();
    std::fs::remove_file(&page).unwrap();
    assert!(html.contains("keda-hpa") && html.contains("clairvoyant"));
}

#[test]
fn what_is_not_known_is_named_with_exit_code_2() {
    for (arguments, said) in [
        (&["scenarios/burst.yaml", "--policies", "kedaa"][..], "kedaa"),
        (&["scenarios/burst.yaml", "--ours", "idle=60s"], "idle=60s"),
        (&["scenarios/no-such-file.yaml"], "no-such-file.yaml"),
        (&[], "FILE"),
    ] {
        let output = compare(arguments);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(text(&output.stderr).contains(said), "{output:?}");
    }
}

#[test]
fn the_list_names_every_policy() {
    let output = compare(&["--list"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        text(&output.stdout).lines().count(),
        buildscaler_simulator::rivals::ALL.len() + 2
    );
}
