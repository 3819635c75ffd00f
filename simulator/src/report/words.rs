//! Numbers and names as people read them.

use std::borrow::Cow;
use std::time::Duration;

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A length of time in its two largest units: `1 min 30 s`.
pub(super) fn length(length: Duration) -> String {
    let millis = whole_millis(length);
    match millis {
        0 => "0 s".to_owned(),
        1..SECOND => format!("{millis} ms"),
        // Whole tenths, not the nearest: 59.99 s is not yet a minute.
        SECOND..MINUTE => format!("{} s", short((millis / 100) as f64 / 10.0, 1)),
        MINUTE..HOUR => two(millis, (MINUTE, "min"), (SECOND, "s")),
        HOUR..DAY => two(millis, (HOUR, "h"), (MINUTE, "min")),
        DAY.. => two(millis, (DAY, "d"), (HOUR, "h")),
    }
}

/// A length of time in milliseconds.
pub(super) fn whole_millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

fn two(millis: u64, large: (u64, &str), small: (u64, &str)) -> String {
    let rest = millis % large.0 / small.0;
    let mut text = format!("{} {}", millis / large.0, large.1);
    if rest > 0 {
        text.push_str(&format!(" {rest} {}", small.1));
    }
    text
}

/// A count, its thousands set apart: `17,002`.
pub(super) fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count and what is counted: `1 job`, `2 jobs`.
pub(super) fn counted(number: u64, what: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{} {what}{ending}", count(number))
}

/// A length of time in hours, without the unit: `1,204` or `0.25`.
pub(super) fn hours(length: Duration) -> String {
    let hours = length.as_secs_f64() / 3600.0;
    if hours >= 1000.0 {
        // Not negative and far below 2^53.
        return count(hours.round() as u64);
    }
    short(hours, if hours >= 100.0 { 0 } else { 2 })
}

/// A share from 0 to 1, in percent.
pub(super) fn percent(share: f64) -> String {
    format!("{} %", short(share * 100.0, 1))
}

/// A number with so many decimals at most, and no zeros at its end.
pub(super) fn short(number: f64, decimals: usize) -> String {
    let text = format!("{number:.decimals$}");
    let text = if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        &text
    };
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// The text, cut off after so many characters.
pub(super) fn clip(text: &str, characters: usize) -> Cow<'_, str> {
    match text.char_indices().nth(characters) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_told_in_their_two_largest_units() {
        let told = [
            0,
            7,
            1_000,
            1_250,
            59_999,
            60_000,
            90_500,
            3_600_000,
            7_500_000,
            180_000_000,
        ]
        .map(|millis| length(Duration::from_millis(millis)));
        let expected = [
            "0 s",
            "7 ms",
            "1 s",
            "1.2 s",
            "59.9 s",
            "1 min",
            "1 min 30 s",
            "1 h",
            "2 h 5 min",
            "2 d 2 h",
        ];
        assert_eq!(told, expected.map(str::to_owned));
    }

    #[test]
    fn counts_have_their_thousands_set_apart() {
        assert_eq!(
            [0, 999, 1_000, 1_234_567].map(count),
            ["0", "999", "1,000", "1,234,567"]
        );
    }

    #[test]
    fn text_is_cut_between_characters() {
        assert_eq!(clip("grün", 3), "grü…");
        assert_eq!(clip("grün", 4), "grün");
    }
}
