//! Carries requests to the two APIs and brings back whole answers.
//!
//! Whatever happens to a request becomes a [`Reply`]: nothing here is retried,
//! and nothing is decided. Every request has a deadline, and every body a
//! limit beyond which it is not read.

use std::error::Error;
use std::time::Duration;

use buildscaler_wire::{Api, Reply, Request, SendError, SendErrorKind};

use crate::buildkite::Buildkite;
use crate::kubernetes::Kubernetes;

/// How long the API server may take to begin an answer to a question.
pub(crate) const READ_DEADLINE: Duration = Duration::from_secs(10);
/// How long Buildkite may take to begin an answer: pages of large builds are slow.
pub(crate) const BUILDKITE_DEADLINE: Duration = Duration::from_secs(20);
/// How long it may take to begin an answer to a write. Admission webhooks may
/// take 30 seconds, and a create that is given up too early is of unknown fate.
pub(crate) const WRITE_DEADLINE: Duration = Duration::from_secs(32);
/// How long a whole answer may take.
pub(crate) const WHOLE_DEADLINE: Duration = Duration::from_secs(60);
/// How long a connection may take to be made.
pub(crate) const CONNECT_DEADLINE: Duration = Duration::from_secs(8);

/// The name by which servers' logs know this program.
pub(crate) const USER_AGENT: &str = concat!("buildscaler/", env!("CARGO_PKG_VERSION"));

/// Both APIs.
#[derive(Debug)]
pub(crate) struct Transport {
    pub(crate) kubernetes: Kubernetes,
    pub(crate) buildkite: Buildkite,
}

impl Transport {
    /// Sends one request and reads its answer.
    pub(crate) async fn send(&self, request: Request) -> Reply {
        let Request {
            api,
            http,
            body_limit,
            within,
        } = request;
        match api {
            Api::Kubernetes => self.kubernetes.send(http, body_limit, within).await,
            Api::Buildkite => self.buildkite.send(http, body_limit).await,
        }
    }
}

/// How long to wait for the beginning of the answer to such a request.
pub(crate) fn deadline(method: &http::Method) -> Duration {
    if method.is_safe() {
        READ_DEADLINE
    } else {
        WRITE_DEADLINE
    }
}

/// A body that grows as it is read, up to a limit.
#[derive(Debug)]
pub(crate) struct BoundedBody {
    bytes: Vec<u8>,
    limit: usize,
}

impl BoundedBody {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            bytes: Vec::new(),
            limit,
        }
    }

    /// Takes in what arrived, if it still fits.
    pub(crate) fn push(&mut self, chunk: &[u8]) -> Result<(), SendError> {
        if self.bytes.len().saturating_add(chunk.len()) > self.limit {
            return Err(SendError {
                kind: SendErrorKind::TooLarge,
                sent: true,
                message: format!("the answer is longer than {} bytes", self.limit),
            });
        }
        self.bytes.extend_from_slice(chunk);
        Ok(())
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// The failure of a request whose answer did not come in time.
pub(crate) fn timed_out(what: &str, after: Duration) -> SendError {
    SendError {
        kind: SendErrorKind::TimedOut,
        sent: true,
        message: format!("{what} within {} s", after.as_secs()),
    }
}

/// An error with its causes, each said once. Many errors repeat their cause.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_read_up_to_its_limit_and_no_further() {
        let mut body = BoundedBody::new(4);
        assert!(body.push(b"ab").is_ok());
        assert!(body.push(b"cd").is_ok());
        let refused = body.push(b"e").map_err(|error| error.kind);
        assert_eq!(refused, Err(SendErrorKind::TooLarge));
        assert_eq!(body.into_bytes(), b"abcd");
    }
}
