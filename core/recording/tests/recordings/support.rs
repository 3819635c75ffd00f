//! Leads the life of a controller under a recorder.

use std::path::Path;

use buildscaler_core::{Action, CommandId, Config, Controller, Input, Step, Timestamp};
use buildscaler_recording::{Notice, Program, Recorder, Settings};

use crate::odd::later;

/// Stands wherever somebody may have put a secret.
pub(crate) const MARKER: &str = "marker-5ecret";
/// Where every test's time begins.
pub(crate) const START: Timestamp = Timestamp::from_millis(1_793_534_400_000);

pub(crate) fn settings(folder: &Path, most_bytes: u64) -> Settings {
    Settings {
        folder: folder.to_owned(),
        most_bytes,
        program: Program {
            name: "test".into(),
            version: env!("CARGO_PKG_VERSION").into(),
        },
    }
}

/// A controller, its recorder, and the commands that wait for an answer.
pub(crate) struct Life {
    pub(crate) controller: Controller,
    pub(crate) recorder: Recorder,
    pub(crate) now: Timestamp,
    pub(crate) steps: usize,
    pub(crate) notices: Vec<Notice>,
    looks: Vec<CommandId>,
    clusters: Vec<CommandId>,
    writes: Vec<CommandId>,
}

impl Life {
    pub(crate) fn begin(folder: &Path, most_bytes: u64) -> Self {
        Self::begin_at(START, folder, most_bytes)
    }

    pub(crate) fn begin_at(now: Timestamp, folder: &Path, most_bytes: u64) -> Self {
        let config = Config::default();
        let mut life = Self {
            controller: Controller::new(config.clone()),
            recorder: Recorder::new(settings(folder, most_bytes), config),
            now,
            steps: 0,
            notices: Vec::new(),
            looks: Vec::new(),
            clusters: Vec::new(),
            writes: Vec::new(),
        };
        life.tell(0, Input::Tick);
        life
    }

    /// Tells the controller something, after so many seconds.
    pub(crate) fn tell(&mut self, seconds: u32, input: Input) -> Step {
        self.now = later(self.now, seconds);
        let input = self.addressed(input);
        self.notices.extend(self.recorder.input(self.now, &input));
        let step = self.controller.step(self.now, input);
        self.notices.extend(self.recorder.step(self.now, &step));
        for command in &step.commands {
            match command.action {
                Action::ObserveCluster => self.clusters.push(command.id),
                Action::ObserveBuildkite { .. } => self.looks.push(command.id),
                Action::CreatePod(_)
                | Action::StopAgent { .. }
                | Action::DeletePod { .. }
                | Action::RegisterUsage { .. }
                | Action::MeterUsage { .. }
                | Action::ReadLease { .. }
                | Action::WriteLease(_) => {
                    self.writes.push(command.id);
                }
            }
        }
        self.steps += 1;
        step
    }

    /// The input as the answer to the newest command of its kind.
    fn addressed(&mut self, input: Input) -> Input {
        match input {
            Input::Cluster { id: Some(id), view } => Input::Cluster {
                id: Some(self.clusters.pop().unwrap_or(id)),
                view,
            },
            Input::Buildkite { id, look } => Input::Buildkite {
                id: self.looks.pop().unwrap_or(id),
                look,
            },
            Input::Outcome { id, outcome, spending } => Input::Outcome {
                id: self.writes.pop().unwrap_or(id),
                outcome,
                spending,
            },
            Input::Cluster { id: None, .. } | Input::Tick | Input::Lease { .. } | Input::Shutdown => input,
        }
    }
}

/// Everything that lies in a folder, as text.
pub(crate) fn contents(folder: &Path) -> String {
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    names.sort();
    names
        .iter()
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect()
}
