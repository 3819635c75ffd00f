//! The ways in which the outside world says no, told apart by what to do next.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::time::Timestamp;

/// Why a look or a command did not succeed.
///
/// A failure is an input like any other: the core learns from it. The message
/// is for people; it never holds a token, a header or a URL's query.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Error)]
pub enum Failure {
    /// 409: an object of this name exists (creates), or the precondition on
    /// the uid failed (deletes).
    #[error("conflict: {message}")]
    AlreadyExists {
        /// What the server said.
        message: String,
    },
    /// 404, 410, or Buildkite's 400 and 422 for an agent that is going or gone.
    #[error("not found: {message}")]
    NotFound {
        /// What the server said.
        message: String,
    },
    /// 401 or 403: a right, a scope, a quota or an admission rule forbids it.
    #[error("forbidden ({kind:?}): {message}")]
    Forbidden {
        /// Which of the many meanings of 403.
        kind: Refusal,
        /// What the server said.
        message: String,
    },
    /// 429: nothing may be sent to this API before `until`.
    #[error("rate limited until {until}: {message}")]
    RateLimited {
        /// When the window resets.
        until: Timestamp,
        /// What the server said.
        message: String,
    },
    /// No answer to a read, or 5xx: the server is not there now.
    #[error("unavailable: {message}")]
    Unavailable {
        /// What went wrong.
        message: String,
    },
    /// Any other 4xx: repeating the same request will not help.
    #[error("rejected with status {status}: {message}")]
    Rejected {
        /// The HTTP status.
        status: u16,
        /// What the server said.
        message: String,
    },
    /// An answer that is not what the API documents.
    #[error("malformed answer: {message}")]
    Malformed {
        /// Where and what.
        message: String,
    },
    /// A write was sent and no answer came: done or not, a later view tells.
    #[error("fate unknown: {message}")]
    FateUnknown {
        /// What went wrong.
        message: String,
    },
    /// A record of usage bears a time that the server refuses: its clock and
    /// ours differ, or it came too late.
    #[error("time refused: {message}")]
    TimeRefused {
        /// What the server said.
        message: String,
    },
    /// The look needs more requests than it was granted. Not the world's
    /// fault: the core goes on when the budget allows.
    #[error("the request budget does not allow it yet")]
    OverBudget,
}

/// The meanings of 401 and 403 that ask for different reactions
/// (Kubernetes tells them apart by message only).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Refusal {
    /// The token is missing, wrong or expired (401).
    Credentials,
    /// RBAC, a token's scope or a user's permission.
    Permission,
    /// A ResourceQuota is used up: it may fit later.
    QuotaExceeded,
    /// LimitRange, Pod Security, a quota that wants requests set, a missing
    /// service account: the template has to change.
    Admission,
    /// The namespace is being deleted.
    NamespaceTerminating,
    /// An admission webhook said no.
    Webhook,
    /// AWS Marketplace: this account has no subscription to the product.
    NotEntitled,
    /// A 403 that none of the above explains.
    Other,
}
