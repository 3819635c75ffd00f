//! From inputs and steps to lines.

use std::sync::Arc;

use buildscaler_core::{
    Agent, BuildkiteJob, ClusterView, CommandId, Input, Lease, Look, Outcome, Pod, Spending, Step, Template, Timestamp,
    View,
};

use crate::delta::Delta;
use crate::format::{InputLine, RecordedInput, STEP_PREFIX};
use crate::redact::Redactor;

/// Writes the lines of one file. It remembers the lists of the file's last
/// views, and so writes what changed in them only.
#[derive(Debug)]
pub(crate) struct Encoder {
    redactor: Redactor,
    templates: Lists<Arc<Template>>,
    pods: Lists<Arc<Pod>>,
    jobs: Lists<BuildkiteJob>,
    agents: Lists<Agent>,
}

/// The last complete list of one kind: as it was seen, and as it was written.
#[derive(Debug)]
struct Lists<T> {
    seen: Vec<T>,
    shown: Vec<T>,
}

impl Encoder {
    pub(crate) fn new() -> Self {
        Self {
            redactor: Redactor::new(),
            templates: Lists::new(),
            pods: Lists::new(),
            jobs: Lists::new(),
            agents: Lists::new(),
        }
    }

    /// Begins another file: nothing of the last one may be referred to. What
    /// stands for a text that is left out stays the same.
    pub(crate) fn begin_file(&mut self) {
        let redactor = std::mem::replace(&mut self.redactor, Redactor::of_replay());
        *self = Self {
            redactor,
            ..Self::new()
        };
    }

    /// The line of an input, and the input as whoever reads the line sees it.
    pub(crate) fn input(&mut self, at: Timestamp, input: &Input) -> serde_json::Result<(Vec<u8>, Input)> {
        let (written, shown) = match input {
            Input::Tick => (RecordedInput::Tick, Input::Tick),
            Input::Shutdown => (RecordedInput::Shutdown, Input::Shutdown),
            Input::Lease { id, view } => self.lease(*id, view),
            Input::Outcome { id, outcome, spending } => self.outcome(*id, outcome, spending),
            Input::Cluster { id, view } => self.cluster(*id, view),
            Input::Buildkite { id, look } => self.look(*id, look),
        };
        Ok((line(&InputLine { at, input: written })?, shown))
    }

    fn outcome(&self, id: CommandId, outcome: &Outcome, spending: &Spending) -> (RecordedInput, Input) {
        let outcome = self.redactor.outcome(outcome);
        let spending = spending.clone();
        let written = RecordedInput::Outcome {
            id,
            outcome: outcome.clone(),
            spending: spending.clone(),
        };
        (written, Input::Outcome { id, outcome, spending })
    }

    /// It names a process and its host, and times.
    fn lease(&self, id: CommandId, view: &View<Option<Lease>>) -> (RecordedInput, Input) {
        let view = match view {
            View::Complete(lease) => View::Complete(lease.clone()),
            View::Unknown(failure) => View::Unknown(self.redactor.failure(failure)),
        };
        (
            RecordedInput::Lease { id, view: view.clone() },
            Input::Lease { id, view },
        )
    }

    fn cluster(&mut self, id: Option<CommandId>, view: &ClusterView) -> (RecordedInput, Input) {
        let redactor = &self.redactor;
        let begun_at = view.begun_at;
        let (templates, shown_templates) = self.templates.view(
            &view.templates,
            redactor,
            |row| row.uid.as_str(),
            |row| Arc::new(redactor.template(row)),
        );
        let (pods, shown_pods) = self
            .pods
            .view(&view.pods, redactor, |row| row.uid.as_str(), |row| redactor.pod(row));
        let written = RecordedInput::Cluster {
            id,
            begun_at,
            templates,
            pods,
        };
        let view = ClusterView {
            begun_at,
            templates: shown_templates,
            pods: shown_pods,
        };
        (written, Input::Cluster { id, view })
    }

    fn look(&mut self, id: CommandId, look: &Look) -> (RecordedInput, Input) {
        let redactor = &self.redactor;
        let Look { begun_at, .. } = *look;
        let jobs = self
            .jobs
            .rows(&look.jobs, |row| row.id.as_str(), |row| redactor.buildkite_job(row));
        let agents = self
            .agents
            .rows(&look.agents, |row| row.id.as_str(), |row| redactor.agent(row));
        let (end, spending) = (redactor.end(&look.end), look.spending.clone());
        let shown = Look {
            begun_at,
            jobs: self.jobs.shown.clone(),
            agents: self.agents.shown.clone(),
            end: end.clone(),
            spending: spending.clone(),
        };
        let written = RecordedInput::Buildkite {
            id,
            begun_at,
            jobs,
            agents,
            end,
            spending,
        };
        (written, Input::Buildkite { id, look: shown })
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

impl<T: Clone + PartialEq> Lists<T> {
    fn new() -> Self {
        Self {
            seen: Vec::new(),
            shown: Vec::new(),
        }
    }

    /// What changed in the rows, which are remembered.
    fn rows(&mut self, now: &[T], id: impl Fn(&T) -> &str, show: impl FnMut(&T) -> T) -> Delta<T> {
        let delta = Delta::between(&self.seen, now, id, show);
        now.clone_into(&mut self.seen);
        // A delta fits the list that it was made for.
        self.shown = delta.clone().apply(&self.shown).unwrap_or_default();
        delta
    }

    fn view(
        &mut self,
        now: &View<Vec<T>>,
        redactor: &Redactor,
        id: impl Fn(&T) -> &str,
        show: impl FnMut(&T) -> T,
    ) -> (View<Delta<T>>, View<Vec<T>>) {
        match now {
            View::Complete(now) => {
                let delta = self.rows(now, id, show);
                (View::Complete(delta), View::Complete(self.shown.clone()))
            }
            View::Unknown(failure) => {
                let failure = redactor.failure(failure);
                (View::Unknown(failure.clone()), View::Unknown(failure))
            }
        }
    }
}
