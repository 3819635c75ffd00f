//! What `buildscalerctl` costs: the time of a plan, the memory of an idle run.
//!
//! `cargo bench -p buildscaler-runtime-blocking` starts the binary against a
//! server on loopback that has its answers ready. It fails when a promise of
//! `docs/benchmarks.md` is broken.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark may fail, and says what it measured"
)]

#[path = "../../../core/wire/benches/fleet/mod.rs"]
#[expect(dead_code, reason = "the benchmark of steps needs more of it")]
mod fleet;
mod idle;
mod plan;
mod server;

use std::process::ExitCode;

fn main() -> ExitCode {
    let kept = [idle::measure(), plan::measure()];
    if kept.contains(&false) {
        eprintln!("a promise of docs/benchmarks.md is broken");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
