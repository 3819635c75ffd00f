//! Equal histories give equal steps; what should not matter does not.

use std::time::Duration;

use buildscaler_core::{Action, Config, Controller, Input, Look, LookEnd, Spending, Timestamp};
use proptest::prelude::*;

use crate::support::build::START;
use crate::support::cases;
use crate::support::driver::{Driver, only_writes};
use crate::support::story::{events, tell};
use crate::support::worlds::worlds;

/// What came in, and when.
type History = Vec<(Timestamp, Input)>;

/// A story of looks at one world, as a history that can be changed.
fn history(world: &crate::support::world::World, rounds: usize) -> History {
    let mut driver = Driver::new(&Config::default(), world.clone());
    let mut inputs = vec![(START, Input::Tick)];
    for _ in 0..rounds {
        let at = driver.wake.max(driver.now);
        driver.now = at;
        let looks: Vec<_> = driver.pending.clone();
        if looks.is_empty() {
            inputs.push((at, Input::Tick));
            driver.step(Input::Tick);
        }
        for command in looks {
            let Some(input) = answer(&mut driver, &command) else {
                continue;
            };
            inputs.push((driver.now, input.clone()));
            driver.pending.retain(|pending| pending.id != command.id);
            driver.step(input);
        }
    }
    inputs
}

fn answer(driver: &mut Driver, command: &buildscaler_core::Command) -> Option<Input> {
    match &command.action {
        Action::ObserveCluster => Some(Input::Cluster {
            id: Some(command.id),
            view: driver.world.cluster(driver.now),
        }),
        Action::ObserveBuildkite { .. } => Some(Input::Buildkite {
            id: command.id,
            look: Look {
                begun_at: driver.now,
                jobs: driver.world.jobs.clone(),
                agents: driver.world.agents.clone(),
                end: LookEnd::Complete,
                spending: Spending {
                    requests: 2,
                    limits: Vec::new(),
                },
            },
        }),
        Action::CreatePod(_)
        | Action::StopAgent { .. }
        | Action::DeletePod { .. }
        | Action::RegisterUsage { .. }
        | Action::MeterUsage { .. }
        | Action::ReadLease { .. }
        | Action::WriteLease(_) => {
            let outcome = driver.world.carry_out(&command.action, driver.now);
            Some(Input::Outcome {
                id: command.id,
                outcome,
                spending: Spending::default(),
            })
        }
    }
}

fn replay(history: &History) -> Vec<String> {
    let mut controller = Controller::new(Config::default());
    history
        .iter()
        .map(|(now, input)| serde_json::to_string(&controller.step(*now, input.clone())).unwrap())
        .collect()
}

/// The same lists in another order.
fn reversed(history: &History) -> History {
    let mut history = history.clone();
    for (_, input) in &mut history {
        match input {
            Input::Cluster { view, .. } => {
                if let buildscaler_core::View::Complete(templates) = &mut view.templates {
                    templates.reverse();
                }
                if let buildscaler_core::View::Complete(pods) = &mut view.pods {
                    pods.reverse();
                }
            }
            Input::Buildkite { look, .. } => {
                look.jobs.reverse();
                look.agents.reverse();
            }
            Input::Tick | Input::Outcome { .. } | Input::Lease { .. } | Input::Shutdown => {}
        }
    }
    history
}

/// Every timestamp later by `millis`: numbers that look like the time of
/// these tests, wherever they are.
fn shifted(json: &str, millis: i64) -> String {
    fn shift(value: &mut serde_json::Value, millis: i64) {
        match value {
            serde_json::Value::Number(number) => {
                if let Some(time) = number.as_i64().filter(|time| *time > 1_000_000_000_000) {
                    *value = (time + millis).into();
                }
            }
            serde_json::Value::Array(values) => values.iter_mut().for_each(|value| shift(value, millis)),
            serde_json::Value::Object(fields) => fields.values_mut().for_each(|value| shift(value, millis)),
            serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::String(_) => {}
        }
    }
    let mut value = serde_json::from_str(json).unwrap();
    shift(&mut value, millis);
    value.to_string()
}

/// The parsed steps, as JSON in one spelling.
fn spelt(steps: Vec<String>) -> Vec<String> {
    steps.into_iter().map(|step| shifted(&step, 0)).collect()
}

