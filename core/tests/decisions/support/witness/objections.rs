//! What a witness objects to, invariant by invariant.

use std::time::Duration;

use buildscaler_core::{
    Action, Agent, AgentId, Command, ConnectionState, CreatePod, JobState, Pod, PodStage, Reason, Step, Template,
    Timestamp,
};

use super::{Listing, Witness, belongs, key};

/// When a request was sent: at the beginning or at the end of its command.
type Sent = fn(&(Timestamp, Timestamp, u32)) -> Timestamp;

impl Witness {
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
                Action::RegisterUsage { .. } | Action::MeterUsage { .. } => {}
                Action::ObserveCluster | Action::ReadLease { .. } | Action::WriteLease(_) => {
                    self.object_to_haste(self.cluster_closed, now)
                }
                Action::ObserveBuildkite { .. } => {
                    self.object_to_haste(self.buildkite_closed, now);
                    self.sent_at.insert(command.id, now);
                }
            }
            self.done.insert((kind(&command.action), command.reason));
            self.flying.insert(command.id, command.clone());
        }
    }

    fn object_to_haste(&self, closed_until: Option<Timestamp>, now: Timestamp) {
        let is_open = closed_until.is_none_or(|until| until <= now);
        assert!(
            is_open,
            "Invariant 21: the API said not before {closed_until:?}, and it is {now}"
        );
    }

    /// Invariant 11: one command in flight per subject.
    fn object_to_flights(&self, command: &Command) {
        let subject = |command: &Command| match &command.action {
            Action::ObserveCluster | Action::ObserveBuildkite { .. } => "look".to_owned(),
            Action::ReadLease { .. } | Action::WriteLease(_) => "lease".to_owned(),
            Action::CreatePod(create) => key(create),
            Action::StopAgent { agent } => self.agents.iter().flatten().find(|one| one.id == *agent).map_or_else(
                || agent.to_string(),
                |agent| format!("agent {} of {:?}", agent.id, self.pod_of(agent).map(|pod| &pod.uid)),
            ),
            // By uid, not by name: names are used again, and a delete
            // that comes late fails by its precondition.
            Action::DeletePod { uid, .. } => uid.to_string(),
            Action::RegisterUsage { .. } | Action::MeterUsage { .. } => "metering".to_owned(),
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
        self.object_to_haste(self.cluster_closed, now);
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
        let terms = self.terms(&create.queue);
        let ceiling = terms.ceiling;
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
            !self.is_reactive || asked <= wanting + terms.min_idle,
            "Invariant 6: {asked} creates for {wanting} jobs and {} to be kept",
            terms.min_idle
        );
    }

    fn object_to_stop(&mut self, id: &AgentId, reason: Reason, now: Timestamp) {
        self.object_to_haste(self.buildkite_closed, now);
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
        if matches!(reason, Reason::Orphaned | Reason::Replaced) {
            self.object_to_drain(pod);
        } else {
            self.object_to_surplus(agent, pod, reason, now);
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
        self.object_to_haste(self.cluster_closed, now);
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
                .take_while(|listing| !listing.with.contains(uid) && listing.begun_at >= shown)
        };
        assert!(
            listings().count() >= 2,
            "Invariant 5: {} listings lack its agent",
            listings().count()
        );
        if pod.stage == PodStage::AgentEnded {
            return;
        }
        let was_there = self.listings.iter().any(|listing| listing.with.contains(uid));
        let since = listings()
            .last()
            .filter(|_| was_there)
            .map_or(shown, |listing| listing.begun_at);
        let absent = self
            .listings
            .last()
            .map_or(Duration::ZERO, |last| last.begun_at.since(since));
        assert!(
            pod.deleting || grace_seconds.is_some_and(|grace| grace >= 3600),
            "an agent may connect this moment: {grace_seconds:?}"
        );
        let queue = pod.queue.as_ref().expect("the pod is ours");
        let timeout = self.terms(queue).startup_timeout;
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

    fn object_to_drain(&self, pod: &Pod) {
        self.object_to_blindness();
        let fits = |one: &&Template| {
            Some(&one.uid) == pod.template_uid.as_ref() && Some(&one.hash) == pod.template_hash.as_ref()
        };
        let claims: Vec<_> = pod.queue.iter().flat_map(|queue| self.claims(queue)).collect();
        assert!(!claims.iter().any(fits), "its template is there as it was");
        assert!(claims.len() < 2, "Invariant 10: the queue is contested");
    }

    fn object_to_surplus(&self, agent: &Agent, pod: &Pod, reason: Reason, now: Timestamp) {
        self.object_to_blindness();
        assert!(self.jobs.is_some(), "Invariant 4: jobs are unknown");
        assert_eq!(agent.running, None, "no build is interrupted by scaling");
        let terms = self.terms(pod.queue.as_ref().expect("the pod is ours"));
        if reason == Reason::Lifetime {
            let age = now.since(pod.created_at);
            assert!(terms.lifetime.is_some_and(|most| age > most), "only {age:?} old");
        } else {
            assert_eq!(reason, Reason::IdleTimeout, "a reason to stop an agent");
            let idle = |listing: &&Listing| listing.idle.contains(&pod.uid);
            let listings = self.listings.iter().rev().filter(|listing| listing.sees_pods);
            let first = listings.take_while(idle).last();
            let seen = now.since(first.expect("it was seen idle").begun_at);
            assert!(seen >= terms.idle_timeout, "Invariant 20: seen idle for {seen:?} only");
            let left = self.idle_beside(pod);
            assert!(
                left >= terms.min_idle || self.config.max_pods.is_some(),
                "Invariant 27: {left} idle agents are left of {}",
                terms.min_idle
            );
        }
    }

    /// Pods of the queue with an idle agent that are left when this one goes:
    /// those of the template that serves it whose agent has not been asked to
    /// go as well.
    fn idle_beside(&self, going: &Pod) -> usize {
        let stays = |pod: &&Pod| {
            let is_up = matches!(
                pod.stage,
                PodStage::Unscheduled | PodStage::Starting | PodStage::Running
            );
            pod.queue == going.queue && pod.uid != going.uid && is_up && !pod.deleting && !pod.adopted
        };
        let waits = |agent: &&Agent| super::is_idle(agent) && !self.was_asked(&agent.id);
        self.pods()
            .filter(stays)
            .filter(|pod| self.is_current(pod))
            .filter(|pod| {
                let agents = || self.agents.iter().flatten().filter(|agent| belongs(agent, pod));
                agents().any(|agent| waits(&agent)) && agents().all(|agent| agent.running.is_none() && !agent.paused)
            })
            .count()
    }

    /// Invariant 21: in no 60 seconds more requests than `limit`, whether they
    /// were sent at the beginning or at the end of their command.
    pub(crate) fn object_to_spending(&self, limit: u32) {
        let begin: Sent = |one| one.0;
        let end: Sent = |one| one.1;
        for sent in [begin, end] {
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

fn kind(action: &Action) -> &'static str {
    match action {
        Action::ObserveCluster => "observe cluster",
        Action::ObserveBuildkite { .. } => "observe buildkite",
        Action::CreatePod(_) => "create",
        Action::StopAgent { .. } => "stop",
        Action::DeletePod { grace_seconds, .. } if grace_seconds.is_some_and(|grace| grace >= 3600) => "delete gently",
        Action::DeletePod { .. } => "delete",
        Action::RegisterUsage { .. } => "register usage",
        Action::MeterUsage { .. } => "record usage",
        Action::ReadLease { .. } => "read lease",
        Action::WriteLease(_) => "write lease",
    }
}
