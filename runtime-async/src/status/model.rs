//! What there is to tell, as programs read it; the page is made of the same.
//!
//! `docs/status-page.md` describes it. Fields may be added; one that goes or
//! means something else makes it another [`VERSION`].

use std::collections::BTreeMap;

use serde::Serialize;

use super::when::When;

/// The version of [`Status`] and of explanations.
pub(crate) const VERSION: u32 = 1;

/// Everything at one moment.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Status {
    pub(crate) version: u32,
    /// When this was put together.
    pub(crate) at: When,
    pub(crate) controller: About,
    /// `kubernetes-jobs`, `kubernetes-pods` and `buildkite`.
    pub(crate) views: Vec<ViewStatus>,
    /// What Buildkite's answers say of the request limits.
    pub(crate) limits: Vec<Limit>,
    /// All queues together.
    pub(crate) fleet: Counts,
    pub(crate) queues: Vec<QueueStatus>,
    pub(crate) findings: Vec<FindingStatus>,
    /// What a dry run would do now; nothing where commands are sent.
    pub(crate) withheld: Vec<WithheldStatus>,
    /// The last two hundred that change something, newest first.
    pub(crate) decisions: Vec<DecisionStatus>,
    pub(crate) history: HistoryStatus,
}

/// The controller itself.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct About {
    pub(crate) program: &'static str,
    pub(crate) program_version: &'static str,
    pub(crate) organization: String,
    /// None: all.
    pub(crate) namespace: Option<String>,
    pub(crate) started_at: Option<When>,
    pub(crate) uptime_seconds: u64,
    pub(crate) steps: u64,
    pub(crate) last_step_at: Option<When>,
    /// `starting`, `running`, `stuck` or `ending`.
    pub(crate) state: &'static str,
    /// Nothing but looks is sent.
    pub(crate) dry_run: bool,
    /// None: it has no others beside it.
    pub(crate) leadership: Option<LeadershipStatus>,
    pub(crate) sync_interval_seconds: u64,
    pub(crate) idle_timeout_seconds: u64,
    pub(crate) agent_startup_timeout_seconds: u64,
    pub(crate) max_active_builds: Option<u32>,
    pub(crate) max_pods: Option<u32>,
}

/// Whether this one of several controllers commands.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LeadershipStatus {
    /// `leader` or `follower`.
    pub(crate) role: &'static str,
    pub(crate) since: When,
    /// Who holds the Lease, as far as was seen.
    pub(crate) holder: Option<String>,
    /// Until when a leader commands without another renewal.
    pub(crate) valid_until: Option<When>,
    /// `expired`, `taken` or `released`: why it commands no more.
    pub(crate) lost: Option<&'static str>,
}

/// What can be seen.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ViewStatus {
    pub(crate) name: &'static str,
    /// `unseen`, `known` or `unknown`.
    pub(crate) state: &'static str,
    /// Since when it is so.
    pub(crate) since: Option<When>,
    /// When the last look at it began that showed all.
    pub(crate) seen_at: Option<When>,
    pub(crate) age_seconds: Option<u64>,
    /// Why it is unknown.
    pub(crate) why: Option<String>,
}

/// A request limit of Buildkite's.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Limit {
    /// `user` or `organization`.
    pub(crate) scope: &'static str,
    pub(crate) limit: u32,
    pub(crate) remaining: u32,
    pub(crate) reset_at: When,
}

/// Jobs and pods, counted.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Counts {
    /// Jobs that want an agent and have none.
    pub(crate) waiting: u32,
    /// Since when the oldest of them does.
    pub(crate) waiting_since: Option<When>,
    pub(crate) longest_wait_seconds: Option<u64>,
    /// Pods that the policy wants, before ceilings.
    pub(crate) desired: u32,
    pub(crate) pods: u32,
    pub(crate) starting: u32,
    pub(crate) idle: u32,
    pub(crate) busy: u32,
}

/// A queue.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct QueueStatus {
    pub(crate) queue: String,
    /// `namespace/name` of the template that serves it.
    pub(crate) template: Option<String>,
    #[serde(flatten)]
    pub(crate) counts: Counts,
}

/// Something to mend.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FindingStatus {
    pub(crate) kind: &'static str,
    #[serde(skip)]
    pub(crate) title: String,
    pub(crate) subject: String,
    /// What was seen, and what to do about it.
    pub(crate) detail: String,
    pub(crate) since: When,
}

/// A command that changes something.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DecisionStatus {
    pub(crate) at: When,
    /// `create_pod`, `stop_agent` or `delete_pod`.
    pub(crate) action: &'static str,
    #[serde(skip)]
    pub(crate) title: String,
    /// The pod as `namespace/name`, or the agent's id.
    pub(crate) subject: String,
    pub(crate) queue: Option<String>,
    pub(crate) reason: &'static str,
    /// The reason in words.
    pub(crate) because: &'static str,
    /// `pending`, `done` or `failed`.
    pub(crate) outcome: &'static str,
    pub(crate) ended_at: Option<When>,
    /// Why it failed.
    pub(crate) failure: Option<String>,
}

/// Commands that a dry run does not send: all of one kind, queue and reason.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WithheldStatus {
    /// As of decisions.
    pub(crate) action: &'static str,
    /// `create 3 pods`, and the like.
    #[serde(skip)]
    pub(crate) title: String,
    pub(crate) queue: Option<String>,
    pub(crate) reason: &'static str,
    /// The reason in words.
    pub(crate) because: &'static str,
    pub(crate) count: usize,
    /// The first five: pods as `namespace/name`, or ids of agents.
    pub(crate) subjects: Vec<String>,
}

/// The last hours: of each minute, the most there was.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HistoryStatus {
    pub(crate) every_seconds: u32,
    /// When the last minute began.
    pub(crate) last_at: Option<When>,
    pub(crate) fleet: Series,
    /// The busiest two dozen; the rest is `(other)`.
    pub(crate) queues: BTreeMap<String, Series>,
}

/// Samples, oldest first.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Series {
    pub(crate) waiting: Vec<u32>,
    pub(crate) pods: Vec<u32>,
    pub(crate) busy: Vec<u32>,
}
