//! Chaos on the real parts: a seeded schedule of faults while builds keep coming.
//!
//! `BUILDSCALER_CHAOS_SEED` repeats a schedule, `BUILDSCALER_CHAOS_SECONDS` sets
//! its length, `BUILDSCALER_CHAOS_REPLICAS` how many controllers elect a leader;
//! how requests and faults meet is the machine's, so that a seed repeats the
//! faults and not each interleaving. Requests to Kubernetes are behind TLS: they
//! are cut and late, but the moment of a create or delete is taken from the
//! controller's log, or from the pod itself.

#[path = "../../../chaos/dice.rs"]
mod dice;
mod fault;
mod fleet;
mod road;
mod story;

use std::cell::Cell;
use std::time::Duration;

use buildscaler_core::BuildkiteJobId;
use libtest_mimic::Trial;
use tokio::time::sleep;

use crate::harness::{World, within};
use dice::Dice;
use story::Story;

/// For how long, in seconds, faults are to happen.
const LENGTH: &str = "BUILDSCALER_CHAOS_SECONDS";

/// How long everything may take once nothing goes wrong any more.
const RECOVERY: Duration = Duration::from_secs(150);

/// The case, ignored unless a length is given: it is long, and by chance as long
/// as its seed makes it.
pub(crate) fn if_wanted(trial: Trial) -> Trial {
    if std::env::var_os(LENGTH).is_some() {
        trial
    } else {
        trial
            .with_kind("long: set BUILDSCALER_CHAOS_SECONDS")
            .with_ignored_flag(true)
    }
}

/// Whatever happens, every build passes, is run once, and no pod is left.
pub(crate) async fn survived(world: &World) {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse().ok());
    let seed = number("BUILDSCALER_CHAOS_SEED").unwrap_or_else(dice::from_the_clock);
    let seconds = number(LENGTH).unwrap_or(45);
    let replicas = number("BUILDSCALER_CHAOS_REPLICAS").unwrap_or(1);
    eprintln!("chaos: seed {seed}, {seconds} s, controllers: {replicas}");
    let _told = Told(seed);

    let mut story = Story::begin(world, seed, usize::try_from(replicas).unwrap_or(1)).await;
    let over = Cell::new(false);
    let faults = async {
        story.unfold(Duration::from_secs(seconds)).await;
        over.set(true);
    };
    let ((), mut builds) = tokio::join!(faults, keep_building(world, Dice::new(seed ^ 1), &over));

    builds.append(&mut story.bursts);
    within(RECOVERY, "all builds pass", async || world.all_passed(&builds)).await;
    within(RECOVERY, "no pod is left", async || world.home.pods.none_left()).await;
    let interruptions = world.fake().inner().truth().interruptions();
    assert_eq!(interruptions, [], "seed {seed}: builds were interrupted");
    for id in &builds {
        let runs = world.agent_runs(id);
        assert_eq!(runs, 1, "seed {seed}: {id:?} was run {runs} times");
    }
    eprintln!(
        "chaos: seed {seed}, {seconds} s, controllers: {replicas}, {} builds, {} interrupted, {}",
        builds.len(),
        interruptions.len(),
        story.summary(),
    );
}

/// Tells the seed of a case that fails.
struct Told(u64);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("chaos: failed with BUILDSCALER_CHAOS_SEED={}", self.0);
        }
    }
}

async fn keep_building(world: &World, mut dice: Dice, over: &Cell<bool>) -> Vec<BuildkiteJobId> {
    let mut builds = Vec::new();
    while !over.get() {
        let queue = dice.one(&["steady", "changing"]);
        let count = usize::try_from(dice.within(1, 2)).unwrap_or(1);
        builds.extend(world.build(queue, count, dice.millis(2_000, 15_000)));
        sleep(dice.millis(1_000, 5_000)).await;
    }
    builds
}
