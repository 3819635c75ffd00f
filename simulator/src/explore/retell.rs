//! A way through a small world as a scenario, as far as a scenario can say it.
//!
//! A scenario gives the times of what comes from outside; all else follows. So
//! the times at which things follow are worked out here, from how long the
//! scenario lets requests and pods take, and what comes from outside is put
//! between them. What a scenario has no words for is told.

use std::collections::{BTreeMap, BTreeSet};

use buildscaler_core::{Action, PodStage};

use super::bugs::Bug;
use super::outside::{QUEUE, SmallAgent, SmallPod};
use super::state::{Choice, State};
use super::talk::{Progress, Talk};
use super::worlds::{FirstPod, START, SmallWorld};
use crate::scenario::{
    BuildEvent, ControllerSettings, Event, FaultKind, FaultSpec, Moment, Range, RequestKind, Scenario, Span, Step,
    TemplateSpec, VERSION,
};

/// How long a request takes one way, in milliseconds.
const LEG: u64 = 100;
/// When a way begins that needs a pod to be there.
const PRELUDE: u64 = 60_000;
/// What never ends within a scenario.
const FOR_EVER: u64 = 3_600_000;

const DIFFERENT: &str = "pods that take different times over the same thing";

/// A way as a scenario.
#[derive(Clone, Debug)]
pub struct Retold {
    /// The scenario.
    pub scenario: Scenario,
    /// When the way begins in it.
    pub begins: Span,
    /// What of the way it cannot say.
    pub unsaid: BTreeSet<&'static str>,
}

/// Retells a way, and lets the scenario last for some time beyond it.
pub fn retell(world: &SmallWorld, bug: Option<Bug>, choices: &[Choice], beyond: Span) -> Retold {
    let mut teller = Teller::new(world);
    if bug.is_some_and(|bug| bug != Bug::NoGrace) {
        teller
            .unsaid
            .insert("the deliberate bug: the controller of a run has none");
    }
    if world.replicas > 1 {
        teller.unsaid.insert("replicas");
    }
    if let Ok(mut state) = State::begin(world, bug) {
        teller.note_sent(&state);
        for choice in choices {
            let before = state.clone();
            if let Choice::Wait = choice {
                teller.wait_begins(&before);
            }
            let broken = state.happen(*choice, bug).is_err();
            teller.tell(&before, *choice, &state);
            if broken {
                break;
            }
            teller.note_sent(&state);
        }
    }
    let mut retold = teller.end(world, beyond);
    let timeout = Bug::config(bug).agent_startup_timeout;
    retold.scenario.controller.agent_startup_timeout = Some(Span(timeout));
    retold
}

struct Teller {
    begins: u64,
    clock: u64,
    timeline: Vec<(u64, Event)>,
    /// When each command was sent, by its id; true if its controller listens.
    sent: BTreeMap<(bool, u64), u64>,
    /// When each pod entered the stage it is in.
    since: BTreeMap<u32, u64>,
    /// When each job was created, begun and ended.
    jobs: Vec<(u64, Option<u64>, Option<u64>)>,
    scheduling: Option<u64>,
    agent_start: Option<u64>,
    exit: Option<u64>,
    slow_pings: bool,
    given: bool,
    unsaid: BTreeSet<&'static str>,
}

impl Teller {
    fn new(world: &SmallWorld) -> Self {
        let begins = if world.pod == FirstPod::None { 0 } else { PRELUDE };
        let mut jobs = vec![(begins, None, None); usize::from(world.jobs)];
        if world.pod == FirstPod::Busy {
            jobs.push((0, Some(0), None));
        }
        Self {
            begins,
            clock: begins,
            timeline: Vec::new(),
            sent: BTreeMap::new(),
            since: BTreeMap::new(),
            jobs,
            scheduling: (begins > 0).then_some(LEG),
            agent_start: (begins > 0).then_some(LEG),
            exit: None,
            slow_pings: false,
            given: false,
            unsaid: BTreeSet::new(),
        }
    }

