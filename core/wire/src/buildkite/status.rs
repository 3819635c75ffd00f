//! What Buildkite means when it says no.

use buildscaler_core::{Failure, Refusal, Timestamp};

use super::limits;
use crate::answer::{Answer, Refused};

/// The failure that this answer of Buildkite's REST API is, unless it is a
/// success.
pub fn failure(answer: &Answer, now: Timestamp) -> Option<Failure> {
    let status = answer.status();
    if status.is_success() {
        return None;
    }
    let refused = Refused::read(answer);
    let message = refused.message(status);
    Some(match status.as_u16() {
        401 => Failure::Forbidden {
            kind: Refusal::Credentials,
            message,
        },
        403 => Failure::Forbidden {
            kind: Refusal::Permission,
            message,
        },
        404 | 410 => Failure::NotFound { message },
        429 => Failure::RateLimited {
            until: limits::until(answer, &refused, now),
            message,
        },
        500..=599 => Failure::Unavailable { message },
        code => Failure::Rejected { status: code, message },
    })
}
