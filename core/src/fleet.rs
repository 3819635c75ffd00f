//! The join: templates, pods, agents and demand, brought together by queue.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::agent::Agent;
use crate::index::Index;
use crate::labels;
use crate::names::{Queue, Uid};
use crate::pod::Pod;
use crate::template::Template;
use crate::view::View;

/// Everything that was seen, by queue.
#[derive(Debug)]
pub(crate) struct Fleet<'v> {
    pub(crate) queues: BTreeMap<&'v Queue, QueueFleet<'v>>,
    /// Pods that are not ours to keep or to remove.
    pub(crate) foreign_pods: Vec<&'v Arc<Pod>>,
    /// All templates, those that do not serve included.
    pub(crate) templates: &'v [Arc<Template>],
    /// Whether the templates could be seen.
    pub(crate) templates_known: bool,
}

/// One queue's templates and workers.
#[derive(Debug, Default)]
pub(crate) struct QueueFleet<'v> {
    /// Templates that claim the queue and are not being deleted; the one that
    /// serves it, if any may, comes first.
    pub(crate) claims: Vec<&'v Arc<Template>>,
    pub(crate) workers: Vec<Worker<'v>>,
    /// Idle agents that belong to no pod of ours: capacity, never targets.
    pub(crate) foreign_idle: u32,
    /// The same with busy ones: a pod without an agent may be theirs after all.
    pub(crate) foreign_busy: u32,
}

/// A pod joined with its agents (several with `--spawn`).
#[derive(Debug)]
pub(crate) struct Worker<'v> {
    pub(crate) pod: &'v Arc<Pod>,
    /// The pod's place among all pods, in the order of their uids.
    pub(crate) place: usize,
    pub(crate) agents: Agents<'v>,
}

/// The agents of one pod. Nearly always it is one, which needs no memory of
/// its own.
#[derive(Debug, Default)]
pub(crate) struct Agents<'v> {
    first: Option<&'v Agent>,
    others: Vec<&'v Agent>,
}

impl<'v> Agents<'v> {
    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// All of them, in the order of their ids.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &'v Agent> {
        self.first.into_iter().chain(self.others.iter().copied())
    }

    fn push(&mut self, agent: &'v Agent) {
        // Whatever the order of the list (Invariant 13).
        match self.first {
            None => self.first = Some(agent),
            Some(first) => {
                let (first, other) = if agent.id < first.id {
                    (agent, first)
                } else {
                    (first, agent)
                };
                self.first = Some(first);
                let place = self.others.partition_point(|known| known.id < other.id);
                self.others.insert(place, other);
            }
        }
    }
}

impl<'v> QueueFleet<'v> {
    /// The template from which pods may be created: parallelism is 0, the
    /// oldest such one by creation time, then uid (Invariants 8 and 10).
    pub(crate) fn serving(&self) -> Option<&'v Arc<Template>> {
        self.claims
            .first()
            .copied()
            .filter(|template| template.parallelism == 0)
    }
}

impl<'v> Fleet<'v> {
    /// Joins what was seen. `pods` are sorted by uid; without a view of the
    /// agents no worker has any.
    pub(crate) fn join(
        templates: &'v View<Vec<Arc<Template>>>,
        pods: &'v [Arc<Pod>],
        agents: Option<&'v [Agent]>,
    ) -> Self {
        let mut queues = Queues::default();
        for template in templates.complete().into_iter().flatten() {
            if let (Some(queue), false) = (&template.queue, template.deleting) {
                queues.of(queue).claims.push(template);
            }
        }
        for (_, queue) in &mut queues.all {
            queue
                .claims
                .sort_by_key(|template| (template.parallelism != 0, template.created_at, &template.uid));
        }
        let links = Links::between(pods, agents.unwrap_or_default());
        let mut foreign_pods = Vec::new();
        for ((place, pod), agents) in pods.iter().enumerate().zip(links.linked) {
            match &pod.queue {
                Some(queue) if !pod.adopted => queues.of(queue).workers.push(Worker { pod, place, agents }),
                Some(_) | None => foreign_pods.push(pod),
            }
        }
        let mut queues: BTreeMap<&Queue, QueueFleet<'_>> = queues.all.into_iter().collect();
        for agent in links.foreign {
            for queue in &agent.queues {
                if let Some(queue) = queues.get_mut(queue) {
                    queue.foreign_idle += u32::from(agent.is_idle());
                    queue.foreign_busy += u32::from(agent.running.is_some());
                }
            }
        }
        let known = templates.complete();
        Self {
            queues,
            foreign_pods,
            templates: known.map_or(&[], Vec::as_slice),
            templates_known: known.is_some(),
        }
    }
}

/// The queues in the making.
#[derive(Default)]
struct Queues<'v> {
    index: Index<'v>,
    all: Vec<(&'v Queue, QueueFleet<'v>)>,
}

impl<'v> Queues<'v> {
    fn of(&mut self, queue: &'v Queue) -> &mut QueueFleet<'v> {
        let (place, is_new) = self.index.place_of(queue.as_bytes());
        if is_new {
            self.all.push((queue, QueueFleet::default()));
        }
        &mut self.all[place].1
    }
}

/// Which agent belongs to which pod.
#[derive(Debug)]
struct Links<'v> {
    /// By the pod's place.
    linked: Vec<Agents<'v>>,
    foreign: Vec<&'v Agent>,
}

impl<'v> Links<'v> {
    /// Links by the tag `pod-uid`, which is unambiguous; an agent without it
    /// belongs to every pod of its hostname.
    fn between(pods: &'v [Arc<Pod>], agents: &'v [Agent]) -> Self {
        let mut linked: Vec<Agents<'_>> = Vec::new();
        linked.resize_with(pods.len(), Agents::default);
        let mut foreign = Vec::new();
        let mut by_hostname: Option<BTreeMap<&str, Vec<usize>>> = None;
        let by_uid = if agents.is_empty() {
            Index::default()
        } else {
            Index::of(pods.iter().map(|pod| pod.uid.as_bytes()))
        };
        for agent in agents {
            match agent.pod_uid.as_ref().filter(|uid| !is_unexpanded(uid)) {
                Some(uid) => {
                    // An agent whose pod is gone is a phantom: it will be lost
                    // within minutes, and is neither capacity nor a target.
                    if let Some(place) = by_uid.find(uid.as_bytes()) {
                        linked[place].push(agent);
                    }
                }
                None => {
                    let by_hostname = by_hostname.get_or_insert_with(|| index(pods));
                    match agent.hostname.as_deref().and_then(|hostname| by_hostname.get(hostname)) {
                        Some(places) => places.iter().for_each(|place| linked[*place].push(agent)),
                        None => foreign.push(agent),
                    }
                }
            }
        }
        Self { linked, foreign }
    }
}

fn index(pods: &[Arc<Pod>]) -> BTreeMap<&str, Vec<usize>> {
    let mut by_hostname: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (place, pod) in pods.iter().enumerate() {
        if let Some(hostname) = &pod.hostname {
            by_hostname.entry(hostname).or_default().push(place);
        }
    }
    by_hostname
}

/// A tag whose variable nobody filled in links to nothing.
fn is_unexpanded(uid: &Uid) -> bool {
    uid.as_str().is_empty() || uid.as_str().contains(labels::POD_UID_VARIABLE)
}
