//! A witness knows what a controller was shown and what it has asked for, and
//! objects to commands that break an invariant.
//!
//! It never works out what should be done. It only says of what *was* done
//! whether it was allowed, from the plain rows that were shown: who belongs to
//! whom, what was listed when, what is in flight.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use buildscaler_core::{
    Action, Agent, BuildkiteJob, ClusterView, Command, CommandId, Config, ConnectionState, CreatePod, Failure, Input,
    JobState, Look, LookEnd, Outcome, Pod, Queue, Reason, Step, Template, Timestamp, Uid, View,
};

/// How far a cache may lag behind an answered write.
const LAG: Duration = Duration::from_secs(30);

/// What was shown and what was asked for.
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
    buildkite_closed: Option<Timestamp>,
    cluster_closed: Option<Timestamp>,
    /// When requests may have been sent, and how many.
    pub(crate) requests: Vec<(Timestamp, Timestamp, u32)>,
    sent_at: BTreeMap<CommandId, Timestamp>,
    /// What was seen to be done, to tell a test that tests something.
    pub(crate) done: BTreeSet<(&'static str, Reason)>,
}

/// A complete listing of the agents.
struct Listing {
    begun_at: Timestamp,
    /// Pods with an agent.
    with: BTreeSet<Uid>,
    /// Those of them all whose agents are idle.
    idle: BTreeSet<Uid>,
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
            Input::Tick | Input::Shutdown => {}
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

