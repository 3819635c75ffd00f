//! A second controller that is told all that the first is told: it remembers
//! the same, and can be looked into.

use std::alloc::System;
use std::fs;
use std::time::Duration;

use buildscaler_core::{Action, Controller, Input, Step, Timestamp};
use buildscaler_simulator::Witness;
use buildscaler_simulator::scenario::Scenario;
use stats_alloc::Region;

use crate::ALLOCATOR;

/// How often it is looked into.
const EVERY: Duration = Duration::from_secs(3600);

/// What was found when it was looked into.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// Since the beginning.
    at: Duration,
    /// How long all that it remembers is, written down.
    pub(crate) written: usize,
    /// The bytes that it holds, as the allocator counts them.
    pub(crate) held: isize,
    /// What the whole process holds, the simulated world included.
    pub(crate) resident_kib: u64,
}

/// The double.
pub(crate) struct Double {
    controller: Controller,
    held: isize,
    /// The step that the first controller is to take.
    told: Option<String>,
    began: Option<Timestamp>,
    pub(crate) samples: Vec<Sample>,
    pub(crate) steps: u64,
    /// Commands that changed something.
    pub(crate) deeds: u64,
}

impl Double {
    pub(crate) fn of(scenario: &Scenario) -> Self {
        let region = Region::new(ALLOCATOR);
        let controller = Controller::new(scenario.controller.config(&scenario.world.buildkite));
        Self {
            held: net(&region),
            controller,
            told: None,
            began: None,
            samples: Vec::new(),
            steps: 0,
            deeds: 0,
        }
    }

    /// The last sample of each period: then nothing has been there for hours.
    pub(crate) fn at_rest(&self, length: Duration) -> Vec<&Sample> {
        self.of_each(length, |samples| samples.last())
    }

    /// The sample of each period in which most was remembered.
    pub(crate) fn fullest(&self, length: Duration) -> Vec<&Sample> {
        self.of_each(length, |samples| samples.iter().max_by_key(|sample| sample.written))
    }

    fn of_each<'a>(&'a self, length: Duration, pick: impl Fn(&'a [Sample]) -> Option<&'a Sample>) -> Vec<&'a Sample> {
        let period = |sample: &Sample| (sample.at.as_secs() - 1) / length.as_secs();
        let periods = self.samples.chunk_by(|a, b| period(a) == period(b));
        periods.filter_map(pick).collect()
    }

    fn look(&mut self, clock: Timestamp) {
        // The very beginning and the very end belong to a period as well.
        let at = clock.since(self.began.unwrap_or(clock)).max(Duration::from_secs(1));
        if self.samples.last().is_some_and(|last| at < last.at + EVERY) {
            return;
        }
        let written = serde_json::to_vec(&self.controller).expect("it can be written").len();
        self.samples.push(Sample {
            at,
            written,
            held: self.held,
            resident_kib: resident_kib(),
        });
    }
}

impl Witness for Double {
    fn input(&mut self, _controller: u8, clock: Timestamp, input: &Input) {
        self.began.get_or_insert(clock);
        let written = serde_json::to_vec(input).expect("an input can be written");
        let region = Region::new(ALLOCATOR);
        // Read back it shares nothing with the world.
        let input = serde_json::from_slice(&written).expect("what was written can be read");
        let step = serde_json::to_string(&self.controller.step(clock, input)).expect("a step can be written");
        self.held += net(&region) - step.capacity().cast_signed();
        self.told = Some(step);
        self.look(clock);
    }

    fn step(&mut self, _controller: u8, step: &Step) {
        let step_as_told = serde_json::to_string(step).ok();
        assert_eq!(
            self.told.take(),
            step_as_told,
            "equal histories give equal steps (Invariant 13)"
        );
        self.steps += 1;
        for command in &step.commands {
            match command.action {
                Action::ObserveCluster | Action::ObserveBuildkite { .. } => {}
                Action::CreatePod(_)
                | Action::StopAgent { .. }
                | Action::DeletePod { .. }
                | Action::ReadLease { .. }
                | Action::WriteLease(_)
                | Action::RegisterUsage { .. }
                | Action::MeterUsage { .. } => self.deeds += 1,
            }
        }
    }
}

/// The bytes that were taken since then and not given back.
fn net(region: &Region<'_, System>) -> isize {
    let change = region.change();
    change.bytes_allocated.cast_signed() - change.bytes_deallocated.cast_signed()
}

/// What the process has in memory, as the kernel counts it.
fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok())
        .unwrap_or(0)
}
