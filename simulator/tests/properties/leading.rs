//! Invariant 32 for replicas that elect a leader: never two that may command,
//! no build interrupted, and no pod more than one controller would make.

use std::time::Duration;

use buildscaler_core::{Config, Input, Step, Timestamp};
use buildscaler_simulator::generate::Trouble;
use buildscaler_simulator::scenario::{Event, Moment, Scenario, Span};
use buildscaler_simulator::{Options, Witness, run};

use crate::support::in_every_world;

/// Until when each controller may command.
#[derive(Default)]
struct Reigns {
    until: [Option<Timestamp>; 2],
    at_once: Vec<Timestamp>,
    changes: u32,
    last: Option<u8>,
}

impl Witness for Reigns {
    fn starts(&mut self, controller: u8, _config: &Config) {
        self.until[usize::from(controller)] = None;
    }

    fn leads(&mut self, controller: u8, now: Timestamp, until: Option<Timestamp>) {
        let until = until.filter(|until| *until > now);
        self.until[usize::from(controller)] = until;
        if self.until.iter().flatten().filter(|until| **until > now).count() > 1 {
            self.at_once.push(now);
        }
        if until.is_some() && self.last != Some(controller) {
            self.last = Some(controller);
            self.changes += 1;
        }
    }

    fn input(&mut self, _controller: u8, _clock: Timestamp, _input: &Input) {}

    fn step(&mut self, _controller: u8, _step: &Step) {}
}

/// The scenario with two replicas, of which now and then one ends, crashes or
/// stands still. Clocks do not jump: both would take the leader's time for over.
fn with_replicas(scenario: &Scenario) -> Scenario {
    let mut scenario = scenario.clone();
    scenario.controller.leader_elect = true;
    let of_controllers = |event: &Event| {
        matches!(
            event,
            Event::CrashController
                | Event::StopController
                | Event::StartController
                | Event::StartSecondController
                | Event::StopSecondController
                | Event::ClockForward(_)
                | Event::ClockBack(_)
        )
    };
    scenario.timeline.retain(|moment| !of_controllers(&moment.event));
    let mut dice = scenario.seed;
    let mut draw = |below: u64| {
        dice = dice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (dice >> 33) % below
    };
    let mut add = |at: u64, event| {
        scenario.timeline.push(Moment {
            at: Span::millis(at),
            event,
        });
    };
    add(draw(5_000), Event::StartSecondController);
    let mut at = 20_000;
    for _ in 0..5 {
        at += draw(60_000);
        let back = at + 1_000 + draw(20_000);
        match draw(4) {
            0 => add(at, Event::CrashController),
            1 => add(at, Event::PauseController(Span::millis(1 + draw(60_000)))),
            2 => {
                add(at, Event::EndController);
                add(back + 3_000, Event::StartController);
            }
            _ => {
                add(at, Event::StopSecondController);
                add(back, Event::StartSecondController);
            }
        }
        at = back + 4_000;
    }
    scenario.timeline.sort_by_key(|moment| moment.at);
    scenario
}

fn look_at(scenario: &Scenario) -> (Reigns, u64) {
    let mut reigns = Reigns::default();
    let options = Options {
        story: false,
        witness: Some(&mut reigns),
        ..Options::default()
    };
    let outcome = run(scenario, options, &mut |_| {});
    (reigns, outcome.summary.total.interrupted)
}

fn one_commands(scenario: &Scenario) -> Result<(), String> {
    let (reigns, interrupted) = look_at(&with_replicas(scenario));
    match (reigns.at_once.first(), interrupted, reigns.changes) {
        (Some(at), ..) => Err(format!("two may command at {at}")),
        (None, 1.., _) => Err(format!("{interrupted} jobs were cut off")),
        (None, 0, 0) if scenario.lasts.0 > Duration::from_secs(120) => Err("nobody ever commands".to_owned()),
        (None, 0, _) => Ok(()),
    }
}

#[test]
fn at_most_one_of_two_replicas_commands_whatever_requests_do() {
    in_every_world(Trouble::Requests, one_commands);
}

#[test]
fn at_most_one_of_two_replicas_commands_whatever_happens() {
    in_every_world(Trouble::Anything, one_commands);
}