    fn learn_cluster(&mut self, view: &ClusterView, now: Timestamp) {
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
                self.listings
                    .push((begun_at, some.map(uids).collect(), idle.map(uids).collect()));
                (self.jobs, self.agents) = (Some(jobs), Some(agents));
            }
        }
    }

    fn learn_outcome(&mut self, command: &Command, outcome: &Outcome, now: Timestamp) {
        match (&command.action, outcome) {
            (
                Action::CreatePod(create),
                Outcome::Done | Outcome::Failed(Failure::FateUnknown { .. } | Failure::AlreadyExists { .. }),
            ) => {
                if let Some((_, answered)) = self.asked.get_mut(&key(create)) {
                    *answered = Some(now);
                }
            }
            (Action::CreatePod(create), Outcome::Failed(_)) => {
                self.asked.remove(&key(create));
            }
            (
                Action::StopAgent { .. }
                | Action::DeletePod { .. }
                | Action::ObserveCluster
                | Action::ObserveBuildkite { .. },
                _,
            ) => {}
        }
        if let Outcome::Failed(Failure::RateLimited { until, .. }) = outcome {
            let closed = match &command.action {
                Action::StopAgent { .. } | Action::ObserveBuildkite { .. } => &mut self.buildkite_closed,
                Action::CreatePod(_) | Action::DeletePod { .. } | Action::ObserveCluster => &mut self.cluster_closed,
            };
            *closed = (*closed).max(Some(*until));
        }
    }

    fn spent(&mut self, id: CommandId, requests: u32, now: Timestamp) {
        let sent_at = self.sent_at.remove(&id).unwrap_or(now);
        self.requests.push((sent_at, now, requests));
    }

    /// Panics over a step that breaks an invariant.
    pub(crate) fn object(&mut self, step: &Step, now: Timestamp) {
        let latest = now.after(self.config.sync_interval);
        assert!(
            now < step.wake.at && step.wake.at <= latest,
            "Invariant 15: {:?}",
            step.wake
        );
        for command in &step.commands {
            assert!(self.last_id < Some(command.id), "an id is used twice");
            self.last_id = Some(command.id);
            self.object_to_flights(command);
            match &command.action {
                Action::CreatePod(create) => self.object_to_create(create, now),
                Action::StopAgent { agent } => self.object_to_stop(agent, command.reason, now),
                Action::DeletePod { .. } => self.object_to_delete(command, now),
                Action::ObserveCluster => {}
                Action::ObserveBuildkite { .. } => {
                    assert!(
                        self.buildkite_closed.is_none_or(|until| until <= now),
                        "Invariant 21: Buildkite said no"
                    );
                    self.sent_at.insert(command.id, now);
                }
            }
            self.done.insert((kind(&command.action), command.reason));
            self.flying.insert(command.id, command.clone());
        }
    }

    /// Invariant 11: one command in flight per subject.
    fn object_to_flights(&self, command: &Command) {
        let subject = |command: &Command| match &command.action {
            Action::ObserveCluster | Action::ObserveBuildkite { .. } => "look".to_owned(),
            Action::CreatePod(create) => key(create),
            Action::StopAgent { agent } => self.agents.iter().flatten().find(|one| one.id == *agent).map_or_else(
                || agent.to_string(),
                |agent| format!("agent {} of {:?}", agent.id, self.pod_of(agent).map(|pod| &pod.uid)),
            ),
            Action::DeletePod { namespace, name, .. } => format!("{namespace}/{name}"),
        };
        let mine = subject(command);
        for flying in self.flying.values() {
            assert_ne!(
                mine,
                subject(flying),
                "Invariant 11: two commands in flight about one thing"
            );
            if let (Action::StopAgent { agent }, Action::DeletePod { uid, .. })
            | (Action::DeletePod { uid, .. }, Action::StopAgent { agent }) = (&flying.action, &command.action)
            {
                let agent = self.agents.iter().flatten().find(|one| one.id == *agent);
                let pod = agent.and_then(|agent| self.pod_of(agent));
                // A finished pod has no process left that a delete could hurt.
                let hurts = pod.is_some_and(|pod| pod.uid == *uid && !pod.stage.is_finished());
                assert!(!hurts, "Invariant 11: stop and delete together");
            }
        }
    }

    fn object_to_create(&mut self, create: &CreatePod, now: Timestamp) {
        assert!(
            self.cluster_closed.is_none_or(|until| until <= now),
            "Invariant 21: Kubernetes said no"
        );
        assert!(
            self.jobs.is_some() && self.agents.is_some(),
            "Invariant 4: demand is unknown"
        );
        self.object_to_blindness();
        assert!(self.knows_pods(), "Invariant 4: pods are unknown");
        let claims: Vec<&Template> = self.claims(&create.queue).filter(|one| one.parallelism == 0).collect();
        let oldest = claims.iter().min_by_key(|one| (one.created_at, &one.uid));
        let oldest = oldest.expect("Invariant 8: a template without parallelism serves");
        assert_eq!(oldest.uid, create.template, "Invariant 10: the oldest template serves");
        assert_eq!(
            oldest.namespace, create.namespace,
            "Invariant 3: pods live beside their template"
        );
        assert_eq!(
            create.manifest["metadata"]["labels"]["buildscaler.elotl.co/template-hash"],
            oldest.hash.as_str(),
            "Invariant 8: the current template is used"
        );
        assert_eq!(
            create.manifest["metadata"]["labels"]["app.elotl.co"], "buildscaler",
            "Invariant 3"
        );
        let wanting = self.jobs.iter().flatten();
        let wanting = wanting
            .filter(|one| one.queue == create.queue && one.state == JobState::Scheduled)
            .count();
        let ceiling = oldest
            .annotations
            .get("max-active-builds")
            .and_then(|text| text.parse::<usize>().ok());
        let ceiling = ceiling.or(self.config.max_active_builds.map(|most| most as usize));
        self.asked.insert(key(create), (create.queue.clone(), None));
        let asked = self.asked.values().filter(|(queue, _)| *queue == create.queue).count();
        let alive = |pod: &&Pod| !pod.adopted && pod.queue.is_some() && !pod.stage.is_finished();
        let pods = self
            .pods()
            .filter(alive)
            .filter(|pod| pod.queue.as_ref() == Some(&create.queue))
            .count();
        assert!(
            ceiling.is_none_or(|most| pods + asked <= most),
            "Invariant 7: {pods} + {asked} of {ceiling:?}"
        );
        let all = self.pods().filter(alive).count() + self.asked.len();
        assert!(
            self.config.max_pods.is_none_or(|most| all <= most as usize),
            "Invariant 7: {all} pods in the fleet"
        );
        assert!(
            !self.is_reactive || asked <= wanting,
            "Invariant 6: {asked} creates for {wanting} jobs"
        );
    }

    fn object_to_stop(&mut self, id: &buildscaler_core::AgentId, reason: Reason, now: Timestamp) {
        assert!(
            self.buildkite_closed.is_none_or(|until| until <= now),
            "Invariant 21: Buildkite said no"
        );
        assert!(self.knows_pods(), "Invariant 4: pods are unknown");
        let agents = self.agents.as_ref().expect("Invariant 4: agents are unknown");
        let agent = agents
            .iter()
            .find(|agent| agent.id == *id)
            .expect("the agent is listed");
        let pod = self
            .pod_of(agent)
            .expect("Invariant 3: the agent belongs to a pod of ours");
        assert!(pod.queue.is_some() && !pod.adopted, "Invariant 3: the pod is ours");
        assert_eq!(
            agent.state,
            ConnectionState::Connected,
            "a stopping agent is not asked again"
        );
        assert!(!agent.paused, "a paused agent is somebody's concern");
        match reason {
            Reason::Orphaned | Reason::Replaced => {
                self.object_to_blindness();
                let fits = |one: &&Template| {
                    Some(&one.uid) == pod.template_uid.as_ref() && Some(&one.hash) == pod.template_hash.as_ref()
                };
                let claims: Vec<_> = pod.queue.iter().flat_map(|queue| self.claims(queue)).collect();
                assert!(!claims.iter().any(fits), "its template is there as it was");
                assert!(claims.len() < 2, "Invariant 10: the queue is contested");
            }
            Reason::IdleTimeout => {
                self.object_to_surplus(agent);
                let idle = |listing: &&Listing| listing.idle.contains(&pod.uid);
                let first = self.listings.iter().rev().take_while(idle).last();
                let seen = now.since(first.expect("it was seen idle").begun_at);
                assert!(seen >= self.config.idle_timeout, "Invariant 20: seen idle for {seen:?} only");
            }
            Reason::Lifetime => {
                self.object_to_surplus(agent);
                let age = now.since(pod.created_at);
                assert!(self.config.max_agent_lifetime.is_some_and(|most| age > most), "only {age:?} old");
            }
            other => panic!("no reason to stop an agent: {other}"),
        }
        self.sent_at.insert(self.last_id.unwrap(), now);
    }

    fn object_to_delete(&self, command: &Command, now: Timestamp) {
        let Action::DeletePod {
            namespace,
            name,
            uid,
            grace_seconds,
        } = &command.action
        else {
            return;
        };
        assert!(
            self.cluster_closed.is_none_or(|until| until <= now),
            "Invariant 21: Kubernetes said no"
        );
        assert!(self.knows_pods(), "Invariant 4: pods are unknown");
        let pod = self
            .pods()
            .find(|pod| pod.uid == *uid)
            .expect("Invariant 3: the pod was shown");
        assert_eq!((&pod.namespace, &pod.name), (namespace, name));
        assert!(pod.queue.is_some() && !pod.adopted, "Invariant 3: the pod is ours");
        if pod.stage.is_finished() {
            return;
        }
        let agents = self.agents.as_ref().expect("Invariant 4: agents are unknown");
        assert!(
            !agents.iter().any(|agent| belongs(agent, pod)),
            "Invariant 1: an agent belongs to the pod"
        );
        let shown = self.first_shown[uid];
        let listings = || {
            self.listings
                .iter()
                .rev()
                .take_while(|(begun_at, with, _)| !with.contains(uid) && *begun_at >= shown)
        };
        assert!(
            listings().count() >= 2,
            "Invariant 5: {} listings lack its agent",
            listings().count()
        );
        if pod.stage == buildscaler_core::PodStage::AgentEnded {
            return;
        }
        let was_there = self.listings.iter().any(|(_, with, _)| with.contains(uid));
        let since = listings()
            .last()
            .filter(|_| was_there)
            .map_or(shown, |(begun_at, _, _)| *begun_at);
        let absent = self
            .listings
            .last()
            .map_or(Duration::ZERO, |(last, _, _)| last.since(since));
        let timeout = self.config.agent_startup_timeout;
        if absent <= timeout || now.since(pod.created_at) <= timeout {
            self.object_to_blindness();
            let claimed = pod.queue.iter().any(|queue| self.claims(queue).next().is_some());
            assert!(
                !claimed,
                "Invariant 5: absent for {absent:?}, and a template claims the queue"
            );
            assert!(
                grace_seconds.is_some_and(|grace| grace >= 3600),
                "an agent may connect yet: {grace_seconds:?}"
            );
        }
    }

    fn object_to_surplus(&self, agent: &Agent) {
        self.object_to_blindness();
        assert!(self.jobs.is_some(), "Invariant 4: jobs are unknown");
        assert_eq!(agent.running, None, "no build is interrupted by scaling");
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

    /// Invariant 21: in no 60 seconds more requests than `limit`, whether they
    /// were sent at the beginning or at the end of their command.
    pub(crate) fn object_to_spending(&self, limit: u32) {
        for sent in [
            |one: &(Timestamp, Timestamp, u32)| one.0,
            |one: &(Timestamp, Timestamp, u32)| one.1,
        ] {
            for first in &self.requests {
                let from = sent(first);
                let within = |one: &&(Timestamp, Timestamp, u32)| {
                    from <= sent(one) && sent(one).since(from) < Duration::from_secs(60)
                };
                let spent: u32 = self.requests.iter().filter(within).map(|one| one.2).sum();
                assert!(spent <= limit, "Invariant 21: {spent} requests within a minute");
            }
        }
    }
}

fn is_idle(agent: &Agent) -> bool {
    agent.state == ConnectionState::Connected && !agent.paused && agent.running.is_none()
}

fn key(create: &CreatePod) -> String {
    format!("{}/{}", create.namespace, create.name)
}

fn kind(action: &Action) -> &'static str {
    match action {
        Action::ObserveCluster => "observe cluster",
        Action::ObserveBuildkite { .. } => "observe buildkite",
        Action::CreatePod(_) => "create",
        Action::StopAgent { .. } => "stop",
        Action::DeletePod {
            grace_seconds: None, ..
        } => "delete",
        Action::DeletePod { .. } => "delete gently",
    }
}
