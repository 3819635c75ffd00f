//! What becomes of pods: the scheduler, kubelets, and the ends of pods.

use std::time::Duration;

use buildscaler_core::{Queue, Uid};

use super::container::AgentSettings;
use super::fidelity::{Effect, Fidelity, Told};
use super::life::{Doom, Fate, Life, Phase, PodNumber};
use super::{Happening, World};
use crate::scenario::{PodFailure, Range};

/// How long Kubernetes waits for a lost node before its pods are removed.
const EVICTION: Duration = Duration::from_secs(300);

impl<F: Fidelity> World<'_, F> {
    /// Lets the world react to what requests did.
    pub(super) fn follow_effects(&mut self) {
        while !self.outside.effects.is_empty() {
            for effect in std::mem::take(&mut self.outside.effects) {
                self.cluster_changed = true;
                match effect {
                    Effect::Created {
                        uid,
                        name,
                        queue,
                        agent,
                    } => self.pod_created(uid, name, queue, agent),
                    Effect::Deleted { uid, gone, grace } => {
                        if let Some(pod) = self.by_uid.get(&uid).copied() {
                            self.pod_deleted(pod, gone, grace, Doom::Keeper);
                        }
                    }
                }
            }
        }
    }

    fn pod_created(&mut self, uid: Uid, name: String, queue: Queue, settings: AgentSettings) {
        let number = PodNumber::try_from(self.lives.len()).unwrap_or(PodNumber::MAX);
        let world = &self.scenario.world;
        let mut fate = Fate::draw(self.scenario.seed, number, &world.pods, world.buildkite.ping_interval.0);
        fate.fails |= self.failing.get(&settings.image) == Some(&PodFailure::Crash);
        let alias = self.tally.pod_created(&queue);
        self.by_uid.insert(uid.clone(), number);
        let cause = self.cause;
        self.story.line(self.now, || match cause {
            Some(reason) => format!("pod {alias} created ({reason})"),
            None => format!("pod {alias} created"),
        });
        self.lives.push(Life {
            uid,
            name,
            alias,
            queue,
            created_at: self.now,
            settings,
            fate,
            node: None,
            agent: None,
            phase: Phase::Pending,
            since: self.now,
            turn: 0,
            terminating: false,
            kill_at: None,
            doom: None,
            removed: false,
            connected_at: None,
            idle_since: None,
        });
        self.agenda
            .put(self.now.after(fate.scheduling), Happening::Schedule(number));
    }

    /// The scheduler finds a node for the pod, or not.
    pub(super) fn schedule(&mut self, number: PodNumber) {
        let life = &self.lives[number as usize];
        if life.phase != Phase::Pending || life.removed {
            return;
        }
        let Some(node) = self.nodes.place() else {
            self.story
                .line(self.now, || format!("pod {} fits on no node", life.alias));
            self.fidelity.tell(self.now, life.as_ref(), Told::Unschedulable);
            self.cluster_changed = true;
            self.nodes.waiting.push_back(number);
            self.order_node();
            return;
        };
        let pull = self.image_pull(&life.queue);
        let pulled_at = self.nodes.pulled_at(node, &life.settings.image, pull, self.now);
        self.story
            .line(self.now, || format!("pod {} scheduled on node-{node}", life.alias));
        self.fidelity.bind(self.now, life.as_ref(), node);
        self.cluster_changed = true;
        let life = &mut self.lives[number as usize];
        life.node = Some(node);
        life.enter(Phase::Pulling, self.now);
        self.agenda.put(pulled_at, Happening::ImagePulled(number));
    }

    fn image_pull(&self, queue: &Queue) -> Range {
        let of_template = self.pulls.get(queue).copied();
        of_template.unwrap_or(self.scenario.world.pods.image_pull)
    }

    pub(super) fn order_node(&mut self) {
        while self.nodes.wants_node() {
            self.nodes.starting += 1;
            let startup = self.dice.length(self.nodes.startup());
            self.agenda.put(self.now.after(startup), Happening::NodeReady);
        }
    }

    pub(super) fn node_ready(&mut self) {
        self.nodes.starting = self.nodes.starting.saturating_sub(1);
        let number = self.nodes.add();
        self.story.line(self.now, || format!("node-{number} is ready"));
        self.schedule_waiting();
    }

    /// Tries again with the pods that fitted nowhere.
    pub(super) fn schedule_waiting(&mut self) {
        for _ in 0..self.nodes.waiting.len() {
            let Some(number) = self.nodes.waiting.pop_front() else {
                break;
            };
            let life = &self.lives[number as usize];
            if life.phase != Phase::Pending || life.removed {
                continue;
            }
            let Some(node) = self.nodes.place() else {
                self.nodes.waiting.push_front(number);
                break;
            };
            // Its place is found anew, by the same rule.
            self.nodes.leave(node);
            self.schedule(number);
        }
    }

    pub(super) fn image_pulled(&mut self, number: PodNumber) {
        let life = &mut self.lives[number as usize];
        if life.phase != Phase::Pulling || life.removed || life.terminating {
            return;
        }
        if self.failing.get(&life.settings.image) == Some(&PodFailure::NoImage) {
            let alias = &life.alias;
            self.story
                .line(self.now, || format!("the image of pod {alias} cannot be pulled"));
            self.fidelity.tell(self.now, life.as_ref(), Told::NoImage);
            self.cluster_changed = true;
            return;
        }
        life.enter(Phase::Starting, self.now);
        self.fidelity.tell(self.now, life.as_ref(), Told::Running);
        self.cluster_changed = true;
        let up = self.now.after(life.fate.agent_start);
        if life.fate.fails {
            let turn = life.turn;
            self.agenda.put(up, Happening::Exited(number, turn));
        } else if !life.fate.hangs {
            self.agenda.put(up, Happening::AgentUp(number));
        }
    }

    /// A delete arrived: at once, or with SIGTERM and a grace period.
    pub(super) fn pod_deleted(&mut self, number: PodNumber, gone: bool, grace: Duration, by: Doom) {
        let cause = self.cause;
        let life = &mut self.lives[number as usize];
        let alias = &life.alias;
        self.story.line(self.now, || match (cause, by) {
            (Some(reason), Doom::Keeper) => format!("pod {alias} deleted ({reason})"),
            (None, Doom::Keeper) => format!("pod {alias} deleted"),
            (_, Doom::World) => format!("pod {alias} deleted by hand"),
        });
        if gone {
            life.removed = true;
            if life.is_alive() {
                life.enter(Phase::Ended, self.now);
                self.pod_over(number);
            }
            return;
        }
        life.doom = Some(life.doom.unwrap_or(by));
        let kill_at = self.now.after(grace);
        if life.kill_at.is_none_or(|known| kill_at < known) {
            life.kill_at = Some(kill_at);
            self.agenda.put(kill_at, Happening::Kill(number));
        }
        if !std::mem::replace(&mut life.terminating, true) {
            match life.phase {
                Phase::Idle => self.agent_leaves(number),
                Phase::Pulling | Phase::Starting => {
                    let exit = self.now.after(life.fate.exit);
                    life.enter(Phase::Leaving, self.now);
                    self.agenda.put(exit, Happening::Exited(number, life.turn));
                }
                Phase::Pending | Phase::Busy | Phase::Leaving | Phase::Ended => {}
            }
        }
    }

    /// The grace period is over: SIGKILL, whatever runs.
    pub(super) fn kill(&mut self, number: PodNumber) {
        let life = &self.lives[number as usize];
        if life.removed || !life.is_alive() || life.kill_at.is_none_or(|at| self.now < at) {
            return;
        }
        self.story
            .line(self.now, || format!("pod {} killed: its grace is over", life.alias));
        self.agent_dies(number);
        self.pod_exited(number, false);
    }

    /// The pod's process has ended.
    pub(super) fn pod_exited(&mut self, number: PodNumber, well: bool) {
        let life = &mut self.lives[number as usize];
        if !life.is_alive() {
            return;
        }
        life.enter(Phase::Ended, self.now);
        if life.terminating {
            life.removed = true;
            self.fidelity.remove_pod(self.now, life.as_ref());
        } else {
            let told = if well { Told::Succeeded } else { Told::Failed };
            self.fidelity.tell(self.now, life.as_ref(), told);
        }
        let how = if well { "ended" } else { "failed" };
        self.story.line(self.now, || format!("pod {} {how}", life.alias));
        self.cluster_changed = true;
        self.pod_over(number);
    }

    /// Books the end of a pod, and gives its place to another.
    fn pod_over(&mut self, number: PodNumber) {
        let life = &self.lives[number as usize];
        self.tally.pod_over(&life.queue, life.created_at, self.now);
        if let Some(node) = life.node {
            self.nodes.leave(node);
            self.schedule_waiting();
        }
    }

    /// A node is lost with everything on it.
    pub(super) fn lose_node(&mut self, number: u32) {
        let Some(node) = self.nodes.lose(number) else { return };
        self.story.line(self.now, || format!("node-{node} is lost"));
        let on_it = self.lives.iter().enumerate();
        let on_it = on_it.filter(|(_, life)| life.node == Some(node) && life.is_alive() && !life.removed);
        let on_it: Vec<usize> = on_it.map(|(at, _)| at).collect();
        for at in on_it {
            let number = PodNumber::try_from(at).unwrap_or(PodNumber::MAX);
            self.lives[at].doom = Some(Doom::World);
            self.agent_dies(number);
            // Nothing of it happens any more, and its status stays as it was.
            let life = &mut self.lives[at];
            life.turn += 1;
            life.terminating = true;
            self.agenda.put(self.now.after(EVICTION), Happening::Vanish(number));
        }
    }

    /// The pod of a lost node is removed.
    pub(super) fn vanish(&mut self, number: PodNumber) {
        if !self.lives[number as usize].removed {
            self.pod_exited(number, false);
        }
    }

    /// The pods of a kind that a user or chance would pick, the oldest first.
    pub(super) fn pick(&self, phases: &[Phase], count: u32) -> Vec<PodNumber> {
        let found = self.lives.iter().enumerate();
        let found = found.filter(|(_, life)| phases.contains(&life.phase) && !life.terminating && !life.removed);
        found
            .filter_map(|(at, _)| PodNumber::try_from(at).ok())
            .take(count as usize)
            .collect()
    }
}
