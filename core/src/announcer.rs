//! Which findings are worth a Kubernetes Event, and when: deduplicated, at a
//! bounded rate, and never in the way of anything else.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::controller::Controller;
use crate::failure::{Failure, Refusal};
use crate::finding::{Finding, FindingKind};
use crate::hash;
use crate::names::Uid;
use crate::step::Outcome;
use crate::time::Timestamp;

/// How long an announcement holds. Kubernetes forgets Events after an hour, so
/// what still stands is said again before; what comes and goes is said once.
const HOLDS: Duration = Duration::from_secs(30 * 60);
/// How many Events may be written in any [`WINDOW`].
const MOST: usize = 20;
const WINDOW: Duration = Duration::from_secs(60);
/// How often findings that stand are gone through when none has changed.
const REVIEW: Duration = Duration::from_secs(10);
/// The first and the longest pause after a failure.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(600);
/// What the API server allows for a note, in bytes.
const LONGEST_NOTE: usize = 1024;
/// What is left of an object's name in that of its Event.
const LONGEST_STEM: usize = 200;

/// What an Event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ObjectKind {
    /// A template: a Job of `batch/v1`.
    Job,
    /// A pod.
    Pod,
}

/// The object that an Event is about, as Kubernetes names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Regarding {
    /// What it is.
    pub kind: ObjectKind,
    /// Where it is, and so the Event.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: Uid,
}

/// An Event to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// The Event's name: the same for the same thing within half an hour, so
    /// that a second controller, or this one after a restart, says it once.
    pub name: String,
    /// What it is about.
    pub regarding: Regarding,
    /// What was found: its name in camel case is the Event's reason.
    pub kind: FindingKind,
    /// What was seen and what to do about it, in at most 1,024 bytes.
    pub note: String,
    /// When it is said.
    pub at: Timestamp,
}

/// What an operator should know of the Events themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventTrouble {
    /// They cannot be written, for this reason; nothing else suffers.
    Began(Failure),
    /// They can be written again.
    Ended,
}

/// What it means, for the log; the failure itself stands beside it there.
impl fmt::Display for EventTrouble {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(match self {
            Self::Began(_) => {
                "Kubernetes Events cannot be written; scaling goes on without them. If it is for lack of a right: create \
                 on events.events.k8s.io"
            }
            Self::Ended => "Kubernetes Events are written again",
        })
    }
}

/// Tells findings of templates and pods to whoever runs `kubectl describe`.
///
/// It decides and does no IO, like the controller, but it is beside it: what
/// is said changes nothing, and a failure to say it must not either.
#[derive(Debug, Default)]
pub struct Announcer {
    /// What was said of which object, and in which half hour.
    said: BTreeMap<Thing, i64>,
    /// When the last ones were written.
    written: Vec<Timestamp>,
    underway: Option<(Thing, i64)>,
    review_at: Timestamp,
    closed_until: Option<Timestamp>,
    failures: u32,
}

type Thing = (FindingKind, Uid);

impl Announcer {
    /// The next Event to write, if one is due: one at a time, so that the next
    /// comes after [`settle`](Self::settle).
    ///
    /// `changed` says that findings have come or gone since the last call.
    /// Call it after each step; calling more often is harmless.
    pub fn next(&mut self, controller: &Controller, changed: bool, now: Timestamp) -> Option<Announcement> {
        if controller.is_dry_run() {
            return None;
        }
        if changed {
            self.review_at = now;
        }
        self.written.retain(|at| now.since(*at) < WINDOW);
        // A server that has asked the controller to wait is not bothered with words.
        let closed = self.closed_until.is_some_and(|until| now < until) || controller.cluster_blocked(now);
        if self.underway.is_some() || closed || now < self.review_at || self.written.len() >= MOST {
            return None;
        }
        self.said.retain(|(kind, uid), said| *said == period(*kind, uid, now));
        for finding in controller.findings() {
            for regarding in controller.regarding(&finding) {
                let thing = (finding.kind, regarding.uid.clone());
                let period = period(finding.kind, &regarding.uid, now);
                if !self.said.contains_key(&thing) {
                    self.underway = Some((thing, period));
                    self.written.push(now);
                    return Some(announcement(&finding, regarding, period, now));
                }
            }
        }
        self.review_at = now.after(REVIEW);
        None
    }

