//! How much memory the controller takes, idle and with a large fleet.
//!
//! `cargo bench -p buildscaler-runtime-async --bench memory` runs the binary
//! against both fakes and reads what the kernel says of it: with nothing to
//! look after, and with ten thousand pods and agents after several looks. It
//! fails when a promise of `docs/benchmarks.md` is broken.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark may fail, and says what it measured"
)]

mod resident;
#[path = "../shared/mod.rs"]
mod shared;
mod world;

use std::process::ExitCode;

use resident::Resident;
use world::World;

/// Pods, and as many agents.
const FLEET: usize = 10_000;
/// Looks before memory is read.
const LOOKS: u64 = 10;
/// What an idle controller may take, in MiB.
const IDLE: f64 = 15.0;
/// What one with the fleet may take, in MiB.
const LOADED: f64 = 80.0;

fn main() -> ExitCode {
    if !cfg!(target_os = "linux") {
        println!("memory: not measured: what a process takes is read from Linux's /proc");
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let idle = runtime.block_on(measure("idle", 0));
    let loaded = runtime.block_on(measure("10,000 pods and agents", FLEET));
    println!("idle: {:.1} MiB (promised: at most {IDLE})", idle.now);
    println!(
        "10,000 pods and agents: {:.1} MiB (promised: at most {LOADED})",
        loaded.peak
    );
    // The idle controller is judged by what it keeps, the other one by its worst moment.
    if idle.now > IDLE || loaded.peak > LOADED {
        eprintln!("a promise of docs/benchmarks.md is broken");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// What a controller takes that has looked often at a fleet of so many pods.
async fn measure(name: &str, pods: usize) -> Resident {
    let world = World::with(pods).await;
    let controller = world.start();
    world.until_looked(LOOKS).await;
    let resident = Resident::of(&controller);
    let Resident { now, peak } = resident;
    println!("{name}: resident {now:.1} MiB, at most {peak:.1} MiB after {LOOKS} looks");
    world.check(pods);
    controller.end().await;
    resident
}
