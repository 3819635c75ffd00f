//! A Buildkite job: one step run of a build.

use serde::{Deserialize, Serialize};

use crate::names::{BuildkiteJobId, Queue};
use crate::time::Timestamp;

/// A job of type `script` in an active build, retried ones left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildkiteJob {
    /// The job's id.
    pub id: BuildkiteJobId,
    /// What it waits for, or that it runs.
    pub state: JobState,
    /// The value of its rule `queue=`; `default` where it has none.
    pub queue: Queue,
    /// Its other `agent_query_rules`, all of which an agent's tags must match.
    pub rules: Vec<String>,
    /// When it became dispatchable. A job may be `scheduled` without it: it is
    /// then held back by a concurrency limit, as far as is known.
    pub runnable_at: Option<Timestamp>,
    /// When its agent began it. Nothing is decided on it: waits are measured
    /// by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
}

/// Job states by what they mean for demand; spelt as Buildkite does in
/// `architecture.md`'s sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum JobState {
    /// `scheduled`: wants an agent.
    Scheduled,
    /// `limiting`, `limited`, `platform_limiting`, `platform_limited`: wants
    /// one later.
    Limited,
    /// `assigned`, `accepted`, `running`, `canceling`, `timing_out`: has one.
    Active,
    /// Any other: waiting for other steps, reserved by a stack, finished, or
    /// unheard of.
    Other,
}
