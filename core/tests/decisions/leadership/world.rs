//! Processes, their requests, and the server that keeps the Lease.

use std::time::Duration;

use buildscaler_core::{
    Action, Command, Config, Controller, Failure, Input, LeadershipConfig, Lease, Timestamp, View, WriteLease,
};

use crate::support::build::START;

pub(super) const LEASE: Duration = Duration::from_secs(15);
pub(super) const RENEW: Duration = Duration::from_secs(10);
pub(super) const RETRY: Duration = Duration::from_secs(1);
/// How finely the world moves.
pub(super) const TICK: Duration = Duration::from_millis(50);

pub(super) fn config(identity: &str) -> Config {
    Config {
        leadership: Some(LeadershipConfig {
            identity: identity.into(),
            namespace: "builds".into(),
            name: "buildscaler".into(),
            lease_duration: LEASE,
            renew_deadline: RENEW,
            retry_period: RETRY,
        }),
        ..Config::default()
    }
}

/// The Lease as the API server keeps it.
#[derive(Debug, Default)]
pub(super) struct Server {
    pub(super) lease: Option<Lease>,
    pub(super) writes: u64,
}

impl Server {
    pub(super) fn serve(&mut self, action: &Action) -> View<Option<Lease>> {
        let Action::WriteLease(WriteLease { over, record, .. }) = action else {
            return View::Complete(self.lease.clone());
        };
        let known = self.lease.as_ref().map(|lease| lease.version.clone());
        // A write over a Lease that is gone makes it anew.
        if known.is_some() && *over != known {
            let message = "another version".to_owned();
            return View::Unknown(Failure::AlreadyExists { message });
        }
        self.writes += 1;
        self.lease = Some(Lease {
            version: self.writes.to_string(),
            record: record.clone(),
        });
        View::Complete(self.lease.clone())
    }
}

/// One controller and its process.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) controller: Controller,
    /// How far its clock is ahead.
    ahead: Duration,
    pub(super) paused_until: Timestamp,
    pub(super) is_gone: bool,
    wake: Timestamp,
    inbox: Vec<(Timestamp, Input)>,
    /// The last time by its own clock, and the true one, at which it commands.
    valid_until: Option<Timestamp>,
}

/// A request on its way.
#[derive(Debug)]
pub(super) struct Flight {
    whose: usize,
    command: Command,
    arrives: Timestamp,
    /// None: the answer is lost.
    answered_after: Option<Duration>,
}

/// Controllers, their requests, and the Lease.
#[derive(Debug)]
pub(super) struct World {
    pub(super) now: Timestamp,
    pub(super) server: Server,
    pub(super) processes: Vec<Process>,
    flights: Vec<Flight>,
    /// The delays of requests to come; none left, and they take 20 ms.
    pub(super) delays: Vec<Delay>,
    /// When commands other than about the Lease were sent, and by whom.
    pub(super) sent: Vec<(Timestamp, usize)>,
}

/// What becomes of one request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Delay {
    /// It arrives after this, and its answer after that.
    Late(Duration, Duration),
    Lost,
    AnswerLost(Duration),
}

/// What happens to the world.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    /// Nothing, for some time.
    Pass(Duration),
    Pause(usize, Duration),
    /// A process is killed, and another begins in its place.
    Crash(usize),
    ClockForward(usize, Duration),
    /// Somebody else writes to the Lease's labels.
    Touch,
}

impl World {
    pub(super) fn new(controllers: usize, delays: Vec<Delay>) -> Self {
        let mut world = Self {
            now: START,
            server: Server::default(),
            processes: Vec::new(),
            flights: Vec::new(),
            delays,
            sent: Vec::new(),
        };
        for number in 0..controllers {
            let process = world.process(&format!("controller-{number}"));
            world.processes.push(process);
        }
        world
    }

    pub(super) fn process(&self, identity: &str) -> Process {
        Process {
            controller: Controller::new(config(identity)),
            ahead: Duration::ZERO,
            paused_until: self.now,
            is_gone: false,
            wake: self.now,
            inbox: Vec::new(),
            valid_until: None,
        }
    }

    /// Lets time pass, and holds at each moment that at most one commands.
    pub(super) fn pass(&mut self, length: Duration) {
        let end = self.now.after(length);
        while self.now < end {
            self.now = self.now.after(TICK);
            self.serve();
            for whose in 0..self.processes.len() {
                self.live(whose);
            }
            let leaders = self.leaders();
            assert!(leaders.len() <= 1, "at {}: {leaders:?} command at once", self.now);
        }
    }

