//! Whose turn it is to command: the candidacy of one of several controllers.
//!
//! It follows client-go. A claim runs out when it has not been *seen* to be
//! renewed for as long as it lasts, by one's own clock; the times in the Lease
//! are not read. Writes name the version that was read, so the server lets one
//! of several through. A leader counts from the moment at which it *sent* its
//! last renewal, and counts less (the renew deadline) than others wait (the
//! lease duration): it stops before another may start.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::LeadershipConfig;
use crate::failure::Failure;
use crate::lease::{Leadership, Lease, LeaseRecord, Loss, Role, WriteLease};
use crate::step::{Action, CommandId};
use crate::time::Timestamp;
use crate::view::View;

mod seen;

use seen::Seen;

/// The duration written by who gives the Lease back: nobody has to wait.
const RELEASED_SECONDS: u32 = 1;

/// One controller's knowledge of the Lease, and what it made of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Candidacy {
    config: LeadershipConfig,
    seen: Option<Seen>,
    /// The request that is under way and not given up.
    asked: Option<Asked>,
    /// When the Lease is to be asked about or written next; none is at once.
    next_at: Option<Timestamp>,
    /// Whether a write went wrong, so that what was seen may be outdated.
    doubtful: bool,
    /// Whether that write was refused because somebody else was first.
    beaten: bool,
    /// Until when it commands, if it does.
    valid_until: Option<Timestamp>,
    /// Since when it has its role.
    since: Option<Timestamp>,
    lost: Option<Loss>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Asked {
    id: CommandId,
    sent_at: Timestamp,
    errand: Errand,
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Errand {
    Read,
    /// To take the Lease where there is one, or to keep it.
    Claim,
    /// To take it where there is none.
    Create,
    Release,
}

impl Errand {
    /// The verb by which rights name it.
    pub(crate) fn verb(self) -> &'static str {
        match self {
            Self::Read => "get",
            Self::Claim | Self::Release => "update",
            Self::Create => "create",
        }
    }
}

impl Candidacy {
    pub(crate) fn new(config: LeadershipConfig) -> Self {
        Self {
            config,
            seen: None,
            asked: None,
            next_at: None,
            doubtful: false,
            beaten: false,
            valid_until: None,
            since: None,
            lost: None,
        }
    }

    /// The Lease, as `namespace/name`.
    pub(crate) fn subject(&self) -> String {
        format!("{}/{}", self.config.namespace, self.config.name)
    }

    /// The namespace of the Lease.
    pub(crate) fn namespace(&self) -> &str {
        &self.config.namespace
    }

    /// Until when it commands; none if it does not.
    pub(crate) fn valid_until(&self) -> Option<Timestamp> {
        self.valid_until
    }

    /// What there is to tell of it.
    pub(crate) fn tell(&self) -> Leadership {
        Leadership {
            role: if self.valid_until.is_some() {
                Role::Leader
            } else {
                Role::Follower
            },
            since: self.since.unwrap_or_default(),
            holder: self.seen.as_ref().and_then(|seen| seen.record.holder.clone()),
            valid_until: self.valid_until,
            lost: self.lost,
        }
    }

    /// Lets time pass: a claim that was not renewed ends, and a request that
    /// was not answered is given up. Returns whether command was lost by it.
    pub(crate) fn pass(&mut self, now: Timestamp) -> bool {
        self.since.get_or_insert(now);
        let patience = self.patience();
        if self
            .asked
            .take_if(|asked| now.since(asked.sent_at) >= patience)
            .is_some()
        {
            self.doubtful = true;
            self.next_at = Some(now);
        }
        let is_over = self.valid_until.is_some_and(|until| now >= until);
        if is_over {
            self.step_down(Loss::Expired, now);
        }
        is_over
    }

    /// What is to be sent now, if anything.
    pub(crate) fn due(&self, now: Timestamp) -> Option<(Errand, Action)> {
        if self.asked.is_some() || self.next_at.is_some_and(|at| now < at) {
            return None;
        }
        let claim = self.seen.as_ref().filter(|seen| self.may_claim(seen, now));
        Some(match claim {
            Some(seen) if seen.version.is_some() => (Errand::Claim, self.claim(seen, now)),
            Some(seen) => (Errand::Create, self.claim(seen, now)),
            None => (Errand::Read, self.read()),
        })
    }

