//! Our controller in the world: what it learns, what it sends, and when.

use std::time::Duration;

use buildscaler_core::{Config, Controller, Finding, FindingChange, Input, Reason, Step, Timestamp};

use super::fidelity::Fidelity;
use super::{Happening, World};

/// How long a controller that was asked to end waits for answers, as in both
/// runtimes.
const FAREWELL: Duration = Duration::from_secs(3);

/// A controller that runs.
#[derive(Debug)]
pub(super) struct Keeper {
    controller: Controller,
    /// Tells this run of it from those before a crash.
    run: u32,
    /// Tells the wake that it wants from those it wanted before.
    wake: u32,
    /// Whether what a watch saw is on its way to it.
    told_of_change: bool,
    /// How far its clock is ahead, in milliseconds. As in both runtimes it
    /// follows the wall's ahead, and runs on where the wall's goes back.
    pub(super) ahead: i64,
    /// Until when its process stands still.
    paused_until: Option<Timestamp>,
    leads: bool,
}

/// One command on its way, and whose it is.
#[derive(Debug)]
pub(super) struct Talking<T> {
    which: u8,
    run: u32,
    reason: Reason,
    talk: T,
    /// The second half of the way, which the answer takes.
    back: Duration,
}

impl<F: Fidelity> World<'_, F> {
    pub(super) fn start_keeper(&mut self, which: u8) {
        let settings = &self.scenario.controller;
        let mut config = settings.config(&self.scenario.world.buildkite);
        self.runs += 1;
        if let Some(leadership) = &mut config.leadership {
            leadership.identity = format!("controller-{}", self.runs);
        }
        if let Some(witness) = &mut self.witness {
            witness.starts(which, &config);
        }
        self.keepers[which as usize] = Some(Keeper {
            controller: Controller::new(config),
            run: self.runs,
            wake: 0,
            told_of_change: false,
            ahead: self.skew,
            paused_until: None,
            leads: false,
        });
        self.story.line(self.now, || format!("{} starts", name(which)));
        self.wake_keeper_now(which);
    }

    /// Kills a controller. Requests that it has sent arrive all the same.
    pub(super) fn stop_keeper(&mut self, which: u8) {
        if self.keepers[which as usize].take().is_some() {
            self.story.line(self.now, || format!("{} is killed", name(which)));
            self.tell_leadership(which, None);
        }
    }

    /// Asks a controller to end, as a runtime does on SIGTERM.
    pub(super) fn end_keeper(&mut self, which: u8) {
        let Some(run) = self.keepers[which as usize].as_ref().map(|keeper| keeper.run) else {
            return;
        };
        self.story.line(self.now, || format!("{} is asked to end", name(which)));
        self.agenda
            .put(self.now.after(FAREWELL), Happening::FarewellOver(which, run));
        self.step(which, Input::Shutdown);
    }

    pub(super) fn farewell_over(&mut self, which: u8, run: u32) {
        if self.runs_still(which, run) {
            self.has_ended(which);
        }
    }

    fn has_ended(&mut self, which: u8) {
        self.keepers[which as usize] = None;
        self.story.line(self.now, || format!("{} has ended", name(which)));
        self.tell_leadership(which, None);
    }

    /// Lets a controller's process stand still. What reaches it meanwhile waits.
    pub(super) fn pause_keeper(&mut self, which: u8, length: Duration) {
        let end = self.now.after(length);
        if let Some(keeper) = &mut self.keepers[which as usize] {
            keeper.paused_until = Some(end);
            self.story.line(self.now, || {
                format!("{} stands still for {} s", name(which), length.as_secs())
            });
        }
    }

    /// When a controller's process goes on, if it stands still.
    fn paused_until(&self, which: u8) -> Option<Timestamp> {
        let keeper = self.keepers[which as usize].as_ref()?;
        keeper.paused_until.filter(|until| *until > self.now)
    }

    fn runs_still(&self, which: u8, run: u32) -> bool {
        self.keepers[which as usize]
            .as_ref()
            .is_some_and(|keeper| keeper.run == run)
    }

    fn tell_leadership(&mut self, which: u8, until: Option<Timestamp>) {
        if let Some(witness) = &mut self.witness {
            witness.leads(which, self.now, until);
        }
    }

    /// Tells who leads, as far as controllers ask.
    fn follow_leadership(&mut self, which: u8) {
        let Some(keeper) = &mut self.keepers[which as usize] else {
            return;
        };
        let Some(told) = keeper.controller.leadership() else {
            return;
        };
        let ahead = Duration::from_millis(keeper.ahead.unsigned_abs());
        let until = told.valid_until.map(|until| {
            if keeper.ahead < 0 {
                until.after(ahead)
            } else {
                until.before(ahead)
            }
        });
        if keeper.leads != until.is_some() {
            keeper.leads = until.is_some();
            let what = match told.lost {
                Some(loss) if until.is_none() => format!("does not lead any more ({})", loss.as_str()),
                Some(_) | None => "leads".to_owned(),
            };
            self.story.line(self.now, || format!("{} {what}", name(which)));
        }
        self.tell_leadership(which, until);
    }

    pub(super) fn wake_keeper_now(&mut self, which: u8) {
        if let Some(keeper) = &mut self.keepers[which as usize] {
            keeper.wake += 1;
            self.agenda
                .put(self.now, Happening::KeeperWakes(which, keeper.run, keeper.wake));
        }
    }

    pub(super) fn keeper_wakes(&mut self, which: u8, run: u32, wake: u32) {
        let due = self.keepers[which as usize]
            .as_ref()
            .is_some_and(|keeper| keeper.run == run && keeper.wake == wake);
        if let Some(until) = self.paused_until(which).filter(|_| due) {
            self.agenda.put(until, Happening::KeeperWakes(which, run, wake));
        } else if due {
            self.step(which, Input::Tick);
        }
    }

    /// Tells whoever watches Kubernetes that something has changed, soon.
    pub(super) fn announce_change(&mut self) {
        if !std::mem::take(&mut self.cluster_changed) {
            return;
        }
        let Some(lag) = self.scenario.world.replies.watch else {
            return;
        };
        for which in 0..2_u8 {
            if let Some(keeper) = &mut self.keepers[which as usize]
                && !std::mem::replace(&mut keeper.told_of_change, true)
            {
                let run = keeper.run;
                self.agenda
                    .put(self.now.after(lag.0), Happening::WatchShows(which, run));
            }
        }
    }

    pub(super) fn watch_shows(&mut self, which: u8, run: u32) {
        let Some(keeper) = self.keepers[which as usize].as_mut().filter(|keeper| keeper.run == run) else {
            return;
        };
        if let Some(until) = keeper.paused_until.filter(|until| *until > self.now) {
            self.agenda.put(until, Happening::WatchShows(which, run));
            return;
        }
        keeper.told_of_change = false;
        if self.outside.faults.watch_is_broken(self.now) {
            return;
        }
        let clock = self.clock(which);
        if let Some(view) = self.fidelity.watched(clock) {
            self.step(which, Input::Cluster { id: None, view });
        }
    }

    /// The time by a controller's clock; the true one if it is away.
    fn clock(&self, which: u8) -> Timestamp {
        let ahead = self.keepers[which as usize].as_ref().map_or(0, |keeper| keeper.ahead);
        Timestamp::from_millis(self.now.as_millis().saturating_add(ahead))
    }

    fn step(&mut self, which: u8, input: Input) {
        let clock = self.clock(which);
        let Some(keeper) = &mut self.keepers[which as usize] else {
            return;
        };
        let (run, skew) = (keeper.run, keeper.ahead);
        if let Some(witness) = &mut self.witness {
            witness.input(which, clock, &input);
        }
        let step = keeper.controller.step(clock, input);
        if let Some(witness) = &mut self.witness {
            witness.step(which, &step);
        }
        self.tally.steps += 1;
        keeper.wake += 1;
        let wake_at = Timestamp::from_millis(step.wake.at.as_millis().saturating_sub(skew)).max(self.now);
        self.agenda
            .put(wake_at, Happening::KeeperWakes(which, run, keeper.wake));
        for change in &step.findings {
            self.tell_finding(change);
        }
        self.follow_leadership(which);
        if step.finished {
            return self.has_ended(which);
        }
        for command in step.commands {
            self.tally.reasons.insert(command.reason);
            let talking = Talking {
                which,
                run,
                reason: command.reason,
                talk: self.fidelity.begin(command, clock),
                back: Duration::ZERO,
            };
            let slot = self.talks.put(talking);
            self.send(slot);
        }
    }

    fn tell_finding(&mut self, change: &FindingChange) {
        let (verb, Finding { kind, subject, .. }) = match change {
            FindingChange::Raised(finding) => {
                self.tally.findings.insert(finding.kind);
                ("finding", finding)
            }
            FindingChange::Cleared(finding) => ("mended", finding),
        };
        self.story
            .line(self.now, || format!("{verb}: {} {subject}", kind.as_str()));
    }

    /// Sends a command's next request on its way, or ends the command.
    fn send(&mut self, slot: u32) {
        let Some(which) = self.talks.at(slot).map(|talking| talking.which) else {
            return;
        };
        let clock = self.clock(which);
        let Some(talking) = self.talks.at(slot) else { return };
        let Some(buildkite) = self.fidelity.send(&mut talking.talk, clock) else {
            let Some(talking) = self.talks.take(slot) else { return };
            let input = F::finish(talking.talk, clock);
            return self.step(talking.which, input);
        };
        let replies = &self.scenario.world.replies;
        let length = self.dice.length(if buildkite {
            replies.buildkite
        } else {
            replies.kubernetes
        });
        talking.back = length / 2;
        let there = length.saturating_sub(talking.back);
        self.agenda.put(self.now.after(there), Happening::Arrives(slot));
    }

    /// A request arrives.
    pub(super) fn arrives(&mut self, slot: u32) {
        let Some(talking) = self.talks.at(slot) else { return };
        self.cause = Some(talking.reason);
        let passage = self.fidelity.serve(&mut talking.talk, &mut self.outside, self.now);
        let back = self.now.after(talking.back).after(passage.late);
        self.agenda.put(back, Happening::Answered(slot));
        self.follow_effects();
        self.tell_stops();
        self.cause = None;
    }

    /// Its answer arrives, if anybody is there to hear it.
    pub(super) fn answered(&mut self, slot: u32) {
        let Some(which) = self.talks.at(slot).map(|talking| talking.which) else {
            return;
        };
        let (clock, paused_until) = (self.clock(which), self.paused_until(which));
        let Some(talking) = self.talks.at(slot) else { return };
        let listens = self.keepers[talking.which as usize]
            .as_ref()
            .is_some_and(|keeper| keeper.run == talking.run);
        if !listens {
            self.talks.take(slot);
            return;
        }
        if let Some(until) = paused_until {
            self.agenda.put(until, Happening::Answered(slot));
            return;
        }
        self.fidelity.absorb(&mut talking.talk, clock);
        self.send(slot);
    }
}

