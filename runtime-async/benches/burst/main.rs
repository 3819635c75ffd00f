//! How fast pods appear in a burst, against a client that does nothing else.
//!
//! `cargo bench -p buildscaler-runtime-async --bench burst` lets a thousand
//! jobs wait on one queue and times the pods on a real API server, from the
//! first that exists to the last: those of the controller, and those of a bare
//! client that sends the same requests, 64 at a time. It fails when the promise
//! of `docs/benchmarks.md` is broken.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark may fail, and says what it measured"
)]

mod bare;
#[path = "../shared/mod.rs"]
mod shared;
mod stage;

use std::process::ExitCode;
use std::time::Duration;

use stage::Stage;

/// Pods of one burst.
const PODS: usize = 1_000;
/// Bursts of each client: an even number, so that both go first equally often.
const ROUNDS: usize = 10;
/// The controller may create pods at this share of the bare client's rate.
const SHARE: f64 = 0.8;

fn main() -> ExitCode {
    if !cfg!(have_go) {
        println!("burst: not measured: Go is needed to build the real control plane");
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let rounds = runtime.block_on(measure());
    let rate = |took: Duration| PODS as f64 / took.as_secs_f64();
    let controller = median(rounds.iter().map(|round| rate(round.controller)));
    let bare = median(rounds.iter().map(|round| rate(round.bare)));
    let share = controller / bare;
    println!("{PODS} pods, median of {ROUNDS}: controller {controller:.0}/s, bare client {bare:.0}/s");
    println!("controller / bare client = {share:.2} (promised: at least {SHARE})");
    if share < SHARE {
        eprintln!("a promise of docs/benchmarks.md is broken");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// How long one burst took of each.
struct Round {
    controller: Duration,
    bare: Duration,
}

async fn measure() -> Vec<Round> {
    let stage = Stage::set().await;
    // The first burst finds an API server that has never done this before.
    stage.bare("warm-up", PODS).await;
    let mut rounds = Vec::new();
    for number in 0..ROUNDS {
        let of = |who: &str| format!("{who}-{number}");
        // Who goes second finds the server in another state: they take turns.
        let round = if number % 2 == 0 {
            let controller = stage.controller(&of("controller"), PODS).await;
            let bare = stage.bare(&of("bare"), PODS).await;
            Round { controller, bare }
        } else {
            let bare = stage.bare(&of("bare"), PODS).await;
            let controller = stage.controller(&of("controller"), PODS).await;
            Round { controller, bare }
        };
        println!(
            "round {number}: controller {:.2?}, bare client {:.2?}",
            round.controller, round.bare
        );
        rounds.push(round);
    }
    stage.strike().await;
    rounds
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    let middle = |index: usize| values.get(index).copied().unwrap_or_default();
    f64::midpoint(middle((values.len() - 1) / 2), middle(values.len() / 2))
}
