//! ARC's runner scale sets (`cmd/ghalistener/scaler/scaler.go`,
//! `ephemeralrunnerset_controller.go`).
//!
//! With each message of the service (here: whenever the counts changed, looked
//! at every second, or after 50 s of long poll) the listener patches the set to
//! `minRunners` plus the jobs assigned to it. The set then creates what is
//! missing. It deletes idle runners only for the patch with the number 0, which
//! the listener sends when nothing happened and the target rests at
//! `minRunners`; otherwise runners leave by finishing their one job.

use std::collections::BTreeMap;
use std::time::Duration;

use buildscaler_core::{Queue, Timestamp};

use super::{Condition, Move, Rival, Seen, Stay};

const LONG_POLL: Duration = Duration::from_secs(50);

/// A scale set per queue.
#[derive(Clone, Debug, Default)]
pub struct ArcScaleSet {
    /// Idle runners on top of those with a job.
    pub min_runners: u32,
    listeners: BTreeMap<Queue, Listener>,
}

/// What a listener remembers of its last message.
#[derive(Clone, Copy, Debug)]
struct Listener {
    heard_at: Timestamp,
    scheduled: u32,
    running: u32,
    target: u32,
}

impl ArcScaleSet {
    /// With so many idle runners.
    pub const fn new(min_runners: u32) -> Self {
        Self {
            min_runners,
            listeners: BTreeMap::new(),
        }
    }
}

impl Rival for ArcScaleSet {
    fn interval(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn look(&mut self, seen: &Seen<'_>) -> Vec<Move> {
        let last = self.listeners.get(seen.queue).copied();
        let eventful = last.is_none_or(|last| (last.scheduled, last.running) != (seen.scheduled, seen.running))
            || seen.finished > 0;
        if !eventful && last.is_some_and(|last| seen.now.since(last.heard_at) < LONG_POLL) {
            return Vec::new();
        }
        let assigned = seen.scheduled.saturating_add(seen.running);
        let target = self.min_runners.saturating_add(assigned).min(seen.ceiling);
        let resting = !eventful && target == self.min_runners && last.is_some_and(|last| last.target == target);
        self.listeners.insert(
            seen.queue.clone(),
            Listener {
                heard_at: seen.now,
                scheduled: seen.scheduled,
                running: seen.running,
                target,
            },
        );
        reconcile(seen, target, resting)
    }
}

/// What the set's controller does with a patch it has not seen yet.
fn reconcile(seen: &Seen<'_>, target: u32, resting: bool) -> Vec<Move> {
    let total = seen.staying();
    if total < target {
        return vec![Move::Create {
            count: target - total,
            stay: Stay::OneJob,
        }];
    }
    if !resting {
        return Vec::new();
    }
    let surplus = (total - target) as usize;
    let of = |condition| seen.pods.iter().filter(move |pod| pod.condition == condition);
    // A runner that is not registered yet is passed over.
    let pending = of(Condition::Pending).map(|pod| Move::Delete(pod.id));
    let idle = of(Condition::Idle).map(|pod| Move::Stop(pod.id));
    pending.chain(idle).take(surplus).collect()
}
