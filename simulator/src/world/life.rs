//! A pod's life, and its agent's.

use std::time::Duration;

use buildscaler_core::{AgentId, Queue, Timestamp, Uid};

use super::container::AgentSettings;
use super::dice::Dice;
use super::fidelity::PodRef;
use crate::measure::PodLife;
use crate::scenario::PodSettings;

/// Which pod: its place among all pods there ever were.
pub(crate) type PodNumber = u32;

/// One pod from its creation on.
#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) uid: Uid,
    pub(crate) name: String,
    /// What stories call it: the queue and a number.
    pub(crate) alias: String,
    pub(crate) queue: Queue,
    pub(crate) created_at: Timestamp,
    pub(crate) settings: AgentSettings,
    pub(crate) fate: Fate,
    pub(crate) node: Option<u32>,
    pub(crate) agent: Option<AgentId>,
    pub(crate) phase: Phase,
    /// Since when it is in this phase.
    pub(crate) since: Timestamp,
    /// Counts its phases, so that what was planned for an earlier one is not
    /// taken for this one's.
    pub(crate) turn: u32,
    /// Whether its process was sent SIGTERM.
    pub(crate) terminating: bool,
    pub(crate) kill_at: Option<Timestamp>,
    /// Who is to blame if its job is cut off.
    pub(crate) doom: Option<Doom>,
    /// Its object is no more.
    pub(crate) removed: bool,
    pub(crate) connected_at: Option<Timestamp>,
    /// When its last job ended.
    pub(crate) idle_since: Option<Timestamp>,
}

/// How far a pod is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Pending,
    /// On its node, its image on the way.
    Pulling,
    /// Its process runs, its agent is not connected.
    Starting,
    Idle,
    Busy,
    /// Its agent has left, its process ends.
    Leaving,
    Ended,
}

/// Who ends a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doom {
    /// Whoever keeps the fleet.
    Keeper,
    /// The world: a lost node, a user's delete.
    World,
}

/// What chance has in store for a pod.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fate {
    pub(crate) scheduling: Duration,
    pub(crate) agent_start: Duration,
    pub(crate) exit: Duration,
    /// The first ping after connecting is at once, the next ones this far apart.
    pub(crate) ping_period: Duration,
    pub(crate) fails: bool,
    pub(crate) hangs: bool,
}

/// Draws for pods are of this kind.
const POD: u64 = 1;

impl Fate {
    pub(crate) fn draw(seed: u64, number: PodNumber, pods: &PodSettings, ping: Duration) -> Self {
        let mut dice = Dice::for_thing(seed, POD, number.into());
        let jitter = u64::try_from(ping.as_millis()).unwrap_or(u64::MAX);
        Self {
            scheduling: dice.length(pods.scheduling),
            agent_start: dice.length(pods.agent_start),
            exit: dice.length(pods.exit),
            // An agent waits for the interval and up to as much again.
            ping_period: (ping + Duration::from_millis(dice.below(jitter.max(1)))).max(Duration::from_millis(1)),
            fails: dice.percent(pods.failing_percent),
            hangs: dice.percent(pods.hanging_percent),
        }
    }
}

impl Life {
    pub(crate) fn as_ref(&self) -> PodRef<'_> {
        PodRef {
            uid: &self.uid,
            name: &self.name,
        }
    }

    pub(crate) fn enter(&mut self, phase: Phase, now: Timestamp) {
        self.phase = phase;
        self.since = now;
        self.turn += 1;
    }

    /// The first of its pings that is not before `now`.
    pub(crate) fn next_ping(&self, now: Timestamp) -> Timestamp {
        let period = self.fate.ping_period.as_millis();
        let periods = now.since(self.since).as_millis().div_ceil(period);
        let wait = u64::try_from(periods * period).unwrap_or(u64::MAX);
        self.since.after(Duration::from_millis(wait))
    }

    /// What is told of it in the end.
    pub(crate) fn summary(&self) -> PodLife {
        PodLife {
            alias: self.alias.clone(),
            queue: self.queue.clone(),
            image: self.settings.image.clone(),
            created_at: self.created_at,
            connected_at: self.connected_at,
            idle_since: self.idle_since,
            ended_at: (!self.is_alive()).then_some(self.since),
        }
    }

    /// Whether a process of it may still run.
    pub(crate) fn is_alive(&self) -> bool {
        self.phase != Phase::Ended
    }
}
