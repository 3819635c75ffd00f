//! Many ways to keep a fleet in the same scenarios, side by side.
//!
//! A [`Comparison`] holds the figures of each contestant in each scenario, the
//! clairvoyant bound among them; it is shown as a table, as CSV, as JSON and on
//! the page.

mod contest;
mod contestant;
mod figures;
mod text;

use std::collections::BTreeMap;
use std::time::Duration;

use buildscaler_core::Queue;
use serde::Serialize;

pub use contest::compare;
pub use contestant::{Contestant, UnknownContestant, Variant};
pub use figures::{Figures, Regret};
pub use text::{csv, table};

/// The outcome of scenarios × contestants.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Comparison {
    /// Each scenario with all its contestants, in the order asked for.
    pub scenarios: Vec<Compared>,
}

/// One scenario, kept by each contestant in turn.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Compared {
    /// The scenario's name.
    pub scenario: String,
    /// What it shows; empty if it does not say.
    pub description: String,
    /// One line per contestant: ours first, then the rivals, then the bound.
    pub lines: Vec<Line>,
}

/// What one contestant came to in one scenario.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// Its name, unique in a comparison.
    pub contestant: String,
    /// What it is, in a sentence.
    pub about: String,
    /// What sort of contestant.
    pub role: Role,
    /// All queues together.
    pub total: Figures,
    /// Each queue by itself.
    pub queues: BTreeMap<Queue, Figures>,
    /// Requests to Buildkite a minute, on average; nothing for those who are
    /// told the truth without asking for it.
    pub requests_a_minute: Option<f64>,
}

/// What sort of contestant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Our own controller, as configured or under a variant.
    Ours,
    /// Somebody else's rules.
    Rival,
    /// The clairvoyant bound: not a policy that anybody could run.
    Bound,
}

impl Role {
    /// As it is written in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Rival => "rival",
            Self::Bound => "bound",
        }
    }
}

impl Compared {
    /// The lines that no other beats, in one of wait (p95) and pod-hours without
    /// losing in the other: the wait-against-cost frontier, the cheapest first. The bound is not on it,
    /// since nobody can choose it; neither is whoever interrupted a build.
    pub fn frontier(&self) -> Vec<&Line> {
        let mut eligible: Vec<&Line> = self
            .lines
            .iter()
            .filter(|line| line.role != Role::Bound && line.total.interrupted == 0)
            .collect();
        eligible.sort_by(|a, b| {
            let by_cost = a.total.pod_hours.total_cmp(&b.total.pod_hours);
            by_cost.then(a.total.wait_p95.cmp(&b.total.wait_p95))
        });
        let mut last: Option<(f64, Duration)> = None;
        eligible.retain(|line| {
            let (cost, wait) = (line.total.pod_hours, line.total.wait_p95);
            let unbeaten = last.is_none_or(|(cheapest, shortest)| {
                wait < shortest || (wait == shortest && cost.total_cmp(&cheapest).is_eq())
            });
            if unbeaten {
                last = Some((cost, wait));
            }
            unbeaten
        });
        eligible
    }
}
