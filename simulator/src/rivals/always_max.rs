//! A fixed fleet: always as many pods as the queue may have.
//!
//! One end of the frontier: nobody can wait less, and nobody pays more. Where a
//! queue has no ceiling, the fleet is as large as the scenario's own peak, as if
//! whoever sized it had known the peak in advance.

use std::collections::BTreeMap;
use std::time::Duration;

use buildscaler_core::Queue;

use super::{Move, Rival, Seen, Stay, ideal};
use crate::scenario::Scenario;

/// A fixed fleet per queue.
#[derive(Clone, Debug)]
pub struct AlwaysMax {
    peaks: BTreeMap<Queue, u32>,
}

impl AlwaysMax {
    /// As large as the scenario needs it.
    pub fn new(scenario: &Scenario) -> Self {
        Self {
            peaks: ideal::peaks(scenario),
        }
    }
}

impl Rival for AlwaysMax {
    fn interval(&self) -> Duration {
        Duration::from_secs(10)
    }

    fn look(&mut self, seen: &Seen<'_>) -> Vec<Move> {
        let size = match seen.ceiling {
            u32::MAX => self.peaks.get(seen.queue).copied().unwrap_or(0),
            ceiling => ceiling,
        };
        match size.saturating_sub(seen.staying()) {
            0 => Vec::new(),
            count => vec![Move::Create {
                count,
                stay: Stay::ForGood,
            }],
        }
    }
}