    /// Gives the Lease back, if it is held and nothing else is being asked. It
    /// commands no more from this moment, whatever becomes of the request.
    pub(crate) fn release(&mut self, now: Timestamp) -> Option<(Errand, Action)> {
        if self.asked.is_some() || self.valid_until.is_none() {
            return None;
        }
        self.step_down(Loss::Released, now);
        let seen = self
            .seen
            .as_ref()
            .filter(|seen| !self.doubtful && seen.version.is_some())?;
        let record = LeaseRecord {
            holder: None,
            duration_seconds: RELEASED_SECONDS,
            renewed_at: Some(now),
            ..seen.record.clone()
        };
        Some((Errand::Release, self.write(seen.version.clone(), record)))
    }

    /// Books that what was due is on its way.
    pub(crate) fn sent(&mut self, id: CommandId, errand: Errand, now: Timestamp) {
        self.asked = Some(Asked {
            id,
            sent_at: now,
            errand,
        });
    }

    /// Learns from an answer. Returns what it was to, and whether command was
    /// lost by it; nothing for an answer that came too late.
    pub(crate) fn answered(
        &mut self,
        id: CommandId,
        view: &View<Option<Lease>>,
        now: Timestamp,
    ) -> Option<(Errand, bool)> {
        let Asked { sent_at, errand, .. } = self.asked.take_if(|asked| asked.id == id)?;
        let led = self.valid_until.is_some();
        self.next_at = Some(sent_at.after(self.config.retry_period));
        match view {
            View::Complete(lease) => self.see(errand, sent_at, lease.as_ref(), now),
            View::Unknown(failure) => self.fail(errand, failure, now),
        }
        Some((errand, led && self.valid_until.is_none()))
    }

    /// When it has to be asked again at the latest, if nothing may be sent
    /// before `blocked_until`.
    pub(crate) fn wake(&self, blocked_until: Option<Timestamp>, now: Timestamp) -> Timestamp {
        let next = match &self.asked {
            Some(asked) => asked.sent_at.after(self.patience()),
            None => self.next_at.max(blocked_until).unwrap_or(now),
        };
        self.valid_until.map_or(next, |until| until.min(next))
    }

    fn see(&mut self, errand: Errand, sent_at: Timestamp, lease: Option<&Lease>, now: Timestamp) {
        self.note(lease, now);
        let is_mine = self.seen.as_ref().is_some_and(|seen| self.is_mine(seen));
        match errand {
            Errand::Claim | Errand::Create if is_mine => {
                self.doubtful = false;
                self.beaten = false;
                self.crown(sent_at, now);
            }
            Errand::Claim | Errand::Create | Errand::Read if !is_mine && self.valid_until.is_some() => {
                self.doubtful = false;
                self.step_down(Loss::Taken, now);
            }
            Errand::Claim | Errand::Create => self.doubtful = true,
            Errand::Read => {
                self.doubtful = false;
                self.hurry(now);
            }
            Errand::Release => {}
        }
    }

    /// Takes note of what the Lease says and whether that is new.
    fn note(&mut self, lease: Option<&Lease>, now: Timestamp) {
        let stride = self.stride();
        match (&mut self.seen, lease) {
            // A deleted Lease still binds those who saw it, as long as it would have.
            (Some(seen), None) => {
                seen.count(stride, now);
                seen.version = None;
            }
            (Some(seen), Some(lease)) if seen.record == lease.record => {
                seen.count(stride, now);
                seen.version = Some(lease.version.clone());
            }
            (seen, lease) => {
                *seen = Some(Seen {
                    version: lease.map(|lease| lease.version.clone()),
                    record: lease.map(|lease| lease.record.clone()).unwrap_or_default(),
                    unrenewed_for: Duration::ZERO,
                    counted_at: now,
                });
            }
        }
    }

