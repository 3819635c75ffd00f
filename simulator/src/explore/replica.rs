//! The controllers of a small world, and what befalls them.

use std::time::Duration;

use buildscaler_core::policy::Reactive;
use buildscaler_core::{Action, Config, Controller, Input, LeadershipConfig, Role, Timestamp};

use super::bugs::Bug;
use super::outside::Broken;
use super::safety::{Invariant, Shown, name};
use super::sights::Sight;
use super::state::State;
use super::talk::{Progress, Talk};

/// One controller, alone or one of several.
#[derive(Debug)]
pub(super) struct Replica {
    pub(super) controller: Controller,
    pub(super) wake: Timestamp,
    pub(super) shown: Shown,
    pub(super) condition: Condition,
}

/// How a controller's process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// It runs.
    Well,
    /// It stands still, as after SIGSTOP.
    Paused,
    /// It runs and hears no answer.
    CutOff,
    /// It is gone, and does not come back.
    Dead,
}

/// How replicas agree: short times, so that ways to another leader are short.
pub(super) fn leadership(number: u8) -> LeadershipConfig {
    LeadershipConfig {
        identity: format!("replica-{number}"),
        namespace: "ci".to_owned(),
        name: "buildscaler".to_owned(),
        lease_duration: Duration::from_secs(15),
        renew_deadline: Duration::from_secs(10),
        retry_period: Duration::from_secs(5),
    }
}

impl Replica {
    pub(super) fn new(number: u8, of: u8, bug: Option<Bug>) -> Self {
        let config = Config {
            leadership: (of > 1).then(|| leadership(number)),
            ..Bug::config(bug)
        };
        Self {
            controller: Controller::new(config),
            wake: super::worlds::START,
            shown: Shown::default(),
            condition: Condition::Well,
        }
    }

    /// Whether its process does anything.
    pub(super) fn is_awake(&self) -> bool {
        match self.condition {
            Condition::Well | Condition::CutOff => true,
            Condition::Paused | Condition::Dead => false,
        }
    }

    /// Whether it may command at this moment, for all that it knows.
    pub(super) fn commands(&self, now: Timestamp) -> bool {
        let leadership = self.controller.leadership();
        let until = leadership.and_then(|leadership| leadership.valid_until);
        self.condition != Condition::Dead && until.is_some_and(|until| now < until)
    }

    /// Whether it commands as far as it has noticed.
    pub(super) fn leads(&self) -> bool {
        let leadership = self.controller.leadership();
        leadership.is_some_and(|leadership| leadership.role == Role::Leader)
    }

    /// Notes what it is shown, if it is of use to it.
    pub(super) fn learn(&mut self, input: &Input, now: Timestamp) {
        let asked_at = match input {
            Input::Cluster { view, .. } => view.begun_at,
            Input::Buildkite { look, .. } => look.begun_at,
            Input::Tick | Input::Outcome { .. } | Input::Lease { .. } | Input::Shutdown => now,
        };
        if self.commands_since().is_none_or(|since| since <= asked_at) {
            self.shown.learn(input, now);
        }
    }

    /// Whether it still waits for the answer to a command of its own: neither
    /// to a look from an earlier time in command, nor when it has slept through
    /// the time after which it gives up.
    pub(super) fn awaits(&self, talk: &Talk, now: Timestamp) -> bool {
        let is_old = self.commands_since().is_some_and(|since| talk.sent_at < since);
        talk.heard && !(is_old && talk.is_look()) && now < talk.given_up_at()
    }

    /// Since when it commands or follows, if it is one of several.
    fn commands_since(&self) -> Option<Timestamp> {
        Some(self.controller.leadership()?.since)
    }
}

impl Clone for Replica {
    fn clone(&self) -> Self {
        Self {
            controller: self.controller.fork(Box::new(Reactive)),
            wake: self.wake,
            shown: self.shown.clone(),
            condition: self.condition,
        }
    }
}

impl State {
    pub(super) fn has_replicas(&self) -> bool {
        self.replicas.len() > 1
    }

    pub(super) fn replica(&self, at: u8) -> &Replica {
        &self.replicas[usize::from(at)]
    }

    /// Whether a process that stood still has slept through its wake.
    pub(super) fn is_overdue(&self) -> bool {
        let mut awake = self.replicas.iter().filter(|replica| replica.is_awake());
        self.has_replicas() && awake.any(|replica| replica.wake <= self.now)
    }

