//! The last commands that change something, why they were sent and how they
//! ended.

use std::collections::VecDeque;

use buildscaler_core::{CommandId, Outcome, Timestamp};

use super::deed::Deed;

/// Decisions that are kept.
const MOST: usize = 200;

/// The last decisions, oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Decisions(VecDeque<Decision>);

/// One command.
#[derive(Clone, Debug)]
pub(crate) struct Decision {
    pub(crate) id: CommandId,
    pub(crate) at: Timestamp,
    pub(crate) deed: Deed,
    pub(crate) ended: Option<(Timestamp, Outcome)>,
}

impl Decisions {
    /// Notes a decision; the oldest has to go where there are too many.
    pub(crate) fn note(&mut self, decision: Decision) {
        if self.0.len() >= MOST {
            self.0.pop_front();
        }
        self.0.push_back(decision);
    }

    /// Notes how a command ended.
    pub(crate) fn settle(&mut self, id: CommandId, outcome: &Outcome, now: Timestamp) {
        if let Some(decision) = self.0.iter_mut().rev().find(|decision| decision.id == id) {
            decision.ended = Some((now, outcome.clone()));
        }
    }

    /// All of them, newest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Decision> {
        self.0.iter().rev()
    }
}

#[cfg(test)]
mod tests {
    use buildscaler_core::Reason;

    use super::*;
    use crate::status::deed::Act;

    fn stop(number: u64) -> Decision {
        Decision {
            id: CommandId(number),
            at: Timestamp::from_millis(1),
            deed: Deed {
                act: Act::Stop,
                queue: None,
                pod: None,
                uid: None,
                agent: Some("a".into()),
                reason: Reason::Replaced,
            },
            ended: None,
        }
    }

    #[test]
    fn two_hundred_are_kept_and_the_newest_comes_first() {
        let mut decisions = Decisions::default();
        (0..1_000).for_each(|number| decisions.note(stop(number)));
        assert_eq!(decisions.iter().count(), 200);
        assert_eq!(
            decisions.iter().next().map(|decision| decision.id),
            Some(CommandId(999))
        );
    }

    #[test]
    fn an_answer_reaches_its_command_and_no_other() {
        let mut decisions = Decisions::default();
        (0..3).for_each(|number| decisions.note(stop(number)));
        decisions.settle(CommandId(1), &Outcome::Done, Timestamp::from_millis(5));
        decisions.settle(CommandId(77), &Outcome::Done, Timestamp::from_millis(5));
        let ended: Vec<_> = decisions.iter().map(|decision| decision.ended.is_some()).collect();
        assert_eq!(ended, [false, true, false]);
    }
}