    fn fail(&mut self, errand: Errand, failure: &Failure, now: Timestamp) {
        match errand {
            Errand::Read | Errand::Release => {}
            Errand::Claim | Errand::Create => self.doubtful = true,
        }
        match failure {
            // Once at once; somebody who refuses for ever is asked no more often
            // than others.
            Failure::AlreadyExists { .. } | Failure::NotFound { .. } if !self.beaten => {
                self.beaten = true;
                self.next_at = Some(now);
            }
            Failure::RateLimited { until, .. } => self.next_at = self.next_at.max(Some(*until)),
            Failure::AlreadyExists { .. }
            | Failure::NotFound { .. }
            | Failure::Forbidden { .. }
            | Failure::Unavailable { .. }
            | Failure::Rejected { .. }
            | Failure::Malformed { .. }
            | Failure::FateUnknown { .. }
            | Failure::TimeRefused { .. }
            | Failure::OverBudget => {}
        }
    }

    /// Has the Lease claimed as soon as it may be.
    fn hurry(&mut self, now: Timestamp) {
        let Some(seen) = &self.seen else { return };
        let opening = if self.is_free_to(seen) {
            now
        } else {
            now.after(self.term(&seen.record).saturating_sub(seen.unrenewed_for))
        };
        if !std::mem::take(&mut self.beaten) {
            self.next_at = self.next_at.min(Some(opening));
        }
    }

    fn crown(&mut self, sent_at: Timestamp, now: Timestamp) {
        let until = sent_at.after(self.config.renew_deadline);
        if now >= until {
            // The answer came too late to be of use.
            self.next_at = Some(now);
            return;
        }
        if self.valid_until.is_none() {
            self.since = Some(now);
            self.lost = None;
        }
        self.valid_until = self.valid_until.max(Some(until));
    }

    fn step_down(&mut self, loss: Loss, now: Timestamp) {
        self.valid_until = None;
        self.since = Some(now);
        self.lost = Some(loss);
    }

    fn may_claim(&self, seen: &Seen, now: Timestamp) -> bool {
        if self.doubtful {
            return false;
        }
        let unrenewed = seen
            .unrenewed_for
            .saturating_add(self.stride().min(now.since(seen.counted_at)));
        self.is_free_to(seen) || unrenewed >= self.term(&seen.record)
    }

    fn is_free_to(&self, seen: &Seen) -> bool {
        seen.record.holder.is_none() || self.is_mine(seen)
    }

    fn is_mine(&self, seen: &Seen) -> bool {
        seen.record.holder.as_ref() == Some(&self.config.identity)
    }

    fn claim(&self, seen: &Seen, now: Timestamp) -> Action {
        let known = &seen.record;
        let is_mine = self.is_mine(seen);
        let record = LeaseRecord {
            holder: Some(self.config.identity.clone()),
            duration_seconds: seconds(self.config.lease_duration),
            acquired_at: known.acquired_at.filter(|_| is_mine).or(Some(now)),
            renewed_at: Some(now),
            transitions: match seen.version {
                Some(_) if !is_mine => known.transitions.saturating_add(1),
                Some(_) | None => known.transitions,
            },
        };
        self.write(seen.version.clone(), record)
    }

    fn write(&self, over: Option<String>, record: LeaseRecord) -> Action {
        Action::WriteLease(WriteLease {
            namespace: self.config.namespace.clone(),
            name: self.config.name.clone(),
            over,
            record,
            within: self.patience(),
        })
    }

    fn read(&self) -> Action {
        Action::ReadLease {
            namespace: self.config.namespace.clone(),
            name: self.config.name.clone(),
            within: self.patience(),
        }
    }

    /// How long others' claims last: what their holder promised, and never less
    /// than this controller would promise itself.
    fn term(&self, record: &LeaseRecord) -> Duration {
        Duration::from_secs(record.duration_seconds.into()).max(self.config.lease_duration)
    }

    /// How long an answer is waited for: a second try must fit in.
    fn patience(&self) -> Duration {
        self.config.renew_deadline / 2
    }

    /// The most that one gap between two looks counts for: a clock that was set
    /// forward, or a process that was paused, has not watched meanwhile.
    fn stride(&self) -> Duration {
        self.config.retry_period.saturating_mul(2)
    }
}

/// Whole seconds, not fewer.
fn seconds(duration: Duration) -> u32 {
    let whole = duration
        .as_secs()
        .saturating_add(u64::from(duration.subsec_nanos() > 0));
    u32::try_from(whole).unwrap_or(u32::MAX)
}
