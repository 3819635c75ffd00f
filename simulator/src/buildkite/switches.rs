//! What is not known about the real Buildkite, each as a switch.
//!
//! `reference/buildkite.md` marks what documentation and source code leave
//! open. A claim about the controller should hold with either setting.

use std::time::Duration;

use http::StatusCode;

/// The fake's answers to open questions, and its timings.
#[derive(Clone, Debug)]
pub struct Switches {
    /// What a second graceful stop of a `stopping` agent is answered with.
    pub stop_of_stopping: StatusCode,
    /// What a stop of an unknown agent is answered with.
    pub stop_of_unknown: StatusCode,
    /// How the REST API names a job that a concurrency limit holds back.
    pub limited: ShownLimited,
    /// The order of the agent list.
    pub agent_order: AgentOrder,
    /// How far the agent list is behind the truth.
    pub agent_list_lag: Duration,
    /// When a job is given to an agent.
    pub dispatch: Dispatch,
    /// What becomes of a job that was assigned but not yet accepted when its
    /// agent is asked to stop gracefully.
    pub unaccepted_at_stop: Unaccepted,
    /// The same when its agent leaves or is lost.
    pub unaccepted_at_exit: Unaccepted,
    /// Whether an agent that was declared lost may take up contact again. If
    /// not, its calls are refused and it exits.
    pub lost_may_return: bool,
    /// Whether the list and a refusal spell out the missing scope, or only
    /// say `Forbidden`.
    pub scope_error_names_scope: bool,
    /// From which row on a builds list is refused as too deep.
    pub deepest_build: u64,
    /// Whether agents and jobs belong to a cluster, and so carry its ids.
    pub clustered: bool,
    /// Whether agents carry the recent field `queue`.
    pub agent_queue_field: bool,
    /// `Buildkite-Agent-Metrics-Poll-Duration`.
    pub metrics_poll: Duration,
    /// How often agents are told to ping.
    pub ping_interval: Duration,
    /// How often agents are told to send a heartbeat.
    pub heartbeat_interval: Duration,
    /// How often agents are told to look whether their job was cancelled.
    pub job_status_interval: Duration,
    /// How long an agent may be silent before it counts as lost.
    pub lost_after: Duration,
    /// How often lost agents are looked for.
    pub lost_sweep: Duration,
    /// Whether agents count as alive until [`FakeBuildkite::silence`] says
    /// otherwise, without sending heartbeats: thousands of them would be most
    /// of a simulation.
    ///
    /// [`FakeBuildkite::silence`]: super::FakeBuildkite::silence
    pub heartbeats_implied: bool,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            stop_of_stopping: StatusCode::NO_CONTENT,
            stop_of_unknown: StatusCode::NOT_FOUND,
            limited: ShownLimited::Scheduled,
            agent_order: AgentOrder::NewestFirst,
            agent_list_lag: Duration::ZERO,
            dispatch: Dispatch::Ahead,
            unaccepted_at_stop: Unaccepted::Kept,
            unaccepted_at_exit: Unaccepted::Rescheduled,
            lost_may_return: true,
            scope_error_names_scope: true,
            deepest_build: 10_000,
            clustered: false,
            agent_queue_field: true,
            metrics_poll: Duration::from_secs(10),
            ping_interval: Duration::from_secs(10),
            heartbeat_interval: Duration::from_secs(60),
            job_status_interval: Duration::from_secs(10),
            lost_after: Duration::from_secs(180),
            lost_sweep: Duration::from_secs(60),
            heartbeats_implied: false,
        }
    }
}

/// How a limited job reads in the REST API; `runnable_at` is null either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShownLimited {
    /// As `scheduled`, as one page of the documentation says.
    Scheduled,
    /// As `limited`, as another page lists it.
    Limited,
}

/// The order in which agents are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentOrder {
    /// By registration, the newest first: new agents shift later pages.
    NewestFirst,
    /// By registration, the oldest first: leaving agents shift later pages.
    OldestFirst,
    /// By id, which says nothing about age.
    ById,
}

/// When a job is given to an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dispatch {
    /// As soon as there is a pair; the agent learns of it at its next ping,
    /// and a dead agent may hold a job until it is found lost.
    Ahead,
    /// When the agent pings.
    AtPing,
}

/// What becomes of a job that is assigned but not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unaccepted {
    /// The agent still gets it at its next ping; where the agent is gone, it
    /// fails with exit status -1.
    Kept,
    /// It is scheduled again, for any agent.
    Rescheduled,
}
