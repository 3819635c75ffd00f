//! `ReadLease` and `WriteLease`: one request each.

use std::collections::BTreeMap;
use std::time::Duration;

use buildscaler_core::{CommandId, Failure, Input, Lease, LeaseRecord, Timestamp, View, WriteLease};
use k8s_openapi::api::coordination::v1::{Lease as Object, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::Resource;
use kube::core::params::{GetParams, PostParams};

use super::request;
use super::status::{self, Verb};
use crate::answer::{Answer, unanswered, unread};
use crate::malformed::told;
use crate::transport::{Reply, Request};

/// The label by which an installation is removed; its value is the Lease's
/// name, which is the installation's.
const LABEL: &str = "app.kubernetes.io/name";

/// A question about the Lease, or a write of it, on its way.
#[derive(Debug)]
pub(crate) struct LeaseScript {
    id: CommandId,
    verb: Verb,
    state: State,
}

#[derive(Debug)]
enum State {
    Unsent(Box<Request>),
    Sent,
    Ended(View<Option<Lease>>),
}

impl LeaseScript {
    pub(crate) fn read(id: CommandId, namespace: &str, name: &str, within: Duration) -> Self {
        let path = Object::url_path(&(), Some(namespace));
        let made = kube::core::Request::new(path).get(name, &GetParams::default());
        Self::begin(id, Verb::Get, request::request(made), within)
    }

    pub(crate) fn write(id: CommandId, write: &WriteLease) -> Self {
        let made = body(write).and_then(|body| {
            let requests = kube::core::Request::new(Object::url_path(&(), Some(&write.namespace)));
            let params = PostParams::default();
            request::request(match &write.over {
                Some(_) => requests.replace(&write.name, &params, body),
                None => requests.create(&params, body),
            })
        });
        let verb = if write.over.is_some() {
            Verb::Update
        } else {
            Verb::Create
        };
        Self::begin(id, verb, made, write.within)
    }

    fn begin(id: CommandId, verb: Verb, made: Result<Request, String>, within: Duration) -> Self {
        let state = match made {
            Ok(request) => State::Unsent(Box::new(Request {
                within: Some(within),
                ..request
            })),
            Err(message) => State::Ended(View::Unknown(Failure::Malformed { message })),
        };
        Self { id, verb, state }
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
        let is_read = self.verb == Verb::Get;
        self.state = State::Ended(match reply {
            Ok(answer) => match status::failure(self.verb, &answer, now) {
                None => decode(&answer),
                Some(Failure::NotFound { .. }) if is_read => View::Complete(None),
                Some(failure) => View::Unknown(failure),
            },
            Err(error) if is_read => View::Unknown(unread(&error)),
            Err(error) => View::Unknown(unanswered(&error)),
        });
    }

    pub(crate) fn finish(self) -> Input {
        let unknown = |message: &str| {
            View::Unknown(Failure::Unavailable {
                message: message.into(),
            })
        };
        Input::Lease {
            id: self.id,
            view: match self.state {
                State::Ended(view) => view,
                State::Sent if self.verb == Verb::Get => unknown("nobody waited for the answer"),
                State::Sent => View::Unknown(Failure::FateUnknown {
                    message: "nobody waited for the answer".into(),
                }),
                State::Unsent(_) => unknown("the request was not sent"),
            },
        }
    }
}

/// The object to be written. It is all the controller's own: what others put
/// there does not last.
fn body(write: &WriteLease) -> Result<Vec<u8>, String> {
    let LeaseRecord {
        holder,
        duration_seconds,
        acquired_at,
        renewed_at,
        transitions,
    } = &write.record;
    let object = Object {
        metadata: ObjectMeta {
            namespace: Some(write.namespace.clone()),
            name: Some(write.name.clone()),
            resource_version: write.over.clone(),
            labels: Some(BTreeMap::from([(LABEL.to_owned(), write.name.clone())])),
            ..ObjectMeta::default()
        },
        spec: Some(LeaseSpec {
            // client-go writes no holder as the empty text.
            holder_identity: Some(holder.clone().unwrap_or_default()),
            lease_duration_seconds: Some(i32::try_from(*duration_seconds).unwrap_or(i32::MAX)),
            acquire_time: acquired_at.and_then(written),
            renew_time: renewed_at.and_then(written),
            lease_transitions: Some(i32::try_from(*transitions).unwrap_or(i32::MAX)),
            ..LeaseSpec::default()
        }),
    };
    serde_json::to_vec(&object).map_err(|error| error.to_string())
}

fn decode(answer: &Answer) -> View<Option<Lease>> {
    let malformed = |message: String| View::Unknown(Failure::Malformed { message });
    let object: Object = match serde_json::from_slice(answer.body()) {
        Ok(object) => object,
        Err(error) => return malformed(told(&error)),
    };
    let Some(version) = object.metadata.resource_version.filter(|version| !version.is_empty()) else {
        return malformed("the lease has no resourceVersion".into());
    };
    let spec = object.spec.unwrap_or_default();
    let number = |number: Option<i32>| number.and_then(|number| u32::try_from(number).ok()).unwrap_or(0);
    View::Complete(Some(Lease {
        version,
        record: LeaseRecord {
            holder: spec.holder_identity.filter(|holder| !holder.is_empty()),
            duration_seconds: number(spec.lease_duration_seconds),
            acquired_at: spec.acquire_time.as_ref().map(read),
            renewed_at: spec.renew_time.as_ref().map(read),
            transitions: number(spec.lease_transitions),
        },
    }))
}

fn written(time: Timestamp) -> Option<MicroTime> {
    jiff::Timestamp::from_millisecond(time.as_millis()).ok().map(MicroTime)
}

fn read(time: &MicroTime) -> Timestamp {
    Timestamp::from_millis(time.0.as_millisecond())
}
