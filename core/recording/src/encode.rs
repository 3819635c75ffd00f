//! From inputs and steps to lines.

use std::sync::Arc;

use buildscaler_core::{Agent, BuildkiteJob, ClusterView, Input, Look, Pod, Step, Template, Timestamp, View};

use crate::delta::Delta;
use crate::format::{InputLine, RecordedInput, STEP_PREFIX};
use crate::redact::Redactor;

/// Writes the lines of one file. It remembers the lists of the file's last
/// views, and so writes what changed in them only.
#[derive(Debug)]
pub(crate) struct Encoder {
    redactor: Redactor,
    templates: Vec<Arc<Template>>,
    pods: Vec<Arc<Pod>>,
    jobs: Vec<BuildkiteJob>,
    agents: Vec<Agent>,
}

impl Encoder {
    pub(crate) fn new() -> Self {
        Self {
            redactor: Redactor::new(),
            templates: Vec::new(),
            pods: Vec::new(),
            jobs: Vec::new(),
            agents: Vec::new(),
        }
    }

    /// Begins another file: nothing of the last one may be referred to. What
    /// stands for a text that is left out stays the same.
    pub(crate) fn begin_file(&mut self) {
        self.templates.clear();
        self.pods.clear();
        self.jobs.clear();
        self.agents.clear();
    }

    /// The line of an input.
    pub(crate) fn input(&mut self, at: Timestamp, input: &Input) -> serde_json::Result<Vec<u8>> {
        let input = match input {
            Input::Tick => RecordedInput::Tick,
            Input::Shutdown => RecordedInput::Shutdown,
            Input::Outcome { id, outcome, spending } => RecordedInput::Outcome {
                id: *id,
                outcome: self.redactor.outcome(outcome),
                spending: spending.clone(),
            },
            Input::Cluster { id, view } => {
                let ClusterView {
                    begun_at,
                    templates,
                    pods,
                } = view;
                let redactor = &self.redactor;
                RecordedInput::Cluster {
                    id: *id,
                    begun_at: *begun_at,
                    templates: list(
                        &mut self.templates,
                        templates,
                        redactor,
                        |row| row.uid.as_str(),
                        |row| Arc::new(redactor.template(row)),
                    ),
                    pods: list(
                        &mut self.pods,
                        pods,
                        redactor,
                        |row| row.uid.as_str(),
                        |row| redactor.pod(row),
                    ),
                }
            }
            Input::Buildkite { id, look } => {
                let Look {
                    begun_at,
                    jobs,
                    agents,
                    end,
                    spending,
                } = look;
                let redactor = &self.redactor;
                RecordedInput::Buildkite {
                    id: *id,
                    begun_at: *begun_at,
                    jobs: rows(
                        &mut self.jobs,
                        jobs,
                        |row| row.id.as_str(),
                        |row| redactor.buildkite_job(row),
                    ),
                    agents: rows(
                        &mut self.agents,
                        agents,
                        |row| row.id.as_str(),
                        |row| redactor.agent(row),
                    ),
                    end: redactor.end(end),
                    spending: spending.clone(),
                }
            }
        };
        line(&InputLine { at, input })
    }

    /// The line of a step.
    pub(crate) fn step(&self, step: &Step) -> serde_json::Result<Vec<u8>> {
        let mut line = STEP_PREFIX.as_bytes().to_vec();
        serde_json::to_writer(&mut line, &self.redactor.step(step))?;
        line.extend_from_slice(b"}\n");
        Ok(line)
    }
}

/// A line of JSON.
pub(crate) fn line(value: &impl serde::Serialize) -> serde_json::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    Ok(line)
}

fn list<T: Clone + PartialEq>(
    last: &mut Vec<T>,
    now: &View<Vec<T>>,
    redactor: &Redactor,
    id: impl Fn(&T) -> &str,
    shown: impl FnMut(&T) -> T,
) -> View<Delta<T>> {
    match now {
        View::Complete(now) => View::Complete(rows(last, now, id, shown)),
        View::Unknown(failure) => View::Unknown(redactor.failure(failure)),
    }
}

fn rows<T: Clone + PartialEq>(
    last: &mut Vec<T>,
    now: &[T],
    id: impl Fn(&T) -> &str,
    shown: impl FnMut(&T) -> T,
) -> Delta<T> {
    let delta = Delta::between(last, now, id, shown);
    now.clone_into(last);
    delta
}
