//! A queue as an example describes it: counts, and pods by condition.

use std::time::Duration;

use buildscaler_core::{Queue, Timestamp};
use buildscaler_simulator::rivals::{Condition, Move, PodId, Rival, Seen, SeenPod, Stay};

/// A queue at a time, written down by hand.
#[derive(Clone, Debug)]
pub(crate) struct Example {
    pub(crate) scheduled: u32,
    pub(crate) running: u32,
    pub(crate) finished: u32,
    pub(crate) ceiling: u32,
    pods: Vec<SeenPod>,
}

impl Example {
    pub(crate) fn jobs(scheduled: u32, running: u32) -> Self {
        Self {
            scheduled,
            running,
            finished: 0,
            ceiling: u32::MAX,
            pods: Vec::new(),
        }
    }

    pub(crate) fn ceiling(mut self, ceiling: u32) -> Self {
        self.ceiling = ceiling;
        self
    }

    pub(crate) fn finished(mut self, finished: u32) -> Self {
        self.finished = finished;
        self
    }

    /// So many pods more, created and in this condition since `since` seconds.
    pub(crate) fn pods(mut self, count: u64, condition: Condition, since: u64) -> Self {
        for _ in 0..count {
            self.pods.push(SeenPod {
                id: PodId(self.pods.len() as u64 + 1),
                created_at: at(since),
                condition,
                since: at(since),
            });
        }
        self
    }

    /// What the rival does about it, so many seconds after the beginning.
    pub(crate) fn shown_to(&self, rival: &mut dyn Rival, seconds: u64) -> Vec<Move> {
        rival.look(&Seen {
            queue: &Queue::from("linux"),
            now: at(seconds),
            scheduled: self.scheduled,
            running: self.running,
            waiting: 0,
            finished: self.finished,
            pods: &self.pods,
            ceiling: self.ceiling,
        })
    }
}

pub(crate) fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(1_735_689_600_000).after(Duration::from_secs(seconds))
}

pub(crate) fn create(count: u32, stay: Stay) -> Vec<Move> {
    vec![Move::Create { count, stay }]
}

pub(crate) fn stops(ids: &[u64]) -> Vec<Move> {
    ids.iter().map(|id| Move::Stop(PodId(*id))).collect()
}

pub(crate) fn deletes(ids: &[u64]) -> Vec<Move> {
    ids.iter().map(|id| Move::Delete(PodId(*id))).collect()
}

pub(crate) const NOTHING: Vec<Move> = Vec::new();
