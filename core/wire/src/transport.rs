//! What passes between an exchange and a runtime's transport.

use std::fmt;
use std::time::Duration;

use thiserror::Error;

/// The largest answer read where a list of Kubernetes objects, a list of
/// agents or the outcome of a write is expected. A page of 500 pods is some
/// 5 MiB at 10 KiB each; a page of 100 agents with their jobs is below 1 MiB.
pub(crate) const BODY_LIMIT: usize = 16 << 20;
/// The largest page of builds read. Jobs of a build are not paged: 100 builds
/// of 40 jobs are some 8 MiB, and a build may have 4,000.
pub(crate) const BUILDS_BODY_LIMIT: usize = 64 << 20;

/// Which server a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Api {
    /// The Kubernetes API server.
    Kubernetes,
    /// Buildkite's REST API.
    Buildkite,
}

/// A request for a runtime to send.
#[derive(Clone)]
pub struct Request {
    /// Where to.
    pub api: Api,
    /// The request with a relative URI and without credentials: the runtime
    /// knows the server's address and adds the `Authorization` header.
    pub http: http::Request<Vec<u8>>,
    /// The largest body worth reading; a longer one is
    /// [`SendErrorKind::TooLarge`].
    pub body_limit: usize,
    /// For how long an answer is worth waiting for, where that is shorter than
    /// usual. Such a request is urgent: it does not wait for others' turns.
    pub within: Option<Duration>,
}

impl fmt::Debug for Request {
    /// Leaves the body out: a manifest may hold secrets (Invariant 22).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("api", &self.api)
            .field("method", self.http.method())
            .field("uri", self.http.uri())
            .finish_non_exhaustive()
    }
}

/// What came of a request: a whole answer of any status, or why there is none.
pub type Reply = Result<http::Response<Vec<u8>>, SendError>;

/// Why there is no answer, or no whole one.
///
/// The message is for people and must hold no URL, header or token.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{kind}: {message}")]
pub struct SendError {
    /// What went wrong.
    pub kind: SendErrorKind,
    /// Whether the request may have reached the server. When in doubt, yes.
    pub sent: bool,
    /// The details.
    pub message: String,
}

/// The ways in which a request goes without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SendErrorKind {
    /// The runtime's deadline passed.
    TimedOut,
    /// No connection: name resolution, TCP, TLS or credentials failed.
    Unreachable,
    /// The connection broke before the answer was whole.
    Cut,
    /// The answer's body is larger than [`Request::body_limit`].
    TooLarge,
    /// Anything else.
    Other,
}

impl fmt::Display for SendErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::TimedOut => "timed out",
            Self::Unreachable => "unreachable",
            Self::Cut => "connection cut",
            Self::TooLarge => "answer too large",
            Self::Other => "not sent or not answered",
        })
    }
}
