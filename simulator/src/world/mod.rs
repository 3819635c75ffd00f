//! A world: users, Kubernetes, nodes, agents and Buildkite, in virtual time.
//!
//! Everything happens in the order of an agenda; time jumps from one event to
//! the next. The world draws its chances from the scenario's seed, reads no
//! clock and does no IO, so equal scenarios give equal stories.

mod agenda;
mod agents;
mod container;
mod dice;
mod domain;
mod faults;
mod fidelity;
mod keepers;
mod life;
mod manifest;
mod nodes;
mod pods;
mod rivalry;
mod story;
mod tally;
mod truth;
mod users;
mod wire;

use std::collections::BTreeMap;
use std::time::Duration;

use buildscaler_core::{AgentId, Queue, Reason, Timestamp, Uid};

use crate::buildkite::{FakeBuildkite, Limits, Switches};
use crate::measure::{JobLife, Run};
use crate::rivals::Rival;
use crate::scenario::{Event, FaultKind, PodFailure, Range, Scenario, TemplateSpec};
use agenda::Agenda;
pub(crate) use dice::Dice;
use faults::Faults;
use fidelity::{Fidelity, Outside};
use keepers::{Keeper, Slots, Talking};
use life::{Life, PodNumber};
use nodes::Nodes;
use story::Story;
use tally::Tally;

pub(crate) use domain::Domain;
pub(crate) use fidelity::NAMESPACE;
pub use keepers::Witness;
pub(crate) use manifest::job_manifest;
pub(crate) use users::build_spec;
pub(crate) use wire::Wire;

/// Something that is going to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Happening {
    /// A moment of the timeline, by its place.
    FromOutside(u32),
    Schedule(PodNumber),
    NodeReady,
    ImagePulled(PodNumber),
    AgentUp(PodNumber),
    /// These count only if the pod is still at that turn of its life.
    Ping(PodNumber, u32),
    IdleOver(PodNumber, u32),
    CommandEnds(PodNumber, u32),
    CancelSeen(PodNumber, u32),
    Exited(PodNumber, u32),
    Kill(PodNumber),
    Vanish(PodNumber),
    /// Buildkite notices by itself that an agent is lost, or a pause over.
    BuildkiteNotices,
    Sample,
    /// Which controller, which run of it, and which of its wakes.
    KeeperWakes(u8, u32, u32),
    WatchShows(u8, u32),
    /// A controller that was asked to end waits for nothing more.
    FarewellOver(u8, u32),
    Arrives(u32),
    Answered(u32),
    RivalLooks,
}

/// The world of one run.
pub(crate) struct World<'a, F: Fidelity> {
    scenario: &'a Scenario,
    began: Timestamp,
    now: Timestamp,
    agenda: Agenda<Happening>,
    dice: Dice,
    fidelity: F,
    outside: Outside,
    lives: Vec<Life>,
    by_uid: BTreeMap<Uid, PodNumber>,
    by_agent: BTreeMap<AgentId, PodNumber>,
    nodes: Nodes,
    templates: BTreeMap<String, TemplateSpec>,
    /// Image pulls of queues whose templates say so.
    pulls: BTreeMap<Queue, Range>,
    /// Images whose pods do not start.
    failing: BTreeMap<String, PodFailure>,
    /// Builds by the names that the scenario gives them.
    builds: BTreeMap<String, u64>,
    keepers: [Option<Keeper>; 2],
    /// How many controllers have been started.
    runs: u32,
    /// How far the clock on the wall is ahead, in milliseconds.
    skew: i64,
    talks: Slots<Talking<F::Talk>>,
    rival: Option<Box<dyn Rival>>,
    rivalry: rivalry::Memory,
    /// Why the request that just arrived was sent.
    cause: Option<Reason>,
    cluster_changed: bool,
    /// When Buildkite will notice something by itself, as far as is planned.
    notices_at: Option<Timestamp>,
    /// How much of the truth has been told.
    told: usize,
    story: Story,
    tally: Tally,
    witness: Option<&'a mut dyn Witness>,
    sample_every: Duration,
}

