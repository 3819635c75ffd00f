//! The command line: what is wrong is named, and secrets stay secret.

use std::process::{Command, Output};

const SECRET: &str = "bkua_marker";

fn buildscaler(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_buildscaler"))
        .args(arguments)
        .env_clear()
        .env("BUILDKITE_ACCESS_TOKEN", SECRET)
        .output()
        .expect("it runs")
}

/// Asserts that this ends with code 2 and words that name what is wrong.
fn refused(arguments: &[&str], words: &[&str]) {
    let output = buildscaler(arguments);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
    assert!(words.iter().all(|word| text.contains(word)), "{arguments:?}: {text}");
    assert!(!text.contains(SECRET), "{text}");
}

#[test]
fn a_missing_organization_is_named() {
    refused(&[], &["--buildkite-org"]);
}

#[test]
fn a_missing_token_is_named() {
    let output = Command::new(env!("CARGO_BIN_EXE_buildscaler"))
        .args(["--buildkite-org", "acme"])
        .env_clear()
        .output()
        .expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--token"));
}

#[test]
fn a_wrong_option_is_named() {
    refused(
        &["--buildkite-org", "acme", "--sync-interval", "0"],
        &["--sync-interval"],
    );
    refused(&["--buildkite-org", "acme", "--no-such-thing"], &["--no-such-thing"]);
}

#[test]
fn an_unreadable_kubeconfig_is_named() {
    refused(
        &["--buildkite-org", "acme", "--kubeconfig", "/nowhere/kubeconfig"],
        &["/nowhere/kubeconfig", "--kubeconfig", "KUBECONFIG"],
    );
}

#[test]
fn a_broken_kubeconfig_is_named_and_not_quoted() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), format!("users: [\n  token: {SECRET}\n")).expect("written");
    let path = file.path().to_str().expect("a name");
    refused(&["--buildkite-org", "acme", "--kubeconfig", path], &[path, "line"]);
}

#[test]
fn outside_a_pod_a_kubeconfig_is_asked_for() {
    refused(&["--buildkite-org", "acme"], &["--kubeconfig", "service account"]);
}

#[test]
fn help_names_the_options_and_shows_no_secret() {
    let output = buildscaler(&["--help"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success());
    for option in [
        "--token",
        "--buildkite-org",
        "--namespace",
        "--sync-interval",
        "--disconnect-after-idle-timeout",
        "--kubeconfig",
        "--verbose",
        "--healthz-address",
        "--healthz-port",
        "--metrics-address",
        "--metrics-port",
    ] {
        assert!(text.contains(option), "{option} is missing:\n{text}");
    }
    assert!(!text.contains(SECRET), "{text}");
}
