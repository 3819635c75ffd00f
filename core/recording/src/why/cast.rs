//! Who is in the story: the thing that was asked for, and those that belong to it.

use std::collections::{BTreeMap, BTreeSet};

use buildscaler_core::{Action, Agent, AgentId, BuildkiteJobId, Input, Pod, Queue, Step, Uid};

use super::Kind;
use crate::error::ReadError;
use crate::reading::Recording;

/// The characters of a story.
#[derive(Debug)]
pub(super) struct Cast {
    pub(super) kind: Kind,
    pub(super) queue: Option<Queue>,
    pub(super) buildkite_job: Option<BuildkiteJobId>,
    pub(super) agents: BTreeSet<AgentId>,
    /// Pods by uid, with `namespace/name`.
    pub(super) pods: BTreeMap<Uid, String>,
    /// The pods by `namespace/name`, those included that were never seen.
    pub(super) pod_keys: BTreeSet<String>,
}

/// The key of a pod.
pub(super) fn pod_key(namespace: &str, name: &str) -> String {
    format!("{namespace}/{name}")
}

/// Everything by which things find each other.
#[derive(Debug, Default)]
struct Register {
    pods: BTreeMap<Uid, Listed>,
    agents: BTreeMap<AgentId, Link>,
    is_job: bool,
    is_agent: bool,
    queue: Option<Queue>,
    /// Agents that were seen with the job.
    carriers: BTreeSet<AgentId>,
    /// Pods that bear the name or uid.
    named: BTreeSet<Uid>,
    /// Pods that were asked for under the name.
    asked: BTreeSet<String>,
}

#[derive(Debug)]
struct Listed {
    key: String,
    hostname: Option<String>,
}

#[derive(Debug)]
struct Link {
    pod: Option<Uid>,
    hostname: Option<String>,
}

impl Cast {
    /// Finds out what `id` names and what belongs to it; also tells what could
    /// not be read.
    pub(super) fn find(recording: &Recording, id: &str) -> Result<(Option<Self>, Vec<String>), ReadError> {
        let mut register = Register::default();
        let mut errors = Vec::new();
        let mut is_empty = true;
        for next in recording.moments() {
            match next {
                Ok((_, moment)) => {
                    is_empty = false;
                    register.see(&moment.input, id);
                    if let Some(step) = &moment.step {
                        register.note(step, id);
                    }
                }
                Err(error) => errors.push(error),
            }
        }
        if is_empty && !errors.is_empty() {
            return Err(errors.remove(0));
        }
        let unread = errors.iter().map(ToString::to_string).collect();
        Ok((register.cast(id), unread))
    }
}

impl Register {
    fn see(&mut self, input: &Input, id: &str) {
        match input {
            Input::Cluster { view, .. } => {
                for pod in view.pods.complete().into_iter().flatten() {
                    self.pod(pod, id);
                }
            }
            Input::Buildkite { look, .. } => {
                if let Some(found) = look.jobs.iter().find(|one| one.id.as_str() == id) {
                    self.is_job = true;
                    self.queue = Some(found.queue.clone());
                }
                for agent in &look.agents {
                    self.agent(agent, id);
                }
            }
            Input::Tick | Input::Outcome { .. } | Input::Lease { .. } | Input::Shutdown => {}
        }
    }

    fn pod(&mut self, pod: &Pod, id: &str) {
        let is_known = self.pods.contains_key(&pod.uid);
        if !is_known {
            let listed = Listed {
                key: pod_key(&pod.namespace, &pod.name),
                hostname: pod.hostname.clone(),
            };
            if [pod.uid.as_str(), &pod.name, &listed.key].contains(&id) {
                self.named.insert(pod.uid.clone());
                self.queue = self.queue.take().or_else(|| pod.queue.clone());
            }
            self.pods.insert(pod.uid.clone(), listed);
        }
    }

    fn agent(&mut self, agent: &Agent, id: &str) {
        if agent.running.as_ref().is_some_and(|running| running.as_str() == id) {
            self.is_job = true;
            self.carriers.insert(agent.id.clone());
        }
        if agent.id.as_str() == id {
            self.is_agent = true;
            self.queue = agent.queues.first().cloned();
        }
        if !self.agents.contains_key(&agent.id) {
            let link = Link {
                pod: agent.pod_uid.clone(),
                hostname: agent.hostname.clone(),
            };
            self.agents.insert(agent.id.clone(), link);
        }
    }

    fn note(&mut self, step: &Step, id: &str) {
        for command in &step.commands {
            if let Action::CreatePod(create) = &command.action {
                let key = pod_key(&create.namespace, &create.name);
                if create.name == id || key == id {
                    self.asked.insert(key);
                    self.queue = Some(create.queue.clone());
                }
            }
        }
    }

    fn cast(self, id: &str) -> Option<Cast> {
        let kind = if self.is_job {
            Kind::BuildkiteJob
        } else if self.is_agent {
            Kind::Agent
        } else if !self.named.is_empty() || !self.asked.is_empty() {
            Kind::Pod
        } else {
            return None;
        };
        let agents: BTreeSet<AgentId> = match kind {
            Kind::BuildkiteJob => self.carriers.clone(),
            Kind::Agent => BTreeSet::from([AgentId::from(id)]),
            Kind::Pod => {
                let belongs =
                    |(_, link): &(&AgentId, &Link)| self.pods_of(link).into_iter().any(|uid| self.named.contains(uid));
                self.agents.iter().filter(belongs).map(|(id, _)| id.clone()).collect()
            }
        };
        let mut uids = self.named.clone();
        if kind != Kind::Pod {
            uids = agents
                .iter()
                .filter_map(|id| self.agents.get(id))
                .flat_map(|link| self.pods_of(link))
                .cloned()
                .collect();
        }
        let pods: BTreeMap<Uid, String> = uids
            .into_iter()
            .filter_map(|uid| Some((uid.clone(), self.pods.get(&uid)?.key.clone())))
            .collect();
        let asked = if kind == Kind::Pod { self.asked } else { BTreeSet::new() };
        Some(Cast {
            kind,
            buildkite_job: (kind == Kind::BuildkiteJob).then(|| BuildkiteJobId::from(id)),
            queue: self.queue,
            pod_keys: pods.values().cloned().chain(asked).collect(),
            agents,
            pods,
        })
    }

    /// The pods of an agent: by its tag, or else by its hostname.
    fn pods_of(&self, link: &Link) -> Vec<&Uid> {
        match &link.pod {
            Some(uid) => self.pods.get_key_value(uid).into_iter().map(|(uid, _)| uid).collect(),
            None => {
                let pods = self.pods.iter();
                pods.filter(|(_, listed)| link.hostname.is_some() && link.hostname == listed.hostname)
                    .map(|(uid, _)| uid)
                    .collect()
            }
        }
    }
}
