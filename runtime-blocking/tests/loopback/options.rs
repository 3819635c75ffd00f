//! The command line: what is wrong is named, and secrets stay secret.

use std::process::{Command, Output};

const SECRET: &str = "bkua_marker";

fn buildscalerctl(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_buildscalerctl"))
        .args(arguments)
        .env_clear()
        .env("BUILDKITE_ACCESS_TOKEN", SECRET)
        .output()
        .expect("it runs")
}

fn refused(arguments: &[&str], words: &[&str]) {
    let output = buildscalerctl(arguments);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
    assert!(words.iter().all(|word| text.contains(word)), "{arguments:?}: {text}");
    assert!(!text.contains(SECRET), "{text}");
}

#[test]
fn what_is_wrong_is_named() {
    refused(&["plan"], &["--buildkite-org"]);
    refused(
        &["run", "--buildkite-org", "acme", "--sync-interval", "0"],
        &["--sync-interval"],
    );
    refused(&["plan", "--buildkite-org", "acme", "-o", "xml"], &["--output", "json"]);
    refused(
        &["apply", "--buildkite-org", "acme"],
        &["--kubeconfig", "service account"],
    );
    refused(
        &["plan", "--buildkite-org", "acme", "--kubeconfig", "/nowhere/kubeconfig"],
        &["/nowhere/kubeconfig", "KUBECONFIG"],
    );
}

#[test]
fn help_tells_the_exit_codes_and_no_secret() {
    for task in ["plan", "apply", "run"] {
        let output = buildscalerctl(&[task, "--help"]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success());
        assert!(
            text.contains("--kubeconfig") && text.contains("--sync-interval"),
            "{text}"
        );
        assert_eq!(text.contains("Exit codes:"), task != "run", "{text}");
        assert!(!text.contains(SECRET), "{text}");
    }
}
