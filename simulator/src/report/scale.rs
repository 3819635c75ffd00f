//! Axes: where the ticks are and what they say.

use std::time::Duration;

use super::words::{count, short, whole_millis};

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Distances between ticks of time, in milliseconds, that people count in.
pub(super) const NICE_LENGTHS: [u64; 36] = [
    1,
    2,
    5,
    10,
    20,
    50,
    100,
    200,
    500,
    SECOND,
    2 * SECOND,
    5 * SECOND,
    10 * SECOND,
    15 * SECOND,
    30 * SECOND,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    5 * DAY,
    10 * DAY,
    20 * DAY,
    50 * DAY,
    100 * DAY,
    200 * DAY,
    500 * DAY,
    1000 * DAY,
];

/// An axis from zero.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Axis {
    /// Where it ends.
    pub(super) end: f64,
    /// Each tick and what it says, ascending.
    pub(super) ticks: Vec<(f64, String)>,
}

/// An axis of counts that holds `most`, with about `wanted` ticks.
pub(super) fn counts(most: u64, wanted: u64) -> Axis {
    let most = most.max(1);
    let step = (0..19)
        .flat_map(|power| [1, 2, 5].map(|factor| factor * 10_u64.pow(power)))
        .find(|step| most.div_ceil(*step) <= wanted)
        .unwrap_or(most);
    rounded_up(most, step, count)
}

/// An axis of lengths of time, in milliseconds, that holds `most`.
pub(super) fn lengths(most: Duration, wanted: u64) -> Axis {
    let most = whole_millis(most).max(SECOND);
    let step = step(most, wanted);
    rounded_up(most, step, |millis| in_unit(millis, most, step))
}

/// The axis of a run: it ends where the run ends, not at a tick.
pub(super) fn run(length: Duration, wanted: u64) -> Axis {
    let most = whole_millis(length).max(SECOND);
    let step = step(most, wanted);
    let ticks = (0..=most / step)
        .map(|number| ((number * step) as f64, in_unit(number * step, most, step)))
        .collect();
    Axis {
        end: most as f64,
        ticks,
    }
}

fn rounded_up(most: u64, step: u64, say: impl Fn(u64) -> String) -> Axis {
    let steps = most.div_ceil(step);
    Axis {
        end: (steps * step) as f64,
        ticks: (0..=steps)
            .map(|number| ((number * step) as f64, say(number * step)))
            .collect(),
    }
}

fn step(most: u64, wanted: u64) -> u64 {
    NICE_LENGTHS
        .into_iter()
        .find(|step| most.div_ceil(*step) <= wanted)
        .unwrap_or(most)
}

/// All ticks of an axis speak in one unit.
fn in_unit(millis: u64, most: u64, step: u64) -> String {
    if millis == 0 {
        return "0".to_owned();
    }
    let units = [(DAY, "d"), (HOUR, "h"), (MINUTE, "min"), (SECOND, "s")];
    let (length, unit) = units
        .into_iter()
        .find(|(length, _)| most >= 2 * length && step * 2 >= *length)
        .or(units.into_iter().find(|(length, _)| step * 2 >= *length))
        .unwrap_or((1, "ms"));
    format!("{} {unit}", short(millis as f64 / length as f64, 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, text)| text.as_str()).collect()
    }

    #[test]
    fn counts_are_ticked_in_ones_twos_and_fives() {
        assert_eq!(said(&counts(0, 4)), ["0", "1"]);
        assert_eq!(said(&counts(7, 4)), ["0", "2", "4", "6", "8"]);
        assert_eq!(said(&counts(1_234, 4)), ["0", "500", "1,000", "1,500"]);
    }

    #[test]
    fn time_is_ticked_in_units_that_people_count_in() {
        assert_eq!(
            said(&lengths(Duration::from_secs(70), 4)),
            ["0", "30 s", "60 s", "90 s"]
        );
        assert_eq!(
            said(&lengths(Duration::from_secs(5400), 3)),
            ["0", "30 min", "60 min", "90 min"]
        );
        assert_eq!(
            said(&run(Duration::from_secs(9000), 6)),
            ["0", "0.5 h", "1 h", "1.5 h", "2 h", "2.5 h"]
        );
        assert_eq!(
            said(&run(Duration::from_secs(43 * 86_400), 9)),
            ["0", "5 d", "10 d", "15 d", "20 d", "25 d", "30 d", "35 d", "40 d"]
        );
    }

    #[test]
    fn no_axis_is_too_long_to_draw() {
        for most in [0, 1, 999, 1_000, 59_999, 1 << 40, u64::MAX / 2] {
            assert!(run(Duration::from_millis(most), 9).ticks.len() <= 10, "{most}");
            assert!(lengths(Duration::from_millis(most), 4).ticks.len() <= 5, "{most}");
            assert!(counts(most, 4).ticks.len() <= 5, "{most}");
        }
    }
}
