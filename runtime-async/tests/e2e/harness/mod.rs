//! The world that the cases happen in.

mod cluster;
mod controller;
mod installed;
pub(crate) mod manifests;
mod own_clock;
mod pods;
mod promises;
mod suite;
mod template;
mod workloads;
mod world;

use std::time::Duration;

use tokio::time::{Instant, sleep};

pub(crate) use cluster::Cluster;
pub(crate) use controller::{Change, Controller, Launch};
pub(crate) use own_clock::OwnClock;
pub(crate) use pods::Story;
pub(crate) use suite::Suite;
pub(crate) use template::Template;
pub(crate) use workloads::Image;
pub(crate) use world::{ENDS_WITHIN, World};

/// How long anything may take that is not about time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Asks until the answer is yes; returns how long that took.
///
/// # Panics
/// When it is still no after `patience`.
pub(crate) async fn within(patience: Duration, what: &str, wanted: impl AsyncFn() -> bool) -> Duration {
    let begun = Instant::now();
    while !wanted().await {
        assert!(begun.elapsed() < patience, "not within {patience:?}: {what}");
        sleep(Duration::from_millis(25)).await;
    }
    begun.elapsed()
}

/// Asks for a while and wants the same answer each time.
///
/// # Panics
/// When the answer is no.
pub(crate) async fn throughout(time: Duration, what: &str, wanted: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    while begun.elapsed() < time {
        assert!(wanted().await, "no longer so after {:?}: {what}", begun.elapsed());
        sleep(Duration::from_millis(50)).await;
    }
}