fn name(which: u8) -> &'static str {
    match which {
        0 => "controller",
        _ => "second controller",
    }
}

/// Sees what controllers learn and decide.
pub trait Witness {
    /// A controller starts, with no memory.
    fn starts(&mut self, controller: u8, config: &Config) {
        let _ = (controller, config);
    }
    /// Until when a controller may command; none if it may not. At `now`, the
    /// true time.
    fn leads(&mut self, controller: u8, now: Timestamp, until: Option<Timestamp>) {
        let _ = (controller, now, until);
    }
    /// A controller is about to learn this.
    fn input(&mut self, controller: u8, clock: Timestamp, input: &Input);
    /// This is what it made of it.
    fn step(&mut self, controller: u8, step: &Step);
}

/// Things in numbered places that are used again.
#[derive(Debug)]
pub(super) struct Slots<T> {
    slots: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Slots<T> {
    pub(super) const fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
        }
    }

    fn put(&mut self, thing: T) -> u32 {
        if let Some(slot) = self.free.pop() {
            self.slots[slot as usize] = Some(thing);
            return slot;
        }
        self.slots.push(Some(thing));
        u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
    }

    fn at(&mut self, slot: u32) -> Option<&mut T> {
        self.slots.get_mut(slot as usize)?.as_mut()
    }

    fn take(&mut self, slot: u32) -> Option<T> {
        let thing = self.slots.get_mut(slot as usize)?.take();
        if thing.is_some() {
            self.free.push(slot);
        }
        thing
    }
}
