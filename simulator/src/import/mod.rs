//! Recorded workloads become scenarios: CSV traces, and builds as Buildkite's
//! REST API returns them.
//!
//! What is taken over is when a job could run, where, and how long it then
//! ran; how long it waited is the doing of the fleet that served it, and is
//! left out. Nothing else of a record is copied: no commands, no environment,
//! no names of people, no messages.

mod assemble;
mod buildkite;
mod csv;
mod input;
mod layout;
pub(crate) mod names;
mod queues;

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::scenario::{Problem, Rule, Scenario};
use assemble::TracedBuild;
pub use queues::QueueMap;

/// What of a trace to take, and how to call it.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The scenario's name.
    pub name: String,
    /// Builds created before are left out.
    pub from: Option<Timestamp>,
    /// Builds created at or after are left out.
    pub to: Option<Timestamp>,
    /// Of each hundred builds, so many are taken; all if none is given.
    pub sample_percent: Option<u32>,
    /// Which builds a sample takes; the scenario's seed too.
    pub seed: u64,
    /// Other names for queues.
    pub queues: QueueMap,
}

/// A trace as a scenario, and what was left behind.
#[derive(Debug)]
pub struct Imported {
    /// The scenario, with a template for each queue.
    pub scenario: Scenario,
    /// The builds and jobs in it.
    pub builds: u64,
    /// The jobs in it.
    pub jobs: u64,
    /// Rows that could not be used, by reason.
    pub skipped: BTreeMap<&'static str, Skipped>,
}

/// Rows that could not be used for one reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// How many.
    pub rows: u64,
    /// The line of the first in a CSV file; in JSON its number among the jobs.
    pub first: u64,
}

/// Makes a scenario of a trace: CSV or JSON, compressed by gzip or not. `file`
/// is how messages call it.
pub fn import(file: &str, bytes: &[u8], options: &Options) -> Result<Imported, Vec<Problem>> {
    let text = input::text(file, bytes)?;
    let mut trace = if text.trim_start().starts_with(['[', '{']) {
        buildkite::read(file, &text)?
    } else {
        csv::read(file, &text)?
    };
    let read = trace.builds.len();
    trace.builds.retain(|build| options.takes(build));
    if trace.builds.is_empty() {
        return Err(vec![problem(
            file,
            None,
            Rule::Size,
            nothing_left(read, &trace.skipped),
        )]);
    }
    assemble::assemble(file, trace, options)
}

/// What is read of a trace.
#[derive(Debug, Default)]
struct Trace {
    /// The file's kind, in words.
    kind: &'static str,
    builds: Vec<TracedBuild>,
    skipped: BTreeMap<&'static str, Skipped>,
}

impl Trace {
    fn skip(&mut self, why: &'static str, row: u64) {
        let skipped = self.skipped.entry(why).or_insert(Skipped { rows: 0, first: row });
        skipped.rows += 1;
    }
}

impl Options {
    fn takes(&self, build: &TracedBuild) -> bool {
        let Some(created) = build.begins() else { return false };
        let inside = self.from.is_none_or(|from| created >= from) && self.to.is_none_or(|to| created < to);
        inside
            && self
                .sample_percent
                .is_none_or(|percent| lot(self.seed, &build.id) < percent)
    }
}

/// A number below 100 that depends on the seed and the build alone, so that a
/// larger sample contains the smaller one (FNV-1a, its bits mixed).
fn lot(seed: u64, id: &str) -> u32 {
    let bytes = seed.to_le_bytes().into_iter().chain(id.bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let mixed = (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    u32::try_from(mixed % 100).unwrap_or(0)
}

fn nothing_left(read: usize, skipped: &BTreeMap<&'static str, Skipped>) -> String {
    let skipped: Vec<String> = skipped
        .iter()
        .map(|(why, rows)| format!("{} {why} (first: {})", rows.rows, rows.first))
        .collect();
    let skipped = if skipped.is_empty() {
        "none".to_owned()
    } else {
        skipped.join(", ")
    };
    format!("nothing is left to import: {read} builds were read; rows left out: {skipped}")
}

fn problem(file: &str, place: Option<(u64, u64)>, rule: Rule, message: String) -> Problem {
    Problem {
        file: file.to_owned(),
        line: place.map(|(line, _)| line),
        column: place.map(|(_, column)| column),
        rule,
        message,
    }
}