    /// Who may send commands, by its own clock.
    pub(super) fn leaders(&self) -> Vec<usize> {
        let leads = |process: &Process| {
            let clock = self.now.after(process.ahead);
            !process.is_gone && process.valid_until.is_some_and(|until| clock < until)
        };
        (0..self.processes.len())
            .filter(|whose| leads(&self.processes[*whose]))
            .collect()
    }

    pub(super) fn serve(&mut self) {
        let (due, later) = std::mem::take(&mut self.flights)
            .into_iter()
            .partition(|flight| flight.arrives <= self.now);
        self.flights = later;
        let due: Vec<Flight> = due;
        for flight in due {
            let view = self.server.serve(&flight.command.action);
            if let Some(after) = flight.answered_after {
                let id = flight.command.id;
                let at = self.now.after(after);
                self.processes[flight.whose].inbox.push((at, Input::Lease { id, view }));
            }
        }
    }

    /// Lets a process do what is due, unless it is paused.
    pub(super) fn live(&mut self, whose: usize) {
        let process = &mut self.processes[whose];
        if process.is_gone || process.paused_until > self.now {
            return;
        }
        let now = self.now;
        let (due, later) = std::mem::take(&mut process.inbox)
            .into_iter()
            .partition::<Vec<_>, _>(|(at, _)| *at <= now);
        process.inbox = later;
        let mut inputs: Vec<Input> = due.into_iter().map(|(_, input)| input).collect();
        if inputs.is_empty() && process.wake <= now.after(process.ahead) {
            inputs.push(Input::Tick);
        }
        for input in inputs {
            self.step(whose, input);
        }
    }

    pub(super) fn step(&mut self, whose: usize, input: Input) -> bool {
        let process = &mut self.processes[whose];
        let clock = self.now.after(process.ahead);
        let step = process.controller.step(clock, input);
        process.wake = step.wake.at;
        process.valid_until = process.controller.leadership().and_then(|told| told.valid_until);
        for command in step.commands {
            if matches!(command.action, Action::ReadLease { .. } | Action::WriteLease(_)) {
                self.send(whose, command);
            } else {
                // Looks are never answered here: they are signs of commanding.
                self.sent.push((self.now, whose));
            }
        }
        step.finished
    }

    pub(super) fn send(&mut self, whose: usize, command: Command) {
        let usual = Delay::Late(Duration::from_millis(10), Duration::from_millis(10));
        let delay = self.delays.pop().unwrap_or(usual);
        let (arrives, answered_after) = match delay {
            Delay::Late(there, back) => (self.now.after(there), Some(back)),
            Delay::AnswerLost(there) => (self.now.after(there), None),
            Delay::Lost => return,
        };
        self.flights.push(Flight {
            whose,
            command,
            arrives,
            answered_after,
        });
    }

    pub(super) fn happen(&mut self, event: Event, crashes: usize) {
        let count = self.processes.len();
        match event {
            Event::Pass(length) => self.pass(length),
            Event::Pause(whose, length) => self.processes[whose % count].paused_until = self.now.after(length),
            Event::Crash(whose) => {
                let fresh = self.process(&format!("restarted-{crashes}"));
                self.processes[whose % count] = fresh;
                for flight in &mut self.flights {
                    // Its requests arrive all the same.
                    if flight.whose == whose % count {
                        flight.answered_after = None;
                    }
                }
            }
            Event::ClockForward(whose, by) => self.processes[whose % count].ahead += by,
            Event::Touch => {
                self.server.writes += 1;
                let version = self.server.writes.to_string();
                if let Some(lease) = &mut self.server.lease {
                    lease.version = version;
                }
            }
        }
    }

    /// Waits until all that was sent late has arrived, and its answers.
    pub(super) fn until_delivered(&mut self) {
        let is_late = |at: Timestamp, now: Timestamp| at > now.after(TICK);
        while self.flights.iter().any(|flight| is_late(flight.arrives, self.now))
            || self
                .processes
                .iter()
                .any(|process| process.inbox.iter().any(|(at, _)| is_late(*at, self.now)))
        {
            self.pass(TICK);
        }
    }

    /// Waits until somebody commands, and says how long that took.
    pub(super) fn until_led(&mut self, patience: Duration) -> (usize, Duration) {
        let begun = self.now;
        loop {
            if let Some(whose) = self.leaders().first() {
                return (*whose, self.now.since(begun));
            }
            assert!(self.now.since(begun) < patience, "nobody commands after {patience:?}");
            self.pass(TICK);
        }
    }
}
