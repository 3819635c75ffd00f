//! One suite of checks for the fake Kubernetes API and for a real API server.
//!
//! Each check is written once, against a [`Target`], and runs as a test per
//! target: `fake::…` and `real::…`. Where the two differ, the fake is wrong.
//! The letters and numbers are those of the list of facts that the design
//! relies on: A is the API server, B are the built-in controllers,
//! C are clients that others wrote.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a check that panics is a test that fails"
)]

mod access;
mod admission;
mod api;
mod client;
mod clients;
mod controllers;
mod leases;
mod lifecycle;
mod nodes;
mod objects;
mod proxy;
mod suite;
mod target;
mod versions;

use libtest_mimic::Arguments;

fn main() {
    let mut arguments = Arguments::from_args();
    // Checks mostly wait, so that more of them than there are cores can run at a time.
    arguments.test_threads.get_or_insert(12);
    let suite = suite::Suite::new();
    let trials = suite.trials();
    let conclusion = libtest_mimic::run(&arguments, trials);
    // The control plane has to be stopped before the process ends.
    suite.stop();
    conclusion.exit();
}
