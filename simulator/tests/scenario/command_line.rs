//! The subcommands that read files: what they write, what they say, how they exit.

use std::io::Write;
use std::process::{Command, Output, Stdio};

fn simulator(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_buildscaler-sim"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[track_caller]
fn expect(output: &Output, code: i32, said: &str) {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{errors}");
    assert!(errors.contains(said), "{errors}");
}

#[test]
fn validate_says_what_is_wrong_with_lines_and_exits_with_2() {
    let output = simulator(
        &["validate", "-"],
        "version: 1\nname: a\nlasts: 1h\nworld: {noddes: 1}\n",
    );
    expect(&output, 2, "-:4:9: shape: ");
    expect(
        &simulator(&["validate", "/no/such/file.yaml"], ""),
        2,
        "/no/such/file.yaml: cannot be read",
    );
    expect(
        &simulator(&["validate", "-"], "version: 1\nname: a\nlasts: 1h\n"),
        0,
        "",
    );
}

#[test]
fn import_writes_a_scenario_that_validate_accepts() {
    let trace = "runnable_at,queue,duration_s\n2025-06-02T08:00:00Z,linux,60\n2025-06-02T08:00:00Z,linux,-1\n";
    let output = simulator(&["import", "-", "--name", "mine", "--queue-map", "linux=small"], trace);
    expect(&output, 0, "left out: 1 with a negative duration (the first: 3)");
    let scenario = String::from_utf8(output.stdout).unwrap();
    assert!(scenario.contains("queue: small"), "{scenario}");
    expect(&simulator(&["validate", "-"], &scenario), 0, "");
}

#[test]
fn bad_input_exits_with_2() {
    expect(&simulator(&["import", "-"], "a,b\n"), 2, "-:1:1: shape: ");
    expect(
        &simulator(&["import", "-", "--queue-map", "a"], ""),
        2,
        "\"a\" is not old=new",
    );
    expect(&simulator(&["import", "-", "--sample", "101"], ""), 2, "101");
    expect(&simulator(&["import", "-", "--from", "yesterday"], ""), 2, "yesterday");
    expect(&simulator(&["lift", "/no/such/folder"], ""), 2, "/no/such/folder");
    expect(&simulator(&["run", "-"], "version: 2\n"), 2, "-:1:10: version: ");
}
