//! Faults, as a decorator around a fake.
//!
//! The fake answers as if all were well; what the client gets to see of the
//! answer is decided here, by a schedule that depends on nothing but the
//! requests and the time.

use std::collections::BTreeMap;
use std::time::Duration;

use buildscaler_core::Timestamp;
use http::header::{CONTENT_TYPE, LINK, RETRY_AFTER};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use serde_json::Value;

use crate::buildkite::FakeBuildkite;

/// A fake of an HTTP server, sans-IO.
pub trait Service {
    /// Answers a request.
    fn handle(&mut self, now: Timestamp, request: Request<Vec<u8>>) -> Response<Vec<u8>>;
}

impl Service for FakeBuildkite {
    fn handle(&mut self, now: Timestamp, request: Request<Vec<u8>>) -> Response<Vec<u8>> {
        Self::handle(self, now, request)
    }
}

/// What becomes of an answer on its way to the client.
#[derive(Clone, Debug)]
pub enum Reply {
    /// It arrives.
    Answer(Response<Vec<u8>>),
    /// It arrives later.
    Delay(Duration, Response<Vec<u8>>),
    /// Its head and so many bytes of its body arrive, then the connection is
    /// cut.
    Cut {
        /// The whole answer.
        response: Response<Vec<u8>>,
        /// How much of its body arrives.
        bytes: usize,
    },
    /// The connection is closed without an answer.
    NoAnswer,
}

/// Something that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The request is lost before it arrives: nothing happens.
    Drop,
    /// The request is carried out, its answer is lost.
    LoseReply,
    /// The answer is cut after so many bytes of its body.
    Cut(usize),
    /// The answer comes late.
    Delay(Duration),
    /// The request is refused with this status, as if by a proxy: the body is
    /// HTML, and 429 says when to come back.
    Refuse(StatusCode),
    /// Half of a page's rows are missing.
    Truncate(Pages),
    /// The body is no JSON.
    Garble,
    /// The answer is the one that the same request got before the fault; where
    /// there was none, it is the true one.
    Stale,
}

/// Whether a truncated page still tells that there is another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pages {
    /// With its `Link` header.
    Linked,
    /// Without: it looks like the last page.
    Unlinked,
}

/// An effect and when it strikes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    effect: Effect,
    method: Option<Method>,
    path: String,
    from: Timestamp,
    until: Timestamp,
    skip: u64,
    count: u64,
}

impl Fault {
    /// Strikes every request to a path that fits `pattern`, in which `*`
    /// stands for anything.
    pub fn on(pattern: impl Into<String>, effect: Effect) -> Self {
        Self {
            effect,
            method: None,
            path: pattern.into(),
            from: Timestamp::from_millis(i64::MIN),
            until: Timestamp::from_millis(i64::MAX),
            skip: 0,
            count: u64::MAX,
        }
    }

    /// Strikes requests of this method only.
    #[must_use]
    pub fn method(mut self, method: Method) -> Self {
        self.method = Some(method);
        self
    }

    /// Strikes from `from` on and before `until` only.
    #[must_use]
    pub const fn between(mut self, from: Timestamp, until: Timestamp) -> Self {
        self.from = from;
        self.until = until;
        self
    }

    /// Lets so many requests pass before it strikes.
    #[must_use]
    pub const fn skip(mut self, requests: u64) -> Self {
        self.skip = requests;
        self
    }

    /// Strikes so many requests, then never again.
    #[must_use]
    pub const fn times(mut self, requests: u64) -> Self {
        self.count = requests;
        self
    }

    /// Whether it strikes this request, which counts as one that fits.
    fn strikes(&mut self, method: &Method, path: &str, now: Timestamp) -> bool {
        let fits = self.method.as_ref().is_none_or(|wanted| wanted == method)
            && self.from <= now
            && now < self.until
            && fits(&self.path, path);
        if !fits || self.count == 0 {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        self.count -= 1;
        true
    }
}

/// A fake with a schedule of faults.
#[derive(Clone, Debug)]
pub struct Faulty<S> {
    inner: S,
    faults: Vec<Fault>,
    last: BTreeMap<String, Response<Vec<u8>>>,
}

impl<S: Service> Faulty<S> {
    /// The fake without a fault.
    pub const fn new(inner: S) -> Self {
        Self {
            inner,
            faults: Vec::new(),
            last: BTreeMap::new(),
        }
    }

