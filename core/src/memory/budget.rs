//! How much may be asked of Buildkite: never more than its limits allow in
//! any 60 seconds (Invariant 21).

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::BudgetConfig;
use crate::step::{LimitReading, LimitScope, Spending};
use crate::time::Timestamp;

/// The length of Buildkite's window.
const WINDOW: Duration = Duration::from_secs(60);

/// Requests spent, requests promised, and what the answers said is left.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Budget {
    config: BudgetConfig,
    readings: Vec<LimitReading>,
    spent: VecDeque<(Timestamp, u32)>,
    /// Of these, what looks spent.
    spent_by_looks: VecDeque<(Timestamp, u32)>,
    /// Granted to commands in flight.
    granted: u32,
    blocked_until: Option<Timestamp>,
}

/// What was spent and read, as it is remembered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Account {
    readings: Vec<LimitReading>,
    spent: VecDeque<(Timestamp, u32)>,
    spent_by_looks: VecDeque<(Timestamp, u32)>,
    blocked_until: Option<Timestamp>,
}

impl Account {
    /// Whether nothing was spent later than `end`, nor in another order.
    pub(crate) fn is_consistent(&self, end: Timestamp) -> bool {
        let in_order = |spent: &VecDeque<(Timestamp, u32)>| {
            let times = || spent.iter().map(|(at, _)| *at);
            times().is_sorted() && times().all(|at| at <= end)
        };
        in_order(&self.spent) && in_order(&self.spent_by_looks)
    }
}

impl Budget {
    pub(crate) fn new(config: BudgetConfig) -> Self {
        Self {
            config,
            readings: Vec::new(),
            spent: VecDeque::new(),
            spent_by_looks: VecDeque::new(),
            granted: 0,
            blocked_until: None,
        }
    }

    /// What is to be remembered. What is promised to commands in flight counts
    /// as spent: nobody will tell whether it was.
    pub(crate) fn account(&self, now: Timestamp) -> Account {
        let mut spent = self.spent.clone();
        if self.granted > 0 {
            spent.push_back((now, self.granted));
        }
        Account {
            readings: self.readings.clone(),
            spent,
            spent_by_looks: self.spent_by_looks.clone(),
            blocked_until: self.blocked_until,
        }
    }

    /// A budget of which this was spent.
    pub(crate) fn continued(config: BudgetConfig, account: Account) -> Self {
        let Account {
            readings,
            spent,
            spent_by_looks,
            blocked_until,
        } = account;
        Self {
            readings,
            spent,
            spent_by_looks,
            blocked_until,
            ..Self::new(config)
        }
    }

    /// Requests that may be sent now.
    pub(crate) fn available(&mut self, now: Timestamp) -> u32 {
        if self.blocked_until.is_some_and(|until| now < until) {
            return 0;
        }
        let used = within_window(&mut self.spent, now).saturating_add(self.granted);
        let own = self.limit().saturating_sub(used);
        // Others use the same limits: what the answers say is left counts too.
        self.readings
            .iter()
            .filter(|reading| now < reading.reset_at)
            .fold(own, |least, reading| {
                least.min(reading.remaining.saturating_sub(self.granted))
            })
    }

    /// Requests that looks may send now: a share is left to stops. What stops
    /// have used of it does not count, or many of them would keep looks away.
    pub(crate) fn available_to_looks(&mut self, now: Timestamp) -> u32 {
        let used = within_window(&mut self.spent_by_looks, now);
        self.available(now).min(self.look_capacity().saturating_sub(used))
    }

    /// The most requests that looks may ever send in one window.
    pub(crate) fn look_capacity(&self) -> u32 {
        let limit = self.limit();
        let stops = limit.saturating_mul(self.config.stop_percent.min(90)) / 100;
        limit.saturating_sub(stops).max(1)
    }

    /// How far apart looks of `cost` requests are at most, wanted every
    /// `interval`: where that is too often, they wait for whole windows.
    pub(crate) fn look_period(&self, cost: u32, interval: Duration) -> Duration {
        let capacity = self.look_capacity();
        let affordable = WINDOW.saturating_mul(cost) <= interval.saturating_mul(capacity);
        if affordable {
            interval
        } else {
            interval.max(WINDOW.saturating_mul(cost.div_ceil(capacity)))
        }
    }

    /// Promises `requests` to a command.
    pub(crate) fn grant(&mut self, requests: u32) {
        self.granted = self.granted.saturating_add(requests);
    }

    /// Takes back what was promised and books what was spent. The bookings
    /// leave the window 60 seconds from now, which is later than they must.
    pub(crate) fn settle(&mut self, promised: u32, spending: &Spending, now: Timestamp) {
        self.granted = self.granted.saturating_sub(promised);
        if spending.requests > 0 {
            self.spent.push_back((now, spending.requests));
        }
        for reading in &spending.limits {
            self.learn(*reading);
        }
    }

    /// The same, for a look.
    pub(crate) fn settle_look(&mut self, promised: u32, spending: &Spending, now: Timestamp) {
        self.settle(promised, spending, now);
        if spending.requests > 0 {
            self.spent_by_looks.push_back((now, spending.requests));
        }
    }

    /// Sends nothing before `until`.
    pub(crate) fn block(&mut self, until: Timestamp) {
        self.blocked_until = self.blocked_until.max(Some(until));
    }

    /// When more may become available, if anything is used up.
    pub(crate) fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        let window = self.spent.front().map(|(at, _)| at.after(WINDOW));
        let resets = self.readings.iter().map(|reading| reading.reset_at);
        let changes = window
            .into_iter()
            .chain(resets)
            .chain(self.blocked_until)
            .filter(|at| *at > now);
        match self.blocked_until.filter(|until| *until > now) {
            Some(until) => Some(until),
            None => changes.min(),
        }
    }

    fn limit(&self) -> u32 {
        let read = |scope: LimitScope, otherwise: u32| {
            self.readings
                .iter()
                .find(|reading| reading.scope == scope)
                .map_or(otherwise, |reading| reading.limit)
        };
        read(LimitScope::User, self.config.user)
            .min(read(LimitScope::Organization, self.config.organization))
            .max(1)
    }

    fn learn(&mut self, reading: LimitReading) {
        match self.readings.iter_mut().find(|known| known.scope == reading.scope) {
            // Answers may come back out of order: within one window the
            // smaller number is the newer one.
            Some(known) if known.limit == reading.limit && reading.reset_at <= known.reset_at => {
                known.remaining = known.remaining.min(reading.remaining);
            }
            Some(known) => *known = reading,
            None => self.readings.push(reading),
        }
    }
}

/// Sums up what was spent in the window that ends now, and forgets the rest.
fn within_window(spent: &mut VecDeque<(Timestamp, u32)>, now: Timestamp) -> u32 {
    while spent.front().is_some_and(|(at, _)| now.since(*at) >= WINDOW) {
        spent.pop_front();
    }
    spent
        .iter()
        .fold(0, |sum: u32, (_, requests)| sum.saturating_add(*requests))
}
