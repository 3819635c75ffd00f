//! Slow start and back-off for writes: 1, 2, 4, 8 … at a time, so that a
//! quota wall costs one refusal and not hundreds.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Refusal};
use crate::memory::holds::Holds;
use crate::memory::pod_run::PodRun;
use crate::names::{TemplateHash, Uid};
use crate::reason::Reason;
use crate::step::{Action, Outcome};
use crate::time::Timestamp;

/// Most writes in flight in one lane.
const WIDEST: u32 = 64;
/// The first pause after a failure.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// The longest pause where only a change of the template can help.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// What a lane is for: failures in one do not slow the others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum LaneKey {
    /// Creates from one version of a template.
    Create(Uid, TemplateHash),
    /// Deletes in one namespace.
    Delete(String),
    /// Stops of agents.
    Stop,
}

/// A command that is decided on and not sent yet.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Planned {
    pub(crate) action: Action,
    pub(crate) reason: Reason,
}

/// All lanes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Lanes {
    #[serde(with = "crate::pairs")]
    lanes: BTreeMap<LaneKey, Lane>,
}

/// What waits in a lane.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Backlog {
    /// Stops and deletes, in order.
    Errands(VecDeque<Planned>),
    /// Creates from one template.
    Pods(Box<PodRun>),
}

impl Backlog {
    fn is_empty(&self) -> bool {
        match self {
            Self::Errands(errands) => errands.is_empty(),
            Self::Pods(run) => run.left == 0,
        }
    }

    fn next(&mut self, holds: &Holds) -> Option<Planned> {
        match self {
            Self::Errands(errands) => errands.pop_front(),
            Self::Pods(run) => run.next(holds),
        }
    }

    fn clear(&mut self) {
        *self = Self::Errands(VecDeque::new());
    }
}

/// A lane in which something has failed, as it is remembered: what waits in it
/// is planned anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Closure {
    key: LaneKey,
    failures: u32,
    closed_until: Option<Timestamp>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Lane {
    backlog: Backlog,
    in_flight: u32,
    window: u32,
    failures: u32,
    closed_until: Option<Timestamp>,
}

impl Lanes {
    /// Replaces what waits in a lane by a newer plan.
    pub(crate) fn plan(&mut self, key: LaneKey, planned: Backlog) {
        if planned.is_empty() && !self.lanes.contains_key(&key) {
            return;
        }
        let lane = self.lanes.entry(key).or_insert_with(Lane::new);
        if lane.in_flight == 0 {
            lane.window = 1;
        }
        lane.backlog = planned;
    }

    /// Forgets what waits in lanes that `keep` refuses, and lanes that are
    /// done with.
    pub(crate) fn retain(&mut self, keep: impl Fn(&LaneKey) -> bool) {
        self.lanes.retain(|key, lane| {
            if !keep(key) {
                lane.backlog.clear();
                return lane.in_flight > 0;
            }
            true
        });
    }

    /// Empties the backlog of every lane for which `of` holds.
    pub(crate) fn clear(&mut self, of: impl Fn(&LaneKey) -> bool) {
        for (key, lane) in &mut self.lanes {
            if of(key) {
                lane.backlog.clear();
            }
        }
    }

    /// Forgets lanes of deletes in which nothing is left to do: namespaces come
    /// and go.
    pub(crate) fn forget_deletes(&mut self, now: Timestamp) {
        self.lanes.retain(|key, lane| {
            let idle = lane.backlog.is_empty() && lane.in_flight == 0;
            let open = lane.closed_until.is_none_or(|until| until <= now);
            !(matches!(key, LaneKey::Delete(_)) && idle && open)
        });
    }

    /// Leaves at most `room` creates waiting in a lane.
    pub(crate) fn cap(&mut self, key: &LaneKey, room: u32) {
        if let Some(Backlog::Pods(run)) = self.lanes.get_mut(key).map(|lane| &mut lane.backlog) {
            run.left = run.left.min(room);
        }
    }

    /// Leaves at most `room` creates waiting in all lanes together.
    pub(crate) fn cap_creates(&mut self, mut room: u32) {
        for lane in self.lanes.values_mut() {
            if let Backlog::Pods(run) = &mut lane.backlog {
                run.left = run.left.min(room);
                room -= run.left;
            }
        }
    }

    /// The keys of lanes in which something waits.
    pub(crate) fn waiting(&self) -> Vec<LaneKey> {
        self.lanes
            .iter()
            .filter(|(_, lane)| !lane.backlog.is_empty())
            .map(|(key, _)| key.clone())
            .collect()
    }

