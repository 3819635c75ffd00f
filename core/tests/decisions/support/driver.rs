//! Drives a controller through virtual time, under the eyes of a witness.

use std::time::Duration;

use buildscaler_core::policy::ScalingPolicy;
use buildscaler_core::{
    Action, Command, Config, Controller, Cursor, FindingChange, FindingKind, Input, Look, LookEnd, Outcome, Reason,
    Spending, Step, Timestamp, Unusable,
};

use super::build::START;
use super::witness::Witness;
use super::world::World;

/// A controller, its world, and what is between them.
pub(crate) struct Driver {
    pub(crate) controller: Controller,
    pub(crate) config: Config,
    pub(crate) now: Timestamp,
    pub(crate) world: World,
    /// Commands without an answer.
    pub(crate) pending: Vec<Command>,
    pub(crate) witness: Witness,
    pub(crate) findings: Vec<FindingChange>,
    pub(crate) wake: Timestamp,
    /// Requests that each look costs.
    pub(crate) cost: u32,
    /// Everything that went in and came out, serialised, if it is wanted.
    pub(crate) history: Option<Vec<String>>,
}

impl Driver {
    pub(crate) fn new(config: &Config, world: World) -> Self {
        Self::begin(Controller::new(config.clone()), config, world)
    }

    pub(crate) fn with_policy(config: &Config, policy: Box<dyn ScalingPolicy>, world: World) -> Self {
        let mut driver = Self::begin(Controller::with_policy(config.clone(), policy), config, world);
        driver.witness.is_reactive = false;
        driver
    }

    fn begin(controller: Controller, config: &Config, world: World) -> Self {
        Self::take_over(controller, config, world, Witness::new(config), START)
    }

    /// A driver that goes on at this time, under the eyes of this witness.
    pub(crate) fn take_over(
        controller: Controller,
        config: &Config,
        world: World,
        witness: Witness,
        now: Timestamp,
    ) -> Self {
        let mut driver = Self {
            controller,
            config: config.clone(),
            now,
            world,
            pending: Vec::new(),
            witness,
            findings: Vec::new(),
            wake: now,
            cost: 2,
            history: None,
        };
        driver.step(Input::Tick);
        driver
    }

    /// A new controller takes over, without memory. What was in flight stays
    /// in flight and is answered to nobody.
    pub(crate) fn restart(&mut self) {
        self.controller = Controller::new(self.config.clone());
        self.pending.clear();
        let is_reactive = self.witness.is_reactive;
        self.witness = Witness::new(&self.config);
        self.witness.is_reactive = is_reactive;
        self.step(Input::Tick);
    }

    /// A new controller takes over after a while, and recalls what the old one
    /// saved, unless that is too old by then. What was in flight is answered to
    /// nobody, whether it was carried out or not.
    pub(crate) fn resume(&mut self, after: Duration, done: bool) {
        let saved = serde_json::to_string(&self.controller.save()).unwrap();
        for command in std::mem::take(&mut self.pending) {
            if done && is_write(&command.action) {
                self.world.carry_out(&command.action, self.now);
            }
            self.witness.give_up(&command, self.now);
        }
        self.now = self.now.after(after);
        let mut controller = Controller::new(self.config.clone());
        match controller.recall(serde_json::from_str(&saved).unwrap(), self.now) {
            Ok(()) => {
                self.controller = controller;
                self.step(Input::Tick);
            }
            Err(Unusable::Old { .. }) => self.restart(),
            Err(unusable) => panic!("{unusable}"),
        }
    }

    /// One step; the witness sees what goes in and what comes out.
    pub(crate) fn step(&mut self, input: Input) -> Step {
        self.witness.learn(&input, self.now);
        if let Some(history) = &mut self.history {
            history.push(serde_json::to_string(&input).unwrap());
        }
        let step = self.controller.step(self.now, input);
        self.witness.object(&step, self.now);
        if let Some(history) = &mut self.history {
            history.push(serde_json::to_string(&step).unwrap());
        }
        self.pending.extend(step.commands.iter().cloned());
        self.findings.extend(step.findings.iter().cloned());
        self.wake = step.wake.at;
        step
    }

    /// Lets time pass, with a tick whenever the controller wants one.
    pub(crate) fn wait(&mut self, duration: Duration) -> Vec<Command> {
        let until = self.now.after(duration);
        let mut commands = Vec::new();
        while self.wake < until {
            self.now = self.wake;
            commands.extend(self.step(Input::Tick).commands);
        }
        self.now = until;
        commands.extend(self.step(Input::Tick).commands);
        commands
    }

