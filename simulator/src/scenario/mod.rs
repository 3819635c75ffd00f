//! A scenario: what happens in the outside world, and what is expected of the
//! controller in it. The format of the files in `simulator/scenarios/`.
//!
//! A scenario holds what comes from outside only (users, faults, the size of
//! the world); everything else follows from it, the seed and the policy.

mod check;
mod event;
mod expect;
mod outline;
mod problem;
mod read;
mod schema;
mod settings;
mod span;
mod workload;
mod write;

use std::collections::BTreeSet;

use buildscaler_core::labels;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use event::{Event, FaultKind, FaultSpec, Moment, RequestKind};
pub use expect::{Expectations, WaitExpectation};
pub use problem::{Problem, Rule};
pub use read::LONGEST_TEXT;
pub use schema::schema;
pub use settings::{BuildkiteSettings, ControllerSettings, NodeSettings, PodSettings, Replies, WorldSettings};
pub use span::{Range, Span};
pub use workload::{BuildEvent, ConcurrencyLimit, PodFailure, Step, StepKind, TemplateSpec};

/// The version of the format that this program reads and writes.
pub const VERSION: u32 = 1;

/// One scenario file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Scenario {
    /// The version of the format: 1.
    pub version: u32,
    /// A short name, as files are called.
    pub name: String,
    /// What it shows, in a sentence or two.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What it covers: rules of the specification, invariants, pains of users.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub covers: Vec<String>,
    /// Where random numbers start.
    #[serde(default, skip_serializing_if = "is_default")]
    pub seed: u64,
    /// When it begins, RFC 3339; 2025-01-01T00:00:00Z if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts: Option<String>,
    /// How long it lasts; the world is watched until then.
    pub lasts: Span,
    /// The controller's options.
    #[serde(default, skip_serializing_if = "is_default")]
    pub controller: ControllerSettings,
    /// How the outside world is made.
    #[serde(default, skip_serializing_if = "is_default")]
    pub world: WorldSettings,
    /// The templates that exist from the beginning.
    #[serde(default, skip_serializing_if = "is_default")]
    pub templates: Vec<TemplateSpec>,
    /// What happens, in any order; equal times happen in the order given.
    #[serde(default, skip_serializing_if = "is_default")]
    pub timeline: Vec<Moment>,
    /// What has to be true of the run.
    #[serde(default, skip_serializing_if = "is_default")]
    pub expect: Expectations,
}

impl Scenario {
    /// Everything that is wrong with it, though it is well-formed: none if
    /// [`Scenario::read`] would read it.
    pub fn complaints(&self) -> Vec<String> {
        check::check(self)
            .into_iter()
            .map(|complaint| complaint.message)
            .collect()
    }

    /// How many jobs all its builds have that want an agent.
    pub fn jobs(&self) -> u64 {
        let builds = self.timeline.iter().filter_map(|moment| moment.event.build());
        let steps = builds.flat_map(|build| &build.steps);
        let commands = steps.filter(|step| step.kind == StepKind::Command);
        commands.map(|step| u64::from(step.parallelism)).sum()
    }

    /// The queues that templates serve or jobs ask for, at any time.
    pub fn queues(&self) -> BTreeSet<&str> {
        let first = self.templates.iter().map(TemplateSpec::queue);
        let later = self.timeline.iter().filter_map(|moment| moment.event.template());
        let steps = self.timeline.iter().filter_map(|moment| moment.event.build());
        let steps = steps.flat_map(|build| &build.steps);
        let asked = steps
            .filter(|step| step.kind == StepKind::Command)
            .map(|step| step.queue.as_deref().unwrap_or(labels::DEFAULT_QUEUE));
        first.chain(later.map(TemplateSpec::queue)).chain(asked).collect()
    }

    /// When it begins, if it says so in a way that can be read.
    pub fn starts_at(&self) -> Option<buildscaler_core::Timestamp> {
        let text = self.starts.as_deref()?;
        let time: jiff::Timestamp = text.parse().ok()?;
        Some(buildscaler_core::Timestamp::from_millis(time.as_millisecond()))
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
