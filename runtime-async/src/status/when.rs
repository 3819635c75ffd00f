//! Times and lengths of time, for people and for programs.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use buildscaler_core::Timestamp;
use serde::{Serialize, Serializer};

/// A point in time. Programs read it as RFC 3339 with milliseconds, people
/// without them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct When(pub(crate) Timestamp);

impl When {
    /// The time by the wall's clock.
    pub(crate) fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let millis = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
        Self(Timestamp::from_millis(millis))
    }

    /// How long ago it was at `now`.
    pub(crate) fn age(self, now: Self) -> Duration {
        now.0.since(self.0)
    }

    /// The time of day, for axes.
    pub(crate) fn clock(self) -> String {
        self.strftime("%H:%M")
    }

    fn strftime(self, format: &str) -> String {
        jiff::Timestamp::from_millisecond(self.0.as_millis())
            .map_or_else(|_| self.0.to_string(), |at| at.strftime(format).to_string())
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.strftime("%Y-%m-%d %H:%M:%S UTC"))
    }
}

impl Serialize for When {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match jiff::Timestamp::from_millisecond(self.0.as_millis()) {
            Ok(at) => serializer.collect_str(&format_args!("{at:.3}")),
            // Nobody's clock shows that; whoever reads it sees at least the number.
            Err(_) => serializer.collect_str(&self.0),
        }
    }
}

/// A length of time as people say it: the two largest units.
pub(crate) fn length(length: Duration) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let seconds = length.as_secs();
    let Some(place) = UNITS.iter().position(|(size, _)| seconds >= *size) else {
        return "0 s".into();
    };
    let (size, unit) = UNITS[place];
    let first = format!("{} {unit}", seconds / size);
    match UNITS
        .get(place + 1)
        .map(|(smaller, name)| (seconds % size / smaller, name))
    {
        Some((rest, name)) if rest > 0 => format!("{first} {rest} {name}"),
        Some(_) | None => first,
    }
}

/// Whole seconds, for programs.
pub(crate) fn seconds(length: Duration) -> u64 {
    length.as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_told_in_two_units() {
        let told = |seconds| length(Duration::from_secs(seconds));
        assert_eq!(told(0), "0 s");
        assert_eq!(told(59), "59 s");
        assert_eq!(told(60), "1 min");
        assert_eq!(told(3_725), "1 h 2 min");
        assert_eq!(told(200_000), "2 d 7 h");
    }

    #[test]
    fn programs_read_milliseconds_and_people_do_not() {
        let at = When(Timestamp::from_millis(1_764_000_000_123));
        assert_eq!(at.to_string(), "2025-11-24 16:00:00 UTC");
        assert_eq!(serde_json::to_value(at).expect("text"), "2025-11-24T16:00:00.123Z");
        assert_eq!(at.clock(), "16:00");
    }
}
