//! The real `buildscaler` on real parts: a real control plane, real agents, and a fake Buildkite.
//!
//! Each case asserts what the specification promises, seen from outside: what
//! became of pods and builds, and what the controller wrote. What must hold in
//! every case is in `harness/promises.rs` and is checked at the end of each.

#![expect(clippy::expect_used, clippy::print_stderr, reason = "a test may fail, and says why")]

mod cases;
mod harness;

use libtest_mimic::Arguments;

use harness::Suite;

fn main() {
    let mut arguments = Arguments::from_args();
    // Each case runs a dozen agents beside the control plane.
    arguments.test_threads.get_or_insert(2);
    let suite = Suite::new();
    let conclusion = libtest_mimic::run(&arguments, cases::trials(&suite));
    // The control plane has to be stopped before the process ends.
    suite.stop();
    conclusion.exit();
}
