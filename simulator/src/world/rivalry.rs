//! Rivals in the world: they see the truth, and act at once.

use std::collections::BTreeMap;

use buildscaler_core::{Action, Command, CommandId, CreatePod, Queue, Reason, Uid};

use super::fidelity::{Fidelity, NAMESPACE};
use super::life::{Life, Phase};
use super::manifest::job_manifest;
use super::{Happening, World};
use crate::buildkite::{LifeEvent, Stop};
use crate::rivals::{Condition, Move, PodId, Seen, SeenPod, Stay};
use crate::scenario::TemplateSpec;

/// What rivals need remembered.
#[derive(Debug, Default)]
pub(super) struct Memory {
    created: u64,
    /// Pods that had not ended at the last look.
    alive: Vec<usize>,
    /// How many pods and how many happenings are known.
    lives: usize,
    happenings: usize,
}

impl<F: Fidelity> World<'_, F> {
    pub(super) fn rival_looks(&mut self) {
        let Some(mut rival) = self.rival.take() else { return };
        let queues: Vec<(Queue, TemplateSpec)> = self
            .templates
            .values()
            .map(|spec| (Queue::from(spec.queue.as_deref().unwrap_or(&spec.name)), spec.clone()))
            .collect();
        self.forget_ended_pods();
        let finished = self.finished_since_last_look();
        let demand = self.outside.buildkite.demand();
        for (queue, spec) in &queues {
            let wanted = demand.get(queue).copied().unwrap_or_default();
            let pods = self.seen_pods(queue);
            let seen = Seen {
                queue,
                now: self.now,
                scheduled: wanted.scheduled,
                running: wanted.running,
                waiting: wanted.waiting,
                finished: finished.get(queue).copied().unwrap_or(0),
                pods: &pods,
                ceiling: self.ceiling(queue, spec),
            };
            for chosen in rival.look(&seen) {
                self.make(chosen, queue, spec);
            }
        }
        let again = self.now.after(rival.interval());
        self.rival = Some(rival);
        self.agenda.put(again, Happening::RivalLooks);
    }

    /// Looks at no pod again that has ended: rivals look every second of weeks.
    fn forget_ended_pods(&mut self) {
        let memory = &mut self.rivalry;
        memory.alive.extend(memory.lives..self.lives.len());
        memory.lives = self.lives.len();
        let is_alive = |at: &usize| self.lives.get(*at).is_some_and(|life| life.is_alive() && !life.removed);
        memory.alive.retain(is_alive);
    }

    fn finished_since_last_look(&mut self) -> BTreeMap<Queue, u32> {
        let buildkite = &self.outside.buildkite;
        let happenings = buildkite.truth().happenings();
        let mut finished: BTreeMap<Queue, u32> = BTreeMap::new();
        for happening in happenings.iter().skip(self.rivalry.happenings) {
            let queue = match happening.event {
                LifeEvent::Finished(_) | LifeEvent::Interrupted(_) => buildkite.job_of(&happening.id),
                LifeEvent::Scheduled | LifeEvent::Assigned(_) | LifeEvent::Started(_) | LifeEvent::Canceled => None,
            };
            if let Some(found) = queue {
                *finished.entry(found.queue()).or_default() += 1;
            }
        }
        self.rivalry.happenings = happenings.len();
        finished
    }

    fn seen_pods(&self, queue: &Queue) -> Vec<SeenPod> {
        let known = self
            .rivalry
            .alive
            .iter()
            .copied()
            .chain(self.rivalry.lives..self.lives.len());
        let lives = known.filter_map(|at| Some((at, self.lives.get(at)?)));
        let alive = lives.filter(|(_, life)| life.is_alive() && !life.removed && life.queue == *queue);
        alive
            .map(|(at, life)| SeenPod {
                id: PodId(at as u64),
                created_at: life.created_at,
                condition: self.condition(life),
                since: life.since,
            })
            .collect()
    }

    fn condition(&self, life: &Life) -> Condition {
        if life.terminating {
            return Condition::Leaving;
        }
        let stopping = || {
            let agent = life
                .agent
                .as_ref()
                .and_then(|agent| self.outside.buildkite.agent_of(agent));
            agent.is_some_and(|agent| agent.stopped_at.is_some())
        };
        match life.phase {
            Phase::Pending => Condition::Pending,
            Phase::Pulling | Phase::Starting => Condition::Starting,
            Phase::Idle if stopping() => Condition::Leaving,
            // What was assigned counts, though the agent does not know yet.
            Phase::Idle
                if life
                    .agent
                    .as_ref()
                    .is_some_and(|agent| self.outside.buildkite.held_by(agent).is_some()) =>
            {
                Condition::Busy
            }
            Phase::Idle => Condition::Idle,
            Phase::Busy => Condition::Busy,
            Phase::Leaving | Phase::Ended => Condition::Leaving,
        }
    }

    fn ceiling(&self, queue: &Queue, spec: &TemplateSpec) -> u32 {
        let settings = &self.scenario.controller;
        let own = spec
            .annotations
            .get("max-active-builds")
            .and_then(|text| text.parse().ok());
        let of_queue = own.or(settings.max_active_builds).unwrap_or(u32::MAX);
        let others = self.tally.pods().saturating_sub(self.tally.pods_of(queue));
        let of_fleet = settings.max_pods.map_or(u32::MAX, |most| {
            most.saturating_sub(u32::try_from(others).unwrap_or(u32::MAX))
        });
        of_queue.min(of_fleet)
    }

    fn make(&mut self, chosen: Move, queue: &Queue, spec: &TemplateSpec) {
        match chosen {
            Move::Create { count, stay } => {
                for _ in 0..count {
                    self.create_for_rival(queue, spec, stay);
                }
            }
            Move::Stop(PodId(at)) => {
                let life = usize::try_from(at).ok().and_then(|at| self.lives.get(at));
                if let Some(agent) = life.and_then(|life| life.agent.as_ref()) {
                    // One that has just gone need not be stopped.
                    let _ = self.outside.buildkite.stop(self.now, agent, Stop::Graceful);
                    self.outside.buildkite_requests += 1;
                }
            }
            Move::Delete(PodId(at)) => {
                let life = usize::try_from(at).ok().and_then(|at| self.lives.get(at));
                if let Some(life) = life.filter(|life| !life.removed) {
                    let (name, uid) = (life.name.clone(), life.uid.clone());
                    self.carry_out(Action::DeletePod {
                        namespace: NAMESPACE.to_owned(),
                        name,
                        uid,
                        grace_seconds: None,
                    });
                }
            }
        }
        self.follow_effects();
        self.follow_news();
    }

    fn create_for_rival(&mut self, queue: &Queue, spec: &TemplateSpec, stay: Stay) {
        self.rivalry.created += 1;
        let name = format!("{}-{:06}", spec.name, self.rivalry.created);
        let mut job = job_manifest(spec);
        let mut manifest = job["spec"]["template"].take();
        manifest["metadata"] = serde_json::json!({"labels": {"buildscaler.elotl.co/queue": queue.as_str()}});
        let tags = [&[format!("queue={queue}")][..], &spec.tags].concat().join(",");
        manifest["spec"]["containers"][0]["env"] = serde_json::json!([{"name": "BUILDKITE_AGENT_TAGS", "value": tags}]);
        self.carry_out(Action::CreatePod(CreatePod {
            namespace: NAMESPACE.to_owned(),
            name,
            queue: queue.clone(),
            template: Uid::from(""),
            manifest,
        }));
        self.follow_effects();
        if let Some(life) = self.lives.last_mut() {
            life.settings.stay = stay;
        }
    }

    /// Carries an action out at once, without an answer.
    fn carry_out(&mut self, action: Action) {
        let command = Command {
            id: CommandId(0),
            action,
            reason: Reason::Demand,
            not_after: None,
        };
        let mut talk = self.fidelity.begin(command, self.now);
        if self.fidelity.send(&mut talk, self.now).is_some() {
            self.fidelity.serve(&mut talk, &mut self.outside, self.now);
        }
    }
}
