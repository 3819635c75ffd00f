//! What comes from outside: users, operators, accidents.

use buildscaler_core::Queue;

use super::fidelity::Fidelity;
use super::life::{Doom, Phase};
use super::{Happening, World};
use crate::buildkite::{BuildSpec, JobSpec};
use crate::scenario::{BuildEvent, Event, FaultSpec, Span, Step, StepKind, TemplateSpec};

impl<F: Fidelity> World<'_, F> {
    /// Lets a moment of the timeline happen.
    pub(super) fn happen_from_outside(&mut self, event: &Event) {
        match event {
            Event::Build(build) => self.create_build(build),
            Event::CancelBuild(id) => self.with_build(id, "canceled", |world, number| {
                world.outside.buildkite.cancel_build(world.now, number);
            }),
            Event::Unblock(id) => self.with_build(id, "unblocked", |world, number| {
                world.outside.buildkite.unblock(world.now, number);
            }),
            Event::ApplyTemplate(spec) => self.apply_template(spec),
            Event::DeleteTemplate(name) => self.delete_template(name),
            Event::PauseAgents(queue) => self.pause_agents(queue),
            Event::ResumeAgents(queue) => self.resume_agents(queue),
            Event::LoseNode(number) => self.lose_node(*number),
            Event::AddNodes(count) => {
                for _ in 0..*count {
                    self.node_ready();
                }
            }
            Event::KillPods(count) => self.kill_pods(*count),
            Event::DeletePods(count) => self.delete_pods(*count),
            Event::CrashController => {
                self.stop_keeper(0);
                self.start_keeper(0);
            }
            Event::StopController => self.stop_keeper(0),
            Event::StartController => self.start_keeper(0),
            Event::StartSecondController => self.start_keeper(1),
            Event::StopSecondController => self.stop_keeper(1),
            Event::EndController => self.end_keeper(0),
            Event::PauseController(span) => self.pause_keeper(0, span.0),
            Event::ClockForward(span) => self.shift_clock(*span, 1),
            Event::ClockBack(span) => self.shift_clock(*span, -1),
            Event::Fault(spec) => self.begin_fault(spec),
            Event::SpendRequests(count) => self.outside.buildkite.spend_requests_of_others(self.now, *count),
            Event::FaultsEnd => {
                self.story.line(self.now, || "all faults end".to_owned());
                self.outside.faults.mend();
            }
        }
    }

    fn create_build(&mut self, build: &BuildEvent) {
        let spec = build_spec(build);
        let created = self.outside.buildkite.create_build(self.now, spec);
        let jobs = created.jobs.len();
        let number = created.number;
        self.story.line(self.now, || {
            let name = build.id.as_deref().map(|id| format!(" \"{id}\"")).unwrap_or_default();
            format!("build {number}{name} created: {jobs} jobs and steps")
        });
        if let Some(id) = &build.id {
            self.builds.insert(id.clone(), number);
        }
    }

    fn with_build(&mut self, id: &str, what: &str, act: impl FnOnce(&mut Self, u64)) {
        if let Some(number) = self.builds.get(id).copied() {
            self.story.line(self.now, || format!("build {number} \"{id}\" {what}"));
            act(self, number);
        }
    }

    pub(super) fn apply_template(&mut self, spec: &TemplateSpec) {
        let queue = Queue::from(spec.queue.as_deref().unwrap_or(&spec.name));
        let known = self.templates.insert(spec.name.clone(), spec.clone());
        if known.is_some() {
            self.fidelity.delete_template(self.now, &spec.name);
        }
        self.fidelity.create_template(self.now, spec);
        let what = if known.is_some() { "replaced" } else { "applied" };
        self.story.line(self.now, || {
            format!("template {} {what} (queue {queue}, image {})", spec.name, spec.image)
        });
        match spec.image_pull {
            Some(pull) => self.pulls.insert(queue, pull),
            None => self.pulls.remove(&queue),
        };
        match spec.fails {
            Some(fails) => self.failing.insert(spec.image.clone(), fails),
            None => self.failing.remove(&spec.image),
        };
        self.cluster_changed = true;
    }

    fn delete_template(&mut self, name: &str) {
        if self.templates.remove(name).is_some() {
            self.story.line(self.now, || format!("template {name} deleted"));
            self.fidelity.delete_template(self.now, name);
            self.cluster_changed = true;
        }
    }

    fn pause_agents(&mut self, queue: &str) {
        /// Longer than any scenario.
        const LENGTH: std::time::Duration = std::time::Duration::from_secs(365 * 24 * 3600);
        self.story.line(self.now, || format!("agents of {queue} paused"));
        for life in self.lives.iter().filter(|life| life.queue.as_str() == queue) {
            if let (Phase::Idle | Phase::Busy, Some(agent)) = (life.phase, &life.agent) {
                let note = Some("maintenance".to_owned());
                // One that is leaving cannot be paused, and need not be.
                let _ = self.outside.buildkite.pause_agent(self.now, agent, note, LENGTH);
            }
        }
    }

    fn resume_agents(&mut self, queue: &str) {
        self.story.line(self.now, || format!("agents of {queue} resumed"));
        for at in 0..self.lives.len() {
            let life = &mut self.lives[at];
            let (true, Some(agent)) = (life.queue.as_str() == queue, life.agent.clone()) else {
                continue;
            };
            if self.outside.buildkite.resume_agent(self.now, &agent).is_ok() && life.phase == Phase::Idle {
                // Its idle time begins anew.
                life.enter(Phase::Idle, self.now);
                let number = u32::try_from(at).unwrap_or(u32::MAX);
                self.wait_for_work(number);
            }
        }
    }

    fn kill_pods(&mut self, count: u32) {
        for number in self.pick(&[Phase::Idle, Phase::Starting, Phase::Pulling], count) {
            let life = &mut self.lives[number as usize];
            self.story.line(self.now, || format!("pod {} dies", life.alias));
            life.doom = Some(Doom::World);
            self.agent_dies(number);
            self.pod_exited(number, false);
        }
    }

    fn delete_pods(&mut self, count: u32) {
        let chosen = self.pick(&[Phase::Pending, Phase::Pulling, Phase::Starting, Phase::Idle], count);
        for number in chosen {
            let life = &self.lives[number as usize];
            let gone = self.fidelity.delete_pod(self.now, life.as_ref());
            let grace = life.settings.grace;
            self.pod_deleted(number, gone, grace, Doom::World);
            self.cluster_changed = true;
        }
    }

    fn begin_fault(&mut self, spec: &FaultSpec) {
        self.story.line(self.now, || {
            let lasts = spec.lasts.map(|span| format!(" for {span}")).unwrap_or_default();
            format!("fault: {:?} of {:?}{lasts}", spec.with, spec.on)
        });
        self.outside.faults.begin(spec.clone(), self.now);
    }

    fn shift_clock(&mut self, span: Span, sign: i64) {
        let direction = if sign > 0 { "ahead" } else { "back" };
        self.story.line(self.now, || {
            format!("the controller's clock jumps {direction} by {span}")
        });
        let millis = i64::try_from(span.0.as_millis()).unwrap_or(i64::MAX);
        self.skew = self.skew.saturating_add(millis.saturating_mul(sign));
        let wall = self.skew;
        for which in 0..2 {
            if let Some(keeper) = &mut self.keepers[usize::from(which)] {
                keeper.ahead = keeper.ahead.max(wall);
            }
            self.wake_keeper_now(which);
        }
    }

    /// Plans the moments of the timeline.
    pub(super) fn plan_timeline(&mut self) {
        for (at, moment) in self.scenario.timeline.iter().enumerate() {
            let at = u32::try_from(at).unwrap_or(u32::MAX);
            self.agenda.put(self.now.after(moment.at.0), Happening::FromOutside(at));
        }
    }
}

