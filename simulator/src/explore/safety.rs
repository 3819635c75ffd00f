//! What must never happen: said of commands as they are sent, by what their
//! controller was shown, and of what they do to the world. Nothing is decided
//! again here.

use std::collections::BTreeMap;
use std::fmt;

use buildscaler_core::{Action, ClusterView, Command, Input, LookEnd, Reason, Timestamp, Uid, View};

use super::outside::{Broken, Outside, SmallPod, agent_id};
use super::worlds::SmallWorld;

/// An invariant of the architecture that the explorer looks after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invariant {
    /// 1: no delete of an unfinished pod that has an agent, or whose agents
    /// could not be seen.
    NoDeleteOfAgents,
    /// 3: only what is ours, and what was meant, is touched.
    OnlyOurs,
    /// 5: absence is counted in two complete listings, and takes its time.
    AbsenceIsProven,
    /// 11: one command in flight per subject.
    OneAtATime,
    /// 25: no build is interrupted.
    NoBuildInterrupted,
    /// 26: after faults, waiting jobs get pods in time.
    JobsAreServed,
    /// 27: without demand, no pods remain.
    PodsGo,
    /// 28: replaced pods go.
    ReplacedPodsGo,
    /// 29: pods whose agent never connects go.
    NoShowsGo,
    /// 30: in a constant world, commands cease.
    CommandsCease,
    /// 32: at no moment do two controllers command that elect a leader.
    OneCommands,
    /// 32: two controllers make no more pods than one: no more at once than
    /// there are jobs.
    NoMorePods,
    /// Beyond 32: after faults, one of them commands soon.
    SomebodyCommands,
}

impl Invariant {
    /// Its number in the architecture, section 7.
    pub fn number(self) -> u8 {
        match self {
            Self::NoDeleteOfAgents => 1,
            Self::OnlyOurs => 3,
            Self::AbsenceIsProven => 5,
            Self::OneAtATime => 11,
            Self::NoBuildInterrupted => 25,
            Self::JobsAreServed => 26,
            Self::PodsGo => 27,
            Self::ReplacedPodsGo => 28,
            Self::NoShowsGo => 29,
            Self::CommandsCease => 30,
            Self::OneCommands | Self::NoMorePods | Self::SomebodyCommands => 32,
        }
    }
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Invariant {}", self.number())
    }
}

/// What one controller was shown, before anybody tampered with it.
#[derive(Clone, Debug, Default)]
pub(super) struct Shown {
    /// Whether a template claims the queue, as far as was seen.
    claimed: Option<bool>,
    /// When each pod was first shown.
    pods: BTreeMap<Uid, Timestamp>,
    /// Whether the last look showed all agents.
    agents_known: bool,
    /// Complete listings since, that lack an agent of the pod: up to two.
    absences: BTreeMap<Uid, u8>,
}

impl Shown {
    pub(super) fn learn(&mut self, input: &Input, now: Timestamp) {
        match input {
            Input::Cluster { view, .. } => self.learn_cluster(view, now),
            Input::Buildkite { look, .. } => {
                self.agents_known = look.end == LookEnd::Complete;
                if !self.agents_known {
                    return;
                }
                for (uid, first) in &self.pods {
                    let listed = look.agents.iter().any(|agent| agent.pod_uid.as_ref() == Some(uid));
                    let count = self.absences.entry(uid.clone()).or_default();
                    *count = match (listed, look.begun_at < *first) {
                        (true, _) => 0,
                        (false, true) => *count,
                        (false, false) => (*count + 1).min(2),
                    };
                }
            }
            Input::Tick | Input::Outcome { .. } | Input::Lease { .. } | Input::Shutdown => {}
        }
    }

    fn learn_cluster(&mut self, view: &ClusterView, now: Timestamp) {
        self.claimed = view.templates.complete().map(|templates| !templates.is_empty());
        if let View::Complete(pods) = &view.pods {
            let known = std::mem::take(&mut self.pods);
            for pod in pods {
                let first = known.get(&pod.uid).copied().unwrap_or(now);
                self.pods.insert(pod.uid.clone(), first);
            }
            self.absences.retain(|uid, _| self.pods.contains_key(uid));
        }
    }