    /// Something befalls a replica's process.
    pub(super) fn befall(&mut self, at: u8, condition: Condition) {
        self.left.mishaps -= 1;
        self.replicas[usize::from(at)].condition = condition;
        match condition {
            Condition::Dead => self.bury(at),
            // What it was about to send is in its hands, or on its way already:
            // then it arrives before the process goes on.
            Condition::Paused => {
                for talk in self.talks.iter_mut().filter(|talk| talk.by == at && talk.heard) {
                    talk.held = matches!(talk.progress, Progress::Sent);
                }
            }
            Condition::CutOff | Condition::Well => {}
        }
    }

    /// What a dead process had sent arrives all the same; what it knew makes no
    /// difference any more.
    fn bury(&mut self, at: u8) {
        self.orphan(at);
        let of = u8::try_from(self.replicas.len()).unwrap_or(u8::MAX);
        self.replicas[usize::from(at)] = Replica {
            condition: Condition::Dead,
            ..Replica::new(at, of, None)
        };
    }

    /// Nobody hears any more what becomes of a controller's commands.
    pub(super) fn orphan(&mut self, by: u8) {
        self.talks
            .retain(|talk| talk.by != by || matches!(talk.progress, Progress::Sent) && !talk.is_look());
        for talk in self.talks.iter_mut().filter(|talk| talk.by == by) {
            talk.heard = false;
        }
    }

    /// Whether a command that was held in a paused process is handed out now.
    pub(super) fn hands_out(&mut self, talk: &Talk, bug: Option<Bug>) -> Result<bool, Broken> {
        if !talk.held || !self.replica(talk.by).is_awake() {
            return Ok(true);
        }
        let is_late = talk.command.not_after.is_some_and(|end| self.now >= end);
        if is_late && !Bug::forgets_fences(bug) {
            self.see(Sight::FencedOff);
            return Ok(false);
        }
        let mut others = self.replicas.iter().zip(0_u8..).filter(|(_, by)| *by != talk.by);
        let fenced = talk.command.not_after.is_some();
        match others.find(|(other, _)| fenced && other.commands(self.now)) {
            Some((_, other)) => Err(Broken {
                invariant: Invariant::OneCommands,
                what: format!(
                    "replica {} sends its {} while replica {other} commands",
                    talk.by,
                    name(&talk.command)
                ),
            }),
            None => Ok(true),
        }
    }

    /// At no moment may two command.
    pub(super) fn judge_command(&self) -> Result<(), Broken> {
        let commanding = self.replicas.iter().filter(|replica| replica.commands(self.now));
        if commanding.count() < 2 {
            return Ok(());
        }
        Err(Broken {
            invariant: Invariant::OneCommands,
            what: "two replicas command at once".to_owned(),
        })
    }

    /// Notes what a step did to a replica's command.
    pub(super) fn see_command(&mut self, by: u8, led: bool) {
        let leads = self.replica(by).leads();
        if leads && !led {
            let lease = self.outside.lease.shown.as_ref();
            if lease.is_some_and(|lease| lease.record.transitions > 0) {
                self.see(Sight::TakenOver);
            }
        }
        if led && !leads {
            // It has to see all anew.
            self.replicas[usize::from(by)].shown = Shown::default();
            self.see(Sight::SteppedDown);
        }
    }

    /// Notes a write that arrives for somebody who does not command any more.
    pub(super) fn see_deposed(&mut self, talk: &Talk) {
        let mut others = self.replicas.iter().zip(0_u8..).filter(|(_, by)| *by != talk.by);
        let is_lease = matches!(talk.command.action, Action::WriteLease(_));
        if !talk.is_look() && !is_lease && others.any(|(other, _)| other.commands(self.now)) {
            self.see(Sight::ArrivesDeposed);
        }
    }

    /// Time has passed for whoever is awake and has nothing else to learn.
    pub(super) fn tick(&mut self, informed: &[u8], bug: Option<Bug>) -> Result<(), Broken> {
        for at in 0..u8::try_from(self.replicas.len()).unwrap_or(u8::MAX) {
            let replica = self.replica(at);
            if replica.is_awake() && replica.wake <= self.now && !informed.contains(&at) {
                self.step(at, Input::Tick, bug)?;
            }
        }
        Ok(())
    }
}
