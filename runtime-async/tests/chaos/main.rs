//! Stories that nobody thought of: the real binary on the fakes of both APIs,
//! with faults drawn from a seed.
//!
//! A story is builds, templates that change, controllers that are killed and
//! started, and faults of everything that a controller asks. Faults end, and
//! then the promises are checked: no build was cut off, what waits is served,
//! what is idle goes, and silence follows.
//!
//! `BUILDSCALER_CHAOS_SEED` sets the first seed and `BUILDSCALER_CHAOS_RUNS`
//! how many follow; without them some fixed seeds run. What happened is
//! written to a file where something is wrong, or if `BUILDSCALER_CHAOS_KEEP`
//! is set.

#![expect(clippy::expect_used, reason = "a test may fail")]

mod actor;
mod controllers;
mod dice;
mod faults;
mod odd;
mod promises;
mod proxy;
mod story;
mod world;

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use story::Story;
use world::World;

/// Stories of every kind that are told within half a minute.
const FIXED: &[u64] = &[1006, 1007, 1036, 1041, 1044, 1087, 1110];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_goes_wrong_no_build_is_cut_off_and_all_is_well_afterwards() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds: Vec<u64> = match (number("BUILDSCALER_CHAOS_SEED"), number("BUILDSCALER_CHAOS_RUNS")) {
        (None, None) => FIXED.to_vec(),
        (first, runs) => {
            let first = first.unwrap_or_else(dice::from_the_clock);
            (first..first + runs.unwrap_or(1)).collect()
        }
    };
    let at_once = number("BUILDSCALER_CHAOS_AT_ONCE").unwrap_or(8);
    let at_once = Arc::new(Semaphore::new(usize::try_from(at_once).expect("a small number")));
    let mut running = JoinSet::new();
    for seed in seeds {
        let at_once = Arc::clone(&at_once);
        running.spawn(async move {
            let _turn = at_once.acquire_owned().await;
            (seed, tell(seed).await)
        });
    }
    let mut failed = Vec::new();
    while let Some(told) = running.join_next().await {
        let (seed, (summary, objections)) = told.expect("no story panics");
        let verdict = if objections.is_empty() { "well" } else { "FAILED" };
        eprintln!("seed {seed}: {verdict}; {summary}");
        for objection in &objections {
            eprintln!("    {objection}");
        }
        if !objections.is_empty() {
            failed.push(seed);
        }
    }
    assert!(failed.is_empty(), "seeds that failed: {failed:?}");
}

/// Plays the story of a seed; returns it in a line, and what was wrong with it.
async fn tell(seed: u64) -> (String, Vec<String>) {
    let story = Story::of(seed);
    let mut world = World::start(&story).await;
    actor::play(&story, &mut world).await;
    let mut objections = promises::in_the_end(&story, &mut world).await;
    world.end().await;
    objections.extend(promises::of_the_past(&story, &world));
    let mut summary = world.summary(&story);
    if !objections.is_empty() || std::env::var_os("BUILDSCALER_CHAOS_KEEP").is_some() {
        let path = std::env::temp_dir().join(format!("buildscaler-chaos-{seed}.log"));
        let text = format!("{story:#?}\n{objections:#?}\n{}", world.history());
        std::fs::write(&path, text).expect("written");
        summary = format!("{summary}; it is written to {}", path.display());
    }
    (summary, objections)
}
