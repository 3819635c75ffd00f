//! `CreatePod`, `DeletePod` and Events: one request each.

use buildscaler_core::{Announcement, CommandId, CreatePod, Failure, Input, Outcome, Spending, Timestamp, Uid};

use super::status::{self, Verb};
use super::{event, request};
use crate::answer::unanswered;
use crate::transport::{Reply, Request};

/// A write on its way.
#[derive(Debug)]
pub(crate) struct WriteScript {
    verb: Verb,
    state: State,
}

#[derive(Debug)]
enum State {
    Unsent(Box<Request>),
    Sent,
    Ended(Outcome),
}

impl WriteScript {
    pub(crate) fn create(create: &CreatePod) -> Self {
        Self::begin(Verb::Create, request::create(create))
    }

    pub(crate) fn delete(namespace: &str, name: &str, uid: &Uid, grace_seconds: Option<u32>) -> Self {
        Self::begin(Verb::Delete, request::delete(namespace, name, uid, grace_seconds))
    }

    pub(crate) fn event(announcement: &Announcement, instance: &str) -> Self {
        Self::begin(Verb::Create, event::create(announcement, instance))
    }

    fn begin(verb: Verb, made: Result<Request, String>) -> Self {
        let state = match made {
            Ok(request) => State::Unsent(Box::new(request)),
            Err(message) => State::Ended(Outcome::Failed(Failure::Malformed { message })),
        };
        Self { verb, state }
    }

    pub(crate) fn next_request(&mut self) -> Option<Request> {
        match std::mem::replace(&mut self.state, State::Sent) {
            State::Unsent(request) => Some(*request),
            other @ (State::Sent | State::Ended(_)) => {
                self.state = other;
                None
            }
        }
    }

    pub(crate) fn absorb(&mut self, reply: Reply, now: Timestamp) {
        if !matches!(self.state, State::Sent) {
            return;
        }
        let failure = match reply {
            Ok(answer) => status::failure(self.verb, &answer, now),
            Err(error) => Some(unanswered(&error)),
        };
        self.state = State::Ended(failure.map_or(Outcome::Done, Outcome::Failed));
    }

    pub(crate) fn finish(self, id: CommandId) -> Input {
        Input::Outcome {
            id,
            outcome: self.outcome(),
            spending: Spending::default(),
        }
    }

    pub(crate) fn outcome(self) -> Outcome {
        match self.state {
            State::Ended(outcome) => outcome,
            State::Sent => Outcome::Failed(Failure::FateUnknown {
                message: "nobody waited for the answer".into(),
            }),
            State::Unsent(_) => Outcome::Failed(Failure::Unavailable {
                message: "the request was not sent".into(),
            }),
        }
    }
}