    /// Remembers when new commands were sent.
    fn note_sent(&mut self, state: &State) {
        for talk in &state.talks {
            let key = (talk.heard, talk.command.id.0);
            if talk.heard {
                self.sent.entry(key).or_insert(self.clock);
            } else if let Some(at) = self.sent.remove(&(true, key.1)) {
                self.sent.entry(key).or_insert(at);
            }
        }
    }

    fn tell(&mut self, before: &State, choice: Choice, after: &State) {
        let is_free = |pod: &SmallPod| pod.agent == SmallAgent::Idle { stopping: false };
        let could_run = before.outside.waiting() > 0 && before.outside.pods.iter().any(is_free);
        if could_run && !matches!(choice, Choice::Dispatch(_)) {
            self.unsaid.insert("a job that waits while an agent is idle");
        }
        self.slow_pings |= self.given && !matches!(choice, Choice::Ping(_));
        self.given = matches!(choice, Choice::Dispatch(_));
        match choice {
            Choice::Wait => {
                let passed = u64::try_from(after.now.since(START).as_millis()).unwrap_or(u64::MAX);
                self.clock = self.clock.max(self.begins + passed);
                self.wait_ends(after);
            }
            Choice::Arrive(at) => {
                let talk = &before.talks[usize::from(at)];
                self.reach(talk, arrival(talk), "a request that arrives later than others do");
                self.note_created(after);
            }
            Choice::Answer(at) => {
                let talk = &before.talks[usize::from(at)];
                self.reach(talk, answer(talk), "an answer that comes later than others do");
            }
            Choice::Refuse(at) => self.fault(&before.talks[usize::from(at)], FaultKind::Unavailable),
            Choice::Lose(at) => self.fault(&before.talks[usize::from(at)], FaultKind::Drop),
            Choice::LoseAnswer(at) => {
                self.fault(&before.talks[usize::from(at)], FaultKind::LoseReply);
                self.note_created(after);
            }
            Choice::Start(at)
            | Choice::Connect(at)
            | Choice::Dispatch(at)
            | Choice::Ping(at)
            | Choice::JobEnds(at)
            | Choice::IdleOver(at)
            | Choice::PodEnds(at) => self.tell_pod(before, choice, at),
            Choice::Remove(_) => {
                self.unsaid.insert("somebody who removes a finished pod");
            }
            Choice::Hunt(_) => {
                self.unsaid.insert("the Job controller");
            }
            Choice::Build => {
                self.clock += 1;
                self.jobs.push((self.clock, None, None));
            }
            Choice::Replace => self.event(Event::ApplyTemplate(template(2))),
            Choice::Withdraw => self.event(Event::DeleteTemplate(QUEUE.to_owned())),
            Choice::Die(_) | Choice::Pause(_) | Choice::CutOff(_) | Choice::Recover(_) => {
                self.unsaid.insert("replicas");
            }
            Choice::Crash => {
                self.event(Event::CrashController);
                self.sent = std::mem::take(&mut self.sent)
                    .into_iter()
                    .map(|((_, id), at)| ((false, id), at))
                    .collect();
            }
        }
    }

    /// What a wait means for those who are under way.
    fn wait_begins(&mut self, before: &State) {
        if before.is_talking() {
            self.unsaid
                .insert("a request that is slower than the controller's wake");
        }
        let lingers = |pod: &SmallPod| {
            let awaited = pod.agent == SmallAgent::Awaited && !pod.shown.deleting;
            match pod.shown.stage {
                PodStage::Unscheduled => self.scheduling.is_some(),
                PodStage::Starting | PodStage::Running => awaited && self.agent_start.is_some(),
                PodStage::AgentEnded | PodStage::Succeeded | PodStage::Failed => false,
            }
        };
        if before.outside.pods.iter().any(lingers) {
            self.unsaid.insert(DIFFERENT);
        }
    }

