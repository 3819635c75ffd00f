//! The last commands that change something, why they were sent and how they
//! ended.

use std::collections::VecDeque;

use buildscaler_core::{AgentId, Command, CommandId, Outcome, Reason, Timestamp, Uid};

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
    pub(crate) act: Act,
    pub(crate) queue: Option<String>,
    /// `namespace/name`, of deletes and creates.
    pub(crate) pod: Option<String>,
    pub(crate) uid: Option<Uid>,
    pub(crate) agent: Option<AgentId>,
    pub(crate) reason: Reason,
    pub(crate) ended: Option<(Timestamp, Outcome)>,
}

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Create,
    Stop,
    Delete,
    /// With this grace period, in seconds.
    DeleteWithin(u32),
}

impl Act {
    /// For programs.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create_pod",
            Self::Stop => "stop_agent",
            Self::Delete | Self::DeleteWithin(_) => "delete_pod",
        }
    }
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

impl Decision {
    /// A decision of `command` that is not about anything yet.
    pub(crate) fn new(command: &Command, act: Act, at: Timestamp) -> Self {
        Self {
            id: command.id,
            at,
            act,
            queue: None,
            pod: None,
            uid: None,
            agent: None,
            reason: command.reason,
            ended: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use buildscaler_core::Action;

    use super::*;

    fn stop(number: u64) -> Decision {
        let command = Command {
            id: CommandId(number),
            action: Action::StopAgent { agent: "a".into() },
            not_after: None,
            reason: Reason::Replaced,
        };
        Decision::new(&command, Act::Stop, Timestamp::from_millis(1))
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
