//! What of the world has been seen.

use std::time::Instant;

use buildscaler_core::{Failure, Input, LookEnd, Timestamp};

use super::check::Check;

/// The check that a replica passes without looking while another commands.
pub(super) const BUILDKITE: &str = "buildkite";

/// What was seen of each thing that is looked at.
#[derive(Debug, Default)]
pub(super) struct Sights {
    templates: Sight,
    pods: Sight,
    buildkite: Sight,
}

/// What was seen of one of them.
#[derive(Debug, Default)]
enum Sight {
    /// Nothing yet.
    #[default]
    Unseen,
    /// All of it, when last looked at.
    Seen,
    /// It could not be seen when last looked at.
    Unknown {
        /// When that was found first, for people.
        since: Timestamp,
        /// The same, to count from.
        from: Instant,
        /// Why, as of the last look.
        why: String,
    },
}

impl Sights {
    /// Takes note of what the controller is told.
    pub(super) fn told(&mut self, now: (Timestamp, Instant), input: &Input) {
        match input {
            Input::Cluster { view, .. } => {
                self.templates.looked(view.templates.failure(), now);
                self.pods.looked(view.pods.failure(), now);
            }
            Input::Buildkite { look, .. } => match &look.end {
                LookEnd::Complete => self.buildkite.looked(None, now),
                // It goes on: neither all was seen, nor is anything wrong.
                LookEnd::More(_) | LookEnd::Failed(_, Failure::OverBudget) => {}
                LookEnd::Failed(_, failure) => self.buildkite.looked(Some(failure), now),
            },
            Input::Tick | Input::Outcome { .. } | Input::Lease { .. } | Input::Shutdown => {}
        }
    }

    /// Whether each of them can be seen.
    pub(super) fn checks(&self, now: Instant) -> [Check; 3] {
        [
            ("kubernetes-jobs", &self.templates),
            ("kubernetes-pods", &self.pods),
            (BUILDKITE, &self.buildkite),
        ]
        .map(|(name, sight)| Check {
            name,
            wrong: sight.wrong(now),
        })
    }
}

impl Sight {
    fn looked(&mut self, failure: Option<&Failure>, now: (Timestamp, Instant)) {
        let Some(failure) = failure else {
            *self = Self::Seen;
            return;
        };
        let (since, from) = match self {
            Self::Unknown { since, from, .. } => (*since, *from),
            Self::Unseen | Self::Seen => now,
        };
        *self = Self::Unknown {
            since,
            from,
            why: failure.to_string().replace(['\r', '\n'], " "),
        };
    }

    fn wrong(&self, now: Instant) -> Option<String> {
        match self {
            Self::Seen => None,
            Self::Unseen => Some("not seen yet".into()),
            Self::Unknown { since, from, why } => {
                let seconds = now.saturating_duration_since(*from).as_secs();
                Some(format!("unknown since {}, for {seconds} s: {why}", utc(*since)))
            }
        }
    }
}

/// The time as people and programs read it.
fn utc(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.as_millis()).map_or_else(|_| at.to_string(), |at| format!("{at:.0}"))
}
