//! What of the views is about the characters.

use std::collections::BTreeMap;

use buildscaler_core::{
    Agent, AgentId, BuildkiteJob, BuildkiteJobId, ConnectionState, JobState, Look, LookEnd, Pod, PodStage, Timestamp,
    Uid,
};

use super::{Chronicle, Pages, Seen, kind_of};
use crate::why::cast::{Cast, pod_key};

impl Chronicle {
    pub(super) fn see_pods<'p>(&mut self, pods: impl Iterator<Item = &'p Pod>, at: Timestamp, cast: &Cast) {
        let mut there: BTreeMap<&Uid, &Pod> = BTreeMap::new();
        for pod in pods {
            let key = pod_key(&pod.namespace, &pod.name);
            if cast.pods.contains_key(&pod.uid) {
                there.insert(&pod.uid, pod);
                self.see_pod(pod, &key, at);
            }
        }
        for (uid, key) in &cast.pods {
            let stay = self.pods.entry(key.clone()).or_default();
            if stay.last.is_some() && stay.gone_at.is_none() && !there.contains_key(uid) {
                stay.gone_at = Some(at);
                self.tell(at, &format!("pod {key}"), "is gone");
            }
        }
    }

    fn see_pod(&mut self, pod: &Pod, key: &str, at: Timestamp) {
        let stay = self.pods.entry(key.to_owned()).or_default();
        let now = Seen {
            stage: pod.stage,
            trouble: pod.trouble.clone(),
            deleting: pod.deleting,
        };
        stay.seen_at.get_or_insert(at);
        stay.dated_at.get_or_insert(pod.created_at);
        if pod.stage > PodStage::Unscheduled {
            stay.scheduled_at.get_or_insert(at);
        }
        if pod.stage >= PodStage::Running {
            stay.running_at.get_or_insert(at);
        }
        if stay.last.as_ref() == Some(&now) {
            return;
        }
        let mut what = match now.stage {
            PodStage::Unscheduled => "is there, without a node".to_owned(),
            PodStage::Starting => "has a node, and its containers start".to_owned(),
            PodStage::Running => "runs".to_owned(),
            PodStage::AgentEnded => "holds on though its agent container has ended".to_owned(),
            PodStage::Succeeded => "has ended well".to_owned(),
            PodStage::Failed => "has failed".to_owned(),
        };
        if let Some(trouble) = &now.trouble {
            what.push_str(&format!(" ({trouble})"));
        }
        if now.deleting {
            what.push_str(", and is being deleted");
        }
        stay.last = Some(now);
        self.tell(at, &format!("pod {key}"), what);
    }

    /// Collects the pages of a look, and sees them once they are complete: the
    /// controller decides on whole lists only.
    pub(super) fn see_piece(&mut self, look: &Look, at: Timestamp, cast: &Cast) {
        let wanted = cast.buildkite_job.as_ref();
        if let Some(found) = look.jobs.iter().find(|one| Some(&one.id) == wanted) {
            self.pages.buildkite_job = Some(found.clone());
        }
        for agent in look.agents.iter().filter(|agent| cast.agents.contains(&agent.id)) {
            self.pages.agents.insert(agent.id.clone(), agent.clone());
        }
        match &look.end {
            LookEnd::More(_) => {}
            LookEnd::Failed(_, failure) => {
                self.pages = Pages::default();
                if self.has_begun {
                    self.tell(at, "Buildkite", format!("cannot be seen: {}", kind_of(failure)));
                }
            }
            LookEnd::Complete => {
                let Pages { buildkite_job, agents } = std::mem::take(&mut self.pages);
                if let Some(id) = wanted {
                    self.see_job(id, buildkite_job.as_ref(), &agents, at, cast);
                }
                self.see_agents(&agents, at, cast);
            }
        }
    }

    fn see_job(
        &mut self,
        id: &BuildkiteJobId,
        found: Option<&BuildkiteJob>,
        agents: &BTreeMap<AgentId, Agent>,
        at: Timestamp,
        cast: &Cast,
    ) {
        let about = format!("job {id}");
        let runner = agents.values().find(|agent| agent.running.as_ref() == Some(id));
        let work = &mut self.buildkite_job;
        let is_first = work.seen_at.is_none();
        if found.is_some() || runner.is_some() {
            work.seen_at.get_or_insert(at);
        }
        if let Some(found) = found {
            work.runnable_at = work.runnable_at.or(found.runnable_at);
            if work.state.replace(found.state) != Some(found.state) {
                let queue = if is_first {
                    format!(", on queue {}", found.queue)
                } else {
                    String::new()
                };
                self.tell(at, &about, format!("{}{queue}", state_of(found)));
                if is_first {
                    self.tell_standing(at, cast);
                }
            }
        } else if !is_first && runner.is_none() && work.gone_at.is_none() {
            work.gone_at = Some(at);
            self.tell(at, &about, "is not listed any more: it has ended");
        }
        if let Some(runner) = runner
            && self.buildkite_job.started_at.is_none()
        {
            self.buildkite_job.started_at = Some(at);
            self.tell(at, &about, format!("runs on agent {}", runner.id));
        }
    }

    fn see_agents(&mut self, listed: &BTreeMap<AgentId, Agent>, at: Timestamp, cast: &Cast) {
        for id in &cast.agents {
            match listed.get(id) {
                Some(agent) => self.see_agent(agent, at, cast),
                None => {
                    let service = self.agents.entry(id.clone()).or_default();
                    if service.last.take().is_some() {
                        service.gone_at = Some(at);
                        self.tell(at, &format!("agent {id}"), "is not listed any more");
                    }
                }
            }
        }
    }

    fn see_agent(&mut self, agent: &Agent, at: Timestamp, cast: &Cast) {
        let service = self.agents.entry(agent.id.clone()).or_default();
        let last = service.last.replace(agent.clone());
        service.connected_at = service.connected_at.or(agent.connected_at);
        service.seen_at.get_or_insert(at);
        service.gone_at = None;
        let mut said = Vec::new();
        if last.is_none() {
            said.push("is connected".to_owned());
        }
        let (was_running, was_state, was_paused) = match &last {
            Some(last) => (last.running.clone(), last.state, last.paused),
            None => (None, ConnectionState::Connected, false),
        };
        if agent.running != was_running {
            match &agent.running {
                Some(id) => {
                    service.first_work_at.get_or_insert(at);
                    service.works += 1;
                    if cast.buildkite_job.as_ref() != Some(id) {
                        said.push(format!("runs job {id}"));
                    }
                }
                None => said.push("is idle".to_owned()),
            }
        }
        if agent.state != was_state {
            said.push(match agent.state {
                ConnectionState::Connected => "takes work again".to_owned(),
                ConnectionState::Stopping => "is leaving".to_owned(),
                ConnectionState::Other => "is neither connected nor stopping".to_owned(),
            });
        }
        if agent.paused != was_paused {
            let paused = if agent.paused {
                "was paused by somebody"
            } else {
                "is not paused any more"
            };
            said.push(paused.to_owned());
        }
        if !said.is_empty() {
            self.tell(at, &format!("agent {}", agent.id), said.join(" and "));
        }
    }
}

fn state_of(found: &BuildkiteJob) -> &'static str {
    match found.state {
        JobState::Scheduled if found.runnable_at.is_none() => "is scheduled and cannot be dispatched yet",
        JobState::Scheduled => "waits for an agent",
        JobState::Limited => "is held back by a concurrency limit",
        JobState::Active => "has an agent",
        JobState::Other => "is in a state in which it needs no agent",
    }
}
