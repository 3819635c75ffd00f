//! The rules of the specification, as one table.
//!
//! The first row that fits a worker's [`Situation`] decides. The table is
//! total (Invariant 12), is tested over every situation there is, and is
//! printed to `docs/verdicts.md` by a test: the documentation is the test.

use crate::reason::Reason;

mod table;

pub use table::{Row, TABLE};

macro_rules! closed {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];
        }
    };
}

closed! {
    /// Whose the pod is.
    Owner {
        /// Made by Buildscaler for a queue.
        Ours,
        /// Without a queue, or owned by another controller.
        Foreign,
    }
}

closed! {
    /// How far the pod has come.
    Stage {
        /// No container has started.
        Pending,
        /// The agent's container has started.
        Running,
        /// The agent's container has ended, another holds the pod.
        AgentEnded,
        /// Every container has ended.
        Finished,
        /// Kubernetes is deleting it.
        Leaving,
    }
}

closed! {
    /// What the pod is to the templates there are.
    Relation {
        /// Made from the template that serves its queue, or the queue is
        /// contested.
        Current,
        /// Made from a template that has been replaced or changed.
        Replaced,
        /// No template claims its queue.
        Orphan,
        /// The templates could not be seen.
        Unknown,
    }
}

closed! {
    /// What is known of the pod's agents.
    Presence {
        /// The agents could not be seen.
        Unknown,
        /// Runs a job.
        Busy,
        /// Waits for one.
        Idle,
        /// Asked to stop.
        Stopping,
        /// Paused by somebody.
        Paused,
        /// Not listed, but not yet in two complete listings begun after the
        /// pod was first seen.
        Unproven,
        /// Never seen, and within the startup timeout.
        Awaited,
        /// Seen before, and absent for less than the startup timeout; or for
        /// longer, while busy agents of the queue belong to no pod.
        Vanished,
        /// Overdue, while idle agents of the queue belong to no pod.
        Doubtful,
        /// Pod older, and agent absent as seen by us for longer, than the
        /// startup timeout.
        Overdue,
    }
}

closed! {
    /// Whether an idle agent is wanted.
    Spare {
        /// Wanted, or not idle for long enough.
        Wanted,
        /// Beyond demand, and idle for longer than the idle timeout.
        IdleTooLong,
        /// Older than the longest lifetime.
        TooOld,
    }
}

/// What a verdict is passed on: a pod joined with its agents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Situation {
    /// Whose the pod is.
    pub owner: Owner,
    /// How far the pod has come.
    pub stage: Stage,
    /// What the pod is to the templates.
    pub relation: Relation,
    /// What is known of its agents.
    pub presence: Presence,
    /// Whether an idle agent is wanted.
    pub spare: Spare,
}

/// What shall become of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Left alone.
    Keep,
    /// Its agents are asked to finish and leave.
    Stop,
    /// The pod is removed, at its own grace period.
    Delete,
    /// The pod is removed with a grace period that outlasts a build: an agent
    /// might be about to connect.
    DeleteGently,
    /// It was removed gently by us, and no agent has turned up since: its grace
    /// period is cut short.
    EndGrace,
    /// Not ours to keep or to remove, nor capacity.
    Forget,
}

/// Passes the verdict on a worker, with the reason.
pub fn verdict(situation: &Situation) -> (Verdict, Reason) {
    // The last row fits everything; without a row nothing would be touched.
    TABLE
        .iter()
        .find(|row| row.fits(situation))
        .map_or((Verdict::Keep, Reason::Starting), |row| (row.verdict, row.reason))
}
