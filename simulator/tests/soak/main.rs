//! Weeks of a busy world: what a controller remembers does not grow.
//!
//! The short version runs with all tests; `docs/benchmarks.md` has the command
//! for the long one, and its figures.

#![expect(clippy::expect_used, reason = "a test may fail")]

mod double;
mod weeks;

use std::alloc::System;
use std::fmt::Write;
use std::time::Duration;

use buildscaler_simulator::{Options, run};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

use double::{Double, Sample};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// How much more may be remembered at rest after the last period than after
/// the first, in bytes: numbers of commands have more digits by then.
const DIGITS: usize = 64;
/// How much fuller the last period's fullest hour may be than the first's, in
/// percent: chance makes periods differ.
const FULLER: usize = 150;
/// How much more may be held at rest, in bytes: buffers keep their size.
const SPARE: isize = 16 * 1024;

/// At rest nothing is left of queues, templates, pods, agents and jobs that
/// are gone. Seen to fail when findings of refused creates outlived their
/// templates: 2,459 bytes after the first day, 3,986 after the third.
#[test]
fn what_a_controller_remembers_does_not_grow() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u32>().unwrap());
    let (periods, length) = match number("BUILDSCALER_SOAK_WEEKS") {
        Some(weeks) => (weeks.max(2), Duration::from_secs(7 * 86_400)),
        None => (3, Duration::from_secs(86_400)),
    };
    let scenario = weeks::scenario(periods, length);
    let mut double = Double::of(&scenario);
    let options = Options {
        story: false,
        witness: Some(&mut double),
        ..Options::default()
    };
    let ran = run(&scenario, options, &mut |_| {});
    let report = tell(&double, length, ran.summary.total.finished);
    println!("{report}");
    let mut rest: Vec<&Sample> = double.at_rest(length);
    // The moment at which the last one ends is in a period of its own.
    rest.truncate(periods as usize);
    let (Some(first), Some(last)) = (rest.first(), rest.last()) else {
        panic!("there is no rest");
    };
    assert_eq!(rest.len(), periods as usize, "{report}");
    assert!(double.deeds > 100 * u64::from(periods), "a busy world: {report}");
    assert!(
        last.written <= first.written + DIGITS,
        "what is written grows: {report}"
    );
    assert!(last.held <= first.held + SPARE, "what is held grows: {report}");
    let mut fullest = double.fullest(length);
    fullest.truncate(periods as usize);
    let (first, last) = (fullest[0], fullest[fullest.len() - 1]);
    assert!(
        last.written * 100 <= first.written * FULLER,
        "the fullest hour grows: {report}"
    );
}

/// A line for each period.
fn tell(double: &Double, length: Duration, finished: u64) -> String {
    let mut report = format!(
        "{} steps, {} pods created, agents stopped or pods deleted, {finished} Buildkite jobs finished\n\
         period | at rest: written, held | fullest hour: written, held | process, simulator included\n",
        double.steps, double.deeds
    );
    for (number, (rest, full)) in double.at_rest(length).iter().zip(double.fullest(length)).enumerate() {
        let _ = writeln!(
            report,
            "{} | {} B, {} B | {} B, {} B | {} KiB",
            number + 1,
            rest.written,
            rest.held,
            full.written,
            full.held,
            rest.resident_kib
        );
    }
    report
}