    /// Learns what came of the Event handed out last, and returns what the
    /// operator should know: once when trouble begins, once when it ends.
    pub fn settle(&mut self, outcome: &Outcome, now: Timestamp) -> Option<EventTrouble> {
        let (thing, period) = self.underway.take()?;
        let failure = match outcome {
            // It exists: somebody has said just this.
            Outcome::Done | Outcome::Failed(Failure::AlreadyExists { .. }) => None,
            Outcome::Failed(failure) => Some(failure),
        };
        let Some(failure) = failure else {
            self.said.insert(thing, period);
            self.closed_until = None;
            return (std::mem::take(&mut self.failures) > 0).then_some(EventTrouble::Ended);
        };
        if is_hopeless(failure) {
            self.said.insert(thing, period);
        }
        self.failures = self.failures.saturating_add(1);
        let pause = FIRST_PAUSE
            .saturating_mul(1 << (self.failures - 1).min(16))
            .min(LONGEST_PAUSE);
        let asked = if let Failure::RateLimited { until, .. } = failure {
            Some(*until)
        } else {
            None
        };
        self.closed_until = asked.max(Some(now.after(pause)));
        (self.failures == 1).then(|| EventTrouble::Began(failure.clone()))
    }
}

/// Whether the same Event would be refused again, while others might not be.
fn is_hopeless(failure: &Failure) -> bool {
    match failure {
        Failure::NotFound { .. } | Failure::Rejected { .. } | Failure::Malformed { .. } => true,
        Failure::Forbidden { kind, .. } => match kind {
            Refusal::Credentials | Refusal::Permission => false,
            Refusal::QuotaExceeded
            | Refusal::Admission
            | Refusal::NamespaceTerminating
            | Refusal::Webhook
            | Refusal::NotEntitled
            | Refusal::Other => true,
        },
        Failure::AlreadyExists { .. }
        | Failure::RateLimited { .. }
        | Failure::Unavailable { .. }
        | Failure::FateUnknown { .. }
        | Failure::TimeRefused { .. }
        | Failure::OverBudget => false,
    }
}

/// The half hour in which `now` is. Those of different things begin at
/// different times, so that not all is said again at once.
fn period(kind: FindingKind, uid: &Uid, now: Timestamp) -> i64 {
    let length = i64::try_from(HOLDS.as_millis()).unwrap_or(i64::MAX);
    let letters = hash::letters(&[kind.as_str().as_bytes(), uid.as_bytes()]);
    let spread: i64 = letters
        .bytes()
        .take(4)
        .fold(0, |sum, letter| sum * 37 + i64::from(letter));
    now.as_millis().saturating_add(spread % length).div_euclid(length)
}

fn announcement(finding: &Finding, regarding: Regarding, period: i64, now: Timestamp) -> Announcement {
    let letters = hash::letters(&[
        regarding.uid.as_bytes(),
        finding.kind.as_str().as_bytes(),
        &period.to_be_bytes(),
    ]);
    Announcement {
        name: format!("{}.{letters}", cut(&regarding.name, LONGEST_STEM)),
        regarding,
        kind: finding.kind,
        note: cut(&finding.detail, LONGEST_NOTE).to_owned(),
        at: now,
    }
}

/// The beginning of `text`, of at most `most` bytes and whole letters.
fn cut(text: &str, most: usize) -> &str {
    let end = text
        .char_indices()
        .map(|(start, letter)| start + letter.len_utf8())
        .take_while(|end| *end <= most)
        .last();
    &text[..end.unwrap_or(0)]
}
