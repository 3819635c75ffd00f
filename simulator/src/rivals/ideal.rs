//! The workload of a scenario as it would go if an agent stood ready for every
//! job at the moment it becomes dispatchable.
//!
//! It runs on the same fake of Buildkite as the world, so wait steps,
//! dependencies, concurrency limits, priorities and cancellations mean the same.
//! Only the ceilings of queues hold a job back; pods, nodes and faults are left
//! out.

use std::collections::BTreeMap;
use std::time::Duration;

use buildscaler_core::{AgentId, BuildkiteJobId, Queue, Timestamp, annotations};

use crate::buildkite::{AgentSpec, Dispatch, Ending, FakeBuildkite, JobKind, JobState, Ping, Switches};
use crate::scenario::{Event, Moment, Scenario, TemplateSpec};
use crate::world::build_spec;

/// What became of one job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// Its queue.
    pub queue: Queue,
    /// When it became dispatchable.
    pub ready_at: Timestamp,
    /// When its agent took it; none if none ever did.
    pub started_at: Option<Timestamp>,
    /// When it ended; none if it still ran or waited at the end.
    pub finished_at: Option<Timestamp>,
}

/// Serves the scenario's jobs without delay, within the queues' ceilings.
pub fn serve(scenario: &Scenario) -> Vec<Served> {
    let mut ideal = Ideal::new(scenario);
    let mut moments: Vec<&Moment> = scenario.timeline.iter().collect();
    moments.sort_by_key(|moment| moment.at);
    let mut moments = moments.into_iter().peekable();
    ideal.serve_waiting(at(Duration::ZERO));
    loop {
        let next_moment = moments.peek().map(|moment| at(moment.at.0));
        let next_end = ideal.working.first_key_value().map(|((at, _), _)| *at);
        let Some(now) = next_moment.into_iter().chain(next_end).min() else {
            break;
        };
        if now > at(scenario.lasts.0) {
            break;
        }
        while let Some(moment) = moments.next_if(|moment| at(moment.at.0) == now) {
            ideal.happen(&moment.event, now);
        }
        ideal.finish_due(now);
        ideal.serve_waiting(now);
    }
    ideal.served()
}

/// The most jobs of each queue that run at once if none has to wait.
pub fn peaks(scenario: &Scenario) -> BTreeMap<Queue, u32> {
    let mut edges: BTreeMap<Queue, Vec<(Timestamp, bool)>> = BTreeMap::new();
    for job in serve(scenario) {
        let edges = edges.entry(job.queue).or_default();
        edges.extend(job.started_at.map(|at| (at, true)));
        edges.extend(job.finished_at.map(|at| (at, false)));
    }
    let peak = |mut edges: Vec<(Timestamp, bool)>| {
        // At equal times `false`, an end, comes before a start.
        edges.sort_unstable();
        let (mut now, mut peak) = (0_u32, 0);
        for (_, starts) in edges {
            now = if starts { now + 1 } else { now.saturating_sub(1) };
            peak = now.max(peak);
        }
        peak
    };
    edges.into_iter().map(|(queue, edges)| (queue, peak(edges))).collect()
}

/// So long after the beginning, as a time.
fn at(time: Duration) -> Timestamp {
    Timestamp::from_millis(0).after(time)
}

struct Ideal<'a> {
    fake: FakeBuildkite,
    ceiling: u32,
    templates: BTreeMap<&'a str, &'a TemplateSpec>,
    builds: BTreeMap<&'a str, u64>,
    free: BTreeMap<Queue, Vec<AgentId>>,
    busy: BTreeMap<Queue, u32>,
    working: BTreeMap<(Timestamp, u64), Work>,
    begun: u64,
}

struct Work {
    agent: AgentId,
    id: BuildkiteJobId,
    queue: Queue,
    exit_status: i64,
}

impl<'a> Ideal<'a> {
    fn new(scenario: &'a Scenario) -> Self {
        let switches = Switches {
            dispatch: Dispatch::AtPing,
            // Agents that are always there send no signs of life.
            lost_after: Duration::MAX,
            ..Switches::default()
        };
        Self {
            fake: FakeBuildkite::new(switches),
            ceiling: scenario.controller.max_active_builds.unwrap_or(u32::MAX),
            templates: scenario
                .templates
                .iter()
                .map(|spec| (spec.name.as_str(), spec))
                .collect(),
            builds: BTreeMap::new(),
            free: BTreeMap::new(),
            busy: BTreeMap::new(),
            working: BTreeMap::new(),
            begun: 0,
        }
    }