proptest! {
    #![proptest_config(cases(60))]

    /// Invariant 13: a recording replays byte for byte.
    ///
    /// Seen to fail when pod names were taken from a counter shared by all
    /// controllers of the process.
    #[test]
    fn a_story_told_twice_is_the_same_story(world in worlds(), story in events()) {
        let tell_it = || {
            let mut driver = Driver::new(&Config::default(), world.clone());
            driver.history = Some(Vec::new());
            tell(&mut driver, &story);
            driver.history
        };
        prop_assert_eq!(tell_it(), tell_it());
    }

    /// A controller that was written down and read again goes on as it would
    /// have: that is how the later files of a recording begin.
    ///
    /// Steps alone would not tell of what matters only after the end of a story,
    /// so what was read has to look like what was written.
    ///
    /// Seen to fail when commands in flight were not written, and when the count
    /// of a lane's failures was not.
    #[test]
    fn a_controller_that_was_written_goes_on_alike(world in worlds(), story in events(), place in 0..40usize) {
        let tell_it = |is_written: bool| {
            let mut driver = Driver::new(&Config::default(), world.clone());
            driver.history = Some(Vec::new());
            let (before, after) = story.split_at(place.min(story.len()));
            tell(&mut driver, before);
            if is_written {
                let written = serde_json::to_string(&driver.controller).unwrap();
                let read: Controller = serde_json::from_str(&written).unwrap();
                assert_eq!(format!("{read:?}"), format!("{:?}", driver.controller));
                driver.controller = read;
            }
            tell(&mut driver, after);
            driver.history
        };
        prop_assert_eq!(tell_it(true), tell_it(false));
    }

    /// Invariant 13: the order of API lists changes nothing.
    ///
    /// Seen to fail when pods were no longer sorted, and when the agents of a
    /// pod were left in the order of the listing.
    #[test]
    fn the_order_of_lists_changes_nothing(world in worlds()) {
        let history = history(&world, 30);
        prop_assert_eq!(replay(&history), replay(&reversed(&history)));
    }

    /// Invariant 14: adding k to every timestamp adds k to the wake, and
    /// changes no command.
    ///
    /// Seen to fail when looks were aligned to whole minutes of the clock.
    #[test]
    fn only_time_that_passes_counts(world in worlds(), shift in 1..10_000_000_000i64) {
        let history = history(&world, 30);
        let later: History = history
            .iter()
            .map(|(now, input)| {
                let input = serde_json::to_string(input).unwrap();
                let now = Timestamp::from_millis(now.as_millis() + shift);
                (now, serde_json::from_str(&shifted(&input, shift)).unwrap())
            })
            .collect();
        let expected: Vec<String> = replay(&history).iter().map(|step| shifted(step, shift)).collect();
        prop_assert_eq!(spelt(replay(&later)), expected);
    }

    /// Invariant 15: a clock that jumps back is read as one that stands still.
    ///
    /// Seen to fail when the clock took the time as it came.
    #[test]
    fn a_clock_that_jumps_back_stands_still(world in worlds(), back in 1..100_000_000i64, place in 1..30usize) {
        let history = history(&world, 30);
        let place = place.min(history.len() - 1);
        let mut jumped = history.clone();
        jumped[place].0 = history[place - 1].0;
        let expected = replay(&jumped);
        jumped[place].0 = Timestamp::from_millis(history[place - 1].0.as_millis() - back);
        prop_assert_eq!(replay(&jumped), expected);
    }

    /// Invariant 16: what was asked for once is not asked for again when the
    /// same is seen again.
    ///
    /// Seen to fail when creates in flight were not counted, when an agent
    /// asked to stop was not remembered, and when a pod deleted was not.
    #[test]
    fn the_same_views_lead_to_nothing_new(world in worlds()) {
        let mut driver = Driver::new(&Config::default(), world);
        driver.rounds(3);
        while let Some(command) = driver.pending.pop() {
            driver.answer(&command, buildscaler_core::Outcome::Done);
        }
        driver.now = driver.now.after(Duration::from_millis(1));
        let again = driver.push_cluster();
        prop_assert_eq!(only_writes(again), Vec::new());
    }
}
