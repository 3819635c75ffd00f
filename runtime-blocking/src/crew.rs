//! Threads that carry out commands, and the queue that their answers come by.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use buildscaler_args::Token;
use buildscaler_core::{Action, Command, Input};
use buildscaler_wire::{Exchange, Surroundings};
use thiserror::Error;

use crate::access::AccessError;
use crate::clock::Clock;
use crate::deed::Deed;
use crate::transport::Transport;

/// Most commands at a time. More wait in the queue: slow start lets out no more
/// than a few of them for each template.
pub(crate) const WORKERS: usize = 12;

/// Threads for commands that must not wait: one, and one more while the core
/// has given up on an answer.
const URGENT_WORKERS: usize = 2;

/// A thread that carried out commands panicked. What it knew is lost, so the
/// process had better begin again: the core does not mind (Invariant 31).
#[derive(Debug, Error)]
#[error("a thread of the controller failed")]
pub(crate) struct Broken;

/// What it takes to carry out commands.
#[derive(Debug)]
pub struct Errand {
    pub(crate) transport: Transport,
    pub(crate) surroundings: Surroundings,
    pub(crate) clock: Arc<Clock>,
}

impl Errand {
    /// Prepares both connections. Nothing is sent yet, so a server that is
    /// down is no error.
    pub fn new(
        surroundings: Surroundings,
        kubernetes: kube::Config,
        buildkite: &str,
        token: &Token,
    ) -> Result<Self, AccessError> {
        Ok(Self {
            transport: Transport::new(kubernetes, buildkite, token)?,
            surroundings,
            clock: Arc::new(Clock::new()),
        })
    }

    /// Carries out one command, however long its deadlines let it take.
    pub fn carry_out(&self, command: Command) -> Input {
        let deed = Deed::of(&command);
        tracing::debug!(
            queue = deed.queue,
            reason = deed.reason,
            "{} {}",
            deed.verb,
            deed.subject
        );
        let mut exchange = Exchange::begin(command, &self.surroundings, self.clock.now());
        while let Some(request) = exchange.next_request(self.clock.now()) {
            let reply = self.transport.send(request);
            exchange.absorb(reply, self.clock.now());
        }
        let answer = exchange.finish(self.clock.now());
        deed.log_end(&answer);
        answer
    }
}

/// The threads, and the queue of inputs.
#[derive(Debug)]
pub(crate) struct Crew {
    errand: Arc<Errand>,
    commands: Sender<Command>,
    /// What must not wait behind others.
    urgent: Sender<Command>,
    inbox: Sender<Result<Input, Broken>>,
    inputs: Receiver<Result<Input, Broken>>,
}

impl Crew {
    /// Starts the threads. They end with the process or after this value: a
    /// request that hangs does not hold up its end.
    pub(crate) fn hire(errand: Errand) -> io::Result<Self> {
        let errand = Arc::new(errand);
        let (commands, waiting) = channel();
        let (urgent, waiting_urgently) = channel();
        let (inbox, inputs) = channel();
        let (waiting, waiting_urgently) = (Arc::new(Mutex::new(waiting)), Arc::new(Mutex::new(waiting_urgently)));
        for number in 0..WORKERS + URGENT_WORKERS {
            let queue = if number < WORKERS { &waiting } else { &waiting_urgently };
            let (errand, queue) = (Arc::clone(&errand), Arc::clone(queue));
            let answers = Answers(inbox.clone());
            thread::Builder::new()
                .name(format!("command-{number}"))
                .spawn(move || work(&errand, &queue, &answers))?;
        }
        Ok(Self {
            errand,
            commands,
            urgent,
            inbox,
            inputs,
        })
    }

    /// What it takes to send a request that is no command's.
    pub(crate) fn errand(&self) -> &Arc<Errand> {
        &self.errand
    }

    /// Has a command carried out; its answer arrives in the queue.
    pub(crate) fn carry_out(&self, command: Command) -> Result<(), Broken> {
        let queue = if is_urgent(&command.action) {
            &self.urgent
        } else {
            &self.commands
        };
        queue.send(command).map_err(|_| Broken)
    }

    /// The queue's other end, for inputs from elsewhere.
    pub(crate) fn inbox(&self) -> Sender<Result<Input, Broken>> {
        self.inbox.clone()
    }

    /// Waits for the next input; none if there is none for so long.
    pub(crate) fn next_input(&self, patience: Duration) -> Result<Option<Input>, Broken> {
        match self.inputs.recv_timeout(patience) {
            Ok(input) => input.map(Some),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(Broken),
        }
    }
}

/// Whether leadership depends on it: a queue full of creates must not cost it.
fn is_urgent(action: &Action) -> bool {
    match action {
        Action::ReadLease { .. } | Action::WriteLease(_) => true,
        Action::ObserveCluster
        | Action::ObserveBuildkite { .. }
        | Action::CreatePod(_)
        | Action::StopAgent { .. }
        | Action::DeletePod { .. }
        | Action::RegisterUsage { .. }
        | Action::MeterUsage { .. } => false,
    }
}

/// Where a thread's answers go; says so if the thread panics.
struct Answers(Sender<Result<Input, Broken>>);

impl Drop for Answers {
    fn drop(&mut self) {
        if thread::panicking() {
            // Nobody listens any more when the process ends.
            drop(self.0.send(Err(Broken)));
        }
    }
}

/// Takes commands from the queue until there is nobody left to give any.
fn work(errand: &Errand, waiting: &Mutex<Receiver<Command>>, answers: &Answers) {
    loop {
        let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(command) = next else {
            return;
        };
        if answers.0.send(Ok(errand.carry_out(command))).is_err() {
            return;
        }
    }
}
