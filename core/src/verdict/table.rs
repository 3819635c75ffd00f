//! The rows. A column left empty fits everything.

use super::Owner::Foreign;
use super::Presence::{Awaited, Busy, Doubtful, Idle, Overdue, Paused, Stopping, Unproven, Vanished};
use super::Relation::{Current, Orphan, Replaced};
use super::Spare::{IdleTooLong, TooOld};
use super::Stage::{AgentEnded, Finished, Leaving};
use super::Verdict::{Delete, DeleteGently, EndGrace, Forget, Keep, Stop};
use super::{Owner, Presence, Relation, Situation, Spare, Stage, Verdict};
use crate::reason::Reason;

/// One rule: the situations it fits, the verdict, and why.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Owners it fits; all if empty.
    pub owner: &'static [Owner],
    /// Stages it fits; all if empty.
    pub stage: &'static [Stage],
    /// Relations it fits; all if empty.
    pub relation: &'static [Relation],
    /// Presences it fits; all if empty.
    pub presence: &'static [Presence],
    /// What it fits of the wish for idle agents; all if empty.
    pub spare: &'static [Spare],
    /// What shall be done.
    pub verdict: Verdict,
    /// Why, as logs and metrics say it.
    pub reason: Reason,
    /// Where the rule comes from.
    pub source: &'static str,
}

impl Row {
    /// Whether this row speaks of the situation.
    pub fn fits(&self, situation: &Situation) -> bool {
        fn among<T: PartialEq>(values: &[T], value: &T) -> bool {
            values.is_empty() || values.contains(value)
        }
        among(self.owner, &situation.owner)
            && among(self.stage, &situation.stage)
            && among(self.relation, &situation.relation)
            && among(self.presence, &situation.presence)
            && among(self.spare, &situation.spare)
    }
}

const ANY: Row = Row {
    owner: &[],
    stage: &[],
    relation: &[],
    presence: &[],
    spare: &[],
    verdict: Keep,
    reason: Reason::Starting,
    source: "",
};

/// The rules, in order: the first that fits decides.
pub const TABLE: &[Row] = &[
    Row {
        owner: &[Foreign],
        verdict: Forget,
        reason: Reason::NotOurs,
        source: "only what carries our labels is touched (Invariant 3)",
        ..ANY
    },
    Row {
        stage: &[Leaving],
        presence: &[Overdue],
        verdict: EndGrace,
        reason: Reason::AgentMissing,
        source: "a gentle delete ends what does not heed SIGTERM, once no agent can be at work",
        ..ANY
    },
    Row {
        stage: &[Leaving],
        verdict: Keep,
        reason: Reason::Leaving,
        source: "a delete cannot be taken back",
        ..ANY
    },
    Row {
        stage: &[Finished],
        verdict: Delete,
        reason: Reason::Finished,
        source: "finished pods are cleared away",
        ..ANY
    },
    Row {
        presence: &[Presence::Unknown],
        verdict: Keep,
        reason: Reason::AgentsUnknown,
        source: "unknown is inert (Invariant 4)",
        ..ANY
    },
    Row {
        stage: &[AgentEnded],
        presence: &[Awaited, Vanished, Doubtful, Overdue],
        verdict: Delete,
        reason: Reason::AgentEnded,
        source: "a sidecar must not hold a pod whose agent has ended",
        ..ANY
    },
    Row {
        stage: &[AgentEnded],
        verdict: Keep,
        reason: Reason::AgentEnded,
        source: "Buildkite still lists the agent",
        ..ANY
    },
    Row {
        presence: &[Stopping],
        verdict: Keep,
        reason: Reason::Stopping,
        source: "an agent is stopped once",
        ..ANY
    },
    Row {
        presence: &[Paused],
        verdict: Keep,
        reason: Reason::Paused,
        source: "somebody is looking into it",
        ..ANY
    },
    Row {
        relation: &[Replaced],
        presence: &[Busy, Idle],
        verdict: Stop,
        reason: Reason::Replaced,
        source: "specification: out of date pods are gracefully shut down",
        ..ANY
    },
    Row {
        relation: &[Orphan],
        presence: &[Busy, Idle],
        verdict: Stop,
        reason: Reason::Orphaned,
        source: "specification: agent without job is gracefully terminated",
        ..ANY
    },
    Row {
        presence: &[Busy],
        verdict: Keep,
        reason: Reason::Busy,
        source: "no build is ever interrupted by scaling",
        ..ANY
    },
    Row {
        relation: &[Relation::Unknown],
        presence: &[Idle],
        verdict: Keep,
        reason: Reason::TemplatesUnknown,
        source: "unknown is inert (Invariant 4)",
        ..ANY
    },
    Row {
        presence: &[Idle],
        spare: &[TooOld],
        verdict: Stop,
        reason: Reason::Lifetime,
        source: "--max-agent-lifetime",
        ..ANY
    },
    Row {
        presence: &[Idle],
        spare: &[IdleTooLong],
        verdict: Stop,
        reason: Reason::IdleTimeout,
        source: "specification: --disconnect-after-idle-timeout",
        ..ANY
    },
    Row {
        presence: &[Idle],
        verdict: Keep,
        reason: Reason::Idle,
        source: "idle agents wait for jobs",
        ..ANY
    },
    Row {
        presence: &[Unproven],
        verdict: Keep,
        reason: Reason::Starting,
        source: "absence is believed after two complete listings (Invariant 5)",
        ..ANY
    },
    Row {
        presence: &[Overdue],
        verdict: DeleteGently,
        reason: Reason::AgentMissing,
        source: "specification: no running agent and created over 10 minutes ago; one may connect this moment",
        ..ANY
    },
    Row {
        presence: &[Doubtful],
        verdict: DeleteGently,
        reason: Reason::AgentMissing,
        source: "an agent that cannot be linked to its pod ends its job",
        ..ANY
    },
    Row {
        relation: &[Orphan],
        presence: &[Awaited],
        verdict: DeleteGently,
        reason: Reason::OrphanedWithoutAgent,
        source: "specification: neither job nor running agent",
        ..ANY
    },
    Row {
        presence: &[Vanished],
        verdict: Keep,
        reason: Reason::Missing,
        source: "a lost agent may still work, and come back",
        ..ANY
    },
    Row {
        relation: &[Current, Replaced, Relation::Unknown],
        presence: &[Awaited],
        verdict: Keep,
        reason: Reason::Starting,
        source: "specification: this allows the agent time to start",
        ..ANY
    },
];
