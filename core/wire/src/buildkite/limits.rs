//! What answers say about the request limits.

use buildscaler_core::{LimitReading, LimitScope, Spending, Timestamp};
use http::HeaderMap;

use crate::answer::{Answer, Refused, from_now, retry_after, seconds};

/// Seconds to wait after a 429 that does not say how long: a whole window.
const WINDOW: u32 = 60;

/// Notes the limits that the answer tells, in place of older readings.
pub(super) fn note(spending: &mut Spending, answer: &Answer, now: Timestamp) {
    for reading in readings(answer.headers(), now).into_iter().flatten() {
        spending.limits.retain(|known| known.scope != reading.scope);
        spending.limits.push(reading);
    }
}

/// When the limit that this 429 speaks of is over.
pub(super) fn until(answer: &Answer, refused: &Refused, now: Timestamp) -> Timestamp {
    let exhausted = readings(answer.headers(), now)
        .into_iter()
        .flatten()
        .filter(|reading| reading.remaining == 0)
        .map(|reading| reading.reset_at);
    let told = [refused.reset, retry_after(answer.headers())]
        .into_iter()
        .flatten()
        .map(|wait| from_now(wait, now));
    exhausted.chain(told).max().unwrap_or_else(|| from_now(WINDOW, now))
}

/// The limits that an answer of Buildkite's REST API tells in its headers.
pub fn readings(headers: &HeaderMap, now: Timestamp) -> [Option<LimitReading>; 2] {
    [
        reading(headers, LimitScope::User, "ratelimit-user", now),
        reading(headers, LimitScope::Organization, "ratelimit", now),
    ]
}

fn reading(headers: &HeaderMap, scope: LimitScope, prefix: &str, now: Timestamp) -> Option<LimitReading> {
    let field = |name: &str| seconds(headers, &format!("{prefix}-{name}"));
    Some(LimitReading {
        scope,
        limit: field("limit")?,
        remaining: field("remaining")?,
        reset_at: from_now(field("reset")?, now),
    })
}
