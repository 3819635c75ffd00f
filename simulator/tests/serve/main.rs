//! `buildscaler-sim serve`, as a user starts and ends it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may die of what it did not expect"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

/// Ended with the test, whatever becomes of it.
struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_fakes_are_served_and_played_until_an_interrupt() {
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    let scenario = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/burst.yaml");
    let mut served = Served(
        Command::new(env!("CARGO_BIN_EXE_buildscaler-sim"))
            .args(["serve", scenario, "--speed", "1000", "--kubeconfig"])
            .arg(&kubeconfig)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let mut said = BufReader::new(served.0.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok);
    let words = |line: String| line.split_whitespace().last().map(str::to_owned).unwrap();
    let kubernetes = words(said.find(|line| line.starts_with("Kubernetes")).unwrap());
    let buildkite = words(said.find(|line| line.starts_with("Buildkite")).unwrap());
    said.find(|line| line.contains("still serving")).unwrap();

    assert!(std::fs::read_to_string(kubeconfig).unwrap().contains(&kubernetes));
    let templates = ask(&kubernetes, "/apis/batch/v1/namespaces/ci/jobs", "admin");
    assert!(templates.contains("buildscaler.elotl.co/queue"), "{templates}");
    let builds = ask(&buildkite, "/v2/organizations/acme/builds", "bkua_scaler");
    assert!(builds.contains("\"state\":\"scheduled\""), "{builds}");

    let interrupt = Command::new("kill").args(["-INT", &served.0.id().to_string()]).status();
    assert!(interrupt.unwrap().success());
    assert!(said.any(|line| line == "stopped"));
    assert!(served.0.wait().unwrap().success());
    assert!(TcpStream::connect(kubernetes.trim_start_matches("http://")).is_err());
}

fn ask(url: &str, path: &str, token: &str) -> String {
    let host = url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).expect("it is served");
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    )
    .expect("a request is taken");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}
