//! What goes wrong.

use super::Draft;
use crate::scenario::{Event, FaultKind, FaultSpec, RequestKind, Span};

/// Lists of agents may lie for less than this in all: an agent that is missing
/// for ten minutes counts as dead, and may be.
const LIES: u64 = 8 * 60;

const KINDS: [RequestKind; 9] = [
    RequestKind::Builds,
    RequestKind::Agents,
    RequestKind::Stops,
    RequestKind::Templates,
    RequestKind::Pods,
    RequestKind::Creates,
    RequestKind::Deletes,
    RequestKind::Buildkite,
    RequestKind::Kubernetes,
];

const FAULTS: [FaultKind; 9] = [
    FaultKind::Drop,
    FaultKind::LoseReply,
    FaultKind::Delay(Span::secs(7)),
    FaultKind::TooManyRequests,
    FaultKind::ServerError,
    FaultKind::Unavailable,
    FaultKind::Garbled,
    FaultKind::Truncated,
    FaultKind::Stale,
];

impl Draft {
    /// Requests, controllers and clocks fail.
    pub(super) fn add_request_trouble(&mut self) {
        let mut lies = LIES;
        for _ in 0..self.dice.below(4) {
            let at = self.some_time();
            let (Some(on), Some(with)) = (self.one_of(&KINDS), self.one_of(&FAULTS)) else {
                return;
            };
            let mut lasts = 1 + self.dice.below((self.ends - at).min(900));
            if matches!(with, FaultKind::Truncated | FaultKind::Stale) {
                lasts = lasts.min(lies / 2);
                lies -= lasts;
            }
            let skip = self.dice.below(3);
            let times = self.dice.percent(40).then(|| 1 + self.dice.below(4));
            self.add(
                at,
                Event::Fault(FaultSpec {
                    on,
                    with,
                    lasts: Some(Span::secs(lasts)),
                    skip,
                    times,
                }),
            );
        }
        // What is away cannot be killed.
        if self.dice.percent(15) {
            let at = self.some_time();
            let back = at + 1 + self.dice.below(self.ends - at);
            self.add(at, Event::StopController);
            self.add(back, Event::StartController);
        } else if self.dice.percent(35) {
            for _ in 0..1 + self.dice.below(3) {
                let at = self.some_time();
                self.add(at, Event::CrashController);
            }
        }
        if self.dice.percent(20) {
            let at = self.some_time();
            let gone = at + 1 + self.dice.below(self.ends - at);
            self.add(at, Event::StartSecondController);
            self.add(gone, Event::StopSecondController);
        }
        if self.dice.percent(15) {
            let (at, span) = (self.some_time(), Span::secs(1 + self.dice.below(400)));
            let jump = if self.dice.percent(50) {
                Event::ClockForward(span)
            } else {
                Event::ClockBack(span)
            };
            self.add(at, jump);
        }
        if self.dice.percent(15) {
            let (at, count) = (self.some_time(), u32::try_from(1 + self.dice.below(250)).unwrap_or(1));
            self.add(at, Event::SpendRequests(count));
        }
    }

    /// Pods, nodes and users fail.
    pub(super) fn add_world_trouble(&mut self) {
        if self.dice.percent(25) {
            let (at, count) = (self.some_time(), 1 + u32::try_from(self.dice.below(2)).unwrap_or(0));
            self.add(at, Event::KillPods(count));
        }
        if self.dice.percent(20) {
            let (at, count) = (self.some_time(), 1 + u32::try_from(self.dice.below(2)).unwrap_or(0));
            self.add(at, Event::DeletePods(count));
        }
        if self.dice.percent(15) {
            let at = self.some_time();
            self.add(at, Event::LoseNode(0));
            self.add(at, Event::AddNodes(1));
        }
        if self.dice.percent(15) {
            let queues = self.templates.clone();
            let Some(queue) = queues.first() else { return };
            let at = self.some_time();
            let back = at + 1 + self.dice.below(self.ends - at);
            self.add(at, Event::PauseAgents(queue.clone()));
            self.add(back, Event::ResumeAgents(queue.clone()));
        }
    }
}
