//! A witness knows what a controller was shown and what it has asked for, and
//! objects to commands that break an invariant.
//!
//! It never works out what should be done. It only says of what *was* done
//! whether it was allowed, from the plain rows that were shown: who belongs to
//! whom, what was listed when, what is in flight.

mod objections;
mod terms;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use buildscaler_core::{
    Action, Agent, AgentId, BuildkiteJob, ClusterView, Command, CommandId, Config, ConnectionState, CreatePod, Failure,
    Input, Look, LookEnd, Outcome, Pod, Queue, Reason, Template, Timestamp, Uid, View,
};

/// How far a cache may lag behind an answered write.
const LAG: Duration = Duration::from_secs(30);
/// The same for a create that was not answered.
const DOUBT: Duration = Duration::from_secs(2);

/// What was shown and what was asked for.
#[derive(Clone)]
pub(crate) struct Witness {
    pub(crate) config: Config,
    /// Whether pods are wanted for jobs only.
    pub(crate) is_reactive: bool,
    pub(crate) cluster: Option<ClusterView>,
    pub(crate) jobs: Option<Vec<BuildkiteJob>>,
    pub(crate) agents: Option<Vec<Agent>>,
    partial: (Option<Timestamp>, Vec<BuildkiteJob>, Vec<Agent>),
    listings: Vec<Listing>,
    first_shown: BTreeMap<Uid, Timestamp>,
    /// Commands without an answer.
    pub(crate) flying: BTreeMap<CommandId, Command>,
    last_id: Option<CommandId>,
    /// Creates that may have made a pod that no view has shown: when they were
    /// answered, if they were.
    asked: BTreeMap<String, (Queue, Option<Timestamp>)>,
    /// Agents whose stop was accepted.
    told: BTreeSet<AgentId>,
    buildkite_closed: Option<Timestamp>,
    cluster_closed: Option<Timestamp>,
    /// When requests may have been sent, and how many.
    pub(crate) requests: Vec<(Timestamp, Timestamp, u32)>,
    sent_at: BTreeMap<CommandId, Timestamp>,
    /// What was seen to be done, to tell a test that tests something.
    pub(crate) done: BTreeSet<(&'static str, Reason)>,
}

/// A complete listing of the agents.
#[derive(Clone)]
struct Listing {
    begun_at: Timestamp,
    /// Pods with an agent.
    with: BTreeSet<Uid>,
    /// Those of them all whose agents are idle.
    idle: BTreeSet<Uid>,
    /// Whether the pods could be seen meanwhile.
    sees_pods: bool,
}

/// Whether an agent belongs to a pod: by its tag, or by its hostname if the
/// tag is absent or was never filled in.
pub(crate) fn belongs(agent: &Agent, pod: &Pod) -> bool {
    match agent.pod_uid.as_ref().map(Uid::as_str) {
        Some(uid) if !uid.is_empty() && !uid.contains("BUILDSCALER_POD_UID") => uid == pod.uid.as_str(),
        Some(_) | None => agent.hostname.is_some() && agent.hostname == pod.hostname,
    }
}

impl Witness {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            config: config.clone(),
            is_reactive: true,
            cluster: None,
            jobs: None,
            agents: None,
            partial: (None, Vec::new(), Vec::new()),
            listings: Vec::new(),
            first_shown: BTreeMap::new(),
            flying: BTreeMap::new(),
            last_id: None,
            asked: BTreeMap::new(),
            told: BTreeSet::new(),
            buildkite_closed: None,
            cluster_closed: None,
            requests: Vec::new(),
            sent_at: BTreeMap::new(),
            done: BTreeSet::new(),
        }
    }

    /// Takes note of what goes in.
    pub(crate) fn learn(&mut self, input: &Input, now: Timestamp) {
        match input {
            Input::Tick | Input::Lease { .. } | Input::Shutdown => {}
            Input::Cluster { id, view } => {
                id.map(|id| self.flying.remove(&id));
                self.learn_cluster(view, now);
            }
            Input::Buildkite { id, look } => {
                if self.flying.remove(id).is_some() {
                    self.spent(*id, look.spending.requests, now);
                    self.learn_look(look);
                }
            }
            Input::Outcome { id, outcome, spending } => {
                if let Some(command) = self.flying.remove(id) {
                    self.spent(*id, spending.requests, now);
                    self.learn_outcome(&command, outcome, now);
                }
            }
        }
    }

    /// Nobody will hear how this ended: the process that asked for it is gone.
    pub(crate) fn give_up(&mut self, command: &Command, now: Timestamp) {
        self.flying.remove(&command.id);
        self.partial = <_>::default();
        let unknown = Failure::FateUnknown {
            message: "the process ended".into(),
        };
        self.learn_outcome(command, &Outcome::Failed(unknown), now);
    }

    fn learn_cluster(&mut self, view: &ClusterView, now: Timestamp) {
        for failure in [view.templates.failure(), view.pods.failure()].into_iter().flatten() {
            if let Failure::RateLimited { until, .. } = failure {
                self.cluster_closed = self.cluster_closed.max(Some(*until));
            }
        }
        if let View::Complete(pods) = &view.pods {
            let uids: BTreeSet<&Uid> = pods.iter().map(|pod| &pod.uid).collect();
            self.first_shown.retain(|uid, _| uids.contains(uid));
            for pod in pods {
                self.first_shown.entry(pod.uid.clone()).or_insert(now);
                self.asked.remove(&format!("{}/{}", pod.namespace, pod.name));
            }
            self.asked
                .retain(|_, (_, answered)| answered.is_none_or(|answered| now.since(answered) < LAG));
        }
        self.cluster = Some(view.clone());
    }

    fn learn_look(&mut self, look: &Look) {
        let (begun_at, jobs, agents) = &mut self.partial;
        let begun_at = *begun_at.get_or_insert(look.begun_at);
        jobs.extend(look.jobs.iter().cloned());
        agents.extend(look.agents.iter().cloned());
        if let LookEnd::More(_) = look.end {
            return;
        }
        let (_, mut jobs, mut agents) = std::mem::take(&mut self.partial);
        jobs.sort_by(|a, b| (&a.id, a.state).cmp(&(&b.id, b.state)));
        jobs.dedup_by(|a, b| a.id == b.id);
        agents.sort_by(|a, b| a.id.cmp(&b.id));
        agents.dedup_by(|a, b| a.id == b.id);
        if let LookEnd::Failed(_, Failure::RateLimited { until, .. }) = &look.end {
            self.buildkite_closed = self.buildkite_closed.max(Some(*until));
        }
        match &look.end {
            LookEnd::Failed(buildscaler_core::Cursor::Builds { .. }, _) => (self.jobs, self.agents) = (None, None),
            LookEnd::Failed(buildscaler_core::Cursor::Agents { .. }, _) => {
                (self.jobs, self.agents) = (Some(jobs), None);
            }
            LookEnd::Complete | LookEnd::More(_) => {
                let pods = self.pods().cloned().collect::<Vec<Pod>>();
                let of = |pod: &Pod| agents.iter().filter(|agent| belongs(agent, pod)).collect::<Vec<_>>();
                let some = pods.iter().filter(|pod| !of(pod).is_empty());
                let idle = some.clone().filter(|pod| of(pod).iter().all(|agent| is_idle(agent)));
                let uids = |pod: &Pod| pod.uid.clone();
                self.listings.push(Listing {
                    begun_at,
                    with: some.map(uids).collect(),
                    idle: idle.map(uids).collect(),
                    sees_pods: self.knows_pods(),
                });
                (self.jobs, self.agents) = (Some(jobs), Some(agents));
            }
        }
    }

    fn learn_outcome(&mut self, command: &Command, outcome: &Outcome, now: Timestamp) {
        match (&command.action, outcome) {
            (Action::CreatePod(create), Outcome::Done | Outcome::Failed(Failure::AlreadyExists { .. })) => {
                if let Some((_, answered)) = self.asked.get_mut(&key(create)) {
                    *answered = Some(now);
                }
            }
            (Action::CreatePod(create), Outcome::Failed(Failure::FateUnknown { .. })) => {
                // If no view shows it soon it was not carried out, and another
                // template's pod may take its place.
                if let Some((_, answered)) = self.asked.get_mut(&key(create)) {
                    *answered = Some(now.before(LAG - DOUBT));
                }
            }
            (Action::CreatePod(create), Outcome::Failed(_)) => {
                self.asked.remove(&key(create));
            }
            (Action::StopAgent { agent }, Outcome::Done) => {
                self.told.insert(agent.clone());
            }
            (
                Action::StopAgent { .. }
                | Action::DeletePod { .. }
                | Action::ReadLease { .. }
                | Action::WriteLease(_)
                | Action::ObserveCluster
                | Action::ObserveBuildkite { .. }
                | Action::RegisterUsage { .. }
                | Action::MeterUsage { .. },
                _,
            ) => {}
        }
        if let Outcome::Failed(Failure::RateLimited { until, .. }) = outcome {
            let closed = match &command.action {
                Action::StopAgent { .. } | Action::ObserveBuildkite { .. } => &mut self.buildkite_closed,
                Action::RegisterUsage { .. } | Action::MeterUsage { .. } => return,
                Action::CreatePod(_)
                | Action::DeletePod { .. }
                | Action::ReadLease { .. }
                | Action::WriteLease(_)
                | Action::ObserveCluster => &mut self.cluster_closed,
            };
            *closed = (*closed).max(Some(*until));
        }
    }

    fn spent(&mut self, id: CommandId, requests: u32, now: Timestamp) {
        let sent_at = self.sent_at.remove(&id).unwrap_or(now);
        self.requests.push((sent_at, now, requests));
    }

    pub(crate) fn pods(&self) -> impl Iterator<Item = &Pod> {
        let pods = self.cluster.as_ref().and_then(|cluster| cluster.pods.complete());
        pods.into_iter().flatten().map(|pod| &**pod)
    }

    fn knows_pods(&self) -> bool {
        self.cluster
            .as_ref()
            .is_some_and(|cluster| cluster.pods.complete().is_some())
    }

    fn object_to_blindness(&self) {
        assert!(self.templates().is_some(), "Invariant 4: templates are unknown");
    }

    fn templates(&self) -> Option<impl Iterator<Item = &Template>> {
        let templates = self.cluster.as_ref().and_then(|cluster| cluster.templates.complete())?;
        Some(templates.iter().map(|template| &**template))
    }

    fn claims(&self, queue: &Queue) -> impl Iterator<Item = &Template> {
        self.templates()
            .into_iter()
            .flatten()
            .filter(move |one| one.queue.as_ref() == Some(queue) && !one.deleting)
    }

    fn pod_of(&self, agent: &Agent) -> Option<&Pod> {
        self.pods().find(|pod| belongs(agent, pod))
    }
}

fn is_idle(agent: &Agent) -> bool {
    agent.state == ConnectionState::Connected && !agent.paused && agent.running.is_none()
}

fn key(create: &CreatePod) -> String {
    format!("{}/{}", create.namespace, create.name)
}
