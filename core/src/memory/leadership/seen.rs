//! The Lease as one candidate has seen it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::lease::LeaseRecord;
use crate::time::Timestamp;

/// The Lease as last seen.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Seen {
    /// None: there is no such object.
    pub(super) version: Option<String>,
    /// What it says, or said before it was deleted.
    pub(super) record: LeaseRecord,
    /// For how long it has been watched without being renewed.
    pub(super) unrenewed_for: Duration,
    /// Up to when that is counted.
    pub(super) counted_at: Timestamp,
}

impl Seen {
    /// Counts the time since the last look, as far as it was watched.
    pub(super) fn count(&mut self, stride: Duration, now: Timestamp) {
        let gap = now.since(self.counted_at).min(stride);
        self.unrenewed_for = self.unrenewed_for.saturating_add(gap);
        self.counted_at = now;
    }
}
