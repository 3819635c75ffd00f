//! Many worlds, and what is seen in them.

use std::time::Duration;

use buildscaler_core::{Action, Input, Step, Timestamp};
use buildscaler_simulator::generate::{self, Trouble, shrink};
use buildscaler_simulator::measure::Run;
use buildscaler_simulator::scenario::{Event, Scenario};
use buildscaler_simulator::{Options, Witness, run};

/// Worlds that each property looks at, unless told otherwise.
const WORLDS: u64 = 150;

/// A run with its steps.
pub(crate) struct Seen {
    pub(crate) run: Run,
    pub(crate) began: Timestamp,
    pub(crate) steps: Steps,
}

/// What controllers decided.
#[derive(Default)]
pub(crate) struct Steps {
    began: Option<Timestamp>,
    clock: Timestamp,
    /// Commands that change something, by the controllers' clock.
    pub(crate) deeds: Vec<(Timestamp, Action)>,
    pub(crate) inputs: Vec<String>,
    pub(crate) steps: u64,
}

impl Witness for Steps {
    fn input(&mut self, _controller: u8, clock: Timestamp, input: &Input) {
        self.began.get_or_insert(clock);
        self.clock = clock;
        if let Input::Outcome {
            outcome: buildscaler_core::Outcome::Failed(failure),
            ..
        } = input
        {
            self.inputs.push(name_of(&format!("{failure:?}")));
        }
        if let Input::Cluster { view, .. } = input {
            for failure in [view.templates.failure(), view.pods.failure()].into_iter().flatten() {
                self.inputs.push(name_of(&format!("{failure:?}")));
            }
        }
        if let Input::Buildkite { look, .. } = input
            && let buildscaler_core::LookEnd::Failed(_, failure) = &look.end
        {
            self.inputs.push(name_of(&format!("{failure:?}")));
        }
    }

    fn step(&mut self, _controller: u8, step: &Step) {
        self.steps += 1;
        for command in &step.commands {
            match command.action {
                Action::ObserveCluster
                | Action::ObserveBuildkite { .. }
                | Action::ReadLease { .. }
                | Action::WriteLease(_) => {}
                Action::CreatePod(_)
                | Action::StopAgent { .. }
                | Action::DeletePod { .. }
                | Action::RegisterUsage { .. }
                | Action::MeterUsage { .. } => {
                    self.deeds.push((self.clock, command.action.clone()));
                }
            }
        }
    }
}

/// The first word of a value's `Debug`: its variant.
fn name_of(text: &str) -> String {
    text.chars().take_while(|letter| letter.is_alphanumeric()).collect()
}

pub(crate) fn look_at(scenario: &Scenario) -> Seen {
    let mut steps = Steps::default();
    let options = Options {
        story: false,
        witness: Some(&mut steps),
        ..Options::default()
    };
    let run = run(scenario, options, &mut |_| {});
    Seen {
        run,
        began: steps.began.unwrap_or_default(),
        steps,
    }
}

/// When trouble ends in a scenario.
pub(crate) fn trouble_ends(scenario: &Scenario) -> Duration {
    let mut ends = scenario
        .timeline
        .iter()
        .filter(|moment| moment.event == Event::FaultsEnd);
    ends.next().map_or(Duration::ZERO, |moment| moment.at.0)
}

/// The sync interval of a scenario.
pub(crate) fn interval(scenario: &Scenario) -> Duration {
    scenario
        .controller
        .sync_interval
        .map_or(Duration::from_secs(20), |span| span.0)
}

/// Holds a property against many worlds; a world in which it does not hold is
/// printed, as small as it can be made.
pub(crate) fn in_every_world(trouble: Trouble, property: impl Fn(&Scenario) -> Result<(), String> + Sync) {
    let number = |name: &str, default| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let (first, worlds) = (number("BUILDSCALER_SEED", 1), number("BUILDSCALER_WORLDS", WORLDS));
    println!("worlds with seeds {first} to {}", first + worlds - 1);
    for seed in first..first + worlds {
        let scenario = generate::scenario(seed, trouble);
        if let Err(broken) = property(&scenario) {
            let smallest = shrink(scenario, |candidate| property(candidate).is_err());
            let now = property(&smallest).expect_err("it does not hold in the smallest world");
            panic!("seed {seed}: {broken}\nin a smaller world: {now}\n{}", smallest.write());
        }
    }
}
