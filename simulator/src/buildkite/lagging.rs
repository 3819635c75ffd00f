//! A value whose past is still visible to somebody.

use std::collections::VecDeque;
use std::time::Duration;

use buildscaler_core::Timestamp;

/// A value and what it was for a while back.
///
/// The agent list of the real API is served from somewhere that follows the
/// truth with a delay; this is that somewhere, for one row.
#[derive(Clone, Debug)]
pub(crate) struct Lagging<T> {
    past: VecDeque<(Timestamp, T)>,
}

impl<T: PartialEq> Lagging<T> {
    pub(crate) const fn new() -> Self {
        Self { past: VecDeque::new() }
    }

    /// Notes that the value is `value` from now on; what is older than `lag`
    /// and no longer visible is forgotten.
    pub(crate) fn push(&mut self, value: T, lag: Duration, now: Timestamp) {
        if self.past.back().is_some_and(|(_, last)| *last == value) {
            return;
        }
        self.past.push_back((now, value));
        let seen = now.before(lag);
        while self.past.get(1).is_some_and(|(since, _)| *since <= seen) {
            self.past.pop_front();
        }
    }

    /// What the value was at `at`; nothing before its first push.
    pub(crate) fn at(&self, at: Timestamp) -> Option<&T> {
        self.past
            .iter()
            .rev()
            .find(|(since, _)| *since <= at)
            .map(|(_, value)| value)
    }
}
