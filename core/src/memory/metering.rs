//! What was used and is to be recorded: agent-hours, hour by hour.
//!
//! Nothing is recorded before AWS has confirmed the registration, and nothing
//! that was used before is recorded later. An hour gets one record, after it
//! has ended, and that record is sent with the same words until its fate is
//! known (Invariant 23). In doubt the customer pays less, never more.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::MeteringConfig;
use crate::failure::{Failure, Refusal};
use crate::hash;
use crate::memory::lanes::pause;
use crate::reason::Reason;
use crate::step::{Action, Outcome};
use crate::time::Timestamp;

const HOUR: Duration = Duration::from_secs(3600);
const HOUR_MILLIS: u64 = 3_600_000;
/// AWS refuses records that are older than six hours. This counts from the
/// beginning of the hour, and leaves five minutes for clocks that differ.
const OLDEST: Duration = Duration::from_secs(6 * 3600 - 300);
/// The longest pause after a failure that may pass by itself.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// The pause after one that does not.
const REFUSED_PAUSE: Duration = HOUR;
/// However rare looks are, agents count for no longer between two of them.
const LONGEST_GAP: Duration = Duration::from_secs(2 * 3600);
/// The greatest quantity that AWS takes.
const MOST: u64 = 2_147_483_647;

/// The state of metering.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Metering {
    registered: bool,
    /// Whether a command is in flight: one at a time.
    sent: bool,
    retry: Retry,
    /// Registrations tried, which makes their nonces differ.
    tries: u64,
    seen: Option<Glance>,
    /// Milliseconds of agents in the hours that are not closed, by their
    /// beginning.
    open: BTreeMap<Timestamp, u64>,
    /// The same of closed hours, in no record yet.
    carried: u64,
    /// Closed hours whose records are not settled, the oldest first.
    records: VecDeque<Record>,
}

/// The agents that the last look has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Glance {
    at: Timestamp,
    agents: u32,
    /// A look after this time is not one that follows.
    until: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    hour: Timestamp,
    quantity: u32,
    /// Whether AWS may have it, unknown to us.
    in_doubt: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Retry {
    failures: u32,
    not_before: Option<Timestamp>,
}

impl Metering {
    /// Counts what a complete look has shown. Between two looks that follow
    /// each other the lesser number counts, split at the hour.
    pub(crate) fn see(&mut self, agents: u32, patience: Duration, now: Timestamp) {
        if !self.registered {
            return;
        }
        self.open.entry(hour_of(now)).or_default();
        if let Some(last) = self.seen.filter(|last| now <= last.until) {
            self.credit(last.agents.min(agents), last.at, now);
        }
        self.seen = Some(Glance {
            at: now,
            agents,
            until: now.after(patience.min(LONGEST_GAP)),
        });
    }

    fn credit(&mut self, agents: u32, from: Timestamp, to: Timestamp) {
        let mut from = from;
        while from < to {
            let hour = hour_of(from);
            let end = hour.after(HOUR).min(to);
            let millis = u64::try_from(end.since(from).as_millis()).unwrap_or(u64::MAX);
            let used = self.open.entry(hour).or_default();
            *used = used.saturating_add(millis.saturating_mul(agents.into()));
            from = end;
        }
    }

    /// Another controller commands from now on, and records the hours that it
    /// sees. What was seen of the hour that runs goes into the next record of
    /// this one, if it ever makes one again.
    pub(crate) fn step_down(&mut self) {
        self.seen = None;
        let open = std::mem::take(&mut self.open);
        self.carried = open.into_values().fold(self.carried, u64::saturating_add);
    }

    /// What is to be sent now, if anything; it counts as sent.
    pub(crate) fn due(&mut self, config: &MeteringConfig, now: Timestamp) -> Option<(Action, Reason)> {
        if self.sent {
            return None;
        }
        self.expire(now);
        self.close(now);
        self.expire(now);
        if self.retry.not_before.is_some_and(|not_before| now < not_before) {
            return None;
        }
        let action = if self.registered {
            self.records.front().map(|record| record.action(config))?
        } else {
            self.tries = self.tries.saturating_add(1);
            Action::RegisterUsage {
                product_code: config.product_code.clone(),
                public_key_version: config.public_key_version,
                nonce: format!("{}-{}", config.instance, self.tries),
            }
        };
        self.sent = true;
        Some((action, self.retry.reason()))
    }

    /// When something is due next, unless an answer is awaited.
    pub(crate) fn next_due(&self, now: Timestamp) -> Option<(Timestamp, Reason)> {
        if self.sent {
            return None;
        }
        let sending = (!self.registered || !self.records.is_empty())
            .then(|| (self.retry.not_before.unwrap_or(now), self.retry.reason()));
        let closing = self.open.keys().next().map(|hour| {
            let end = hour.after(HOUR);
            let settled = self
                .seen
                .filter(|seen| seen.at < end)
                .map_or(end, |seen| seen.until.after(Duration::from_millis(1)).max(end));
            (settled, Reason::Metering)
        });
        [sending, closing].into_iter().flatten().min()
    }