/// A scenario's build, as Buildkite is asked for it.
pub(crate) fn build_spec(build: &BuildEvent) -> BuildSpec {
    BuildSpec::new(build.pipeline.clone(), job_specs(&build.steps))
}

/// The jobs of a build's steps; a step with parallelism is several.
fn job_specs(steps: &[Step]) -> Vec<JobSpec> {
    let mut specs: Vec<JobSpec> = Vec::new();
    let mut places: Vec<std::ops::Range<usize>> = Vec::new();
    for step in steps {
        let first = specs.len();
        let mut spec = match step.kind {
            StepKind::Command => match &step.queue {
                Some(queue) => JobSpec::script(queue.as_str(), step.runs.0),
                None => JobSpec::anywhere(step.runs.0),
            },
            StepKind::Wait => JobSpec::wait(),
            StepKind::Block => JobSpec::block(),
        };
        spec.rules.clone_from(&step.rules);
        spec = spec.priority(step.priority).exits(step.exits);
        if let Some(limit) = &step.concurrency {
            spec = spec.concurrency(limit.group.clone(), limit.limit);
        }
        for before in step.after.iter().filter_map(|at| places.get(*at)) {
            for place in before.clone() {
                spec = spec.after(place);
            }
        }
        let copies = if step.kind == StepKind::Command {
            step.parallelism
        } else {
            1
        };
        specs.extend(std::iter::repeat_n(spec, copies as usize));
        places.push(first..specs.len());
    }
    specs
}
