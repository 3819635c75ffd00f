//! An outside world that takes commands, and what a controller sees of it.

use std::sync::Arc;

use buildscaler_core::{
    Action, Agent, BuildkiteJob, ClusterView, ConnectionState, CreatePod, Failure, Outcome, Pod, PodStage, Queue,
    Template, TemplateHash, Timestamp, Uid, View, labels,
};

use super::build::{agent, already_exists, not_found, pod, template};

/// Everything outside.
#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    pub(crate) templates: Vec<Template>,
    pub(crate) pods: Vec<Pod>,
    pub(crate) agents: Vec<Agent>,
    pub(crate) jobs: Vec<BuildkiteJob>,
    /// What cannot be seen, and why.
    pub(crate) blind: Blind,
    /// Numbers pods, agents and jobs.
    pub(crate) made: u32,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Blind {
    pub(crate) templates: Option<Failure>,
    pub(crate) pods: Option<Failure>,
    pub(crate) jobs: Option<Failure>,
    pub(crate) agents: Option<Failure>,
}

impl World {
    pub(crate) fn cluster(&self, begun_at: Timestamp) -> ClusterView {
        ClusterView {
            begun_at,
            templates: view(&self.templates, self.blind.templates.as_ref()),
            pods: view(&self.pods, self.blind.pods.as_ref()),
        }
    }

    /// What the world does with a command that reaches it.
    pub(crate) fn carry_out(&mut self, action: &Action, now: Timestamp) -> Outcome {
        match action {
            Action::CreatePod(create) => self.create(create, now),
            Action::StopAgent { agent } => {
                let found = self.agents.iter_mut().find(|known| known.id == *agent);
                match found.filter(|known| known.state == ConnectionState::Connected) {
                    Some(known) => {
                        known.state = ConnectionState::Stopping;
                        Outcome::Done
                    }
                    None => Outcome::Failed(not_found()),
                }
            }
            Action::DeletePod { uid, grace_seconds, .. } => {
                let Some(place) = self.pods.iter().position(|pod| pod.uid == *uid) else {
                    return Outcome::Failed(not_found());
                };
                let gently = grace_seconds.is_some_and(|grace| grace >= 3600);
                if gently && !self.pods[place].deleting {
                    self.pods[place].deleting = true;
                } else {
                    self.pods.remove(place);
                    self.agents.retain(|agent| agent.pod_uid.as_ref() != Some(uid));
                }
                Outcome::Done
            }
            Action::RegisterUsage { .. } | Action::MeterUsage { .. } => Outcome::Done,
            Action::ObserveCluster
            | Action::ObserveBuildkite { .. }
            | Action::ReadLease { .. }
            | Action::WriteLease(_) => panic!("looks are not carried out"),
        }
    }

    fn create(&mut self, create: &CreatePod, now: Timestamp) -> Outcome {
        let same = |pod: &&Pod| pod.namespace == create.namespace && pod.name == create.name;
        if self.pods.iter().find(same).is_some() {
            return Outcome::Failed(already_exists());
        }
        self.made += 1;
        let label = |key: &str| create.manifest["metadata"]["labels"][key].as_str();
        self.pods.push(Pod {
            uid: Uid::from(format!("made-{:04}", self.made)),
            namespace: create.namespace.clone(),
            name: create.name.clone(),
            queue: label(labels::QUEUE).map(Queue::from),
            template_uid: label(labels::JOB_UID).map(Uid::from),
            template_hash: label(labels::TEMPLATE_HASH).map(TemplateHash::from),
            created_at: now,
            deleting: false,
            stage: PodStage::Unscheduled,
            hostname: Some(create.name.clone()),
            trouble: None,
            message: None,
            adopted: false,
        });
        Outcome::Done
    }

    /// A name that nothing has yet.
    pub(crate) fn number(&mut self, stem: &str) -> String {
        self.made += 1;
        format!("{stem}-{}", self.made)
    }

    /// Every pod's agent connects that has not yet.
    pub(crate) fn connect_all(&mut self) {
        for pod in &mut self.pods {
            if !self.agents.iter().any(|agent| agent.pod_uid.as_ref() == Some(&pod.uid)) {
                pod.stage = PodStage::Running;
                self.agents.push(agent(&format!("agent-{}", pod.uid), pod));
            }
        }
    }
}

/// A queue with its template and nothing else.
pub(crate) fn one_queue() -> World {
    World {
        templates: vec![template("apple", "apple")],
        ..World::default()
    }
}

/// A queue with one pod and its idle agent.
pub(crate) fn idle_worker() -> World {
    let mut world = one_queue();
    let made = pod("pod", &world.templates[0]);
    world.agents.push(agent("agent", &made));
    world.pods.push(made);
    world
}

/// The same with a busy agent.
pub(crate) fn busy_worker() -> World {
    let mut world = idle_worker();
    world.agents[0].running = Some("work".into());
    world
}

/// `count` idle agents in pods whose template is gone.
pub(crate) fn orphans(count: usize) -> World {
    let template = template("apple", "apple");
    let pods: Vec<_> = (0..count)
        .map(|number| pod(&format!("pod-{number:05}"), &template))
        .collect();
    World {
        agents: pods
            .iter()
            .map(|pod| agent(&format!("agent-{}", pod.uid), pod))
            .collect(),
        pods,
        ..World::default()
    }
}

fn view<T: Clone>(things: &[T], failure: Option<&Failure>) -> View<Vec<Arc<T>>> {
    match failure {
        Some(failure) => View::Unknown(failure.clone()),
        None => View::Complete(things.iter().cloned().map(Arc::new).collect()),
    }
}