    /// Learns how a registration ended; how often it failed by now.
    pub(crate) fn settle_registration(&mut self, outcome: &Outcome, now: Timestamp) -> u32 {
        self.sent = false;
        match outcome {
            Outcome::Done => {
                self.registered = true;
                self.retry = Retry::default();
            }
            Outcome::Failed(failure) => self.retry.failed(failure, now),
        }
        self.retry.failures
    }

    /// Learns how a record ended; how often it failed by now.
    pub(crate) fn settle_record(&mut self, outcome: &Outcome, now: Timestamp) -> u32 {
        self.sent = false;
        match outcome {
            // A record of the hour is there, ours or another.
            Outcome::Done | Outcome::Failed(Failure::AlreadyExists { .. }) => {
                self.records.pop_front();
                self.retry = Retry::default();
            }
            Outcome::Failed(Failure::TimeRefused { .. }) => {
                if let Some(record) = self.records.pop_front() {
                    self.carry(record);
                }
                self.retry = Retry::default();
            }
            Outcome::Failed(failure) => {
                let not_entitled = Refusal::NotEntitled;
                if matches!(failure, Failure::Forbidden { kind, .. } if *kind == not_entitled) {
                    // Nobody owes anything for hours without a subscription.
                    self.records.clear();
                    self.carried = 0;
                }
                let unknown = matches!(failure, Failure::FateUnknown { .. } | Failure::Malformed { .. });
                if let Some(record) = self.records.front_mut() {
                    record.in_doubt |= unknown;
                }
                self.retry.failed(failure, now);
            }
        }
        self.retry.failures
    }

    /// Gives up records that AWS would refuse for their age.
    fn expire(&mut self, now: Timestamp) {
        while let Some(record) = self.records.front().copied()
            && now.since(record.hour) >= OLDEST
        {
            self.records.pop_front();
            self.carry(record);
        }
    }

    /// What a record said goes into a later one, unless it may count already.
    fn carry(&mut self, record: Record) {
        if !record.in_doubt {
            let millis = u64::from(record.quantity).saturating_mul(HOUR_MILLIS);
            self.carried = self.carried.saturating_add(millis);
        }
    }

    /// Makes records of the hours to which nothing can be added any more.
    fn close(&mut self, now: Timestamp) {
        while let Some(entry) = self.open.first_entry() {
            let end = entry.key().after(HOUR);
            let settled = self.seen.is_none_or(|seen| end <= seen.at || seen.until < now);
            if now < end || !settled {
                return;
            }
            let (hour, used) = entry.remove_entry();
            let millis = self.carried.saturating_add(used);
            let quantity = (millis / HOUR_MILLIS).min(MOST);
            self.carried = millis - quantity * HOUR_MILLIS;
            self.records.push_back(Record {
                hour,
                quantity: u32::try_from(quantity).unwrap_or(0),
                in_doubt: false,
            });
        }
    }
}

impl Record {
    fn action(&self, config: &MeteringConfig) -> Action {
        Action::MeterUsage {
            product_code: config.product_code.clone(),
            dimension: config.dimension.clone(),
            hour: self.hour,
            quantity: self.quantity,
            client_token: self.token(config),
        }
    }

    /// The same for the same record of the same process, and no other's.
    fn token(&self, config: &MeteringConfig) -> String {
        let (hour, quantity) = (self.hour.to_string(), self.quantity.to_string());
        let half = |which: &[u8]| {
            hash::letters(&[
                which,
                config.product_code.as_bytes(),
                config.dimension.as_bytes(),
                hour.as_bytes(),
                quantity.as_bytes(),
                config.instance.as_bytes(),
            ])
        };
        half(b"1") + &half(b"2")
    }
}

impl Retry {
    fn failed(&mut self, failure: &Failure, now: Timestamp) {
        self.failures = self.failures.saturating_add(1);
        let refused = now.after(REFUSED_PAUSE);
        let soon = now.after(pause(self.failures, LONGEST_PAUSE));
        self.not_before = Some(if let Failure::RateLimited { until, .. } = failure {
            soon.max((*until).min(refused))
        } else if passes(failure) {
            soon
        } else {
            refused
        });
    }

    fn reason(self) -> Reason {
        if self.failures > 0 {
            Reason::Retry
        } else {
            Reason::Metering
        }
    }
}

/// Whether a failure may pass without anybody's doing.
pub(crate) fn passes(failure: &Failure) -> bool {
    match failure {
        Failure::RateLimited { .. }
        | Failure::Unavailable { .. }
        | Failure::FateUnknown { .. }
        | Failure::NotFound { .. }
        | Failure::OverBudget
        | Failure::Forbidden {
            kind: Refusal::Credentials,
            ..
        } => true,
        Failure::Forbidden { .. }
        | Failure::Rejected { .. }
        | Failure::Malformed { .. }
        | Failure::TimeRefused { .. }
        | Failure::AlreadyExists { .. } => false,
    }
}

/// The beginning of the hour.
fn hour_of(time: Timestamp) -> Timestamp {
    let hour = i64::try_from(HOUR_MILLIS).unwrap_or(i64::MAX);
    Timestamp::from_millis(time.as_millis().div_euclid(hour).saturating_mul(hour))
}
