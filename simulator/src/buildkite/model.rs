//! The records that the fake keeps, and what may be read off them.

use std::cmp::Reverse;

use buildscaler_core::{AgentId, BuildkiteJobId, Queue, Timestamp};

use super::lagging::Lagging;
use super::spec::JobSpec;

/// A registered agent, in whatever state.
#[derive(Clone, Debug)]
pub struct Agent {
    pub(crate) sequence: u64,
    /// Its id.
    pub id: AgentId,
    /// Its name; not unique.
    pub name: String,
    /// What its host calls itself.
    pub hostname: String,
    /// Its version.
    pub version: String,
    /// Its operating system.
    pub os: String,
    /// Its architecture.
    pub arch: String,
    /// Its tags; at least one of them names a queue.
    pub tags: Vec<String>,
    /// Higher gets jobs first.
    pub priority: i64,
    /// Whether ordinary dispatch passes it over.
    pub ignored_in_dispatches: bool,
    /// How it stands with Buildkite.
    pub state: AgentState,
    /// When it registered.
    pub created_at: Timestamp,
    /// When it connected.
    pub connected_at: Option<Timestamp>,
    /// When it disconnected.
    pub disconnected_at: Option<Timestamp>,
    /// When it was found lost.
    pub lost_at: Option<Timestamp>,
    /// When it was asked to stop.
    pub stopped_at: Option<Timestamp>,
    /// When it last showed a sign of life.
    pub heartbeat_at: Timestamp,
    /// When it last finished a job.
    pub last_finished_at: Option<Timestamp>,
    /// Whether an operator paused it.
    pub pause: Option<Pause>,
    pub(crate) silent: bool,
    pub(crate) holds: Option<u64>,
    pub(crate) shown: Lagging<Shown>,
    pub(crate) idle_as: Option<IdleKey>,
}

impl Agent {
    /// The queues it serves.
    pub fn queues(&self) -> impl Iterator<Item = Queue> + '_ {
        self.tags
            .iter()
            .filter_map(|tag| tag.strip_prefix("queue="))
            .map(Queue::from)
    }

    /// Whether every rule but the queue is met by its tags.
    pub(crate) fn satisfies(&self, rules: &[String]) -> bool {
        rules.iter().all(|rule| match rule.strip_suffix("=*") {
            Some(key) => self.tags.iter().any(|tag| tag.split('=').next() == Some(key)),
            None => self.tags.contains(rule),
        })
    }

    /// Whether it could be given a job now.
    pub(crate) fn is_free(&self) -> bool {
        self.state == AgentState::Connected
            && self.holds.is_none()
            && self.pause.is_none()
            && !self.ignored_in_dispatches
    }

    /// Its place among idle agents: priority, then the most recently busy.
    pub(crate) fn idle_key(&self) -> IdleKey {
        (Reverse(self.priority), Reverse(self.last_finished_at), self.sequence)
    }
}

/// The order in which idle agents are given jobs.
pub(crate) type IdleKey = (Reverse<i64>, Reverse<Option<Timestamp>>, u64);

/// What the agent list may show late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) state: AgentState,
    pub(crate) holds: Option<u64>,
}

/// An operator's pause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    /// Since when.
    pub since: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// The operator's note.
    pub note: Option<String>,
}

/// `connection_state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AgentState {
    /// Registered only.
    NeverConnected,
    /// Takes jobs.
    Connected,
    /// Asked to stop, not gone yet.
    Stopping,
    /// Left after being asked to.
    Stopped,
    /// Left by itself.
    Disconnected,
    /// Silent for too long.
    Lost,
}

impl AgentState {
    /// As Buildkite spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NeverConnected => "never_connected",
            Self::Connected => "connected",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Disconnected => "disconnected",
            Self::Lost => "lost",
        }
    }

    /// Whether the agent list shows it: the list's blind spot is all the rest.
    pub const fn is_listed(self) -> bool {
        match self {
            Self::Connected | Self::Stopping => true,
            Self::NeverConnected | Self::Stopped | Self::Disconnected | Self::Lost => false,
        }
    }
}