/// How a world is to be run.
pub(crate) struct Setup<'a> {
    /// Keeps the fleet instead of our controller.
    pub(crate) rival: Option<Box<dyn Rival>>,
    pub(crate) story: bool,
    pub(crate) sample_every: Duration,
    pub(crate) witness: Option<&'a mut dyn Witness>,
}

/// When scenarios begin that do not say so: 2025-01-01T00:00:00Z.
const BEGINNING: Timestamp = Timestamp::from_millis(1_735_689_600_000);

impl<'a, F: Fidelity> World<'a, F> {
    pub(crate) fn new(scenario: &'a Scenario, setup: Setup<'a>) -> Self {
        let began = scenario.starts_at().unwrap_or(BEGINNING);
        let settings = &scenario.world;
        let mut buildkite = FakeBuildkite::new(Switches {
            agent_list_lag: settings.buildkite.agent_list_lag.0,
            ping_interval: settings.buildkite.ping_interval.0,
            lost_after: settings.buildkite.lost_after.0,
            heartbeats_implied: true,
            ..Switches::default()
        });
        buildkite.limits = Limits {
            user: settings.buildkite.requests_a_minute,
            organization: settings.buildkite.organization_requests_a_minute,
            ..Limits::default()
        };
        buildkite.follow();
        let repeats = scenario
            .timeline
            .iter()
            .any(|moment| matches!(&moment.event, Event::Fault(spec) if spec.with == FaultKind::Stale));
        Self {
            scenario,
            began,
            now: began,
            agenda: Agenda::new(),
            dice: Dice::for_thing(scenario.seed, 0, 0),
            fidelity: F::new(scenario.seed),
            outside: Outside {
                buildkite,
                faults: Faults::new(repeats),
                effects: Vec::new(),
                buildkite_requests: 0,
                kubernetes_requests: 0,
            },
            lives: Vec::new(),
            by_uid: BTreeMap::new(),
            by_agent: BTreeMap::new(),
            nodes: Nodes::new(&settings.nodes, scenario.seed),
            templates: BTreeMap::new(),
            pulls: BTreeMap::new(),
            failing: BTreeMap::new(),
            builds: BTreeMap::new(),
            keepers: [None, None],
            runs: 0,
            skew: 0,
            talks: Slots::new(),
            rival: setup.rival,
            rivalry: rivalry::Memory::default(),
            cause: None,
            cluster_changed: false,
            notices_at: None,
            told: 0,
            story: Story::new(began, setup.story),
            tally: Tally::sampling(setup.sample_every),
            witness: setup.witness,
            sample_every: setup.sample_every,
        }
    }

    /// Lets everything happen, and says now and then how far it is.
    pub(crate) fn run(mut self, progress: &mut dyn FnMut(Duration)) -> Run {
        const EVENTS_BETWEEN: u64 = 4096;
        self.begin();
        let end = self.began.after(self.scenario.lasts.0);
        while let Some((at, happening)) = self.agenda.take(end) {
            self.now = at;
            self.tally.events += 1;
            self.happen(happening);
            self.follow();
            if self.tally.events.is_multiple_of(EVENTS_BETWEEN) {
                progress(at.since(self.began));
            }
        }
        self.now = end;
        self.outside.buildkite.advance(end);
        self.follow();
        self.end()
    }

