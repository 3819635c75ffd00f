//! When to look: Kubernetes before Buildkite, and Buildkite only within its
//! budget. A look that is over its grant goes on when the budget allows.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::agent::Agent;
use crate::buildkite_job::BuildkiteJob;
use crate::failure::Failure;
use crate::index::{fingerprint, may_repeat};
use crate::memory::Budget;
use crate::memory::lanes::pause;
use crate::reason::Reason;
use crate::step::{Action, CommandId, Cursor, Look, LookEnd};
use crate::time::Timestamp;
use crate::view::View;

/// The fewest requests a look takes: one page of builds, one of agents.
const LEAST_COST: u32 = 2;

/// What Buildkite showed, joined from all pages.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) begun_at: Timestamp,
    /// Some perhaps twice, from two pages.
    pub(crate) jobs: View<Vec<BuildkiteJob>>,
    /// No two of one id.
    pub(crate) agents: View<Vec<Agent>>,
}

/// The state of looking.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Looks {
    phase: Phase,
    next_at: Option<(Timestamp, Reason)>,
    begun_at: Option<Timestamp>,
    buildkite_failures: u32,
    cost: u32,
    partial: Option<Partial>,
    /// Whether this look has had to wait for the budget.
    waited: bool,
    /// Whether this or the last look has.
    tight: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Phase {
    Resting,
    Cluster(CommandId, Reason),
    /// Buildkite is to be asked as soon as budget and back-off allow.
    Due(Reason, Timestamp),
    Buildkite(CommandId, u32),
    /// What comes back is of no use any more, but what it cost is.
    Abandoned(CommandId, u32),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Partial {
    begun_at: Timestamp,
    jobs: Vec<BuildkiteJob>,
    agents: Vec<Agent>,
    requests: u32,
    next: Cursor,
}

impl Looks {
    pub(crate) fn new() -> Self {
        Self {
            phase: Phase::Resting,
            next_at: None,
            begun_at: None,
            buildkite_failures: 0,
            cost: LEAST_COST,
            partial: None,
            waited: false,
            tight: false,
        }
    }

    /// What is to be remembered: what a look costs, and how many have failed
    /// one after the other.
    pub(crate) fn experience(&self) -> (u32, u32) {
        (self.cost, self.buildkite_failures)
    }

    /// Looks that are due at once, with this experience.
    pub(crate) fn experienced((cost, buildkite_failures): (u32, u32)) -> Self {
        Self {
            cost: cost.max(LEAST_COST),
            buildkite_failures,
            ..Self::new()
        }
    }

    /// The look that is to be sent now, if any.
    pub(crate) fn due(
        &mut self,
        budget: &mut Budget,
        cluster_blocked: bool,
        interval: Duration,
        now: Timestamp,
    ) -> Option<(Action, Reason)> {
        if self.phase == Phase::Resting {
            let (at, reason) = *self.next_at.get_or_insert((now, Reason::FirstLook));
            if now < at {
                return None;
            }
            self.next_at = Some((now.after(interval), Reason::Interval));
            self.begun_at = Some(now);
            if !cluster_blocked {
                return Some((Action::ObserveCluster, reason));
            }
            self.phase = Phase::Due(reason, now);
        }
        let Phase::Due(reason, not_before) = self.phase else {
            return None;
        };
        let available = budget.available_to_looks(now);
        if now < not_before {
            return None;
        }
        if available < self.wanted(budget) {
            self.waited = true;
            self.tight = true;
            return None;
        }
        let grant = available.min(self.cost.saturating_mul(2).saturating_add(4));
        let from = self.partial.as_ref().map_or(Cursor::START, |partial| partial.next);
        Some((Action::ObserveBuildkite { grant, from }, reason))
    }

    /// Books that the look returned by [`Looks::due`] was sent as `id`.
    pub(crate) fn sent(&mut self, id: CommandId, action: &Action, reason: Reason) {
        match action {
            Action::ObserveCluster => self.phase = Phase::Cluster(id, reason),
            Action::ObserveBuildkite { grant, .. } => self.phase = Phase::Buildkite(id, *grant),
            Action::CreatePod(_)
            | Action::StopAgent { .. }
            | Action::DeletePod { .. }
            | Action::RegisterUsage { .. }
            | Action::MeterUsage { .. }
            | Action::ReadLease { .. }
            | Action::WriteLease(_) => {}
        }
    }

    /// Leaves what is under way unfinished; the next look is due at once.
    pub(crate) fn abandon(&mut self) {
        self.phase = match self.phase {
            Phase::Buildkite(id, grant) | Phase::Abandoned(id, grant) => Phase::Abandoned(id, grant),
            Phase::Resting | Phase::Cluster(..) | Phase::Due(..) => Phase::Resting,
        };
        self.next_at = None;
        self.partial = None;
        self.waited = false;
        self.tight = false;
    }

    /// Books an answer to `ObserveCluster`, known or not; pushed views are free.
    /// Returns whether it is of use, which one that was given up is not.
    pub(crate) fn cluster_answered(&mut self, id: Option<CommandId>, now: Timestamp) -> bool {
        match (id, self.phase) {
            (Some(id), Phase::Cluster(waited_for, reason)) if waited_for == id => {
                self.phase = Phase::Due(reason, now);
                true
            }
            (Some(_), _) => false,
            (None, _) => true,
        }
    }

    /// Books the end of an `ObserveBuildkite`. Returns what was seen once the
    /// last page is in or one has failed, and the grant that was promised;
    /// nothing for an answer that nobody waits for.
    pub(crate) fn buildkite_answered(
        &mut self,
        id: CommandId,
        look: Look,
        interval: Duration,
        now: Timestamp,
    ) -> Option<(u32, Option<Seen>)> {
        let grant = match self.phase {
            Phase::Buildkite(waited_for, grant) if waited_for == id => grant,
            Phase::Abandoned(waited_for, grant) if waited_for == id => {
                self.phase = Phase::Resting;
                return Some((grant, None));
            }
            Phase::Resting | Phase::Cluster(..) | Phase::Due(..) | Phase::Buildkite(..) | Phase::Abandoned(..) => {
                return None;
            }
        };
        let mut partial = self.partial.take().unwrap_or_else(|| Partial {
            begun_at: look.begun_at,
            jobs: Vec::new(),
            agents: Vec::new(),
            requests: 0,
            next: Cursor::START,
        });
        partial.requests = partial.requests.saturating_add(look.spending.requests);
        join(&mut partial.jobs, look.jobs);
        join(&mut partial.agents, look.agents);
        self.phase = Phase::Resting;
        let seen = match look.end {
            LookEnd::Complete => {
                self.buildkite_failures = 0;
                self.tight = std::mem::take(&mut self.waited);
                self.cost = partial.requests.max(LEAST_COST);
                Some(partial.complete())
            }
            LookEnd::More(next) => {
                // A page that asks to be read again for ever would never end.
                let stuck = next == partial.next && look.spending.requests == 0;
                let not_before = if stuck { now.after(interval) } else { now };
                self.cost = self.cost.max(partial.requests.saturating_add(1));
                self.phase = Phase::Due(Reason::Continuation, not_before);
                self.partial = Some(Partial { next, ..partial });
                None
            }
            LookEnd::Failed(cursor, failure) => {
                self.buildkite_failures = self.buildkite_failures.saturating_add(1);
                let until = if let Failure::RateLimited { until, .. } = &failure {
                    *until
                } else {
                    now.after(pause(self.buildkite_failures, interval.saturating_mul(2)))
                };
                self.next_at = Some((until, Reason::Retry));
                Some(partial.failed(cursor, failure))
            }
        };
        Some((grant, seen))
    }

    /// Looks earlier than planned, but not before a quarter of the interval
    /// has passed since the last look began.
    pub(crate) fn hurry(&mut self, reason: Reason, interval: Duration, now: Timestamp) {
        if self.buildkite_failures > 0 {
            return;
        }
        let earliest = self
            .begun_at
            .map_or(now, |begun_at| begun_at.after(interval / 4))
            .max(now);
        if self.next_at.is_none_or(|(at, _)| earliest < at) {
            self.next_at = Some((earliest, reason));
        }
    }

    /// When something of this is due next, unless it waits for an answer.
    pub(crate) fn next_due(&self, budget: &Budget, now: Timestamp) -> Option<(Timestamp, Reason)> {
        match self.phase {
            Phase::Resting => self.next_at,
            Phase::Due(reason, not_before) if not_before > now => Some((not_before, reason)),
            Phase::Due(..) => budget.next_change(now).map(|at| (at, Reason::Budget)),
            Phase::Cluster(..) | Phase::Buildkite(..) | Phase::Abandoned(..) => None,
        }
    }

    /// Whether looks have to wait for the budget: said of every look that did,
    /// until one did not.
    pub(crate) fn is_tight(&self) -> bool {
        self.tight
    }

    /// How far apart looks are where nothing is wrong.
    pub(crate) fn period(&self, budget: &Budget, interval: Duration) -> Duration {
        budget.look_period(self.cost, interval)
    }

    /// Requests that the next look will need, for which stops leave room.
    pub(crate) fn reserve(&self, budget: &Budget) -> u32 {
        match self.phase {
            Phase::Buildkite(..) | Phase::Abandoned(..) => 0,
            Phase::Resting | Phase::Cluster(..) | Phase::Due(..) => self.cost.min(budget.look_capacity()),
        }
    }

    fn wanted(&self, budget: &Budget) -> u32 {
        let whole = self.cost.min(budget.look_capacity());
        if self.partial.is_some() {
            whole.min(LEAST_COST)
        } else {
            whole
        }
    }
}

impl Partial {
    fn complete(self) -> Seen {
        let agents = distinct(self.agents);
        Seen {
            begun_at: self.begun_at,
            jobs: View::Complete(self.jobs),
            agents: View::Complete(agents),
        }
    }

    /// Half a list is no list (Invariant 4).
    fn failed(self, cursor: Cursor, failure: Failure) -> Seen {
        match cursor {
            Cursor::Builds { .. } => Seen {
                begun_at: self.begun_at,
                jobs: View::Unknown(failure.clone()),
                agents: View::Unknown(failure),
            },
            Cursor::Agents { .. } => {
                let whole = self.complete();
                Seen {
                    agents: View::Unknown(failure),
                    ..whole
                }
            }
        }
    }
}

/// The agents without repetitions. A row that moved between pages is there
/// twice: the greater of the two wins, whatever their order (Invariant 13).
fn distinct(mut agents: Vec<Agent>) -> Vec<Agent> {
    if may_repeat(agents.iter().map(|agent| fingerprint(agent.id.as_bytes())).collect()) {
        agents.sort_by(|a, b| (&a.id, b.state, &b.running).cmp(&(&b.id, a.state, &a.running)));
        agents.dedup_by(|a, b| a.id == b.id);
    }
    agents
}

fn join<T>(all: &mut Vec<T>, more: Vec<T>) {
    if all.is_empty() {
        *all = more;
    } else {
        all.extend(more);
    }
}
