//! A command that changes something, carried out on records.

use buildscaler_core::{AgentId, CommandId, CreatePod, Failure, Input, Outcome, Spending, Timestamp, Uid};

use super::Domain;
use super::strike::strike;
use super::talk::{Answer, proxy_limit};
use crate::buildkite::{Refusal, Stop};
use crate::scenario::RequestKind;
use crate::world::fidelity::{Outside, Passage};

/// A request that changes something.
#[derive(Debug)]
pub(crate) struct Write {
    id: CommandId,
    action: Deed,
    /// When it may not be sent any more.
    not_after: Option<Timestamp>,
    sent: bool,
    answer: Option<Answer<()>>,
    outcome: Option<Outcome>,
    spending: Spending,
}

/// What it changes.
#[derive(Debug)]
pub(super) enum Deed {
    Create(Box<CreatePod>),
    Delete(String, Uid, Option<u32>),
    Stop(AgentId),
}

impl Write {
    pub(super) fn begin(id: CommandId, action: Deed, not_after: Option<Timestamp>) -> Self {
        Self {
            id,
            action,
            not_after,
            sent: false,
            answer: None,
            outcome: None,
            spending: Spending::default(),
        }
    }

    /// Whether its request goes to Buildkite; none if it was sent, or may not
    /// be sent any more.
    pub(super) fn send(&mut self, clock: Timestamp) -> Option<bool> {
        let is_late = self.not_after.is_some_and(|end| clock >= end);
        if self.sent || is_late {
            return None;
        }
        self.sent = true;
        Some(self.to_buildkite())
    }

    fn to_buildkite(&self) -> bool {
        matches!(self.action, Deed::Stop(_))
    }

    pub(super) fn serve(&mut self, domain: &mut Domain, outside: &mut Outside, now: Timestamp) -> Passage {
        let kind = match self.action {
            Deed::Create(_) => RequestKind::Creates,
            Deed::Delete(..) => RequestKind::Deletes,
            Deed::Stop(_) => RequestKind::Stops,
        };
        let struck = strike(outside.faults.strike(kind, now));
        let mut answer = Answer::Nothing;
        if self.to_buildkite() {
            outside.buildkite_requests += 1;
            self.spending.requests += 1;
        } else {
            outside.kubernetes_requests += 1;
        }
        if struck.carried_out {
            answer = match &self.action {
                Deed::Create(create) => follow(domain.create(now, create), outside),
                Deed::Delete(name, uid, grace) => follow(domain.delete(name, uid, *grace), outside),
                Deed::Stop(agent) => stop(agent, outside, &mut self.spending, now),
            };
        }
        self.answer = Some(match struck.instead {
            // A success needs no body, and a refusal is told by its status.
            Some(Answer::Garbled) | None => answer,
            Some(instead) => instead,
        });
        Passage {
            buildkite: self.to_buildkite(),
            late: struck.late,
        }
    }

    pub(super) fn absorb(&mut self, clock: Timestamp) {
        let Some(answer) = self.answer.take() else { return };
        let unknown = |message: &str| {
            Outcome::Failed(Failure::FateUnknown {
                message: message.into(),
            })
        };
        for limit in &mut self.spending.limits {
            limit.reset_at = clock.after(limit.reset_at.since(Timestamp::default()));
        }
        self.outcome = Some(match answer {
            Answer::Good(()) | Answer::Garbled => Outcome::Done,
            Answer::No(Failure::RateLimited { until, message }) => Outcome::Failed(Failure::RateLimited {
                until: clock.after(until.since(Timestamp::default())),
                message,
            }),
            Answer::No(failure) => Outcome::Failed(failure),
            Answer::Nothing => unknown("timed out"),
            Answer::Status(429) => Outcome::Failed(proxy_limit(clock)),
            Answer::Status(500) if !self.to_buildkite() => unknown("status 500"),
            Answer::Status(status) => Outcome::Failed(Failure::Unavailable {
                message: format!("status {status}"),
            }),
        });
    }

    pub(super) fn finish(self) -> Input {
        Input::Outcome {
            id: self.id,
            outcome: self.outcome.unwrap_or_else(|| {
                Outcome::Failed(if self.sent {
                    Failure::FateUnknown {
                        message: "nobody waited for the answer".into(),
                    }
                } else {
                    Failure::Unavailable {
                        message: "the request was not sent".into(),
                    }
                })
            }),
            spending: self.spending,
        }
    }
}

fn follow(done: Result<super::Effect, Failure>, outside: &mut Outside) -> Answer<()> {
    match done {
        Ok(effect) => {
            outside.effects.push(effect);
            Answer::Good(())
        }
        Err(failure) => Answer::No(failure),
    }
}

/// Stops an agent. Times in what is told are counted from zero until the
/// answer arrives.
fn stop(agent: &AgentId, outside: &mut Outside, spending: &mut Spending, now: Timestamp) -> Answer<()> {
    let (within, allowances) = outside.buildkite.spend_request(now);
    let zero = Timestamp::default();
    spending.limits = allowances.iter().map(|allowance| allowance.reading(zero)).collect();
    if let Err(wait) = within {
        let waits = spending.limits.iter().filter(|limit| limit.remaining == 0);
        let until = waits.map(|limit| limit.reset_at).fold(zero.after(wait), Timestamp::max);
        return Answer::No(Failure::RateLimited {
            until,
            message: "rate limited".into(),
        });
    }
    match outside.buildkite.stop(now, agent, Stop::Graceful) {
        Ok(()) => Answer::Good(()),
        Err(refusal @ (Refusal::UnknownAgent | Refusal::NotConnected)) => Answer::No(Failure::NotFound {
            message: refusal.to_string(),
        }),
        Err(refusal) => Answer::No(Failure::Rejected {
            status: 400,
            message: refusal.to_string(),
        }),
    }
}
