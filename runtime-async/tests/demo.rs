//! What the README tells everybody to run works where nobody watches.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test may fail")]

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// Beside this test's own folder, where Cargo puts examples.
fn demo() -> PathBuf {
    let test = env::current_exe().unwrap();
    let target = test.parent().and_then(Path::parent).unwrap();
    target.join("examples").join("demo")
}

fn start(arguments: &[&str]) -> (Child, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let child = Command::new(demo())
        .args(arguments)
        .arg("--log")
        .arg(folder.path().join("log"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the example, which `cargo test` builds and `cargo test --test demo` does not");
    (child, folder)
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// The number at the end of a line of the summary.
fn fact<'a>(text: &'a str, name: &str) -> &'a str {
    let line = text.lines().find(|line| line.trim_start().starts_with(name));
    line.and_then(|line| line.split_whitespace().last()).unwrap_or("absent")
}

#[test]
fn a_short_burst_is_served_without_an_interruption() {
    let (child, _folder) = start(&["--jobs", "9"]);
    let output = child.wait_with_output().unwrap();
    let text = text(&output);
    assert!(output.status.success(), "{text}");
    assert_eq!(fact(&text, "builds interrupted by scaling"), "0", "{text}");
    assert_eq!(fact(&text, "pods created / left at the end"), "0", "{text}");
    assert!(
        !text.contains('\x1b'),
        "no escape codes where there is no terminal: {text}"
    );
    assert!(text.contains("you replace the template of linux"), "{text}");
}

#[test]
fn asked_to_end_it_ends_with_the_summary_so_far() {
    let (mut child, _folder) = start(&[]);
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    // How many at once depends on how busy the machine is.
    let creates = |line: &str| line.contains("create ") && line.contains(" pod");
    let begun = lines.find(|line| line.as_ref().is_ok_and(|line| creates(line)));
    assert!(begun.is_some(), "pods are created");
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
    let rest: Vec<String> = lines.map(|line| line.unwrap()).collect();
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(130), "{rest:#?}");
    assert!(rest.iter().any(|line| line.starts_with("Summary after")), "{rest:#?}");
}