    /// What a wait means for those who have been idle.
    fn wait_ends(&mut self, after: &State) {
        let idle = SmallWorld::config().idle_timeout;
        let overstays = |pod: &SmallPod| {
            pod.agent == SmallAgent::Idle { stopping: false } && after.now.since(pod.idle_since) >= idle
        };
        if after.outside.pods.iter().any(overstays) {
            self.unsaid
                .insert("an agent that does not leave as soon as it was idle for long enough");
        }
    }

    fn event(&mut self, event: Event) {
        self.clock += 1;
        self.timeline.push((self.clock, event));
    }

    /// The time at which a leg of a request is over.
    fn reach(&mut self, talk: &Talk, legs: u64, if_late: &'static str) {
        let sent = self.sent.get(&(talk.heard, talk.command.id.0)).copied();
        let at = sent.unwrap_or(self.clock) + legs * LEG;
        if at + LEG / 2 < self.clock {
            self.unsaid.insert(if_late);
        }
        self.clock = self.clock.max(at);
    }

    fn fault(&mut self, talk: &Talk, with: FaultKind) {
        let (on, times, back) = match (&talk.command.action, &talk.progress) {
            (Action::ObserveCluster, _) => (RequestKind::Kubernetes, 2, 3),
            (Action::ObserveBuildkite { .. }, Progress::JobsRead(_)) => (RequestKind::Agents, 1, 1),
            (Action::ObserveBuildkite { .. }, _) => (RequestKind::Builds, 1, 1),
            (Action::CreatePod(_), _) => (RequestKind::Creates, 1, 1),
            (Action::DeletePod { .. }, _) => (RequestKind::Deletes, 1, 1),
            (Action::StopAgent { .. }, _) => (RequestKind::Stops, 1, 1),
            // Small worlds are not metered.
            (Action::RegisterUsage { .. } | Action::MeterUsage { .. }, _) => return,
            (Action::ReadLease { .. } | Action::WriteLease(_), _) => (RequestKind::Leases, 1, 1),
        };
        let first = if on == RequestKind::Kubernetes {
            1
        } else {
            arrival(talk)
        };
        self.reach(talk, first, "a request that arrives later than others do");
        let fault = Event::Fault(FaultSpec {
            on,
            with,
            lasts: None,
            skip: 0,
            times: Some(times),
        });
        self.timeline.push((self.clock.saturating_sub(1), fault));
        if with == FaultKind::Unavailable {
            self.clock += back * LEG;
        }
    }

    fn note_created(&mut self, after: &State) {
        for pod in &after.outside.pods {
            self.since.entry(pod.number).or_insert(self.clock);
        }
    }

    fn tell_pod(&mut self, before: &State, choice: Choice, at: u8) {
        self.clock += 1;
        let pod = &before.outside.pods[usize::from(at)];
        let since = self.since.insert(pod.number, self.clock);
        let length = self.clock - since.unwrap_or(self.clock);
        match (choice, pod.agent) {
            (Choice::Start(_), _) => self.takes(|teller| &mut teller.scheduling, length),
            (Choice::Connect(_), _) => self.takes(|teller| &mut teller.agent_start, length),
            (Choice::PodEnds(_), _) => self.takes(|teller| &mut teller.exit, length),
            (Choice::Ping(_), SmallAgent::Given { job, .. }) => self.jobs[usize::from(job)].1 = Some(self.clock),
            (Choice::JobEnds(_), SmallAgent::Busy { job, .. }) => self.jobs[usize::from(job)].2 = Some(self.clock),
            (_, _) => {}
        }
    }

    /// What takes the same time for all pods.
    fn takes(&mut self, which: impl Fn(&mut Self) -> &mut Option<u64>, length: u64) {
        let known = *which(self).get_or_insert(length);
        if known.abs_diff(length) > LEG {
            self.unsaid.insert(DIFFERENT);
        }
    }

