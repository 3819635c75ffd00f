//! Times as API objects spell them.

use buildscaler_core::Timestamp;
use std::time::Duration;

/// A time as `metav1.Time` is written: whole seconds, rounded down.
///
/// The coarseness matters: an object may look up to a second older than it is.
pub(crate) fn to_text(time: Timestamp) -> String {
    let seconds = time.as_millis().div_euclid(1000);
    jiff::Timestamp::from_second(seconds).map_or_else(|_| "1970-01-01T00:00:00Z".to_owned(), |time| time.to_string())
}

/// Reads a time that an object carries.
pub(crate) fn from_text(text: &str) -> Option<Timestamp> {
    text.parse::<jiff::Timestamp>()
        .ok()
        .map(|time| Timestamp::from_millis(time.as_millisecond()))
}

/// A number of seconds as objects carry it, read as a duration; negative ones are zero.
pub(crate) fn seconds(count: i64) -> Duration {
    Duration::from_secs(u64::try_from(count).unwrap_or(0))
}
