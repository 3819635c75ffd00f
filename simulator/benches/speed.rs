//! How fast worlds are simulated.
//!
//! `cargo bench -p buildscaler-simulator` prints what an event costs against a
//! bare push and pop on a heap, how cost grows with jobs, how long a recorded
//! month takes and how many random worlds go through in a second, and fails
//! when a promise of `docs/benchmarks.md` is broken. Needs Linux.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark prints its figures"
)]

use std::collections::BinaryHeap;
use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use buildscaler_simulator::generate::{self, Trouble};
use buildscaler_simulator::import;
use buildscaler_simulator::measure::Summary;
use buildscaler_simulator::scenario::{BuildEvent, Event, Moment, Scenario, Span, Step, StepKind, TemplateSpec};
use buildscaler_simulator::{Keeper, Options, rivals, run};

/// Timed runs of each kind; the median is reported.
const RUNS: usize = 5;
/// An event may cost as much as so many pushes and pops.
const PUSHES: f64 = 10.0;
/// Ten times the jobs may cost this many times as much.
const GROWTH: f64 = 12.0;
/// The recorded month, whole.
const MONTH: Duration = Duration::from_secs(1);
/// A million random worlds.
const MILLION: Duration = Duration::from_secs(600);
/// Random worlds that are run to tell.
const WORLDS: u64 = 1_000;

fn main() {
    let kept = [event(), growth(), month(), worlds()];
    if kept.contains(&Some(false)) {
        eprintln!("a promise of docs/benchmarks.md is broken");
        std::process::exit(1);
    }
    if kept.contains(&None) && std::env::var("CI").is_ok_and(|value| value == "true") {
        eprintln!("something was not measured");
        std::process::exit(1);
    }
}

/// What an event costs, the controller's steps included.
fn event() -> Option<bool> {
    let scenario = steady(10_000);
    let pushes = median((0..RUNS).map(|_| bare(scenario.timeline.len())));
    let (took, summary) = timed(&scenario, Keeper::Ours);
    let each = took.as_secs_f64() / summary.events as f64;
    let ratio = each / pushes.as_secs_f64() * f64::from(PUSHED);
    println!(
        "{} events in {took:.2?}, {} steps: {:.0} ns an event = {ratio:.1} pushes and pops (promised: at most {PUSHES:.0})",
        summary.events,
        summary.steps,
        each * 1e9,
    );
    if let Some(rival) = rivals::ALL.first() {
        let (took, summary) = timed(&scenario, Keeper::Rival(rival));
        let each = took.as_secs_f64() / summary.events as f64;
        let ratio = each / pushes.as_secs_f64() * f64::from(PUSHED);
        println!(
            "  kept by {} instead: {:.0} ns an event = {ratio:.1}",
            rival.name,
            each * 1e9
        );
    }
    Some(ratio <= PUSHES)
}

/// Pushes and pops that are timed at once.
const PUSHED: u32 = 1_000_000;

/// Time of [`PUSHED`] pushes and pops on a heap of so many entries, each as
/// large as an event with its time is.
fn bare(size: usize) -> Duration {
    let mut dice = 1_u64;
    let mut draw = move || {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        dice >> 20
    };
    let mut heap: BinaryHeap<(u64, u64, [u64; 4])> = (0..size as u64).map(|number| (draw(), number, [0; 4])).collect();
    let begun = spent();
    for number in 0..u64::from(PUSHED) {
        heap.push((draw(), number, [number; 4]));
        black_box(heap.pop());
    }
    spent() - begun
}

fn growth() -> Option<bool> {
    let (small, _) = timed(&steady(2_000), Keeper::Ours);
    let (large, summary) = timed(&steady(20_000), Keeper::Ours);
    let growth = large.as_secs_f64() / small.as_secs_f64();
    println!(
        "2,000 jobs in {small:.2?}, 20,000 in {large:.2?}, at most {} pods: {growth:.1} times (promised: at most {GROWTH})",
        summary.total.pods_at_once,
    );
    Some(growth <= GROWTH)
}