    /// Objects to a command that is about to be sent, beside those in flight.
    pub(super) fn object<'c>(
        &self,
        command: &Command,
        outside: &Outside,
        mut in_flight: impl Iterator<Item = &'c Command>,
        now: Timestamp,
    ) -> Result<(), Broken> {
        let mine = subject(&command.action);
        let is_over = |other: &Command| match (&command.action, &other.action) {
            // No process is left that a delete could hurt.
            (Action::DeletePod { uid, .. }, Action::StopAgent { .. }) => outside.is_over(uid),
            _ => false,
        };
        if let Some(other) = in_flight.find(|other| subject(&other.action) == mine && !is_over(other)) {
            return Err(Broken {
                invariant: Invariant::OneAtATime,
                what: format!("{} while {} is in flight", name(command), name(other)),
            });
        }
        match &command.action {
            Action::ObserveCluster
            | Action::ObserveBuildkite { .. }
            | Action::CreatePod(_)
            | Action::RegisterUsage { .. }
            | Action::MeterUsage { .. }
            | Action::ReadLease { .. }
            | Action::WriteLease(_) => Ok(()),
            Action::StopAgent { agent } => {
                let known = |pod: &SmallPod| agent_id(pod.number) == *agent;
                let is_known = outside.pods.iter().any(known) || !self.pods.is_empty();
                is_known.then_some(()).ok_or_else(|| Broken {
                    invariant: Invariant::OnlyOurs,
                    what: format!("{}, which belongs to no pod of ours", name(command)),
                })
            }
            Action::DeletePod { uid, .. } => self.object_to_delete(command, uid, outside, now),
        }
    }

    fn object_to_delete(&self, command: &Command, uid: &Uid, outside: &Outside, now: Timestamp) -> Result<(), Broken> {
        let broken = |invariant, why: &str| {
            let what = format!("{} {why}", name(command));
            Err(Broken { invariant, what })
        };
        if !self.pods.contains_key(uid) {
            return broken(Invariant::OnlyOurs, "which was never shown");
        }
        let pod = outside.pods.iter().find(|pod| pod.shown.uid == *uid);
        let Some(pod) = pod.filter(|pod| !pod.shown.stage.is_finished()) else {
            return Ok(());
        };
        if !self.agents_known {
            return broken(Invariant::NoDeleteOfAgents, "while the agents are unknown");
        }
        let absences = self.absences.get(uid).copied().unwrap_or(0);
        if absences == 0 {
            return broken(Invariant::NoDeleteOfAgents, "whose agent is listed");
        }
        if absences < 2 {
            return broken(Invariant::AbsenceIsProven, "after one listing without its agent");
        }
        let old = now.since(pod.shown.created_at) > SmallWorld::config().agent_startup_timeout;
        if !old && self.claimed != Some(false) {
            return broken(
                Invariant::AbsenceIsProven,
                "which is still within the time it has to start",
            );
        }
        if !old && command.reason == Reason::AgentMissing {
            return broken(
                Invariant::AbsenceIsProven,
                "as missing, before its time to start is over",
            );
        }
        Ok(())
    }
}

/// What a command is about: no two in flight may have the same.
fn subject(action: &Action) -> String {
    match action {
        Action::ObserveCluster | Action::ObserveBuildkite { .. } => "look".to_owned(),
        Action::CreatePod(create) => create.name.clone(),
        Action::StopAgent { agent } => agent.as_str().replace("agent", "pod"),
        Action::DeletePod { uid, .. } => uid.to_string(),
        Action::RegisterUsage { .. } | Action::MeterUsage { .. } => "metering".to_owned(),
        Action::ReadLease { .. } | Action::WriteLease(_) => "lease".to_owned(),
    }
}

/// Whether an agent that is met by a delete of this grace can end its job.
pub(super) const fn outlasts_builds(grace_seconds: u32) -> bool {
    grace_seconds >= 3600
}

/// What sort of command.
pub fn kind(command: &Command) -> &'static str {
    match &command.action {
        Action::ObserveCluster => "look at Kubernetes",
        Action::ObserveBuildkite { .. } => "look at Buildkite",
        Action::CreatePod(_) => "create",
        Action::StopAgent { .. } => "stop",
        Action::DeletePod { grace_seconds, .. } if grace_seconds.is_some_and(outlasts_builds) => "gentle delete",
        Action::DeletePod { .. } => "delete",
        Action::RegisterUsage { .. } => "registration of usage",
        Action::MeterUsage { .. } => "record of usage",
        Action::ReadLease { .. } => "look at the lease",
        Action::WriteLease(_) => "write of the lease",
    }
}

/// A command in words.
pub(super) fn name(command: &Command) -> String {
    match &command.action {
        Action::ObserveCluster => "look at Kubernetes".to_owned(),
        Action::ObserveBuildkite { .. } => "look at Buildkite".to_owned(),
        Action::CreatePod(create) => format!("create of {}", create.name),
        Action::StopAgent { agent } => format!("stop of {agent} ({})", command.reason),
        Action::DeletePod { uid, .. } => format!("delete of {uid} ({})", command.reason),
        Action::RegisterUsage { .. } | Action::MeterUsage { .. } => kind(command).to_owned(),
        Action::ReadLease { .. } | Action::WriteLease(_) => kind(command).to_owned(),
    }
}
