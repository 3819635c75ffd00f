//! The controller: one door in, one thing out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use self::judged::Judgements;
use crate::agent::Agent;
use crate::blueprints::Blueprints;
use crate::config::Config;
use crate::demand::{Demand, HeldBack};
use crate::finding::{Finding, FindingChange, Standing};
use crate::lease::Leadership;
use crate::memory::{Breakers, Budget, Candidacy, Errand, Holds, LaneKey, Lanes, Looks, Metering, Sightings};
use crate::names::{AgentId, Queue, Uid};
use crate::policy::{Reactive, ScalingPolicy};
use crate::report::Report;
use crate::step::{Command, CommandId, Input, Step};
use crate::time::Timestamp;
use crate::view::{ClusterView, View};
use crate::withheld::{Withheld, Withholding};

mod dispatch;
mod forget;
mod fork;
mod judged;
mod leadership;
mod meter;
mod recall;
mod regarding;
mod see;
mod starts;

/// Keeps the right number of agent pods, by deciding what to do next.
///
/// It remembers what it has seen and asked for, and nothing that it could not
/// do without: a new one in its place does the same a little later
/// (Invariants 20 and 31).
///
/// It can be written down and read again, all but its policy: one that was read
/// takes the steps that the written one would have taken, with the reactive
/// policy. What was written holds pod templates, and so perhaps secrets: it is
/// for recordings, whose inputs have none. To remember from one process to the
/// next, use [`Controller::save`].
#[derive(Debug, Serialize, Deserialize)]
pub struct Controller {
    config: Config,
    /// Not written: in its place comes the reactive one.
    #[serde(skip, default = "reactive")]
    policy: Box<dyn ScalingPolicy>,
    clock: Timestamp,
    next_id: u64,
    shutting_down: bool,
    cluster: Option<ClusterView>,
    buildkite: Option<Known>,
    /// The templates' versions as last seen, to notice new ones.
    versions: Vec<(Uid, String)>,
    blueprints: Blueprints,
    #[serde(default)]
    breakers: Breakers,
    sightings: Sightings,
    held_back: HeldBack,
    holds: Holds,
    lanes: Lanes,
    looks: Looks,
    budget: Budget,
    flights: BTreeMap<CommandId, Subject>,
    /// Nothing is sent to Kubernetes before this time.
    cluster_blocked_until: Option<Timestamp>,
    wishes: BTreeMap<Queue, u32>,
    #[serde(default)]
    metering: Metering,
    /// Whether the fleet's ceiling kept jobs waiting at the last look.
    #[serde(default)]
    jobs_lack_room: bool,
    standing: Standing,
    #[serde(default)]
    withheld: Withholding,
    report: Report,
    /// None: there are no others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    candidacy: Option<Candidacy>,
    #[serde(skip)]
    judgements: Judgements,
}

/// A dry run neither takes the lead from controllers that act nor meters what
/// they do.
fn watching(config: Config) -> Config {
    Config {
        metering: None,
        leadership: None,
        ..config
    }
}

fn reactive() -> Box<dyn ScalingPolicy> {
    Box::new(Reactive)
}

/// What the last look at Buildkite showed, as far as it is needed again.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Known {
    begun_at: Timestamp,
    /// None if jobs or agents could not be seen.
    demand: Option<BTreeMap<Queue, Demand>>,
    agents: View<Vec<Agent>>,
}

/// What a command in flight is about.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Subject {
    Cluster,
    Buildkite,
    Create {
        key: String,
        lane: LaneKey,
        template: String,
    },
    Stop {
        agent: AgentId,
    },
    Delete {
        uid: Uid,
        lane: LaneKey,
        pod: String,
    },
    Registration,
    Record,
    Lease(Errand),
}

impl Controller {
    /// A controller that knows nothing yet, with the reactive policy.
    pub fn new(config: Config) -> Self {
        Self::with_policy(config, Box::new(Reactive))
    }

