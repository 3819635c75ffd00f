//! `StopAgent`: one request, which never asks for force.

use buildscaler_core::{AgentId, CommandId, Failure, Input, Outcome, Spending, Timestamp};

use super::{limits, request, status};
use crate::answer::unanswered;
use crate::transport::{Reply, Request};

/// A stop on its way.
#[derive(Debug)]
pub(crate) struct StopScript {
    id: CommandId,
    request: Option<Request>,
    outcome: Option<Outcome>,
    spending: Spending,
}

impl StopScript {
    pub(crate) fn begin(id: CommandId, organization: &str, agent: &AgentId) -> Self {
        let (request, outcome) = match request::stop(organization, agent) {
            Ok(request) => (Some(request), None),
            Err(message) => (None, Some(Outcome::Failed(Failure::Malformed { message }))),
        };
        Self {
            id,
            request,
            outcome,
            spending: Spending::default(),
        }
    }

    pub(crate) fn next_request(&mut self) -> Option<Request> {
        let request = self.request.take()?;
        self.spending.requests += 1;
        Some(request)
    }

    pub(crate) fn absorb(&mut self, reply: Reply, now: Timestamp) {
        if self.request.is_some() || self.outcome.is_some() {
            return;
        }
        let failure = match reply {
            Ok(answer) => {
                limits::note(&mut self.spending, &answer, now);
                status::failure(&answer, now).map(going_or_gone)
            }
            Err(error) => Some(unanswered(&error)),
        };
        self.outcome = Some(failure.map_or(Outcome::Done, Outcome::Failed));
    }

    pub(crate) fn finish(self) -> Input {
        let outcome = self.outcome.unwrap_or_else(|| {
            Outcome::Failed(match self.request {
                Some(_) => Failure::Unavailable {
                    message: "the request was not sent".into(),
                },
                None => Failure::FateUnknown {
                    message: "nobody waited for the answer".into(),
                },
            })
        });
        Input::Outcome {
            id: self.id,
            outcome,
            spending: self.spending,
        }
    }
}

/// 400 and 422 say that only connected agents can be stopped: this one is on
/// its way out or has left.
fn going_or_gone(failure: Failure) -> Failure {
    match failure {
        Failure::Rejected {
            status: 400 | 422,
            message,
        } => Failure::NotFound { message },
        Failure::Rejected { .. }
        | Failure::AlreadyExists { .. }
        | Failure::NotFound { .. }
        | Failure::Forbidden { .. }
        | Failure::RateLimited { .. }
        | Failure::Unavailable { .. }
        | Failure::Malformed { .. }
        | Failure::FateUnknown { .. }
        | Failure::TimeRefused { .. }
        | Failure::OverBudget => failure,
    }
}
