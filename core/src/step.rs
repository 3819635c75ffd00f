//! The one way in and the one way out: [`Input`] and [`Step`].

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::agent::Agent;
use crate::buildkite_job::BuildkiteJob;
use crate::failure::Failure;
use crate::finding::FindingChange;
use crate::lease::{Lease, WriteLease};
use crate::names::{AgentId, Queue, Uid};
use crate::reason::Reason;
use crate::time::Timestamp;
use crate::view::{ClusterView, View};
use crate::withheld::WithheldChange;

/// Something that the controller learns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Input {
    /// Nothing but the time. The first input of every controller.
    Tick,
    /// Kubernetes was seen. `id` names the `ObserveCluster` that this answers;
    /// a runtime that watches also sends views that nobody asked for, whenever
    /// its caches change.
    Cluster {
        /// The command answered, if one is.
        id: Option<CommandId>,
        /// What was seen.
        view: ClusterView,
    },
    /// An `ObserveBuildkite` ended.
    Buildkite {
        /// The command answered.
        id: CommandId,
        /// What was seen.
        look: Look,
    },
    /// A command that changes something ended.
    Outcome {
        /// The command answered.
        id: CommandId,
        /// How it ended.
        outcome: Outcome,
        /// What it cost, for commands to Buildkite.
        spending: Spending,
    },
    /// A `ReadLease` or `WriteLease` ended.
    Lease {
        /// The command answered.
        id: CommandId,
        /// The Lease as it is now; none where there is no such object.
        view: View<Option<Lease>>,
    },
    /// The process shall end: decide nothing more.
    Shutdown,
}

/// What the controller wants done, and when it wants to be called again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// What to carry out, all of it concurrently.
    pub commands: Vec<Command>,
    /// When to call again with [`Input::Tick`] if nothing else comes first.
    pub wake: Wake,
    /// Findings that appeared or went away with this step.
    pub findings: Vec<FindingChange>,
    /// In a dry run: what would be done from this step on and would not be
    /// before, and the other way round.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withheld: Vec<WithheldChange>,
    /// Whether shutdown is complete: nothing is in flight any more. A runtime
    /// need not wait for it: amnesia is safe (Invariant 20).
    pub finished: bool,
}

/// When to call again, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wake {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: Reason,
}

/// Names a command for as long as it is in flight; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CommandId(pub u64);

/// An action with its identity and its reason.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Command {
    /// To be given back with the answer.
    pub id: CommandId,
    /// What to do.
    pub action: Action,
    /// Why: the metric label and the log field.
    pub reason: Reason,
    /// When it may not be sent any more; none is never. A leader's writes must
    /// not be sent once somebody else may command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<Timestamp>,
}

/// What can be done to the outside world.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Action {
    /// List templates and pods, or read them from caches. Ends in
    /// [`Input::Cluster`].
    ObserveCluster,
    /// List jobs of active builds, then agents. Ends in [`Input::Buildkite`].
    ObserveBuildkite {
        /// The most requests that may be sent.
        grant: u32,
        /// Where to begin: a look that was over its grant goes on there.
        from: Cursor,
    },
    /// Create a pod. Ends in [`Input::Outcome`].
    CreatePod(CreatePod),
    /// Ask an agent to finish its job, take no other and leave. There is no
    /// field for force: it is always `{"force": false}` (Invariant 2).
    StopAgent {
        /// Whom.
        agent: AgentId,
    },
    /// Remove a pod.
    DeletePod {
        /// Where it lives.
        namespace: String,
        /// Its name.
        name: String,
        /// Its uid, sent as a precondition: names are used again.
        uid: Uid,
        /// The grace period to ask for; none leaves it to the pod's own. It is
        /// long where an agent might be there after all: SIGTERM lets it end
        /// its job, and no SIGKILL may follow meanwhile.
        grace_seconds: Option<u32>,
    },
    /// Tell AWS Marketplace that the product runs here. Ends in
    /// [`Input::Outcome`], done only if the answer's signature holds.
    RegisterUsage {
        /// The product.
        product_code: String,
        /// The key that signs the answer.
        public_key_version: u32,
        /// What the answer must repeat.
        nonce: String,
    },
    /// Tell AWS Marketplace what was used in one hour. Ends in
    /// [`Input::Outcome`].
    MeterUsage {
        /// The product.
        product_code: String,
        /// In which dimension.
        dimension: String,
        /// When the hour began.
        hour: Timestamp,
        /// Agent-hours.
        quantity: u32,
        /// The same whenever this record is sent, so that it counts once.
        client_token: String,
    },
    /// Read the Lease. Ends in [`Input::Lease`].
    ReadLease {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// For how long the answer is worth waiting for.
        within: Duration,
    },
    /// Create or replace the Lease. Ends in [`Input::Lease`].
    WriteLease(WriteLease),
}

