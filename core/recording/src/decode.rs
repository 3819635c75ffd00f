//! From lines back to inputs and steps.

use std::sync::Arc;

use buildscaler_core::{Agent, BuildkiteJob, ClusterView, Input, Look, Pod, Step, Template, Timestamp, View};
use serde::Deserialize;

use crate::delta::{Delta, Unfit};
use crate::error::Problem;
use crate::format::{FORMAT, Header, InputLine, RecordedInput, STEP_PREFIX, VERSION};

/// Reads the lines of one file, remembering what later lines refer to.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    templates: Vec<Arc<Template>>,
    pods: Vec<Arc<Pod>>,
    jobs: Vec<BuildkiteJob>,
    agents: Vec<Agent>,
}

/// What a header must have before the rest of it can be understood.
#[derive(Deserialize)]
struct Label {
    format: String,
    version: u32,
}

/// Reads the first line.
pub(crate) fn header(line: &[u8]) -> Result<Header, Problem> {
    let label: Label = serde_json::from_slice(line).map_err(|_| Problem::NoRecording)?;
    if label.format != FORMAT {
        return Err(Problem::NoRecording);
    }
    if label.version != VERSION {
        return Err(Problem::OtherVersion(label.version));
    }
    serde_json::from_slice(line).map_err(|error| Problem::Malformed(words(&error)))
}

impl Decoder {
    /// Reads the line of an input.
    pub(crate) fn input(&mut self, line: &[u8]) -> Result<(Timestamp, Input), Problem> {
        let InputLine { at, input } =
            serde_json::from_slice(line).map_err(|error| Problem::Malformed(words(&error)))?;
        let input = match input {
            RecordedInput::Tick => Input::Tick,
            RecordedInput::Shutdown => Input::Shutdown,
            RecordedInput::Lease { id, view } => Input::Lease { id, view },
            RecordedInput::Outcome { id, outcome, spending } => Input::Outcome { id, outcome, spending },
            RecordedInput::Cluster {
                id,
                begun_at,
                templates,
                pods,
            } => Input::Cluster {
                id,
                view: ClusterView {
                    begun_at,
                    templates: list(&mut self.templates, templates)?,
                    pods: list(&mut self.pods, pods)?,
                },
            },
            RecordedInput::Buildkite {
                id,
                begun_at,
                jobs,
                agents,
                end,
                spending,
            } => Input::Buildkite {
                id,
                look: Look {
                    begun_at,
                    jobs: rows(&mut self.jobs, jobs)?,
                    agents: rows(&mut self.agents, agents)?,
                    end,
                    spending,
                },
            },
        };
        Ok((at, input))
    }
}

/// Reads the line of a step; its JSON as it is written, too.
pub(crate) fn step(line: &[u8]) -> Result<(Step, String), Problem> {
    let text = std::str::from_utf8(line).map_err(|error| Problem::Malformed(error.to_string()))?;
    let text = text
        .trim_end()
        .strip_prefix(STEP_PREFIX)
        .and_then(|rest| rest.strip_suffix('}'))
        .ok_or(Problem::NoStep)?;
    let step = serde_json::from_str(text).map_err(|error| Problem::Malformed(words(&error)))?;
    Ok((step, text.to_owned()))
}

/// What serde has to say, without its line number: it saw one line only.
fn words(error: &serde_json::Error) -> String {
    let said = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    match said.strip_suffix(&place) {
        Some(said) => format!("{said}, at column {}", error.column()),
        None => said,
    }
}

fn list<T: Clone + PartialEq>(last: &mut Vec<T>, delta: View<Delta<T>>) -> Result<View<Vec<T>>, Unfit> {
    match delta {
        View::Complete(delta) => Ok(View::Complete(rows(last, delta)?)),
        View::Unknown(failure) => Ok(View::Unknown(failure)),
    }
}

fn rows<T: Clone + PartialEq>(last: &mut Vec<T>, delta: Delta<T>) -> Result<Vec<T>, Unfit> {
    *last = delta.apply(last)?;
    Ok(last.clone())
}
