//! One look at both APIs, and what follows from it.

use std::collections::VecDeque;
use std::time::Duration;

use buildscaler_core::{Command, Controller, Failure, Input, LookEnd, Outcome, Spending};
use thiserror::Error;

use crate::clock::Clock;
use crate::crew::{Broken, Crew};
use crate::deed::{Deed, failure, is_look};
use crate::tape::Tape;

/// How long to wait at a time for what will come.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why nothing can be said.
#[derive(Debug, Error)]
pub(crate) enum Blind {
    #[error("cannot look at Kubernetes: {0}")]
    Kubernetes(Failure),
    #[error("cannot look at Buildkite: {0}")]
    Buildkite(Failure),
    #[error(transparent)]
    Broken(#[from] Broken),
}

/// The controller after its first complete look.
#[derive(Debug)]
pub(crate) struct Sight<'a> {
    pub(crate) controller: Controller,
    clock: &'a Clock,
    tape: Tape,
    commands: VecDeque<Command>,
}

/// How one command of an [`apply`](Sight::apply) ended.
#[derive(Debug)]
pub(crate) struct Ending {
    pub(crate) deed: Deed,
    pub(crate) failure: Option<Failure>,
}

/// Lets a controller that has taken no step yet look at both APIs once.
///
/// Whatever else it wants is kept for later: until then nothing is changed. A
/// look that needs more requests than Buildkite allows in a minute waits for
/// the next one.
pub(crate) fn look<'a>(
    mut controller: Controller,
    crew: &Crew,
    clock: &'a Clock,
    mut tape: Tape,
) -> Result<Sight<'a>, Blind> {
    let mut commands = VecDeque::new();
    let mut input = Input::Tick;
    let mut cluster_seen = false;
    loop {
        cluster_seen |= matches!(input, Input::Cluster { .. });
        // One that recalls a limit of Kubernetes asks Buildkite first.
        let complete = is_complete(&input)? && cluster_seen;
        let now = clock.now();
        tape.input(now, &input);
        let step = controller.step(now, input);
        tape.step(now, &step);
        let (looks, changes): (Vec<_>, Vec<_>) = step.commands.into_iter().partition(is_look);
        commands.extend(changes);
        if complete {
            return Ok(Sight {
                controller,
                clock,
                tape,
                commands,
            });
        }
        for look in looks {
            crew.carry_out(look)?;
        }
        input = crew.next_input(clock.until(step.wake.at))?.unwrap_or(Input::Tick);
    }
}

/// Whether this input ends the look.
fn is_complete(input: &Input) -> Result<bool, Blind> {
    match (input, failure(input)) {
        (Input::Cluster { .. }, Some(failure)) => Err(Blind::Kubernetes(failure.clone())),
        (Input::Buildkite { .. }, Some(failure)) => Err(Blind::Buildkite(failure.clone())),
        (Input::Buildkite { look, .. }, None) => Ok(look.end == LookEnd::Complete),
        (Input::Cluster { .. } | Input::Outcome { .. } | Input::Lease { .. } | Input::Tick | Input::Shutdown, _) => {
            Ok(false)
        }
    }
}

impl Sight<'_> {
    /// All that would be done, in order. The core lets out a command after the
    /// other as they succeed, so it is told that each of them does. That is not
    /// recorded: it does not happen.
    pub(crate) fn rehearse(&mut self) -> Vec<Deed> {
        self.tape = Tape::default();
        let mut deeds = Vec::new();
        while let Some(command) = self.commands.pop_front() {
            deeds.push(Deed::of(&command));
            self.learn(Input::Outcome {
                id: command.id,
                outcome: Outcome::Done,
                spending: Spending::default(),
            });
        }
        deeds
    }

    /// Carries out all that is to be done, tells each ending, and returns when
    /// nothing is in flight.
    pub(crate) fn apply(&mut self, crew: &Crew, mut tell: impl FnMut(Ending)) -> Result<(), Broken> {
        let mut in_flight = Vec::new();
        loop {
            for command in self.commands.drain(..) {
                in_flight.push((command.id, Deed::of(&command)));
                crew.carry_out(command)?;
            }
            if in_flight.is_empty() {
                return Ok(());
            }
            // Every request has a deadline, so an answer comes.
            let Some(input) = crew.next_input(PATIENCE)? else {
                continue;
            };
            if let Input::Outcome { id, .. } = &input
                && let Some(place) = in_flight.iter().position(|(flying, _)| flying == id)
            {
                let (_, deed) = in_flight.swap_remove(place);
                let failure = failure(&input).cloned();
                tell(Ending { deed, failure });
            }
            self.learn(input);
        }
    }

    /// Tells the controller, and keeps what it wants now; it shall not look again.
    fn learn(&mut self, input: Input) {
        let now = self.clock.now();
        self.tape.input(now, &input);
        let step = self.controller.step(now, input);
        self.tape.step(now, &step);
        self.commands
            .extend(step.commands.into_iter().filter(|command| !is_look(command)));
    }
}
