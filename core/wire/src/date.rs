//! Dates as the two APIs write them.

use buildscaler_core::Timestamp;

use crate::malformed::Malformed;

/// The time that `text` says: RFC 3339, or Buildkite's older
/// `2025-07-16 06:07:42 UTC`.
pub fn parse(text: &str) -> Option<Timestamp> {
    let parsed: Result<jiff::Timestamp, _> = match text.strip_suffix(" UTC") {
        Some(local) => format!("{local}Z").parse(),
        None => text.parse(),
    };
    parsed.ok().map(|time| Timestamp::from_millis(time.as_millisecond()))
}

/// The time that a field which is always there says.
pub(crate) fn required(field: &str, text: &str) -> Result<Timestamp, Malformed> {
    parse(text).ok_or_else(|| Malformed {
        message: format!("its {field} is no date"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_are_read() {
        let expected = Some(Timestamp::from_millis(1_752_646_062_000));
        assert_eq!(parse("2025-07-16T06:07:42Z"), expected);
        assert_eq!(parse("2025-07-16T06:07:42.000Z"), expected);
        assert_eq!(parse("2025-07-16T08:07:42+02:00"), expected);
        assert_eq!(parse("2025-07-16 06:07:42 UTC"), expected);
    }

    #[test]
    fn anything_else_is_no_date() {
        for text in [
            "",
            " UTC",
            "yesterday",
            "2025-07-16",
            "2025-13-16T06:07:42Z",
            "1752646062",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
