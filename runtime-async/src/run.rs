//! The loop: inputs to the core, commands to the network.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use buildscaler_core::{Action, Command, Controller, Input, Step, Timestamp};
use buildscaler_wire::{Exchange, Surroundings};
use thiserror::Error;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;

use crate::clock::Clock;
use crate::crier::Crier;
use crate::journal::{Journal, Subject};
use crate::metering::Metering;
use crate::settings::Settings;
use crate::tape::Tape;
use crate::transport::Transport;
use crate::watcher::{Mirrors, Watcher};

/// How long commands in flight may take to end once shutdown was asked for.
const FAREWELL: Duration = Duration::from_secs(3);

/// Why the controller had to give up.
#[derive(Debug, Error)]
pub enum RunError {
    /// A task panicked. What it knew is lost, so the process had better begin
    /// again: the core does not mind (Invariant 31).
    #[error("a task of the controller failed: {0}")]
    Task(#[from] JoinError),
}

/// Sees every step as it is taken: what the controller is told, and what comes
/// of it. The loop waits for it, so it must not take long.
pub trait Observer {
    /// Called before each step with what the controller is about to be told.
    fn told(&mut self, _now: Timestamp, _input: &Input) {}

    /// Called after each step, before its commands are carried out.
    fn stepped(&mut self, now: Timestamp, step: &Step, controller: &Controller);
}

impl Observer for () {
    fn stepped(&mut self, _now: Timestamp, _step: &Step, _controller: &Controller) {}
}

/// Two that see the same. The second is the inner one: it is told last and sees
/// the step first, so that what it measures is the step.
impl<A: Observer, B: Observer> Observer for (A, B) {
    fn told(&mut self, now: Timestamp, input: &Input) {
        self.0.told(now, input);
        self.1.told(now, input);
    }

    fn stepped(&mut self, now: Timestamp, step: &Step, controller: &Controller) {
        self.1.stepped(now, step, controller);
        self.0.stepped(now, step, controller);
    }
}

/// Runs the controller until `shutdown` resolves and its commands have ended.
///
/// The loop decides nothing: it carries inputs to the core and commands to the
/// network. An API that is down is no reason to end.
pub async fn run(
    settings: Settings,
    shutdown: impl Future<Output = ()>,
    observer: impl Observer,
) -> Result<(), RunError> {
    let Settings {
        config,
        surroundings,
        transport,
        record,
        metering,
    } = settings;
    let tape = Tape::new(record, &config);
    let clock = Arc::new(Clock::new());
    let mut watcher = Watcher::start(
        &transport,
        &clock,
        surroundings.namespace.as_deref(),
        config.sync_interval,
    );
    let mut crier = Crier::new(&transport, &clock);
    let errand = Arc::new(Errand {
        transport,
        surroundings,
        clock: Arc::clone(&clock),
        mirrors: Arc::clone(watcher.mirrors()),
        metering,
    });
    let mut core = Witnessed {
        controller: Controller::new(config),
        tape,
        journal: Journal::default(),
        observer,
    };
    let mut running = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    let mut farewell: Option<Instant> = None;
    let mut input = Input::Tick;
    loop {
        let step = core.step(clock.now(), input);
        if step.finished {
            return Ok(());
        }
        if farewell.is_none() {
            crier.hear(&step.findings, &core.controller);
        }
        for command in step.commands {
            running.spawn(Arc::clone(&errand).carry_out(command));
        }
        input = tokio::select! {
            () = &mut shutdown, if farewell.is_none() => {
                farewell = Some(Instant::now() + FAREWELL);
                Input::Shutdown
            }
            Some(answer) = running.join_next() => answer?,
            view = watcher.changed(), if farewell.is_none() => Input::Cluster { id: None, view: view? },
            heard = crier.heard() => heard.map(|()| Input::Tick)?,
            () = clock.sleep_until(step.wake.at) => Input::Tick,
            () = until(farewell) => {
                tracing::warn!(commands = running.len(), "ending while commands are in flight");
                return Ok(());
            }
        };
    }
}

/// The core, and all who take note of what it is told and decides.
struct Witnessed<O> {
    controller: Controller,
    tape: Tape,
    journal: Journal,
    observer: O,
}

impl<O: Observer> Witnessed<O> {
    /// Takes a step. What it is told is recorded before, and what it decides
    /// before any of it is carried out.
    fn step(&mut self, now: Timestamp, input: Input) -> Step {
        let looked = matches!(input, Input::Buildkite { .. });
        self.tape.input(now, &input);
        self.observer.told(now, &input);
        let step = self.controller.step(now, input);
        self.observer.stepped(now, &step, &self.controller);
        self.tape.step(now, &step);
        self.journal.step(&step, &self.controller, looked);
        step
    }
}

/// Waits for the end of the farewell, if there is one.
async fn until(farewell: Option<Instant>) {
    match farewell {
        Some(end) => tokio::time::sleep_until(end).await,
        None => std::future::pending().await,
    }
}

/// What it takes to carry out commands.
#[derive(Debug)]
struct Errand {
    transport: Arc<Transport>,
    surroundings: Surroundings,
    clock: Arc<Clock>,
    mirrors: Arc<Mirrors>,
    metering: Option<Metering>,
}

impl Errand {
    /// Carries out one command, from the mirrors if that can be.
    async fn carry_out(self: Arc<Self>, command: Command) -> Input {
        let subject = Subject::of(&command);
        let begun = Instant::now();
        let mut answer = self.answer_from_mirrors(&command).await;
        if answer.is_none() {
            answer = meter(self.metering.as_ref(), &command, &self.clock).await;
        }
        let answer = match answer {
            Some(answer) => answer,
            None => exchange(&self.transport, &self.surroundings, &self.clock, command).await,
        };
        subject.ended(&answer, begun.elapsed());
        answer
    }

    async fn answer_from_mirrors(&self, command: &Command) -> Option<Input> {
        match &command.action {
            Action::ObserveCluster => Some(Input::Cluster {
                id: Some(command.id),
                view: self.mirrors.look().await?,
            }),
            Action::ObserveBuildkite { .. }
            | Action::CreatePod(_)
            | Action::StopAgent { .. }
            | Action::DeletePod { .. }
            | Action::RegisterUsage { .. }
            | Action::MeterUsage { .. }
            | Action::ReadLease { .. }
            | Action::WriteLease(_) => None,
        }
    }
}

/// Carries out one command by asking AWS; none if that is not whom to ask.
pub(crate) async fn meter(metering: Option<&Metering>, command: &Command, clock: &Clock) -> Option<Input> {
    metering?.carry_out(command, clock).await
}

/// Carries out one command by asking the APIs.
pub(crate) async fn exchange(
    transport: &Transport,
    surroundings: &Surroundings,
    clock: &Clock,
    command: Command,
) -> Input {
    let mut exchange = Exchange::begin(command, surroundings, clock.now());
    while let Some(request) = exchange.next_request(clock.now()) {
        let reply = transport.send(request).await;
        exchange.absorb(reply, clock.now());
    }
    exchange.finish(clock.now())
}