    /// The next look, from beginning to end; returns the writes it led to.
    pub(crate) fn round(&mut self) -> Vec<Command> {
        let (ended, writes) = self.attempt();
        assert!(ended, "no look ended");
        writes
    }

    /// The next look, unless unanswered commands hold the budget that it
    /// needs; whether it ended, and the writes.
    pub(crate) fn attempt(&mut self) -> (bool, Vec<Command>) {
        let mut writes = Vec::new();
        for _ in 0..100 {
            if let Some(command) = self.take(|action| matches!(action, Action::ObserveCluster)) {
                writes.extend(self.show_cluster(&command));
            } else if let Some(command) = self.take(|action| matches!(action, Action::ObserveBuildkite { .. })) {
                let (ended, commands) = self.show_buildkite(&command);
                writes.extend(commands);
                if ended {
                    return (true, only_writes(writes));
                }
            } else {
                self.now = self.now.max(self.wake);
                writes.extend(self.step(Input::Tick).commands);
            }
        }
        (false, only_writes(writes))
    }

    /// `count` rounds.
    pub(crate) fn rounds(&mut self, count: usize) -> Vec<Command> {
        (0..count).flat_map(|_| self.round()).collect()
    }

    pub(crate) fn show_cluster(&mut self, command: &Command) -> Vec<Command> {
        let view = self.world.cluster(self.now);
        self.step(Input::Cluster {
            id: Some(command.id),
            view,
        })
        .commands
    }

    /// A view that nobody asked for.
    pub(crate) fn push_cluster(&mut self) -> Vec<Command> {
        let view = self.world.cluster(self.now);
        self.step(Input::Cluster { id: None, view }).commands
    }

    /// Answers a look; whether that ended it.
    pub(crate) fn show_buildkite(&mut self, command: &Command) -> (bool, Vec<Command>) {
        let Action::ObserveBuildkite { grant, from } = &command.action else {
            panic!("{command:?} is no look at Buildkite");
        };
        let page = match from {
            Cursor::Builds { page } | Cursor::Agents { page } => *page,
        };
        let left = self.cost.saturating_sub(page - 1);
        let requests = left.min(*grant);
        let end = match (&self.world.blind.jobs, &self.world.blind.agents) {
            (Some(failure), _) => LookEnd::Failed(Cursor::START, failure.clone()),
            (None, Some(failure)) => LookEnd::Failed(Cursor::Agents { page: 1 }, failure.clone()),
            (None, None) if left > *grant => LookEnd::More(Cursor::Builds { page: page + grant }),
            (None, None) => LookEnd::Complete,
        };
        let ended = !matches!(end, LookEnd::More(_));
        let (jobs, agents) = match &end {
            LookEnd::Complete => (self.world.jobs.clone(), self.world.agents.clone()),
            LookEnd::Failed(Cursor::Agents { .. }, _) => (self.world.jobs.clone(), half(&self.world.agents)),
            LookEnd::More(_) | LookEnd::Failed(Cursor::Builds { .. }, _) => (half(&self.world.jobs), Vec::new()),
        };
        let look = Look {
            begun_at: self.now,
            jobs,
            agents,
            end,
            spending: Spending {
                requests,
                limits: Vec::new(),
            },
        };
        (ended, self.step(Input::Buildkite { id: command.id, look }).commands)
    }

    /// Takes a pending command out.
    pub(crate) fn take(&mut self, of: impl Fn(&Action) -> bool) -> Option<Command> {
        let place = self.pending.iter().position(|command| of(&command.action))?;
        Some(self.pending.remove(place))
    }

    /// Answers one write; returns what it led to.
    pub(crate) fn answer(&mut self, command: &Command, outcome: Outcome) -> Vec<Command> {
        self.pending.retain(|pending| pending.id != command.id);
        let requests = u32::from(matches!(command.action, Action::StopAgent { .. }));
        self.step(Input::Outcome {
            id: command.id,
            outcome,
            spending: Spending {
                requests,
                limits: Vec::new(),
            },
        })
        .commands
    }

    /// Carries out every write, those that follow included; returns them all.
    pub(crate) fn carry_out(&mut self) -> Vec<Command> {
        let mut done = Vec::new();
        while let Some(command) = self.take(is_write) {
            let outcome = self.world.carry_out(&command.action, self.now);
            self.answer(&command, outcome);
            done.push(command);
        }
        done
    }

