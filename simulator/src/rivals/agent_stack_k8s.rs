//! `agent-stack-k8s`: its monitor, limiter, deduper and scheduler.
//!
//! It keeps no capacity. Every second it lists the scheduled jobs and makes one
//! Kubernetes Job for each that has none, at most `max-in-flight` at once and
//! no faster than its bucket of ten requests a second (twenty at once) allows.
//! Each pod runs the one job that it was made for, so every job pays a cold
//! start. A pod whose job was cancelled is deleted within five seconds, and one
//! that is pending for more than fifteen minutes is given up.
//!
//! `max-in-flight` is the scenario's ceiling rather than the shipped 25, which
//! says more about a cluster than about a policy. A rival sees counts, so jobs
//! are told apart by number only: a job has its pod as long as there are as
//! many pods without a job as jobs without a pod. That reservations lapse
//! behind a full limiter, and that a pod given up fails its job, is left out.

use std::collections::BTreeMap;
use std::time::Duration;

use buildscaler_core::{Queue, Timestamp};

use super::{Condition, Move, Rival, Seen, SeenPod, Stay};

const POLL: Duration = Duration::from_secs(1);
const CANCEL_CHECK: Duration = Duration::from_secs(5);
const PENDING_LIMIT: Duration = Duration::from_secs(900);
/// Kubernetes requests a second, and at once, in thousandths.
const RATE: u64 = 10;
const BURST: u64 = 20_000;

/// `agent-stack-k8s` with the parameters that it ships with.
#[derive(Clone, Debug, Default)]
pub struct AgentStackK8s {
    controllers: BTreeMap<Queue, Controller>,
}

/// One controller of the stack: it serves one queue.
#[derive(Clone, Copy, Debug)]
struct Controller {
    /// Thousandths of requests that may be sent now.
    bucket: u64,
    filled_at: Timestamp,
    checked_at: Timestamp,
}

impl Controller {
    const fn new(now: Timestamp) -> Self {
        Self {
            bucket: BURST,
            filled_at: now,
            checked_at: now,
        }
    }

    /// Takes up to `wanted` requests from the bucket.
    fn take(&mut self, wanted: u32, now: Timestamp) -> u32 {
        let passed = u64::try_from(now.since(self.filled_at).as_millis()).unwrap_or(u64::MAX);
        self.bucket = passed.saturating_mul(RATE).saturating_add(self.bucket).min(BURST);
        self.filled_at = now;
        let whole = u32::try_from(self.bucket / 1000).unwrap_or(u32::MAX);
        let taken = wanted.min(whole);
        self.bucket -= u64::from(taken) * 1000;
        taken
    }
}

impl Rival for AgentStackK8s {
    fn interval(&self) -> Duration {
        POLL
    }

    fn look(&mut self, seen: &Seen<'_>) -> Vec<Move> {
        let fresh = Controller::new(seen.now);
        let controller = self.controllers.entry(seen.queue.clone()).or_insert(fresh);
        let mut moves = Vec::new();
        let without_work = |pod: &&SeenPod| match pod.condition {
            Condition::Pending | Condition::Starting | Condition::Idle => true,
            Condition::Busy | Condition::Leaving => false,
        };
        let reserved = seen.pods.iter().filter(without_work).count();
        let reserved = u32::try_from(reserved).unwrap_or(u32::MAX);
        let unreserved = seen.scheduled.saturating_sub(reserved);
        let tokens = seen.ceiling.saturating_sub(seen.alive());
        let count = controller.take(unreserved.min(tokens), seen.now);
        if count > 0 {
            moves.push(Move::Create {
                count,
                stay: Stay::OneJob,
            });
        }
        if seen.now.since(controller.checked_at) >= CANCEL_CHECK {
            controller.checked_at = seen.now;
            let cancelled = reserved.saturating_sub(seen.scheduled) as usize;
            let newest = seen.pods.iter().rev().filter(without_work).take(cancelled);
            moves.extend(newest.map(|pod| Move::Delete(pod.id)));
        }
        let given_up = seen
            .pods
            .iter()
            .filter(|pod| pod.condition == Condition::Pending && seen.now.since(pod.created_at) > PENDING_LIMIT)
            .map(|pod| Move::Delete(pod.id));
        for delete in given_up {
            if !moves.contains(&delete) {
                moves.push(delete);
            }
        }
        moves
    }
}
