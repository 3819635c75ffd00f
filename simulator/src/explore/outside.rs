//! What is outside the controller in a small world: one queue, its template,
//! a few pods with one agent each, a few jobs that are all alike.

use std::sync::Arc;

use buildscaler_core::{
    Agent, AgentId, BuildkiteJob, BuildkiteJobId, ClusterView, ConnectionState, CreatePod, JobState, Pod, PodStage,
    Queue, Template, TemplateHash, Timestamp, Uid, View, labels,
};

use super::lease::SmallLease;
use super::safety::Invariant;
use super::worlds::SmallWorld;

/// The queue of every small world.
pub(super) const QUEUE: &str = "small";

/// Names of pods, agents and jobs in the order in which they came. The sign is
/// found again by the fingerprint, to which one number is as good as another.
pub(super) const SIGN: char = '@';

/// A pod, and what only the world knows of it.
#[derive(Clone, Debug)]
pub(super) struct SmallPod {
    pub(super) number: u32,
    pub(super) shown: Arc<Pod>,
    pub(super) agent: SmallAgent,
    /// Since when its agent has been idle.
    pub(super) idle_since: Timestamp,
    /// Whether the Job controller takes it for one of its own.
    pub(super) hunted: bool,
    /// Whether its agent connected when its time to start was over: its pod may
    /// be on the way out by then, as the specification wants it.
    pub(super) late: bool,
}

/// A pod's agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SmallAgent {
    /// Not connected yet.
    Awaited,
    /// Connected, without a job.
    Idle { stopping: bool },
    /// Buildkite has a job for it, which it learns at its next ping.
    Given { job: u8, stopping: bool },
    /// Runs a job.
    Busy { job: u8, stopping: bool },
    /// Has left.
    Gone,
}

/// A job's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SmallJob {
    Waiting,
    Given,
    Running,
    Ended,
}

/// Everything outside but requests on their way.
#[derive(Clone, Debug)]
pub(super) struct Outside {
    /// The template that is there now.
    pub(super) template: Option<Arc<Template>>,
    pub(super) pods: Vec<SmallPod>,
    pub(super) jobs: Vec<SmallJob>,
    pub(super) lease: SmallLease,
    /// Pods that there ever were.
    pub(super) made: u32,
}

/// Something that must never happen, and what did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Which invariant.
    pub invariant: Invariant,
    /// What happened.
    pub what: String,
}

impl SmallAgent {
    pub(super) fn is_listed(self) -> bool {
        match self {
            Self::Awaited | Self::Gone => false,
            Self::Idle { .. } | Self::Given { .. } | Self::Busy { .. } => true,
        }
    }

    pub(super) fn job(self) -> Option<u8> {
        match self {
            Self::Given { job, .. } | Self::Busy { job, .. } => Some(job),
            Self::Awaited | Self::Idle { .. } | Self::Gone => None,
        }
    }

    pub(super) fn is_stopping(self) -> bool {
        match self {
            Self::Idle { stopping } | Self::Given { stopping, .. } | Self::Busy { stopping, .. } => stopping,
            Self::Awaited | Self::Gone => false,
        }
    }
}

impl SmallPod {
    pub(super) fn new(number: u32, name: &str, template: &Template, created_at: Timestamp) -> Self {
        Self {
            number,
            shown: Arc::new(Pod {
                uid: uid(number),
                namespace: template.namespace.clone(),
                name: name.to_owned(),
                queue: template.queue.clone(),
                template_uid: Some(template.uid.clone()),
                template_hash: Some(template.hash.clone()),
                created_at,
                deleting: false,
                stage: PodStage::Unscheduled,
                hostname: Some(name.to_owned()),
                trouble: None,
                message: None,
                adopted: false,
            }),
            agent: SmallAgent::Awaited,
            idle_since: created_at,
            hunted: false,
            late: false,
        }
    }

    pub(super) fn enter(&mut self, stage: PodStage) {
        Arc::make_mut(&mut self.shown).stage = stage;
    }

    fn row(&self) -> Option<Agent> {
        self.agent.is_listed().then(|| Agent {
            id: agent_id(self.number),
            hostname: Some(self.shown.name.clone()),
            state: if self.agent.is_stopping() {
                ConnectionState::Stopping
            } else {
                ConnectionState::Connected
            },
            running: self.agent.job().map(job_id),
            paused: false,
            queues: vec![Queue::from(QUEUE)],
            tags: Vec::new(),
            pod_uid: Some(self.shown.uid.clone()),
            connected_at: None,
        })
    }
}

impl Outside {
    /// What a list of Kubernetes shows.
    pub(super) fn cluster(&self, begun_at: Timestamp) -> ClusterView {
        ClusterView {
            begun_at,
            templates: View::Complete(self.template.iter().cloned().collect()),
            pods: View::Complete(self.pods.iter().map(|pod| Arc::clone(&pod.shown)).collect()),
        }
    }

    /// What a list of the jobs of active builds shows.
    pub(super) fn list_jobs(&self) -> Vec<BuildkiteJob> {
        let jobs = self.jobs.iter().zip(0_u8..);
        let active = jobs.filter(|(state, _)| **state != SmallJob::Ended);
        active
            .map(|(state, number)| BuildkiteJob {
                id: job_id(number),
                state: match state {
                    SmallJob::Waiting => JobState::Scheduled,
                    SmallJob::Given | SmallJob::Running | SmallJob::Ended => JobState::Active,
                },
                queue: Queue::from(QUEUE),
                rules: Vec::new(),
                runnable_at: (*state == SmallJob::Waiting).then_some(super::worlds::START),
                started_at: None,
            })
            .collect()
    }

