//! What of the world can be seen, since when, and what may still be asked.

use std::collections::BTreeMap;

use buildscaler_core::{Failure, Input, LimitReading, LimitScope, LookEnd, Timestamp};

/// The views, and the request budget as the answers tell it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sights {
    pub(crate) templates: Sight,
    pub(crate) pods: Sight,
    pub(crate) buildkite: Sight,
    pub(crate) limits: BTreeMap<LimitScope, LimitReading>,
}

/// What was seen of one thing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Sight {
    /// Nobody has looked yet, or the first look is not over.
    #[default]
    Unseen,
    /// All of it.
    Known {
        /// Without a failure in between.
        since: Timestamp,
        /// When the last look at it began.
        seen_at: Timestamp,
    },
    /// The last look failed.
    Unknown {
        /// Since the first one that did.
        since: Timestamp,
        /// When all of it was seen last.
        seen_at: Option<Timestamp>,
        /// Why the last one did.
        why: String,
    },
}

impl Sights {
    /// Takes note of what the controller is told.
    pub(crate) fn told(&mut self, now: Timestamp, input: &Input) {
        match input {
            Input::Cluster { view, .. } => {
                self.templates.looked(view.templates.failure(), view.begun_at, now);
                self.pods.looked(view.pods.failure(), view.begun_at, now);
            }
            Input::Buildkite { look, .. } => {
                self.read(&look.spending.limits);
                match &look.end {
                    LookEnd::Complete => self.buildkite.looked(None, look.begun_at, now),
                    // It goes on: neither all was seen, nor is anything wrong.
                    LookEnd::More(_) | LookEnd::Failed(_, Failure::OverBudget) => {}
                    LookEnd::Failed(_, failure) => self.buildkite.looked(Some(failure), look.begun_at, now),
                }
            }
            Input::Outcome { spending, .. } => self.read(&spending.limits),
            Input::Lease { .. } | Input::Tick | Input::Shutdown => {}
        }
    }

    fn read(&mut self, limits: &[LimitReading]) {
        self.limits
            .extend(limits.iter().map(|reading| (reading.scope, *reading)));
    }
}

impl Sight {
    fn looked(&mut self, failure: Option<&Failure>, begun_at: Timestamp, now: Timestamp) {
        *self = match (&*self, failure) {
            (Self::Known { since, .. }, None) => Self::Known {
                since: *since,
                seen_at: begun_at,
            },
            (Self::Unseen | Self::Unknown { .. }, None) => Self::Known {
                since: now,
                seen_at: begun_at,
            },
            (Self::Unknown { since, seen_at, .. }, Some(failure)) => Self::Unknown {
                since: *since,
                seen_at: *seen_at,
                why: failure.to_string(),
            },
            (Self::Known { seen_at, .. }, Some(failure)) => Self::Unknown {
                since: now,
                seen_at: Some(*seen_at),
                why: failure.to_string(),
            },
            (Self::Unseen, Some(failure)) => Self::Unknown {
                since: now,
                seen_at: None,
                why: failure.to_string(),
            },
        };
    }

    /// Why it cannot be relied on, if so.
    pub(crate) fn is_unknown(&self) -> bool {
        match self {
            Self::Unknown { .. } => true,
            Self::Unseen | Self::Known { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(second * 1_000)
    }

    #[test]
    fn it_is_unknown_since_the_first_failure_and_known_since_the_last() {
        let down = Failure::Unavailable {
            message: "no route".into(),
        };
        let mut sight = Sight::default();
        sight.looked(None, at(1), at(2));
        sight.looked(None, at(3), at(4));
        assert_eq!(
            sight,
            Sight::Known {
                since: at(2),
                seen_at: at(3)
            }
        );
        sight.looked(Some(&down), at(5), at(6));
        sight.looked(Some(&down), at(7), at(8));
        let why = "unavailable: no route".to_owned();
        let seen_at = Some(at(3));
        assert_eq!(
            sight,
            Sight::Unknown {
                since: at(6),
                seen_at,
                why
            }
        );
        sight.looked(None, at(9), at(10));
        assert_eq!(
            sight,
            Sight::Known {
                since: at(10),
                seen_at: at(9)
            }
        );
    }
}
