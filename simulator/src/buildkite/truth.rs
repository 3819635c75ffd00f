//! What really happened to every job, whatever the API showed.

use std::time::Duration;

use buildscaler_core::{AgentId, BuildkiteJobId, Queue, Timestamp};

/// One event in the life of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening {
    /// When.
    pub at: Timestamp,
    /// The number of the build.
    pub build: u64,
    /// The job.
    pub id: BuildkiteJobId,
    /// What.
    pub event: LifeEvent,
}

/// What may happen to a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LifeEvent {
    /// It became dispatchable.
    Scheduled,
    /// It was given to an agent.
    Assigned(AgentId),
    /// An agent runs it.
    Started(AgentId),
    /// It ran to its end, with this exit status.
    Finished(i64),
    /// A user cancelled it.
    Canceled,
    /// It was cut off by something that nobody asked of the build.
    Interrupted(Why),
}

/// Why a job was cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// Its agent was stopped with `force`.
    ForceStop,
    /// Its agent fell silent.
    AgentLost,
    /// Its agent disconnected before finishing it.
    AgentDisconnected,
    /// Its agent ended it: exit status -1 or the signal reason `agent_stop`.
    AgentStop,
}

/// How long one job waited for an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// The job.
    pub id: BuildkiteJobId,
    /// Its queue.
    pub queue: Queue,
    /// When it became dispatchable.
    pub runnable_at: Timestamp,
    /// When it started; none if it has not.
    pub started_at: Option<Timestamp>,
    /// When it was over, whether it ran or not.
    pub over_at: Option<Timestamp>,
}

impl Wait {
    /// How long it waited, up to `now` if it still does.
    pub fn length(&self, now: Timestamp) -> Duration {
        self.started_at.unwrap_or(now).since(self.runnable_at)
    }
}

/// The log of happenings, in order.
#[derive(Clone, Debug, Default)]
pub struct TruthLog {
    happenings: Vec<Happening>,
}

impl TruthLog {
    pub(crate) fn note(&mut self, happening: Happening) {
        self.happenings.push(happening);
    }

    /// Everything that happened, the oldest first.
    pub fn happenings(&self) -> &[Happening] {
        &self.happenings
    }

    /// What happened to one job.
    pub fn of<'a>(&'a self, id: &'a BuildkiteJobId) -> impl Iterator<Item = &'a LifeEvent> {
        self.happenings
            .iter()
            .filter(move |happening| happening.id == *id)
            .map(|happening| &happening.event)
    }

    /// The jobs that were cut off, and why. Invariant 25 wants none.
    pub fn interruptions(&self) -> Vec<(BuildkiteJobId, Why)> {
        self.happenings
            .iter()
            .filter_map(|happening| match &happening.event {
                LifeEvent::Interrupted(why) => Some((happening.id.clone(), *why)),
                LifeEvent::Scheduled
                | LifeEvent::Assigned(_)
                | LifeEvent::Started(_)
                | LifeEvent::Finished(_)
                | LifeEvent::Canceled => None,
            })
            .collect()
    }

    /// How many jobs ran to their end.
    pub fn finished(&self) -> usize {
        self.happenings
            .iter()
            .filter(|happening| matches!(happening.event, LifeEvent::Finished(_)))
            .count()
    }
}
