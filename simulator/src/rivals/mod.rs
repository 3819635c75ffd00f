//! Other ways to keep a fleet, to compare ours with.
//!
//! A rival sees counts and pods, truly and at once, and says what to create
//! and what to end: no rival pays for looking, and none meets failures, so a
//! comparison flatters them. Each is one file; [`ALL`] is the list. What a
//! source's program may have at most is always the scenario's ceiling, never its
//! shipped limit, which says more about a cluster than about a policy.
//!
//! [`clairvoyant`] is no rival but the bound that all are held against.

mod agent_stack_k8s;
mod always_max;
mod arc_percentage_busy;
mod arc_scale_set;
mod buildkite_agent_scaler;
pub mod clairvoyant;
mod gitlab_fleeting;
pub mod ideal;
mod keda_hpa;
mod keda_scaled_job;
mod original;

use std::fmt;
use std::time::Duration;

use buildscaler_core::{Queue, Timestamp};

pub use agent_stack_k8s::AgentStackK8s;
pub use always_max::AlwaysMax;
pub use arc_percentage_busy::ArcPercentageBusy;
pub use arc_scale_set::ArcScaleSet;
pub use buildkite_agent_scaler::BuildkiteAgentScaler;
pub use gitlab_fleeting::GitlabFleeting;
pub use keda_hpa::{KedaHpa, Metric};
pub use keda_scaled_job::{KedaScaledJob, Strategy};
pub use original::Original;

use crate::scenario::Scenario;

/// A rival's name and how to make one for a scenario.
#[derive(Clone, Copy)]
pub struct Entry {
    /// The name in `compare`.
    pub name: &'static str,
    /// What it is, and whose rules it follows.
    pub about: &'static str,
    /// Makes it for a scenario.
    pub make: fn(&Scenario) -> Box<dyn Rival>,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Every rival, in the order in which they are shown.
pub const ALL: &[Entry] = &[
    Entry {
        name: "original",
        about: "the original Buildscaler, as far as it is known",
        make: |scenario| Box::new(Original::new(scenario)),
    },
    Entry {
        name: "buildkite-agent-scaler",
        about: "buildkite-agent-scaler as the Elastic CI Stack ships it: cooldown, idle timeout, no scale-in",
        make: |_| Box::new(BuildkiteAgentScaler::shipped()),
    },
    Entry {
        name: "agent-stack-k8s",
        about: "agent-stack-k8s: a pod for each job, none kept",
        make: |_| Box::new(AgentStackK8s::default()),
    },
    Entry {
        name: "arc-scale-set",
        about: "ARC's runner scale sets with minRunners 0: a runner for each job",
        make: |_| Box::new(ArcScaleSet::new(0)),
    },
    Entry {
        name: "arc-scale-set-warm",
        about: "the same with minRunners 2",
        make: |_| Box::new(ArcScaleSet::new(2)),
    },
    Entry {
        name: "arc-percentage-busy",
        about: "ARC's older PercentageRunnersBusy: 30 % more or less a minute",
        make: |_| Box::new(ArcPercentageBusy::default()),
    },
    Entry {
        name: "keda-scaledjob-default",
        about: "KEDA's ScaledJob, strategy default, on queued and running jobs",
        make: |_| {
            Box::new(KedaScaledJob {
                strategy: Strategy::Default,
            })
        },
    },
    Entry {
        name: "keda-scaledjob-accurate",
        about: "KEDA's ScaledJob, strategy accurate, on queued jobs",
        make: |_| {
            Box::new(KedaScaledJob {
                strategy: Strategy::Accurate,
            })
        },
    },
    Entry {
        name: "keda-hpa",
        about: "KEDA's ScaledObject and the HPA, on queued and running jobs",
        make: |scenario| Box::new(KedaHpa::new(Metric::QueuedAndRunning, scenario.seed)),
    },
    Entry {
        name: "keda-hpa-queued",
        about: "the same on queued jobs alone",
        make: |scenario| Box::new(KedaHpa::new(Metric::Queued, scenario.seed)),
    },
    Entry {
        name: "gitlab-warm",
        about: "GitLab's autoscaler policy with five idle instances",
        make: |_| Box::new(GitlabFleeting::WARM),
    },
    Entry {
        name: "gitlab-on-demand",
        about: "GitLab's autoscaler policy with none, jobs taken first",
        make: |_| Box::new(GitlabFleeting::ON_DEMAND),
    },
    Entry {
        name: "always-max",
        about: "a fixed fleet of the queue's ceiling, or of the workload's own peak",
        make: |scenario| Box::new(AlwaysMax::new(scenario)),
    },
];

/// Whoever keeps the fleet by other rules than ours.
pub trait Rival: fmt::Debug + Send {
    /// How long until it wants to look again.
    fn interval(&self) -> Duration;

    /// Looks at one queue and says what to do. Called for each queue that has
    /// a template, every [`interval`](Self::interval).
    fn look(&mut self, seen: &Seen<'_>) -> Vec<Move>;
}

/// What a rival sees of one queue.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The queue.
    pub queue: &'a Queue,
    /// When.
    pub now: Timestamp,
    /// Jobs that want an agent and have none.
    pub scheduled: u32,
    /// Jobs that an agent has.
    pub running: u32,
    /// Jobs behind wait steps, dependencies or concurrency limits.
    pub waiting: u32,
    /// Jobs that ended since the last look.
    pub finished: u32,
    /// The queue's pods that have not ended, the oldest first.
    pub pods: &'a [SeenPod],
    /// The most pods that the queue may have (`max-active-builds`, `max-pods`).
    pub ceiling: u32,
}

impl Seen<'_> {
    /// How many pods are in this condition.
    pub fn count(&self, condition: Condition) -> u32 {
        let count = self.pods.iter().filter(|pod| pod.condition == condition).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// How many pods there are, those on their way out included.
    pub fn alive(&self) -> u32 {
        u32::try_from(self.pods.len()).unwrap_or(u32::MAX)
    }

    /// How many pods there are that are not on their way out.
    pub fn staying(&self) -> u32 {
        self.alive() - self.count(Condition::Leaving)
    }
}

/// A pod as a rival sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenPod {
    /// By which a [`Move`] calls it.
    pub id: PodId,
    /// When it was created.
    pub created_at: Timestamp,
    /// How far it is.
    pub condition: Condition,
    /// Since when it is so.
    pub since: Timestamp,
}

/// A pod, for rivals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PodId(pub u64);

/// How far a pod is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Condition {
    /// Without a node yet.
    Pending,
    /// On a node, its agent not connected yet.
    Starting,
    /// Its agent waits for a job.
    Idle,
    /// Its agent has a job.
    Busy,
    /// On its way out: asked to stop, or being deleted.
    Leaving,
}

/// What a rival does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// Creates pods of the queue.
    Create {
        /// How many.
        count: u32,
        /// How long their agents stay.
        stay: Stay,
    },
    /// Asks an agent to leave through Buildkite: after its job, if it has one.
    Stop(PodId),
    /// Deletes a pod: SIGTERM, and SIGKILL after the grace period, whatever
    /// its agent does.
    Delete(PodId),
}

/// How long an agent stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stay {
    /// For one job.
    OneJob,
    /// Until it was idle for so long.
    UntilIdle(Duration),
    /// Until it is told to leave.
    ForGood,
}
