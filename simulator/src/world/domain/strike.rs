//! What faults make of requests.

use std::time::Duration;

use buildscaler_core::{Failure, Refusal};

use super::talk::Answer;
use crate::scenario::FaultKind;
use crate::world::faults::{DEADLINE, QUOTA_EXCEEDED};

/// What a fault makes of a request that would be answered: whether it is
/// carried out, what it is answered with instead, and how late.
pub(super) struct Struck<T> {
    pub(super) carried_out: bool,
    pub(super) instead: Option<Answer<T>>,
    pub(super) late: Duration,
}

pub(super) fn strike<T>(fault: Option<FaultKind>) -> Struck<T> {
    let struck = |carried_out, instead, late| Struck {
        carried_out,
        instead,
        late,
    };
    match fault {
        Some(FaultKind::Drop) => struck(false, Some(Answer::Nothing), DEADLINE),
        Some(FaultKind::LoseReply) => struck(true, Some(Answer::Nothing), DEADLINE),
        Some(FaultKind::Delay(span)) if span.0 >= DEADLINE => struck(true, Some(Answer::Nothing), DEADLINE),
        Some(FaultKind::Delay(span)) => struck(true, None, span.0),
        Some(FaultKind::TooManyRequests) => struck(false, Some(Answer::Status(429)), Duration::ZERO),
        Some(FaultKind::ServerError) => struck(false, Some(Answer::Status(500)), Duration::ZERO),
        Some(FaultKind::Unavailable) => struck(false, Some(Answer::Status(503)), Duration::ZERO),
        Some(FaultKind::QuotaExceeded) => struck(false, Some(Answer::No(quota_exceeded())), Duration::ZERO),
        Some(FaultKind::Garbled) => struck(true, Some(Answer::Garbled), Duration::ZERO),
        Some(FaultKind::Truncated | FaultKind::Stale) | None => struck(true, None, Duration::ZERO),
    }
}

fn quota_exceeded() -> Failure {
    Failure::Forbidden {
        kind: Refusal::QuotaExceeded,
        message: QUOTA_EXCEEDED.to_owned(),
    }
}