/// A job of a build: one step run.
#[derive(Clone, Debug)]
pub struct BuildkiteJob {
    pub(crate) sequence: u64,
    /// Its id.
    pub id: BuildkiteJobId,
    /// The number of its build.
    pub build: u64,
    /// What was asked for.
    pub spec: JobSpec,
    /// How far it is.
    pub state: JobState,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it became dispatchable.
    pub runnable_at: Option<Timestamp>,
    /// When it started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Its exit status; -1 where its agent did not tell.
    pub exit_status: Option<i64>,
    /// Why it was ended by a signal, if it was.
    pub signal_reason: Option<String>,
    /// Bytes of log received.
    pub log_bytes: usize,
    pub(crate) agent: Option<u64>,
    pub(crate) needs: Vec<u64>,
    pub(crate) retried_in: Option<u64>,
}

impl BuildkiteJob {
    /// The queue it wants.
    pub fn queue(&self) -> Queue {
        self.spec.queue.clone().unwrap_or_else(|| Queue::from("default"))
    }

    /// Its `agent_query_rules`: the queue, if it names one, and the rest.
    pub fn rules(&self) -> Vec<String> {
        let queue = self.spec.queue.iter().map(|queue| format!("queue={queue}"));
        queue.chain(self.spec.rules.iter().cloned()).collect()
    }

    /// The agent that has or had it.
    pub(crate) fn agent_id<'a>(&self, fake: &'a super::FakeBuildkite) -> Option<&'a AgentId> {
        fake.agents.get(&self.agent?).map(|agent| &agent.id)
    }

    /// Whether it counts against its concurrency group.
    pub(crate) fn takes_a_slot(&self) -> bool {
        self.state == JobState::Scheduled || self.state.is_held()
    }
}

/// `state` of a job; the transitional states that a client can hardly see
/// (`limiting`, `timing_out` and the like) are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum JobState {
    /// Behind a wait step or a dependency.
    Waiting,
    /// A block step that waits for a human.
    Blocked,
    /// Held back by its concurrency group.
    Limited,
    /// Wants an agent.
    Scheduled,
    /// Given to an agent that does not know yet.
    Assigned,
    /// Its agent prepares.
    Accepted,
    /// Its agent runs it.
    Running,
    /// Its agent is to end it.
    Canceling,
    /// Ended well; a wait or block step that was passed.
    Passed,
    /// Ended badly.
    Failed,
    /// Cancelled.
    Canceled,
    /// Cannot run any more: something it depends on failed.
    Broken,
}

impl JobState {
    /// As Buildkite spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Blocked => "blocked",
            Self::Limited => "limited",
            Self::Scheduled => "scheduled",
            Self::Assigned => "assigned",
            Self::Accepted => "accepted",
            Self::Running => "running",
            Self::Canceling => "canceling",
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Broken => "broken",
        }
    }

    /// Whether an agent has it.
    pub const fn is_held(self) -> bool {
        matches!(self, Self::Assigned | Self::Accepted | Self::Running | Self::Canceling)
    }

    /// Whether nothing will happen to it any more.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Passed | Self::Failed | Self::Canceled | Self::Broken)
    }
}

/// A build.
#[derive(Clone, Debug)]
pub struct Build {
    /// Its number, unique in the whole fake.
    pub number: u64,
    /// The slug of its pipeline.
    pub pipeline: String,
    /// The branch it builds.
    pub branch: String,
    /// How far it is.
    pub state: BuildState,
    /// Whether it waits at a block step; `state` is then that of the rest.
    pub blocked: bool,
    /// When it was created.
    pub created_at: Timestamp,
    /// When its first job started.
    pub started_at: Option<Timestamp>,
    /// When its first job failed.
    pub failing_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    pub(crate) canceled: bool,
    pub(crate) jobs: Vec<u64>,
}

/// `state` of a build.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BuildState {
    /// No job has started.
    Scheduled,
    /// Some job has started.
    Running,
    /// Some job has failed, others still have to run.
    Failing,
    /// Cancelled, some job still has to end.
    Canceling,
    /// All well.
    Passed,
    /// Some job failed.
    Failed,
    /// Cancelled.
    Canceled,
}

impl BuildState {
    /// As Buildkite spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Running => "running",
            Self::Failing => "failing",
            Self::Canceling => "canceling",
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }

    /// Whether it has ended.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Passed | Self::Failed | Self::Canceled)
    }
}