    fn happen(&mut self, event: &'a Event, now: Timestamp) {
        match event {
            Event::Build(build) => {
                let created = self.fake.create_build(now, build_spec(build));
                self.builds.extend(build.id.as_deref().map(|id| (id, created.number)));
            }
            Event::CancelBuild(id) => {
                if let Some(number) = self.builds.get(id.as_str()) {
                    self.fake.cancel_build(now, *number);
                    self.finish_canceled(now);
                }
            }
            Event::Unblock(id) => {
                if let Some(number) = self.builds.get(id.as_str()) {
                    self.fake.unblock(now, *number);
                }
            }
            Event::ApplyTemplate(template) => {
                self.templates.insert(&template.name, template);
            }
            Event::DeleteTemplate(name) => {
                self.templates.remove(name.as_str());
            }
            Event::PauseAgents(_)
            | Event::ResumeAgents(_)
            | Event::LoseNode(_)
            | Event::AddNodes(_)
            | Event::KillPods(_)
            | Event::DeletePods(_)
            | Event::CrashController
            | Event::StopController
            | Event::StartController
            | Event::StartSecondController
            | Event::StopSecondController
            | Event::EndController
            | Event::PauseController(_)
            | Event::ClockForward(_)
            | Event::ClockBack(_)
            | Event::Fault(_)
            | Event::SpendRequests(_)
            | Event::FaultsEnd => {}
        }
    }

    /// Gives every job that may run an agent, whatever the parallelism of its
    /// template: that it has to be 0 is a rule of ours, which rivals do not know.
    fn serve_waiting(&mut self, now: Timestamp) {
        let templates: Vec<&TemplateSpec> = self.templates.values().copied().collect();
        for template in templates {
            let queue = Queue::from(template.queue.as_deref().unwrap_or(&template.name));
            let ceiling = self.ceiling_of(template);
            while self.busy.get(&queue).copied().unwrap_or(0) < ceiling {
                if !self.serve_one(template, &queue, now) {
                    break;
                }
            }
        }
    }

    /// The most pods of the template's queue.
    fn ceiling_of(&self, template: &TemplateSpec) -> u32 {
        let annotated = template.annotations.get(annotations::MAX_ACTIVE_BUILDS);
        annotated.and_then(|text| text.parse().ok()).unwrap_or(self.ceiling)
    }

    /// Lets a free agent, a new one if need be, ask for one job.
    fn serve_one(&mut self, template: &TemplateSpec, queue: &Queue, now: Timestamp) -> bool {
        let free = self.free.get_mut(queue).and_then(Vec::pop);
        let agent = free.unwrap_or_else(|| self.fake.register(now, agent_spec(template, queue)));
        // An agent that registered here is known, so the fake refuses nothing.
        let _ = self.fake.connect(now, &agent);
        let Ok(Ping::Assigned(id)) = self.fake.ping(now, &agent) else {
            self.free.entry(queue.clone()).or_default().push(agent);
            return false;
        };
        let _ = self.fake.accept(now, &agent, &id);
        let _ = self.fake.start(now, &agent, &id);
        let (runs, exit_status) = self.fake.job_of(&id).map_or((Duration::ZERO, 0), |found| {
            (found.spec.duration, found.spec.exit_status)
        });
        self.begun += 1;
        *self.busy.entry(queue.clone()).or_default() += 1;
        let work = Work {
            agent,
            id,
            queue: queue.clone(),
            exit_status,
        };
        self.working.insert((now.after(runs), self.begun), work);
        true
    }

    fn finish_due(&mut self, now: Timestamp) {
        while let Some(entry) = self.working.first_entry().filter(|entry| entry.key().0 <= now) {
            let work = entry.remove();
            self.finish(work, now);
        }
    }

    fn finish_canceled(&mut self, now: Timestamp) {
        let fake = &self.fake;
        let is_canceled = |_: &(Timestamp, u64), work: &mut Work| {
            fake.job_of(&work.id)
                .is_some_and(|found| found.state == JobState::Canceling)
        };
        let canceled: Vec<Work> = self.working.extract_if(.., is_canceled).map(|(_, work)| work).collect();
        for work in canceled {
            self.finish(work, now);
        }
    }

    fn finish(&mut self, work: Work, now: Timestamp) {
        let ending = Ending::exited(work.exit_status);
        let _ = self.fake.finish(now, &work.agent, &work.id, ending);
        if let Some(busy) = self.busy.get_mut(&work.queue) {
            *busy -= 1;
        }
        self.free.entry(work.queue).or_default().push(work.agent);
    }

    fn served(&self) -> Vec<Served> {
        let scripts = self.fake.jobs().filter(|found| found.spec.kind == JobKind::Script);
        let served = scripts.filter_map(|found| {
            Some(Served {
                queue: found.queue(),
                ready_at: found.runnable_at?,
                started_at: found.started_at,
                finished_at: found.finished_at,
            })
        });
        served.collect()
    }
}

fn agent_spec(template: &TemplateSpec, queue: &Queue) -> AgentSpec {
    let mut tags = vec![format!("queue={queue}")];
    tags.extend(template.tags.iter().cloned());
    AgentSpec {
        tags,
        ..AgentSpec::default()
    }
}
