//! Axes of points that may lie close together or decades apart.

use super::scale::NICE_LENGTHS;
use super::words::short;

/// From this ratio of the greatest to the least on, an even axis would press
/// most points against one edge.
const DECADES: f64 = 12.0;
/// Ticks at most.
const TICKS: usize = 8;

/// An axis whose values become shares of its length, from 0 to 1.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Spread {
    from: f64,
    to: f64,
    logarithmic: bool,
    /// Each tick's share and what it says.
    pub(super) ticks: Vec<(f64, String)>,
}

impl Spread {
    /// An axis of hours.
    pub(super) fn hours(values: &[f64]) -> Self {
        let marks = (-3..9).flat_map(|power| [1.0, 2.0, 5.0].map(|factor| factor * 10_f64.powi(power)));
        Self::over(values, &marks.collect::<Vec<_>>(), |hours| short(hours, 3))
    }

    /// An axis of lengths of time, in seconds.
    pub(super) fn seconds(values: &[f64]) -> Self {
        let marks: Vec<f64> = NICE_LENGTHS
            .iter()
            .filter(|millis| **millis >= 1_000)
            .map(|millis| *millis as f64 / 1_000.0)
            .collect();
        Self::over(values, &marks, |seconds| {
            super::words::length(std::time::Duration::from_secs_f64(seconds))
        })
    }

    /// The share of the axis below a value.
    pub(super) fn share(&self, value: f64) -> f64 {
        let share = if self.logarithmic {
            (value.max(self.from) / self.from).ln() / (self.to / self.from).ln()
        } else {
            value / self.to
        };
        share.clamp(0.0, 1.0)
    }

    /// Whether equal distances are equal ratios.
    pub(super) const fn is_logarithmic(&self) -> bool {
        self.logarithmic
    }

    fn over(values: &[f64], marks: &[f64], say: impl Fn(f64) -> String) -> Self {
        let most = values.iter().copied().fold(marks[0], f64::max);
        // What is below the first mark is at the edge, and is said to be there.
        let least = values.iter().copied().fold(most, f64::min).max(marks[0]);
        let mut axis = Self {
            from: 0.0,
            to: most,
            logarithmic: most / least >= DECADES,
            ticks: Vec::new(),
        };
        let at: Vec<f64> = if axis.logarithmic {
            axis.from = marks
                .iter()
                .copied()
                .rev()
                .find(|mark| *mark < least)
                .unwrap_or(marks[0]);
            axis.to = marks.iter().copied().find(|mark| *mark > most).unwrap_or(most * 2.0);
            let within: Vec<f64> = marks
                .iter()
                .copied()
                .filter(|mark| (axis.from..=axis.to).contains(mark))
                .collect();
            within.iter().copied().step_by(within.len().div_ceil(TICKS)).collect()
        } else {
            let step = marks.iter().copied().find(|mark| most / mark <= 5.0).unwrap_or(most);
            let steps = (most * 1.06 / step).ceil();
            axis.to = steps * step;
            // Few, by the choice of the step.
            (0..=steps as usize).map(|number| number as f64 * step).collect()
        };
        axis.ticks = at.into_iter().map(|value| (axis.share(value), say(value))).collect();
        axis
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_close_together_share_an_even_axis_from_zero() {
        let axis = Spread::hours(&[30.0, 41.0, 55.0]);
        assert!(!axis.is_logarithmic());
        assert_eq!(axis.share(0.0), 0.0);
        assert_eq!(axis.ticks[1].1, "20");
    }

    #[test]
    fn values_decades_apart_are_all_told_apart() {
        let axis = Spread::seconds(&[0.0, 12.0, 45.0, 9_000.0]);
        assert!(axis.is_logarithmic());
        let shares = [12.0, 45.0, 9_000.0].map(|wait| axis.share(wait));
        assert!(
            shares[1] - shares[0] > 0.05 && shares[2] - shares[1] > 0.2,
            "{shares:?}"
        );
        assert_eq!(axis.share(0.0), 0.0);
        assert!(axis.ticks.len() <= TICKS);
    }

    #[test]
    fn nothing_at_all_has_an_axis() {
        for axis in [Spread::hours(&[]), Spread::seconds(&[0.0])] {
            assert!(axis.ticks.len() >= 2 && axis.ticks.iter().all(|(share, _)| share.is_finite()));
        }
    }
}
