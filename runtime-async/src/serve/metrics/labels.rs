//! Which queues may be told apart.

use std::collections::BTreeSet;

use buildscaler_core::{Queue, Report};

/// The most queues that are told apart.
const MOST: usize = 200;
/// What the others are called. No queue can be: the name has parentheses.
const OTHERS: &str = "(other)";

/// The queues that are told apart: of those that have a template or a pod, the
/// ones that came first.
#[derive(Debug, Default)]
pub(super) struct Queues {
    named: BTreeSet<Queue>,
    others: BTreeSet<Queue>,
}

impl Queues {
    /// Takes over which queues there are. Returns those that are gone.
    pub(super) fn take_over(&mut self, report: &Report) -> Vec<Queue> {
        let known = self.named.len() + self.others.len();
        if known == report.queues.len() && report.queues.keys().all(|queue| self.has(queue)) {
            return Vec::new();
        }
        let is_gone = |queue: &Queue| !report.queues.contains_key(queue);
        let gone: Vec<Queue> = self.named.iter().filter(|queue| is_gone(queue)).cloned().collect();
        self.named.retain(|queue| !is_gone(queue));
        self.others.clear();
        for queue in report.queues.keys() {
            if self.named.contains(queue) {
                continue;
            }
            if self.named.len() < MOST {
                self.named.insert(queue.clone());
            } else {
                self.others.insert(queue.clone());
            }
        }
        gone
    }

    /// What a queue is called; nothing for one that is none of ours.
    pub(super) fn name<'q>(&self, queue: &'q Queue) -> Option<&'q str> {
        if self.named.contains(queue) {
            Some(queue.as_str())
        } else {
            self.others.contains(queue).then_some(OTHERS)
        }
    }

    fn has(&self, queue: &Queue) -> bool {
        self.named.contains(queue) || self.others.contains(queue)
    }
}

#[cfg(test)]
mod tests {
    use buildscaler_core::QueueReport;

    use super::*;

    fn report(numbers: std::ops::Range<usize>) -> Report {
        Report {
            queues: numbers.map(|number| (queue(number), QueueReport::default())).collect(),
            ..Report::default()
        }
    }

    fn queue(number: usize) -> Queue {
        Queue::from(format!("queue-{number}"))
    }

    #[test]
    fn queues_of_others_have_no_name() {
        let mut queues = Queues::default();
        assert!(queues.take_over(&report(0..1)).is_empty());
        assert_eq!(queues.name(&queue(0)), Some("queue-0"));
        assert_eq!(queues.name(&queue(1)), None);
    }

    #[test]
    fn beyond_a_number_queues_share_one_name() {
        let mut queues = Queues::default();
        queues.take_over(&report(0..5));
        queues.take_over(&report(0..1_000));
        let name = |number| queues.name(&queue(number)).map(str::to_owned);
        let shared = (0..1_000)
            .filter(|number| name(*number).as_deref() == Some(OTHERS))
            .count();
        assert_eq!(shared, 1_000 - MOST);
        // Those that were there first keep their names.
        assert!((0..5).all(|number| name(number) == Some(format!("queue-{number}"))));
    }

    #[test]
    fn a_queue_that_is_gone_makes_room() {
        let mut queues = Queues::default();
        queues.take_over(&report(0..MOST + 1));
        let gone = queues.take_over(&report(1..MOST + 1));
        assert!(gone.len() <= 1, "{gone:?}");
        assert!((1..=MOST).all(|number| queues.name(&queue(number)) != Some(OTHERS)));
        assert_eq!(queues.name(&queue(0)), None);
    }
}
