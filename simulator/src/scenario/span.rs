//! Lengths of time, as people write them: `90s`, `1h 30m`, `250ms`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A length of time, written `1h 30m`, `90s` or `250ms`; resolution 1 ms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

impl Span {
    /// So many seconds.
    pub const fn secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// So many milliseconds.
    pub const fn millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut millis = self.0.as_millis();
        if millis == 0 {
            return f.write_str("0s");
        }
        for (unit, length) in [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)] {
            let count = millis / length;
            if count > 0 {
                write!(f, "{count}{unit}")?;
                millis %= length;
            }
        }
        Ok(())
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let length: jiff::SignedDuration = text
            .parse()
            .map_err(|_| format!("\"{text}\" is not a length of time such as 90s, 1h30m or 250ms"))?;
        let length =
            Duration::try_from(length).map_err(|_| format!("\"{text}\" is negative; a length of time cannot be"))?;
        Ok(Self(Duration::from_millis(
            u64::try_from(length.as_millis()).unwrap_or(u64::MAX),
        )))
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A length of time, such as 90s, 1h30m or 250ms.",
            "type": "string",
            "pattern": "^[0-9]",
        })
    }
}

/// A length of time that varies: one value, or anything from `from` to `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged, deny_unknown_fields)]
pub enum Range {
    /// Always this.
    Fixed(Span),
    /// Evenly spread between both, drawn from the seed.
    Between {
        /// The least.
        from: Span,
        /// The most.
        to: Span,
    },
}

impl Range {
    /// Always so many milliseconds.
    pub const fn millis(millis: u64) -> Self {
        Self::Fixed(Span::millis(millis))
    }
}

/// By hand: what serde makes of an untagged enum forgets where things stand.
impl<'de> Deserialize<'de> for Range {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RangeVisitor)
    }
}

struct RangeVisitor;

impl<'de> Visitor<'de> for RangeVisitor {
    type Value = Range;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a length of time such as 90s, or {from: 1s, to: 5s}")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Range, E> {
        text.parse().map(Range::Fixed).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Range, A::Error> {
        let Bounds { from, to } = Bounds::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Range::Between { from, to })
    }
}

/// The bounds of a range, as they are written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Bounds {
    from: Span,
    to: Span,
}
