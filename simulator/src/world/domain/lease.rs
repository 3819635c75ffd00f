//! The Lease as one record, read and written as the API server lets it be.

use std::time::Duration;

use buildscaler_core::{CommandId, Failure, Input, Lease, LeaseRecord, Timestamp, View, WriteLease};

use super::strike::strike;
use super::talk::{Answer, proxy_limit};
use crate::scenario::RequestKind;
use crate::world::fidelity::{Outside, Passage};

/// The Lease there is, and how often it was written.
#[derive(Debug, Default)]
pub(crate) struct LeaseObject {
    record: Option<LeaseRecord>,
    writes: u64,
}

/// A read or a write of it on its way.
#[derive(Debug)]
pub(crate) struct LeaseTalk {
    id: CommandId,
    /// None: it is only read.
    write: Option<WriteLease>,
    within: Duration,
    sent: bool,
    answer: Option<Answer<Option<Lease>>>,
    view: Option<View<Option<Lease>>>,
}

impl LeaseTalk {
    pub(super) fn read(id: CommandId, within: Duration) -> Self {
        Self {
            id,
            write: None,
            within,
            sent: false,
            answer: None,
            view: None,
        }
    }

    pub(super) fn write(id: CommandId, write: WriteLease) -> Self {
        Self {
            within: write.within,
            write: Some(write),
            ..Self::read(id, Duration::ZERO)
        }
    }

    /// Whether its request goes to Buildkite: never; none if it was sent.
    pub(super) fn send(&mut self) -> Option<bool> {
        (!std::mem::replace(&mut self.sent, true)).then_some(false)
    }

    pub(super) fn serve(&mut self, object: &mut LeaseObject, outside: &mut Outside, now: Timestamp) -> Passage {
        outside.kubernetes_requests += 1;
        let struck = strike(outside.faults.strike(RequestKind::Leases, now));
        let mut answer = Answer::Nothing;
        if struck.carried_out {
            answer = match &self.write {
                Some(write) => object.put(write),
                None => Answer::Good(object.get()),
            };
        }
        let is_late = struck.late >= self.within;
        self.answer = Some(match struck.instead {
            Some(instead) => instead,
            None if is_late => Answer::Nothing,
            None => answer,
        });
        Passage {
            buildkite: false,
            late: struck.late.min(self.within),
        }
    }

    pub(super) fn absorb(&mut self, clock: Timestamp) {
        let Some(answer) = self.answer.take() else { return };
        let unknown = |message: &str| Failure::FateUnknown {
            message: message.into(),
        };
        let read = match answer {
            _ if self.write.is_none() => answer.read(clock),
            Answer::Nothing => Err(unknown("timed out")),
            Answer::Status(429) => Err(proxy_limit(clock)),
            Answer::Status(500) => Err(unknown("status 500")),
            Answer::Good(_) | Answer::No(_) | Answer::Status(_) | Answer::Garbled => answer.read(clock),
        };
        self.view = Some(match read {
            Ok(lease) => View::Complete(lease),
            Err(failure) => View::Unknown(failure),
        });
    }

    pub(super) fn finish(self) -> Input {
        Input::Lease {
            id: self.id,
            view: self.view.unwrap_or_else(|| {
                View::Unknown(Failure::Unavailable {
                    message: "the request was not sent".into(),
                })
            }),
        }
    }
}

impl LeaseObject {
    fn get(&self) -> Option<Lease> {
        self.record.as_ref().map(|record| Lease {
            version: self.writes.to_string(),
            record: record.clone(),
        })
    }

    fn put(&mut self, write: &WriteLease) -> Answer<Option<Lease>> {
        let known = self.record.as_ref().map(|_| self.writes.to_string());
        // A write over a Lease that is gone makes it anew, as the conformance suite shows of a real server.
        if known.is_some() && write.over != known {
            let message = "the lease is another by now".to_owned();
            return Answer::No(Failure::AlreadyExists { message });
        }
        self.record = Some(write.record.clone());
        self.writes += 1;
        Answer::Good(self.get())
    }
}
