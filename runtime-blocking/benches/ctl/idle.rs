//! How much memory `run` takes while there is nothing to do. `BUILDSCALERCTL`
//! names another binary to measure, such as the static one.

use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::fleet::Fleet;
use crate::server::Server;

/// Looks before memory is read.
const LOOKS: usize = 10;
/// What it may take, in MiB.
const PROMISED: f64 = 8.0;
/// How long the looks may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whether the promise is kept.
pub(crate) fn measure() -> bool {
    if !cfg!(target_os = "linux") {
        println!("idle: not measured: what a process takes is read from Linux's /proc");
        return true;
    }
    let server = Server::start(&Fleet {
        pods: 1,
        jobs: 3,
        queues: 1,
    });
    let mut program = server.program(&["run", "--sync-interval=1"]);
    let mut child = program
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let begun = Instant::now();
    while server.looks() <= LOOKS {
        assert!(begun.elapsed() < PATIENCE, "only {} looks", server.looks());
        thread::sleep(Duration::from_millis(50));
    }
    let (now, peak) = (memory(&child, "VmRSS:"), memory(&child, "VmHWM:"));
    child.kill().and_then(|()| child.wait()).expect("it ends");
    println!("idle: resident {now:.1} MiB, at most {peak:.1} MiB (promised: at most {PROMISED})");
    now <= PROMISED
}

/// A number of what the kernel says, in MiB.
fn memory(child: &Child, field: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let number = line.and_then(|line| line.split_whitespace().next());
    let kibibytes: f64 = number.expect("the field").parse().expect("a number");
    kibibytes / 1024.0
}