    /// A controller with a policy of the caller's choice. No policy can make
    /// it interrupt a build (Invariant 19).
    pub fn with_policy(config: Config, policy: Box<dyn ScalingPolicy>) -> Self {
        let config = if config.dry_run { watching(config) } else { config };
        let budget = Budget::new(config.budget);
        let candidacy = config.leadership.clone().map(Candidacy::new);
        Self {
            config,
            policy,
            clock: Timestamp::default(),
            next_id: 0,
            shutting_down: false,
            cluster: None,
            buildkite: None,
            versions: Vec::new(),
            blueprints: Blueprints::default(),
            breakers: Breakers::default(),
            sightings: Sightings::default(),
            held_back: HeldBack::default(),
            holds: Holds::default(),
            lanes: Lanes::default(),
            looks: Looks::new(),
            budget,
            flights: BTreeMap::new(),
            cluster_blocked_until: None,
            wishes: BTreeMap::new(),
            metering: Metering::default(),
            jobs_lack_room: false,
            standing: Standing::default(),
            withheld: Withholding::default(),
            report: Report::default(),
            candidacy,
            judgements: Judgements::default(),
        }
    }

    /// Advances the controller by exactly one input and returns what to do next.
    ///
    /// This is the only door into the core: knowledge arrives as `input`, time
    /// arrives as `now`, and everything the controller wants leaves in the
    /// [`Step`]. Equal histories give equal steps, byte for byte (Invariant
    /// 13), which is what makes a recording replayable.
    ///
    /// The function is total. A failed request is not an error here but an
    /// outcome to learn from, and a clock that jumps back is read as one that
    /// stands still (Invariant 15).
    ///
    /// Call it again when a command finishes or at `step.wake.at`, whichever is
    /// first. Calling early is harmless; calling late delays scaling only.
    pub fn step(&mut self, now: Timestamp, input: Input) -> Step {
        self.clock = self.clock.max(now);
        let now = self.clock;
        let mut findings = Vec::new();
        self.let_claim_lapse(now, &mut findings);
        let planned = matches!(input, Input::Cluster { .. } | Input::Buildkite { .. });
        match input {
            Input::Tick => {}
            Input::Cluster { id, view } => self.see_cluster(id, view, now, &mut findings),
            Input::Buildkite { id, look } => self.see_buildkite(id, look, now, &mut findings),
            Input::Outcome { id, outcome, spending } => self.settle(id, &outcome, &spending, now, &mut findings),
            Input::Lease { id, view } => self.see_lease(id, &view, now, &mut findings),
            Input::Shutdown => self.shutting_down = true,
        }
        let mut commands: Vec<Command> = Vec::new();
        let mut withheld = Vec::new();
        self.tend_lease(now, &mut commands);
        if self.is_in_command() && !self.shutting_down {
            self.look(now, &mut commands, &mut findings);
            if !self.config.dry_run {
                self.dispatch(now, &mut commands);
                self.meter(now, &mut commands);
            } else if planned {
                withheld = self.withhold();
            }
        }
        Step {
            commands,
            wake: self.wake(now),
            findings,
            withheld,
            finished: self.shutting_down && self.flights.is_empty(),
        }
    }

    /// The queues as the last plan saw them.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Whether it commands, and who does if not; none where no other could.
    pub fn leadership(&self) -> Option<Leadership> {
        self.candidacy.as_ref().map(Candidacy::tell)
    }

    /// The findings that stand, in order.
    pub fn findings(&self) -> impl Iterator<Item = Finding> {
        self.standing.iter()
    }

    /// Whether nothing but looks is ever sent.
    pub fn is_dry_run(&self) -> bool {
        self.config.dry_run
    }

    /// What a dry run keeps back now, by reason: all that would be sent if each
    /// command succeeded, and nothing where this is no dry run.
    pub fn withheld(&self) -> impl Iterator<Item = &Withheld> {
        self.withheld.iter()
    }

    fn restate(
        &mut self,
        kinds: &[crate::finding::FindingKind],
        found: Vec<Finding>,
        findings: &mut Vec<FindingChange>,
    ) {
        findings.extend(self.standing.replace(kinds, found));
    }
}
