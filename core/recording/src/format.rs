//! The lines of a recording, as they are written.
//!
//! The first line of a file is its [`Header`]. Then an [`InputLine`] and a
//! [`StepLine`] take turns.

use std::sync::Arc;

use buildscaler_core::{
    Agent, BuildkiteJob, CommandId, Config, Controller, Lease, LookEnd, Outcome, Pod, Spending, Template, Timestamp,
    View,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::delta::Delta;

/// What the first line of every file calls itself.
pub(crate) const FORMAT: &str = "buildscaler-recording";
/// The version of the format that is written, and the only one that is read.
pub(crate) const VERSION: u32 = 1;

/// The first line of every file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Always the same text: tells a recording from any other file.
    pub(crate) format: String,
    /// The version of the format.
    pub(crate) version: u32,
    /// What wrote it.
    pub program: Program,
    /// Names the process; all its files bear it.
    pub run: String,
    /// The number of this file among those of its run, from 1.
    pub part: u32,
    /// What the first input of this file follows upon.
    pub start: Start,
    /// The settings of the controller.
    pub config: Config,
    /// All that the controller knew at the beginning of this file, without
    /// what is left out of recordings; none if it was new and knew nothing.
    pub(crate) state: Option<Value>,
}

impl Header {
    /// A controller as it was at the beginning of this file; none if that is
    /// not written, or cannot be understood.
    pub fn controller(&self) -> Option<Controller> {
        match (&self.state, self.start) {
            (Some(state), _) => Controller::deserialize(state).ok(),
            (None, Start::Fresh) => Some(Controller::new(self.config.clone())),
            (None, Start::Continued | Start::Gap) => None,
        }
    }
}

/// A program and its version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// Its name.
    pub name: String,
    /// Its version; a replay is promised for the same one only.
    pub version: String,
}

/// What the first input of a file follows upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// Nothing: the controller was new, but for what it may recall from an
    /// earlier process.
    Fresh,
    /// The last step of the file before.
    Continued,
    /// Steps that could not be written.
    Gap,
}

/// The beginning of a step: what the controller is told, and when.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct InputLine {
    pub(crate) at: Timestamp,
    pub(crate) input: RecordedInput,
}

/// How the line of a step begins; its JSON and a brace follow.
pub(crate) const STEP_PREFIX: &str = "{\"step\":";

/// An [`Input`](buildscaler_core::Input) whose lists are written as what
/// changed in them since the last complete one of the same file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RecordedInput {
    Tick,
    Cluster {
        id: Option<CommandId>,
        begun_at: Timestamp,
        templates: View<Delta<Arc<Template>>>,
        pods: View<Delta<Arc<Pod>>>,
    },
    Buildkite {
        id: CommandId,
        begun_at: Timestamp,
        jobs: Delta<BuildkiteJob>,
        agents: Delta<Agent>,
        end: LookEnd,
        spending: Spending,
    },
    Outcome {
        id: CommandId,
        outcome: Outcome,
        spending: Spending,
    },
    Lease {
        id: CommandId,
        view: View<Option<Lease>>,
    },
    Shutdown,
}