    fn begin(&mut self) {
        for spec in &self.scenario.templates {
            self.apply_template(spec);
        }
        self.plan_timeline();
        if !self.sample_every.is_zero() {
            self.agenda.put(self.now, Happening::Sample);
        }
        if self.rival.is_some() {
            self.agenda.put(self.now, Happening::RivalLooks);
        } else {
            self.start_keeper(0);
        }
        self.follow();
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::FromOutside(at) => {
                let scenario = self.scenario;
                if let Some(moment) = scenario.timeline.get(at as usize) {
                    self.happen_from_outside(&moment.event);
                }
            }
            Happening::Schedule(pod) => self.schedule(pod),
            Happening::NodeReady => self.node_ready(),
            Happening::ImagePulled(pod) => self.image_pulled(pod),
            Happening::AgentUp(pod) => self.agent_up(pod),
            Happening::Ping(pod, turn) if self.is_at(pod, turn) => self.ping(pod),
            Happening::IdleOver(pod, turn) if self.is_at(pod, turn) => self.idle_over(pod),
            Happening::CommandEnds(pod, turn) if self.is_at(pod, turn) => self.command_ends(pod),
            Happening::CancelSeen(pod, turn) if self.is_at(pod, turn) => self.cancel_seen(pod),
            Happening::Exited(pod, turn) if self.is_at(pod, turn) => self.exited(pod),
            Happening::Ping(..)
            | Happening::IdleOver(..)
            | Happening::CommandEnds(..)
            | Happening::CancelSeen(..)
            | Happening::Exited(..) => {}
            Happening::Kill(pod) => self.kill(pod),
            Happening::Vanish(pod) => self.vanish(pod),
            Happening::BuildkiteNotices => {
                self.notices_at = None;
                self.outside.buildkite.advance(self.now);
            }
            Happening::Sample => {
                self.tally.sample(&self.outside.buildkite, self.now);
                self.agenda.put(self.now.after(self.sample_every), Happening::Sample);
            }
            Happening::KeeperWakes(which, run, wake) => self.keeper_wakes(which, run, wake),
            Happening::WatchShows(which, run) => self.watch_shows(which, run),
            Happening::FarewellOver(which, run) => self.farewell_over(which, run),
            Happening::Arrives(slot) => self.arrives(slot),
            Happening::Answered(slot) => self.answered(slot),
            Happening::RivalLooks => self.rival_looks(),
        }
    }

    /// Whether what was planned for a turn of a pod's life still counts.
    fn is_at(&self, pod: PodNumber, turn: u32) -> bool {
        self.lives[pod as usize].turn == turn
    }

    fn exited(&mut self, pod: PodNumber) {
        let fails = self.lives[pod as usize].fate.fails;
        self.pod_exited(pod, !fails);
    }

    /// Lets everybody react to what just happened.
    fn follow(&mut self) {
        self.follow_effects();
        self.follow_news();
        self.tell_truth();
        self.announce_change();
        if let Some(at) = self.outside.buildkite.next_event()
            && self.notices_at.is_none_or(|planned| at < planned)
        {
            self.notices_at = Some(at);
            self.agenda.put(at.max(self.now), Happening::BuildkiteNotices);
        }
    }

    fn end(mut self) -> Run {
        for life in self.lives.iter().filter(|life| life.is_alive()) {
            self.tally.pod_time_until_end(&life.queue, life.created_at, self.now);
            if life.phase == life::Phase::Busy {
                self.tally.agent_done(&life.queue, life.since, self.now);
            }
        }
        let (findings, reasons) = (self.tally.findings.clone(), self.tally.reasons.clone());
        let length = self.scenario.lasts.0;
        let (mut summary, series) = self.tally.end(&self.outside.buildkite, length, self.now);
        summary.buildkite_requests = self.outside.buildkite_requests;
        summary.kubernetes_requests = self.outside.kubernetes_requests;
        let jobs = self.outside.buildkite.waits().into_iter().map(|wait| JobLife {
            queue: wait.queue,
            runnable_at: wait.runnable_at,
            started_at: wait.started_at,
            over_at: wait.over_at,
        });
        let unmet = self.scenario.expect.unmet(&summary, &findings, &reasons);
        Run {
            summary,
            series,
            jobs: jobs.collect(),
            pods: self.lives.iter().map(Life::summary).collect(),
            story: self.story.end(),
            unmet,
        }
    }
}
