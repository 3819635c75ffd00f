//! `doctor --manifest` reads templates before they are applied.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

const GOOD: &str = "\
# What the agents are made of.
apiVersion: batch/v1
kind: Job
metadata:
  name: linux
  labels:
    app.elotl.co: buildscaler
    buildscaler.elotl.co/queue: linux
spec:
  parallelism: 0
  template:
    spec:
      restartPolicy: Never
      containers:
      - name: agent
        image: buildkite/agent:3
        envFrom:
        - secretRef:
            name: buildkite-agent-token
";

/// Checks a file of these contents, without a token, a cluster or a network.
fn check(contents: &str, options: &[&str]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("templates.yaml");
    std::fs::write(&path, contents).expect("written");
    let output = doctor(&path, options);
    let text = String::from_utf8(output.stdout).expect("text") + &String::from_utf8_lossy(&output.stderr);
    let text = text.replace(&format!("{}/", folder.path().display()), "");
    (output.status.code(), text)
}

fn doctor(path: &Path, options: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_buildscalerctl"))
        .args(["doctor", "--manifest"])
        .arg(path)
        .args(options)
        .env_clear()
        .output()
        .expect("it runs")
}

/// Expects a failure, and this line among the others.
fn fails(contents: &str, line: &str) {
    let (code, text) = check(contents, &[]);
    assert_eq!(code, Some(1), "{text}");
    let found = text.lines().any(|said| said.starts_with(&format!("FAILED  {line}")));
    assert!(found, "no {line:?} in:\n{text}");
}

#[test]
fn a_good_template_passes() {
    let (code, text) = check(GOOD, &[]);
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.lines().count() > 5 && text.lines().all(|line| line.starts_with("ok ")),
        "{text}"
    );
    assert!(
        text.contains("templates.yaml:10: default/linux: parallelism: 0"),
        "{text}"
    );
}

/// Each with the line on which it is written, or on which its place is.
#[test]
fn each_mistake_is_told_with_its_line() {
    let wrong = |old: &str, new: &str| GOOD.replace(old, new);
    fails(
        &wrong("parallelism: 0", "parallelism: 3"),
        "templates.yaml:10: default/linux: parallelism: its",
    );
    fails(
        &wrong("  parallelism: 0\n", ""),
        "templates.yaml:10: default/linux: parallelism: its spec.parallelism is 1",
    );
    fails(
        &wrong("Never", "Always"),
        "templates.yaml:13: default/linux: restart policy: the API server refuses",
    );
    fails(
        &wrong("      restartPolicy: Never\n", ""),
        "templates.yaml:13: default/linux: restart policy: there is none",
    );
    fails(
        &wrong("    app.elotl.co: buildscaler\n", ""),
        "templates.yaml:7: linux: label: it lacks",
    );
    fails(
        &wrong("    buildscaler.elotl.co/queue: linux\n", ""),
        "templates.yaml:7: default/linux: queue: ",
    );
    fails(
        &wrong(
            "        envFrom:\n        - secretRef:\n            name: buildkite-agent-token\n",
            "",
        ),
        "templates.yaml:15: default/linux: agent token: ",
    );
    fails(
        &wrong(
            "  parallelism: 0",
            "  parallelism: 0\n  activeDeadlineSeconds: 60\n  ttlSecondsAfterFinished: 9",
        ),
        "templates.yaml:11: default/linux: deadline: the Job finishes by itself",
    );
    fails(
        &wrong(
            "  parallelism: 0",
            "  parallelism: 0\n  manualSelector: true\n  selector: {}",
        ),
        "templates.yaml:12: default/linux: selector: its selector matches every pod",
    );
    fails(&wrong("batch/v1", "batch/v2"), "templates.yaml:1: linux: version: ");
    fails(&wrong("      containers:", "      containers: ["), "templates.yaml:");
}

/// A bad value, and a name that nobody reads: each is told, and neither hides
/// the other. Seen to fail when only the first was told.
#[test]
fn each_annotation_that_is_no_good_is_told() {
    let annotated = |lines: &str| {
        GOOD.replace(
            "spec:\n  parallelism",
            &format!("  annotations:\n{lines}spec:\n  parallelism"),
        )
    };
    let bad = annotated(
        "    buildscaler.elotl.co/min-idle: two\n    buildscaler.elotl.co/max-active-builds: \"4\"\n    \
         buildscaler.elotl.co/min-idel: \"1\"\n",
    );
    fails(
        &bad,
        "templates.yaml:10: default/linux: annotations: its annotation buildscaler.elotl.co/min-idle is \"two\", not",
    );
    fails(
        &bad,
        "templates.yaml:10: default/linux: annotations: nothing reads its annotation buildscaler.elotl.co/min-idel",
    );
    let (code, text) = check(&annotated("    buildscaler.elotl.co/min-idle: \"2\"\n"), &[]);
    assert_eq!(code, Some(0), "{text}");
    let line = "ok      templates.yaml:10: default/linux: annotations: min-idle: 2";
    assert!(text.lines().any(|said| said == line), "{text}");
}

#[test]
fn several_documents_are_looked_at_together() {
    let other = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: s\n";
    let second = GOOD
        .replace("name: linux", "name: second")
        .replace("parallelism: 0", "parallelism: 1");
    let file = format!("---\n{GOOD}--- # a Secret\n{other}---\n# nothing\n---\n{second}");
    fails(
        &file,
        "templates.yaml:8: default/linux: queue: two Jobs cannot share a queue",
    );
    fails(
        &file,
        "templates.yaml:38: default/second: parallelism: its spec.parallelism is 1",
    );
}

#[test]
fn a_file_without_a_template_is_no_good_file() {
    fails(
        "kind: Pod\napiVersion: v1\n",
        "templates.yaml: file: there is no template in it",
    );
    fails("", "templates.yaml: file: there is no template in it");
    let output = doctor(Path::new("/nowhere/at-all.yaml"), &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("/nowhere/at-all.yaml: file: it cannot be read"));
}

#[test]
fn a_syntax_error_quotes_nothing_of_the_file() {
    let (code, text) = check("kind: Job\ntoken: \"bkct_marker\n", &[]);
    assert_eq!(code, Some(1), "{text}");
    assert!(
        text.starts_with("FAILED  templates.yaml:2: syntax: ") && !text.contains("marker"),
        "{text}"
    );
}

#[test]
fn programs_read_the_same_as_json() {
    let (code, text) = check(GOOD, &["-o", "json"]);
    assert_eq!(code, Some(0), "{text}");
    let checks: Vec<Value> = serde_json::from_str(&text).expect("JSON");
    assert!(checks.iter().all(|check| check["result"] == "ok"), "{checks:?}");
}
