//! What answers of both APIs have in common.

use std::time::Duration;

use buildscaler_core::{Failure, Timestamp};
use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use crate::transport::{SendError, SendErrorKind};

/// A whole answer.
pub(crate) type Answer = http::Response<Vec<u8>>;

/// Letters of a server's message that are kept: it goes into logs.
const MESSAGE_LENGTH: usize = 400;
/// The longest wait that an answer can ask for. A number of days in a header
/// is a mistake, and would silence the controller for as long.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// The refusal as both APIs write it; the rest of the object is skipped.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Refused {
    message: String,
    /// Kubernetes: the machine-readable reason.
    pub(crate) reason: String,
    /// Buildkite's 429: seconds until the window resets.
    pub(crate) reset: Option<u32>,
    /// Kubernetes: what exactly was wrong.
    details: Details,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Details {
    causes: Vec<Cause>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Cause {
    reason: String,
}

impl Refused {
    /// Reads what there is to read: a proxy's page says nothing.
    pub(crate) fn read(answer: &Answer) -> Self {
        serde_json::from_slice(answer.body()).unwrap_or_default()
    }

    /// What the server said, in one line of bounded length.
    pub(crate) fn message(&self, status: StatusCode) -> String {
        let said: String = self
            .message
            .chars()
            .map(|letter| if letter.is_control() { ' ' } else { letter })
            .take(MESSAGE_LENGTH)
            .collect();
        if said.trim().is_empty() {
            format!("status {} without a message", status.as_u16())
        } else {
            said
        }
    }

    /// Whether a cause with this reason is among the details.
    pub(crate) fn has_cause(&self, reason: &str) -> bool {
        self.details.causes.iter().any(|cause| cause.reason == reason)
    }
}

/// The failure of a read that got no whole answer.
pub(crate) fn unread(error: &SendError) -> Failure {
    let message = error.to_string();
    match error.kind {
        // Asking again would bring the same again.
        SendErrorKind::TooLarge => Failure::Malformed { message },
        SendErrorKind::TimedOut | SendErrorKind::Unreachable | SendErrorKind::Cut | SendErrorKind::Other => {
            Failure::Unavailable { message }
        }
    }
}

/// The failure of a write that got no whole answer.
pub(crate) fn unanswered(error: &SendError) -> Failure {
    let message = error.to_string();
    if error.sent {
        Failure::FateUnknown { message }
    } else {
        Failure::Unavailable { message }
    }
}

/// The seconds in a header of this name.
pub(crate) fn seconds(headers: &HeaderMap, name: &str) -> Option<u32> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// The seconds that `Retry-After` asks for.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<u32> {
    seconds(headers, RETRY_AFTER.as_str())
}

/// The time `seconds` from now, within reason.
pub(crate) fn from_now(seconds: u32, now: Timestamp) -> Timestamp {
    now.after(Duration::from_secs(seconds.into()).min(LONGEST_WAIT))
}