    fn end(mut self, world: &SmallWorld, beyond: Span) -> Retold {
        self.prelude(world);
        for (created, begun, ended) in std::mem::take(&mut self.jobs) {
            let runs = match (begun, ended) {
                (Some(begun), Some(ended)) => ended - begun,
                (_, _) => FOR_EVER,
            };
            self.timeline.push((created, build(runs)));
        }
        self.timeline.sort_by_key(|(at, _)| *at);
        let config = SmallWorld::config();
        let mut scenario = Scenario {
            version: VERSION,
            name: format!("explored-{}", world.name),
            description: format!("A way that was found by exploring: {}.", world.about),
            covers: Vec::new(),
            seed: 0,
            starts: None,
            lasts: Span(Span::millis(self.clock + LEG).0 + beyond.0),
            controller: ControllerSettings {
                sync_interval: Some(Span(config.sync_interval)),
                idle_timeout: Some(Span(config.idle_timeout)),
                ..ControllerSettings::default()
            },
            world: Default::default(),
            templates: vec![template(1)],
            timeline: Vec::new(),
            expect: Default::default(),
        };
        let (pods, replies) = (&mut scenario.world.pods, &mut scenario.world.replies);
        pods.scheduling = Range::millis(self.scheduling.unwrap_or(FOR_EVER));
        pods.image_pull = Range::millis(0);
        pods.agent_start = Range::millis(self.agent_start.unwrap_or(FOR_EVER));
        pods.exit = Range::millis(self.exit.unwrap_or(LEG));
        replies.kubernetes = Range::millis(2 * LEG);
        replies.buildkite = Range::millis(2 * LEG);
        replies.watch = None;
        scenario.world.buildkite.ping_interval = Span::millis(if self.slow_pings { 10_000 } else { 1 });
        let moments = self.timeline.into_iter();
        scenario.timeline = moments
            .map(|(at, event)| Moment {
                at: Span::millis(at),
                event,
            })
            .collect();
        Retold {
            scenario,
            begins: Span::millis(self.begins),
            unsaid: self.unsaid,
        }
    }

    /// What makes the pod that is there from the beginning, with a controller
    /// that is away until the way begins.
    fn prelude(&mut self, world: &SmallWorld) {
        let runs = match world.pod {
            FirstPod::None => return,
            FirstPod::Idle => PRELUDE - 2_000,
            FirstPod::Finished => 10_000,
            // One of the jobs of the way.
            FirstPod::Busy => 0,
        };
        if runs > 0 {
            self.timeline.push((0, build(runs)));
        }
        self.timeline.push((5_000, Event::StopController));
        self.timeline.push((PRELUDE, Event::StartController));
    }
}

/// When a request arrives, in legs from when its command was sent. A look is
/// two requests, one after the other.
fn arrival(talk: &Talk) -> u64 {
    match (&talk.command.action, &talk.progress) {
        (Action::ObserveCluster, _) | (Action::ObserveBuildkite { .. }, Progress::JobsRead(_)) => 3,
        (_, _) => 1,
    }
}

fn answer(talk: &Talk) -> u64 {
    match talk.command.action {
        Action::ObserveCluster | Action::ObserveBuildkite { .. } => 4,
        Action::CreatePod(_)
        | Action::StopAgent { .. }
        | Action::DeletePod { .. }
        | Action::RegisterUsage { .. }
        | Action::MeterUsage { .. }
        | Action::ReadLease { .. }
        | Action::WriteLease(_) => 2,
    }
}

fn build(runs: u64) -> Event {
    Event::Build(BuildEvent {
        id: None,
        pipeline: "app".to_owned(),
        steps: vec![Step::command(QUEUE, Span::millis(runs))],
    })
}

fn template(version: u8) -> TemplateSpec {
    TemplateSpec {
        image: format!("buildkite/agent:{version}"),
        ..TemplateSpec::named(QUEUE)
    }
}
