//! The loop: inputs to the core, commands to the crew.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use buildscaler_core::{Config, Controller, Input};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use thiserror::Error;

use crate::clock::Clock;
use crate::crew::{Broken, Crew};
use crate::crier::Crier;
use crate::journal::Journal;
use crate::tape::Tape;

/// How long commands in flight may take to end once shutdown was asked for.
const FAREWELL: Duration = Duration::from_secs(3);

/// Why the controller had to give up.
#[derive(Debug, Error)]
pub(crate) enum RunError {
    #[error(transparent)]
    Broken(#[from] Broken),
    #[error("the operating system refuses what the controller needs: {0}")]
    System(#[from] io::Error),
}

/// Runs the controller until a signal asks it to end and its commands have
/// ended, or have had their time.
///
/// The loop decides nothing: it carries inputs to the core and commands to the
/// crew. An API that is down is no reason to end.
pub(crate) fn run(config: Config, crew: &Crew, clock: &Clock, mut tape: Tape) -> Result<(), RunError> {
    listen_for_signals(crew)?;
    let mut crier = Crier::hire(crew)?;
    let mut controller = Controller::new(config);
    let mut journal = Journal::default();
    let mut farewell: Option<Instant> = None;
    let mut input = Input::Tick;
    loop {
        if matches!(input, Input::Shutdown) {
            farewell.get_or_insert_with(|| Instant::now() + FAREWELL);
        }
        let looked = matches!(input, Input::Buildkite { .. });
        let now = clock.now();
        tape.input(now, &input);
        let step = controller.step(now, input);
        tape.step(now, &step);
        journal.tell(&step, &controller, looked);
        if step.finished {
            return Ok(());
        }
        if farewell.is_none() {
            crier.hear(&step.findings, &controller, clock);
        }
        for command in step.commands {
            crew.carry_out(command)?;
        }
        let mut patience = clock.until(step.wake.at);
        if let Some(end) = farewell {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                tracing::warn!("ending while commands are in flight");
                return Ok(());
            }
            patience = patience.min(left);
        }
        input = crew.next_input(patience)?.unwrap_or(Input::Tick);
    }
}

/// Makes the first SIGTERM or SIGINT, and every further one, an input.
fn listen_for_signals(crew: &Crew) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    let inbox = crew.inbox();
    thread::Builder::new().name("signals".into()).spawn(move || {
        for signal in signals.forever() {
            tracing::info!(signal, "asked to end; pods are left alone");
            if inbox.send(Ok(Input::Shutdown)).is_err() {
                return;
            }
        }
    })?;
    Ok(())
}