fn month() -> Option<bool> {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/traces/vllm-nightly_2026-04-05_2026-05-03.csv.gz");
    let Ok(bytes) = std::fs::read(path) else {
        println!("the vLLM nightlies are not there: not measured");
        return None;
    };
    let options = import::Options {
        name: "nightlies".to_owned(),
        ..import::Options::default()
    };
    match import::import("trace", &bytes, &options) {
        Ok(imported) => {
            let (took, summary) = timed(&imported.scenario, Keeper::Ours);
            println!(
                "vLLM nightlies, {} jobs, {} events, {} steps: {took:.2?} (promised: at most {MONTH:.0?})",
                imported.jobs, summary.events, summary.steps
            );
            Some(took <= MONTH)
        }
        Err(problems) => {
            println!("the vLLM nightlies cannot be read: {problems:?}");
            None
        }
    }
}

fn worlds() -> Option<bool> {
    let mut events = 0;
    let begun = spent();
    for seed in 0..WORLDS {
        let scenario = generate::scenario(seed, Trouble::Anything);
        let outcome = run(&scenario, quiet(Keeper::Ours), &mut |_| {});
        events += outcome.summary.events;
    }
    let a_second = WORLDS as f64 / (spent() - begun).as_secs_f64();
    // Worlds share nothing, so that two processors take half the time.
    let million = Duration::from_secs_f64(1e6 / a_second / 2.0);
    println!(
        "{WORLDS} random worlds: {a_second:.0} a second and processor, {} events each; \
         a million on two in {:.0} minutes (promised: at most {})",
        events / WORLDS,
        million.as_secs_f64() / 60.0,
        MILLION.as_secs() / 60,
    );
    Some(million <= MILLION)
}

/// A fleet of some thirty pods, however many jobs: they come at a steady pace.
fn steady(jobs: u64) -> Scenario {
    let builds = jobs / 10;
    let pace = 60;
    let timeline = (0..builds).map(|number| Moment {
        at: Span::secs(number * pace),
        event: Event::Build(BuildEvent {
            id: None,
            pipeline: "app".to_owned(),
            steps: vec![Step {
                queue: Some("linux".to_owned()),
                runs: Span::secs(90 + number % 60),
                parallelism: 10,
                ..Step::of(StepKind::Command)
            }],
        }),
    });
    Scenario {
        timeline: timeline.collect(),
        lasts: Span::secs(builds * pace + 600),
        templates: vec![TemplateSpec::named("linux")],
        ..empty()
    }
}

fn empty() -> Scenario {
    Scenario {
        version: 1,
        name: "steady".to_owned(),
        description: String::new(),
        covers: Vec::new(),
        seed: 1,
        starts: None,
        lasts: Span::default(),
        controller: Default::default(),
        world: Default::default(),
        templates: Vec::new(),
        timeline: Vec::new(),
        expect: Default::default(),
    }
}

/// The median time of a run, and what it came to.
fn timed(scenario: &Scenario, keeper: Keeper) -> (Duration, Summary) {
    let mut summary = Summary::default();
    let time = median((0..RUNS).map(|_| {
        let begun = spent();
        let outcome = run(scenario, quiet(keeper), &mut |_| {});
        let took = spent() - begun;
        summary = outcome.summary;
        took
    }));
    (time, summary)
}

fn quiet<'a>(keeper: Keeper) -> Options<'a> {
    Options {
        keeper,
        story: false,
        ..Options::default()
    }
}

/// What this thread has had of a processor so far: the machine may have other
/// work, and time on the wall would count that too.
fn spent() -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = told.split_whitespace().next().and_then(|number| number.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or_default())
}

fn median(times: impl Iterator<Item = Duration>) -> Duration {
    let mut times: Vec<_> = times.collect();
    times.sort_unstable();
    times[times.len() / 2]
}