    /// The same, but leaves AWS to others.
    pub(crate) fn carry_out_scaling(&mut self) {
        let scales = |action: &Action| {
            let meters = matches!(action, Action::RegisterUsage { .. } | Action::MeterUsage { .. });
            is_write(action) && !meters
        };
        while let Some(command) = self.take(scales) {
            let outcome = self.world.carry_out(&command.action, self.now);
            self.answer(&command, outcome);
        }
    }

    /// A round, and everything it asks for.
    pub(crate) fn turn(&mut self) -> Vec<Command> {
        self.round();
        self.carry_out()
    }

    /// Whether a finding of this kind stands.
    pub(crate) fn stands(&self, kind: FindingKind) -> bool {
        self.controller.findings().any(|finding| finding.kind == kind)
    }

    /// How often a finding of this kind was raised, and cleared.
    pub(crate) fn changes(&self, kind: FindingKind) -> (usize, usize) {
        let raised = |change: &&FindingChange| matches!(change, FindingChange::Raised(one) if one.kind == kind);
        let cleared = |change: &&FindingChange| matches!(change, FindingChange::Cleared(one) if one.kind == kind);
        (
            self.findings.iter().filter(raised).count(),
            self.findings.iter().filter(cleared).count(),
        )
    }
}

/// Turns until `seconds` after the start; all writes.
pub(crate) fn until(driver: &mut Driver, seconds: u64) -> Vec<Command> {
    let mut commands = Vec::new();
    while driver.now < START.after(Duration::from_secs(seconds)) {
        commands.extend(driver.turn());
    }
    commands
}

/// How many pods a world's first turn asks for.
pub(crate) fn asked_for(world: World) -> usize {
    asked_with(&Config::default(), world)
}

/// The same with these settings.
pub(crate) fn asked_with(config: &Config, world: World) -> usize {
    creates(&Driver::new(config, world).turn())
}

pub(crate) fn is_write(action: &Action) -> bool {
    !matches!(action, Action::ObserveCluster | Action::ObserveBuildkite { .. })
}

pub(crate) fn only_writes(commands: Vec<Command>) -> Vec<Command> {
    commands
        .into_iter()
        .filter(|command| is_write(&command.action))
        .collect()
}

pub(crate) fn creates(commands: &[Command]) -> usize {
    commands
        .iter()
        .filter(|command| matches!(command.action, Action::CreatePod(_)))
        .count()
}

/// The agents asked to stop, with the reason.
pub(crate) fn stops(commands: &[Command]) -> Vec<(String, Reason)> {
    commands
        .iter()
        .filter_map(|command| match &command.action {
            Action::StopAgent { agent } => Some((agent.to_string(), command.reason)),
            Action::ObserveCluster
            | Action::ObserveBuildkite { .. }
            | Action::CreatePod(_)
            | Action::DeletePod { .. }
            | Action::RegisterUsage { .. }
            | Action::MeterUsage { .. }
            | Action::ReadLease { .. }
            | Action::WriteLease(_) => None,
        })
        .collect()
}

/// The uids of pods deleted, with the grace period and the reason.
pub(crate) fn deletes(commands: &[Command]) -> Vec<(String, Option<u32>, Reason)> {
    commands
        .iter()
        .filter_map(|command| match &command.action {
            Action::DeletePod { uid, grace_seconds, .. } => Some((uid.to_string(), *grace_seconds, command.reason)),
            Action::ObserveCluster
            | Action::ObserveBuildkite { .. }
            | Action::CreatePod(_)
            | Action::StopAgent { .. }
            | Action::RegisterUsage { .. }
            | Action::MeterUsage { .. }
            | Action::ReadLease { .. }
            | Action::WriteLease(_) => None,
        })
        .collect()
}

fn half<T: Clone>(all: &[T]) -> Vec<T> {
    all[..all.len() / 2].to_vec()
}

/// What becomes of a pod whose agent is missing: a delete that lets an agent
/// that connects just now end its job, and one that ends what is left.
pub(crate) fn gently_then_for_good(pod: &str) -> [(String, Option<u32>, Reason); 2] {
    [Some(6 * 3600), Some(30)].map(|grace| (pod.to_owned(), grace, Reason::AgentMissing))
}