impl Action {
    /// Whether it changes nothing outside: what a dry run may send.
    pub fn is_look(&self) -> bool {
        match self {
            Self::ObserveCluster | Self::ObserveBuildkite { .. } | Self::ReadLease { .. } => true,
            Self::CreatePod(_)
            | Self::StopAgent { .. }
            | Self::DeletePod { .. }
            | Self::RegisterUsage { .. }
            | Self::MeterUsage { .. }
            | Self::WriteLease(_) => false,
        }
    }
}

/// A pod to create.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct CreatePod {
    /// The namespace of the Template.
    pub namespace: String,
    /// The pod's name, so that a create of unknown fate can be repeated.
    pub name: String,
    /// The queue it will serve.
    pub queue: Queue,
    /// The uid of the Template.
    pub template: Uid,
    /// The whole object, `apiVersion` to `spec`.
    pub manifest: Value,
}

impl std::fmt::Debug for CreatePod {
    /// Leaves the manifest out: it may hold secrets (Invariant 22).
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CreatePod")
            .field("namespace", &self.namespace)
            .field("name", &self.name)
            .field("queue", &self.queue)
            .field("template", &self.template)
            .finish_non_exhaustive()
    }
}

/// Where a look at Buildkite begins or goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cursor {
    /// This page of the builds, whose jobs are wanted.
    Builds {
        /// Counted from 1.
        page: u32,
    },
    /// This page of the agents; all builds have been read.
    Agents {
        /// Counted from 1.
        page: u32,
    },
}

impl Cursor {
    /// The beginning of a look.
    pub const START: Self = Self::Builds { page: 1 };
}

/// What one `ObserveBuildkite` saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// When its first request was sent.
    pub begun_at: Timestamp,
    /// Jobs from the pages it read, in any order, repetitions included.
    pub jobs: Vec<BuildkiteJob>,
    /// Agents from the pages it read, in any order, repetitions included.
    pub agents: Vec<Agent>,
    /// How it ended.
    pub end: LookEnd,
    /// What it cost.
    pub spending: Spending,
}

/// How a look at Buildkite ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LookEnd {
    /// With the last page of the agents.
    Complete,
    /// With its grant; this page comes next.
    More(Cursor),
    /// With this failure, on this page.
    Failed(Cursor, Failure),
}

/// How a command that changes something ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// The server said yes.
    Done,
    /// It said no, or nothing.
    Failed(Failure),
}

/// What a command cost of Buildkite's request budget.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spending {
    /// Requests sent, answered or not.
    pub requests: u32,
    /// The newest reading of each limit, from the answers' headers.
    pub limits: Vec<LimitReading>,
}

/// One rate limit as an answer's headers tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitReading {
    /// Whose limit.
    pub scope: LimitScope,
    /// Requests allowed in a window.
    pub limit: u32,
    /// Requests left in this window.
    pub remaining: u32,
    /// When the window ends.
    pub reset_at: Timestamp,
}

/// Whose requests a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum LimitScope {
    /// The token's owner: `RateLimit-User-*`.
    User,
    /// The whole organisation: `RateLimit-*`.
    Organization,
}