    /// Adds a fault; of several that strike a request, the first one added
    /// does.
    pub fn add(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    /// Ends all faults.
    pub fn mend(&mut self) {
        self.faults.clear();
        self.last.clear();
    }

    /// The fake itself.
    pub const fn inner(&self) -> &S {
        &self.inner
    }

    /// The fake itself.
    pub const fn inner_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Answers a request, or fails to.
    pub fn handle(&mut self, now: Timestamp, request: Request<Vec<u8>>) -> Reply {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let target = request.uri().to_string();
        let mut faults = self.faults.iter_mut();
        let effect = faults.find_map(|fault| fault.strikes(&method, &path, now).then(|| fault.effect.clone()));
        match effect {
            Some(Effect::Drop) => Reply::NoAnswer,
            Some(Effect::Refuse(status)) => Reply::Answer(refuse(status)),
            Some(Effect::LoseReply) => {
                self.inner.handle(now, request);
                Reply::NoAnswer
            }
            Some(Effect::Cut(bytes)) => Reply::Cut {
                response: self.inner.handle(now, request),
                bytes,
            },
            Some(Effect::Delay(length)) => Reply::Delay(length, self.inner.handle(now, request)),
            Some(Effect::Truncate(pages)) => Reply::Answer(truncate(self.inner.handle(now, request), pages)),
            Some(Effect::Garble) => Reply::Answer(garble(self.inner.handle(now, request))),
            Some(Effect::Stale) => {
                let fresh = self.inner.handle(now, request);
                Reply::Answer(self.last.get(&target).cloned().unwrap_or(fresh))
            }
            None => {
                let response = self.inner.handle(now, request);
                if method == Method::GET && self.faults.iter().any(|fault| fault.effect == Effect::Stale) {
                    self.last.insert(target, response.clone());
                }
                Reply::Answer(response)
            }
        }
    }
}

pub(crate) fn refuse(status: StatusCode) -> Response<Vec<u8>> {
    let mut response = Response::new(format!("<html><body><h1>{status}</h1></body></html>").into_bytes());
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
    if status == StatusCode::TOO_MANY_REQUESTS {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}

/// Leaves out the second half of the rows, of a bare array (Buildkite) or of
/// `items` (Kubernetes).
pub(crate) fn truncate(response: Response<Vec<u8>>, pages: Pages) -> Response<Vec<u8>> {
    let (mut head, body) = response.into_parts();
    match pages {
        Pages::Linked => {}
        Pages::Unlinked => {
            head.headers.remove(LINK);
        }
    }
    let mut value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let rows = match &mut value {
        Value::Array(rows) => Some(rows),
        Value::Object(list) => list.get_mut("items").and_then(Value::as_array_mut),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    };
    let Some(rows) = rows else {
        return Response::from_parts(head, body);
    };
    rows.truncate(rows.len() / 2);
    Response::from_parts(head, value.to_string().into_bytes())
}

pub(crate) fn garble(response: Response<Vec<u8>>) -> Response<Vec<u8>> {
    response.map(|body| {
        let half = body.len() / 2;
        let mut garbage = body.get(..half).unwrap_or_default().to_vec();
        garbage.extend_from_slice(b"\xff{]garbage");
        garbage
    })
}

/// Whether `path` fits `pattern`, in which `*` stands for anything.
fn fits(pattern: &str, path: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else {
        return pattern == path;
    };
    let Some(rest) = path.strip_prefix(head) else {
        return false;
    };
    rest.char_indices()
        .map(|(at, _)| at)
        .chain([rest.len()])
        .any(|at| rest.get(at..).is_some_and(|rest| fits(tail, rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        assert!(fits("/v2/*/agents", "/v2/organizations/acme/agents"));
        assert!(fits("*/stop", "/v2/organizations/acme/agents/1/stop"));
        assert!(fits("*", ""));
        assert!(!fits("/v2/*/agents", "/v2/organizations/acme/agents/1"));
    }
}
