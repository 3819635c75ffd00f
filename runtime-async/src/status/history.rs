//! The last hours, a sample a minute, in bounded memory.

use std::collections::{BTreeMap, VecDeque};

use buildscaler_core::{QueueReport, Report, Timestamp};

/// Minutes that are kept: six hours.
pub(crate) const MINUTES: usize = 360;
/// Queues with a history of their own.
const MOST_QUEUES: usize = 24;
/// The name of all others together, which no queue can have.
pub(crate) const OTHER: &str = "(other)";
const MINUTE: i64 = 60_000;

/// What there was at most within a minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) waiting: u32,
    pub(crate) pods: u32,
    pub(crate) busy: u32,
}

/// The samples of each minute since the first, of the fleet and of its queues.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    /// The minute of the last sample.
    minute: Option<i64>,
    pub(crate) fleet: VecDeque<Sample>,
    /// All as long as that of the fleet.
    pub(crate) queues: BTreeMap<String, VecDeque<Sample>>,
}

impl History {
    /// Takes note of the queues as they are now.
    pub(crate) fn note(&mut self, report: &Report, now: Timestamp) {
        let minute = now.as_millis().div_euclid(MINUTE);
        self.advance(minute);
        let mut others = Sample::default();
        let mut room = self.room();
        for (queue, report) in &report.queues {
            let sample = Sample::of(report);
            match self.queues.get_mut(queue.as_str()) {
                Some(series) => raise(series, sample),
                None if room > 0 => {
                    room -= 1;
                    let mut series = VecDeque::from(vec![Sample::default(); self.fleet.len()]);
                    raise(&mut series, sample);
                    self.queues.insert(queue.to_string(), series);
                }
                None => others.add(sample),
            }
        }
        if others != Sample::default() {
            let length = self.fleet.len();
            let series = self.queues.entry(OTHER.into());
            raise(series.or_insert_with(|| vec![Sample::default(); length].into()), others);
        }
        let mut all = Sample::default();
        report.queues.values().for_each(|report| all.add(Sample::of(report)));
        raise(&mut self.fleet, all);
    }

    /// The time of the last sample's minute.
    pub(crate) fn last_at(&self) -> Option<Timestamp> {
        self.minute.map(|minute| Timestamp::from_millis(minute * MINUTE))
    }

    /// Begins a minute. Those that nobody noted were as the last one.
    fn advance(&mut self, minute: i64) {
        let last = self.minute.unwrap_or(minute - 1);
        let new = usize::try_from(minute - last).unwrap_or(0).min(MINUTES);
        for series in self.queues.values_mut().chain([&mut self.fleet]) {
            let known = series.back().copied().unwrap_or_default();
            for number in 1..=new {
                if series.len() >= MINUTES {
                    series.pop_front();
                }
                series.push_back(if number < new { known } else { Sample::default() });
            }
        }
        self.minute = Some(minute.max(last));
        let nothing = Sample::default();
        self.queues
            .retain(|_, series| series.iter().any(|sample| *sample != nothing));
    }

    /// How many more queues may have a history of their own.
    fn room(&self) -> usize {
        let known = self.queues.len() - usize::from(self.queues.contains_key(OTHER));
        MOST_QUEUES.saturating_sub(known)
    }
}

impl Sample {
    fn of(report: &QueueReport) -> Self {
        Self {
            waiting: report.waiting,
            pods: report.pods,
            busy: report.busy,
        }
    }

    fn add(&mut self, other: Self) {
        self.waiting = self.waiting.saturating_add(other.waiting);
        self.pods = self.pods.saturating_add(other.pods);
        self.busy = self.busy.saturating_add(other.busy);
    }
}

/// The most of a minute is kept: a burst that was over in seconds shows.
fn raise(series: &mut VecDeque<Sample>, sample: Sample) {
    if let Some(last) = series.back_mut() {
        last.waiting = last.waiting.max(sample.waiting);
        last.pods = last.pods.max(sample.pods);
        last.busy = last.busy.max(sample.busy);
    }
}

#[cfg(test)]
mod tests {
    use buildscaler_core::Queue;

    use super::*;

    fn report(queues: u32, pods: u32) -> Report {
        let queue = |number| {
            let report = QueueReport {
                pods,
                waiting: 1,
                ..QueueReport::default()
            };
            (Queue::from(format!("queue-{number}")), report)
        };
        Report {
            queues: (0..queues).map(queue).collect(),
            ..Report::default()
        }
    }

    fn minute(minute: i64) -> Timestamp {
        Timestamp::from_millis(minute * MINUTE + 7)
    }

    #[test]
    fn memory_is_bounded_whatever_the_time_and_the_queues() {
        let mut history = History::default();
        for now in 0..1_000 {
            history.note(&report(100, 2), minute(now));
        }
        assert_eq!(history.queues.len(), MOST_QUEUES + 1);
        assert!(history.queues.values().all(|series| series.len() == MINUTES));
        let last = history.fleet.back().copied();
        assert_eq!(
            last,
            Some(Sample {
                waiting: 100,
                pods: 200,
                busy: 0
            })
        );
        let others = history.queues[OTHER].back().map(|sample| sample.pods);
        assert_eq!(others, Some(2 * (100 - 24)));
        // Queues that are gone for six hours make room.
        (1_000..1_400).for_each(|now| history.note(&Report::default(), minute(now)));
        assert!(history.queues.is_empty());
    }

    #[test]
    fn a_minute_is_known_by_its_most_and_one_without_news_by_the_last() {
        let mut history = History::default();
        history.note(&report(1, 5), minute(10));
        history.note(&report(1, 1), minute(10));
        history.note(&report(1, 2), minute(13));
        let pods: Vec<_> = history.fleet.iter().map(|sample| sample.pods).collect();
        assert_eq!(pods, [5, 5, 5, 2]);
        assert_eq!(history.last_at(), Some(Timestamp::from_millis(13 * MINUTE)));
        history.note(&report(1, 3), minute(11));
        assert_eq!(history.fleet.len(), 4, "time does not go back");
    }
}