    /// What a list of the agents shows.
    pub(super) fn list_agents(&self) -> Vec<Agent> {
        self.pods.iter().filter_map(SmallPod::row).collect()
    }

    /// Whether no process of this pod is left.
    pub(super) fn is_over(&self, uid: &Uid) -> bool {
        let mut pods = self.pods.iter();
        let found = pods.find(|pod| pod.shown.uid == *uid);
        found.is_none_or(|pod| pod.shown.stage.is_finished())
    }

    /// Pods that run a job or may be hoped to: one whose agent is overdue is
    /// replaced, by one controller as by two.
    pub(super) fn coming(&self, now: Timestamp) -> usize {
        let lives = |pod: &&SmallPod| {
            let age = now.since(pod.shown.created_at);
            let is_overdue = pod.agent == SmallAgent::Awaited && age > SmallWorld::config().agent_startup_timeout;
            !is_overdue && !pod.shown.deleting && pod.agent != SmallAgent::Gone
        };
        self.pods.iter().filter(lives).count()
    }

    pub(super) fn waiting(&self) -> usize {
        self.jobs.iter().filter(|state| **state == SmallJob::Waiting).count()
    }

    /// A create arrives: whether the name was free.
    pub(super) fn create(&mut self, create: &CreatePod, now: Timestamp) -> bool {
        if self.pods.iter().any(|pod| pod.shown.name == create.name) {
            return false;
        }
        let label = |key: &str| create.manifest["metadata"]["labels"][key].as_str();
        self.made += 1;
        let pod = Pod {
            uid: uid(self.made),
            namespace: create.namespace.clone(),
            name: create.name.clone(),
            queue: label(labels::QUEUE).map(Queue::from),
            template_uid: label(labels::JOB_UID).map(Uid::from),
            template_hash: label(labels::TEMPLATE_HASH).map(TemplateHash::from),
            created_at: Timestamp::from_millis(now.as_millis().div_euclid(1000) * 1000),
            deleting: false,
            stage: PodStage::Unscheduled,
            hostname: Some(create.name.clone()),
            trouble: None,
            message: None,
            adopted: false,
        };
        let selected = self.template.as_ref().is_some_and(|template| {
            let labels = create.manifest["metadata"]["labels"].as_object();
            let labels = labels.into_iter().flatten();
            let labels = labels.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
            template.selector.matches(&labels.collect())
        });
        self.pods.push(SmallPod {
            number: self.made,
            shown: Arc::new(pod),
            agent: SmallAgent::Awaited,
            idle_since: now,
            hunted: selected,
            late: false,
        });
        true
    }

    /// A stop arrives: whether there was somebody to stop.
    pub(super) fn stop(&mut self, id: &AgentId, force: bool) -> Result<bool, Broken> {
        let Some(pod) = self.pods.iter_mut().find(|pod| agent_id(pod.number) == *id) else {
            return Ok(false);
        };
        if !pod.agent.is_listed() || pod.agent.is_stopping() {
            return Ok(false);
        }
        match &mut pod.agent {
            SmallAgent::Idle { stopping } | SmallAgent::Given { stopping, .. } | SmallAgent::Busy { stopping, .. } => {
                *stopping = true;
            }
            SmallAgent::Awaited | SmallAgent::Gone => {}
        }
        match pod.agent {
            SmallAgent::Busy { .. } if force => Err(self.cut(id, "a forced stop")),
            SmallAgent::Busy { .. }
            | SmallAgent::Given { .. }
            | SmallAgent::Idle { .. }
            | SmallAgent::Awaited
            | SmallAgent::Gone => Ok(true),
        }
    }

    /// A delete arrives at the pod of this place. A gentle one lets a job end;
    /// of any other, agents in some modes cancel it at SIGTERM.
    pub(super) fn delete(&mut self, place: usize, gentle: bool, by: &str) -> Result<(), Broken> {
        let pod = &mut self.pods[place];
        if pod.shown.stage == PodStage::Unscheduled || pod.shown.stage.is_finished() {
            self.pods.remove(place);
            return Ok(());
        }
        Arc::make_mut(&mut pod.shown).deleting = true;
        match pod.agent {
            SmallAgent::Busy { .. } if !gentle => {
                let id = agent_id(pod.number);
                return Err(self.cut(&id, by));
            }
            SmallAgent::Busy { job, .. } => pod.agent = SmallAgent::Busy { job, stopping: true },
            SmallAgent::Given { job, .. } => {
                // Taken back when the agent leaves before it has accepted.
                pod.agent = SmallAgent::Gone;
                self.jobs[usize::from(job)] = SmallJob::Waiting;
            }
            SmallAgent::Idle { .. } | SmallAgent::Awaited => pod.agent = SmallAgent::Gone,
            SmallAgent::Gone => {}
        }
        Ok(())
    }

    fn cut(&self, id: &AgentId, by: &str) -> Broken {
        Broken {
            invariant: Invariant::NoBuildInterrupted,
            what: format!("{by} cuts the job of agent {id}"),
        }
    }
}

pub(super) fn uid(number: u32) -> Uid {
    Uid::from(format!("pod{SIGN}{number}"))
}

pub(super) fn agent_id(number: u32) -> AgentId {
    AgentId::from(format!("agent{SIGN}{number}"))
}

pub(super) fn job_id(number: u8) -> BuildkiteJobId {
    BuildkiteJobId::from(format!("job{number}"))
}