    /// The next command of a lane, if it may be sent now.
    pub(crate) fn pop(&mut self, key: &LaneKey, holds: &Holds, now: Timestamp) -> Option<Planned> {
        let lane = self.lanes.get_mut(key)?;
        if lane.closed_until.is_some_and(|until| now < until) || lane.in_flight >= lane.window {
            return None;
        }
        let planned = lane.backlog.next(holds)?;
        lane.in_flight += 1;
        Some(planned)
    }

    /// All that waits, in the order of the lanes, as if nothing held it back.
    pub(crate) fn backlog(&self, holds: &Holds) -> impl Iterator<Item = Planned> {
        self.lanes.values().flat_map(move |lane| {
            let mut backlog = lane.backlog.clone();
            std::iter::from_fn(move || backlog.next(holds))
        })
    }

    /// Books the end of a command. `cap` is the longest pause after failures
    /// that pass by themselves.
    pub(crate) fn settle(&mut self, key: &LaneKey, outcome: &Outcome, cap: Duration, now: Timestamp) {
        let Some(lane) = self.lanes.get_mut(key) else { return };
        lane.in_flight = lane.in_flight.saturating_sub(1);
        match outcome {
            Outcome::Done | Outcome::Failed(Failure::AlreadyExists { .. } | Failure::NotFound { .. }) => {
                lane.window = lane.window.saturating_add(1).min(WIDEST);
                lane.failures = 0;
                lane.closed_until = None;
            }
            Outcome::Failed(failure) => lane.close(failure, cap, now),
        }
    }

    /// The lanes that have failed.
    pub(crate) fn closures(&self) -> Vec<Closure> {
        let failed = self.lanes.iter().filter(|(_, lane)| lane.failures > 0);
        failed
            .map(|(key, lane)| Closure {
                key: key.clone(),
                failures: lane.failures,
                closed_until: lane.closed_until,
            })
            .collect()
    }

    /// Lanes of which nothing is known but how they failed.
    pub(crate) fn closed(closures: Vec<Closure>) -> Self {
        let lanes = closures.into_iter().map(|closure| {
            let lane = Lane {
                failures: closure.failures,
                closed_until: closure.closed_until,
                ..Lane::new()
            };
            (closure.key, lane)
        });
        Self { lanes: lanes.collect() }
    }

    /// When the first closed lane opens in which something waits.
    pub(crate) fn next_opening(&self, now: Timestamp) -> Option<Timestamp> {
        let waiting = self.lanes.values().filter(|lane| !lane.backlog.is_empty());
        waiting
            .filter_map(|lane| lane.closed_until)
            .filter(|until| *until > now)
            .min()
    }
}

impl Lane {
    fn new() -> Self {
        Self {
            backlog: Backlog::Errands(VecDeque::new()),
            in_flight: 0,
            window: 1,
            failures: 0,
            closed_until: None,
        }
    }

    fn close(&mut self, failure: &Failure, cap: Duration, now: Timestamp) {
        // Answers to one burst are one failure, not sixty.
        if self.closed_until.is_none_or(|until| until <= now) {
            self.failures = self.failures.saturating_add(1);
        }
        self.window = 1;
        self.backlog.clear();
        let until = match failure {
            Failure::RateLimited { until, .. } => *until,
            Failure::Forbidden {
                kind:
                    Refusal::Admission
                    | Refusal::NamespaceTerminating
                    | Refusal::Webhook
                    | Refusal::NotEntitled
                    | Refusal::Other,
                ..
            }
            | Failure::Rejected { .. } => now.after(pause(self.failures, LONGEST_PAUSE)),
            Failure::Forbidden {
                kind: Refusal::Credentials | Refusal::Permission | Refusal::QuotaExceeded,
                ..
            }
            | Failure::AlreadyExists { .. }
            | Failure::NotFound { .. }
            | Failure::Unavailable { .. }
            | Failure::Malformed { .. }
            | Failure::FateUnknown { .. }
            | Failure::TimeRefused { .. }
            | Failure::OverBudget => now.after(pause(self.failures, cap)),
        };
        self.closed_until = self.closed_until.max(Some(until));
    }
}

/// Doubles from failure to failure, up to `longest`.
pub(super) fn pause(failures: u32, longest: Duration) -> Duration {
    FIRST_PAUSE
        .saturating_mul(1 << failures.saturating_sub(1).min(16))
        .min(longest)
}
