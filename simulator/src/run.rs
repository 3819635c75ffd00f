//! One scenario, run.

use std::time::Duration;

use crate::measure::Run;
use crate::rivals::Entry;
use crate::scenario::Scenario;
use crate::world::{Domain, Setup, Wire, Witness, World};

/// Who keeps the fleet.
#[derive(Clone, Copy, Debug)]
pub enum Keeper {
    /// Our controller, with the scenario's settings.
    Ours,
    /// Somebody else's rules.
    Rival(&'static Entry),
}

/// How close to the real APIs a run is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fidelity {
    /// Actions are applied directly: fast.
    #[default]
    Domain,
    /// Requests and answers as on the wire, to the fakes: some hundred times
    /// slower, with the same story.
    Wire,
}

/// How a scenario is run.
pub struct Options<'a> {
    /// Who keeps the fleet.
    pub keeper: Keeper,
    /// How close to the real APIs it is.
    pub fidelity: Fidelity,
    /// Whether a story is told; long runs make long stories.
    pub story: bool,
    /// The distance of samples; none are taken if it is zero.
    pub sample_every: Duration,
    /// Sees every step of our controllers.
    pub witness: Option<&'a mut dyn Witness>,
}

impl Default for Options<'_> {
    /// Our controller, in the domain fidelity, with a story and no samples.
    fn default() -> Self {
        Self {
            keeper: Keeper::Ours,
            fidelity: Fidelity::Domain,
            story: true,
            sample_every: Duration::ZERO,
            witness: None,
        }
    }
}

/// Runs a scenario from its beginning to its end.
///
/// Equal scenarios and options give equal runs. `progress` is called now and
/// then with the virtual time that has passed.
pub fn run<'a>(scenario: &'a Scenario, options: Options<'a>, progress: &mut dyn FnMut(Duration)) -> Run {
    let setup = Setup {
        rival: match options.keeper {
            Keeper::Ours => None,
            Keeper::Rival(entry) => Some((entry.make)(scenario)),
        },
        story: options.story,
        sample_every: options.sample_every,
        witness: options.witness,
    };
    match options.fidelity {
        Fidelity::Domain => World::<Domain>::new(scenario, setup).run(progress),
        Fidelity::Wire => World::<Wire>::new(scenario, setup).run(progress),
    }
}
