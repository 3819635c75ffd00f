//! Why: the closed list of reasons, which are metric labels and log fields too.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident => $text:literal,)*) => {
        /// Why a pod is kept, an agent stopped, a command sent or a wake asked for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Reason { $($(#[$doc])* $name,)* }

        impl Reason {
            /// Every reason, in order.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The reason in snake case, as metrics and logs show it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

reasons! {
    /// No queue label, or made or taken by another controller.
    NotOurs => "not_ours",
    /// The pod has ended.
    Finished => "finished",
    /// A delete is under way in Kubernetes.
    Leaving => "leaving",
    /// The agents could not be seen.
    AgentsUnknown => "agents_unknown",
    /// The templates could not be seen, so nothing is replaced or orphaned.
    TemplatesUnknown => "templates_unknown",
    /// The agent was paused by somebody.
    Paused => "paused",
    /// The agent was asked to stop and is on its way out.
    Stopping => "stopping",
    /// The agent runs a job.
    Busy => "busy",
    /// The agent waits for a job.
    Idle => "idle",
    /// The agent may still be on its way.
    Starting => "starting",
    /// The agent was there, is not listed now, and may come back.
    Missing => "missing",
    /// Made from a template that was replaced or changed.
    Replaced => "replaced",
    /// No template serves the queue any more.
    Orphaned => "orphaned",
    /// Idle for longer than the idle timeout.
    IdleTimeout => "idle_timeout",
    /// Idle, and older than the longest lifetime.
    Lifetime => "lifetime",
    /// No agent for longer than the startup timeout.
    AgentMissing => "agent_missing",
    /// Neither template nor agent.
    OrphanedWithoutAgent => "orphaned_without_agent",
    /// The agent container has ended while another holds the pod.
    AgentEnded => "agent_ended",
    /// Jobs wait.
    Demand => "demand",
    /// Fewer idle agents than the template asks to be kept.
    MinIdle => "min_idle",
    /// The first look after the start.
    FirstLook => "first_look",
    /// The sync interval has passed.
    Interval => "interval",
    /// The last try failed.
    Retry => "retry",
    /// A look goes on where its grant ended.
    Continuation => "continuation",
    /// A template is new or has changed: jobs may be waiting for it.
    TemplateChanged => "template_changed",
    /// The request budget has room again.
    Budget => "budget",
    /// Usage is to be registered or recorded.
    Metering => "metering",
    /// To agree with other controllers on the one that commands.
    Leadership => "leadership",
    /// The controller is ending.
    Shutdown => "shutdown",
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
