//! What some way through a world must show, or its silence proves nothing.

use std::fmt;

macro_rules! sights {
    ($($(#[$doc:meta])* $name:ident => $text:literal,)*) => {
        /// Something that happens on some way through a small world.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Sight { $($(#[$doc])* $name,)* }

        impl Sight {
            /// Every sight, in order.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The sight in words.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

sights! {
    /// A create arrives and makes a pod.
    Created => "a pod is created",
    /// Two pods are alive at once.
    TwoPods => "two pods are alive at once",
    /// A create finds its name taken.
    Conflict => "a create is answered with 409",
    /// A controller dies while a create is on its way.
    CrashedInFlight => "a crash with a create in flight",
    /// A list fails, and the controller learns that.
    UnknownView => "a view is unknown",
    /// A write ends without an answer.
    FateUnknown => "the fate of a write is unknown",
    /// An agent is stopped because its template was replaced.
    StoppedReplaced => "a stop because the template was replaced",
    /// An agent is stopped because it has no template any more.
    StoppedOrphaned => "a stop because there is no template",
    /// An agent is stopped because it was idle for too long.
    StoppedIdle => "a stop because of idleness",
    /// A stop arrives when its agent has just been given a job.
    StopMeetsJob => "a stop meets an agent that was just given a job",
    /// An agent that was asked to stop goes on with its job.
    RunsDuringStop => "a job runs during a stop",
    /// A finished pod is deleted.
    DeletedFinished => "a finished pod is deleted",
    /// A pod is deleted because its agent did not come.
    DeletedMissing => "a pod is deleted because its agent is missing",
    /// An agent connects when its time to start is over, takes a job, and is
    /// met by the delete that was sent before: it ends its job.
    MeetsLateAgent => "an agent that connects after its time to start is met by the delete of its pod",
    /// A pod with neither agent nor template is deleted, gently.
    DeletedOrphan => "a pod without agent and template is deleted gently",
    /// A delete arrives when its pod is gone.
    DeleteTooLate => "a delete arrives when its pod is gone",
    /// A delete arrives when its pod is gone and another bears its name.
    PreconditionFails => "a delete is refused, because its pod's name is another pod's by now",
    /// A replica takes the Lease from another.
    TakenOver => "another replica takes over",
    /// A replica that commanded does not any more.
    SteppedDown => "a replica stops commanding",
    /// A replica's write of the Lease names a version that is not the newest.
    StaleLease => "a stale write of the lease is refused",
    /// A paused replica goes on, and what it had decided may not be sent any
    /// more.
    FencedOff => "a command is not sent any more, because its time is over",
    /// What a replica had sent before it stood still arrives while another
    /// commands: what no Lease can prevent.
    ArrivesDeposed => "a deposed replica's command arrives while another commands",
}

impl fmt::Display for Sight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A set of sights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sights(u32);

impl Sights {
    pub(super) fn add(&mut self, sight: Sight) {
        self.0 |= 1 << sight as u32;
    }

    pub(super) fn has(self, sight: Sight) -> bool {
        self.0 & (1 << sight as u32) != 0
    }

    pub(super) fn beyond(self, known: Self) -> Self {
        Self(self.0 & !known.0)
    }

    pub(super) fn join(&mut self, more: Self) {
        self.0 |= more.0;
    }

    pub(super) fn iter(self) -> impl Iterator<Item = Sight> {
        Sight::ALL.iter().copied().filter(move |sight| self.has(*sight))
    }
}
