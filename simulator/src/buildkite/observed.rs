//! What was asked of the fake, for tests to look at.

use std::collections::BTreeMap;

use buildscaler_core::Timestamp;
use http::{Method, StatusCode};
use serde_json::Value;

/// A REST request that arrived, refused ones included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// When.
    pub at: Timestamp,
    /// Its method.
    pub method: Method,
    /// Its path and query.
    pub target: String,
    /// Its body.
    pub body: Vec<u8>,
    /// What it was answered with.
    pub status: StatusCode,
}

impl Observed {
    /// Whether it asked an agent to stop.
    pub fn is_stop(&self) -> bool {
        self.method == Method::PUT && self.target.contains("/agents/") && self.target.ends_with("/stop")
    }

    /// Its body as JSON; null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}

/// All REST requests in order, and how often each call was made.
///
/// Calls of agents are counted only: thousands of agents ping all day.
#[derive(Clone, Debug, Default)]
pub struct Observations {
    requests: Vec<Observed>,
    counts: BTreeMap<&'static str, u64>,
}

impl Observations {
    pub(crate) fn count(&mut self, kind: &'static str) {
        *self.counts.entry(kind).or_default() += 1;
    }

    pub(crate) fn push(&mut self, observed: Observed) {
        self.requests.push(observed);
    }

    /// The REST requests, the oldest first.
    pub fn requests(&self) -> &[Observed] {
        &self.requests
    }

    /// The requests to stop an agent. Invariant 2: each has the body
    /// `{"force": false}`.
    pub fn stops(&self) -> impl Iterator<Item = &Observed> {
        self.requests.iter().filter(|observed| observed.is_stop())
    }

    /// How often a call was made, by the names of the routes: `agents`,
    /// `builds`, `stop`, `ping` and so on.
    pub fn counts(&self) -> &BTreeMap<&'static str, u64> {
        &self.counts
    }

    /// How often one call was made.
    pub fn count_of(&self, kind: &str) -> u64 {
        self.counts.get(kind).copied().unwrap_or(0)
    }
}
