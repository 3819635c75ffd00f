//! What a decision costs, against decoding what it is made from.
//!
//! `cargo bench -p buildscaler-wire` prints the median time of a step and of
//! decoding the same state from JSON, both for a fleet and for one a tenth of
//! its size, and fails when a promise of `docs/benchmarks.md` is broken.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_types,
    reason = "a benchmark reads the clock, prints its figures and may give up"
)]

mod fleet;

use std::time::{Duration, Instant};

use buildscaler_core::{
    Action, ClusterView, Command, CommandId, Config, Controller, Cursor, Input, Look, Reason, Spending, Timestamp,
};
use buildscaler_wire::{Exchange, Surroundings};
use fleet::Fleet;

/// Time between looks.
const INTERVAL: Duration = Duration::from_secs(20);
/// Timed runs of each kind; the median is reported.
const RUNS: usize = 15;
/// A step may cost this share of decoding its state.
const SHARE: f64 = 1.0 / 20.0;
/// Ten times the fleet may cost this many times as much.
const GROWTH: f64 = 12.0;

fn main() {
    let large = measure(&Fleet {
        pods: 10_000,
        jobs: 50_000,
        queues: 500,
    });
    let small = measure(&Fleet {
        pods: 1_000,
        jobs: 5_000,
        queues: 50,
    });
    let share = large.step.as_secs_f64() / large.decode.as_secs_f64();
    let growth = large.step.as_secs_f64() / small.step.as_secs_f64();
    for (name, measured) in [
        ("10,000 pods and agents, 50,000 jobs, 500 queues", &large),
        ("a tenth of it", &small),
    ] {
        println!("{name}: decode {:.2?}, step {:.2?}", measured.decode, measured.step);
    }
    println!(
        "step / decode = 1/{:.1} (promised: at most 1/{:.0})",
        1.0 / share,
        1.0 / SHARE
    );
    println!("ten times the fleet costs {growth:.1} times as much (promised: at most {GROWTH})");
    if share > SHARE || growth > GROWTH {
        eprintln!("a promise of docs/benchmarks.md is broken");
        std::process::exit(1);
    }
}

struct Measured {
    decode: Duration,
    step: Duration,
}

fn measure(fleet: &Fleet) -> Measured {
    let pages = fleet.pages();
    let _heap = warm_heap();
    // Kept for the steps, as the cache of a watch keeps it: read once, and
    // not scattered over what later decoding leaves behind.
    let seen = read(&pages);
    let mut decodes = Vec::new();
    for _ in 0..RUNS {
        let begun = Instant::now();
        let decoded = read(&pages);
        decodes.push(begun.elapsed());
        drop(decoded);
    }
    let (Input::Cluster { view, .. }, Input::Buildkite { look, .. }) = seen else {
        panic!("the looks of the benchmark end in other inputs")
    };
    let mut controller = Controller::new(Config::default());
    let mut round = |number: usize| {
        let now = Timestamp::from_millis(fleet::NOW).after(INTERVAL * u32::try_from(number).unwrap());
        step(&mut controller, &view, &look, now)
    };
    // The first look draws blueprints and opens lanes; afterwards it is alike.
    round(0);
    let steps = (1..=RUNS).map(round).collect();
    Measured {
        decode: median(decodes),
        step: median(steps),
    }
}

/// Decodes the whole state.
fn read(pages: &fleet::Pages) -> (Input, Input) {
    let whole = Action::ObserveBuildkite {
        grant: u32::MAX,
        from: Cursor::START,
    };
    (decode(Action::ObserveCluster, pages), decode(whole, pages))
}

/// Makes the process own memory as a controller does that has run for a while:
/// otherwise most of what is measured is the kernel handing out fresh pages.
///
/// The block that is returned lies on top of the others and keeps the
/// allocator from giving them back.
fn warm_heap() -> Vec<u8> {
    let mut blocks: Vec<Vec<u8>> = (0..4096).map(|_| vec![1; 64 * 1024]).collect();
    // Blocks above the allocator's threshold would be mapped afresh each time;
    // freeing one raises the threshold.
    drop(vec![1_u8; 16 * 1024 * 1024]);
    blocks.pop().unwrap_or_default()
}

/// The time of the step that does the whole work: the one that answers a
/// complete look.
fn step(controller: &mut Controller, view: &ClusterView, look: &Look, now: Timestamp) -> Duration {
    let view = ClusterView {
        begun_at: now,
        ..view.clone()
    };
    // Its requests are not charged: the budget is not what is measured.
    let look = Look {
        begun_at: now,
        spending: Spending::default(),
        ..look.clone()
    };
    let asked = controller.step(now, Input::Tick);
    let asked = controller.step(
        now,
        Input::Cluster {
            id: Some(asked.commands[0].id),
            view,
        },
    );
    let looks = |command: &&Command| matches!(command.action, Action::ObserveBuildkite { .. });
    let id = asked
        .commands
        .iter()
        .find(looks)
        .expect("the controller asks for a look at Buildkite")
        .id;
    let begun = Instant::now();
    let _step = controller.step(now, Input::Buildkite { id, look });
    begun.elapsed()
}

fn decode(action: Action, pages: &fleet::Pages) -> Input {
    let surroundings = Surroundings {
        organization: "acme".into(),
        namespace: None,
    };
    let now = Timestamp::from_millis(fleet::NOW);
    let command = Command {
        id: CommandId(1),
        action,
        reason: Reason::Interval,
        not_after: None,
    };
    let mut exchange = Exchange::begin(command, &surroundings, now);
    while let Some(request) = exchange.next_request(now) {
        exchange.absorb(Ok(pages.answer(&request.http)), now);
    }
    exchange.finish(now)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
