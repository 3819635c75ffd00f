//! Deliberate bugs, each of which the explorer has to find. They stand between
//! the core and its world: the core itself is what is shipped.

use std::time::Duration;

use buildscaler_core::{Action, Command, Config, Failure, Input, LookEnd, Outcome, Spending, labels};

use super::worlds::{SmallWorld, template};

/// A deliberate bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// Stops are sent with `{"force": true}`.
    ForcedStop,
    /// A list of agents that failed is taken for all there are.
    PartialList,
    /// Pods keep the labels that the API server put on the template.
    CopiedLabels,
    /// Deletes are sent without the uid as a precondition.
    NoPrecondition,
    /// Creates are taken for over as soon as they are sent.
    IgnoredCreates,
    /// Agents have a second to start.
    NoGrace,
    /// Stops are taken for done and never carried out.
    ForgottenStops,
    /// What a paused process had decided is sent whenever it wakes.
    NoFence,
    /// Writes of the Lease do not name the version that was read.
    BlindLease,
}

impl Bug {
    /// Every bug, with a world in which it shows.
    pub const ALL: &'static [(Self, &'static str)] = &[
        (Self::ForcedStop, "replacement"),
        (Self::PartialList, "blind"),
        (Self::CopiedLabels, "calm"),
        (Self::NoPrecondition, "leftover"),
        (Self::IgnoredCreates, "everything"),
        (Self::NoGrace, "no-show"),
        (Self::ForgottenStops, "calm"),
        (Self::NoFence, "succession"),
        (Self::BlindLease, "succession"),
    ];

    /// By which it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::ForcedStop => "forced-stop",
            Self::PartialList => "partial-list",
            Self::CopiedLabels => "copied-labels",
            Self::NoPrecondition => "no-precondition",
            Self::IgnoredCreates => "ignored-creates",
            Self::NoGrace => "no-grace",
            Self::ForgottenStops => "forgotten-stops",
            Self::NoFence => "no-fence",
            Self::BlindLease => "blind-lease",
        }
    }

    /// The controller's settings.
    pub(super) fn config(bug: Option<Self>) -> Config {
        let config = SmallWorld::config();
        if bug == Some(Self::NoGrace) {
            return Config {
                agent_startup_timeout: Duration::from_secs(1),
                ..config
            };
        }
        config
    }

    /// What the controller learns.
    pub(super) fn input(bug: Option<Self>, mut input: Input) -> Input {
        if let (Some(Self::PartialList), Input::Buildkite { look, .. }) = (bug, &mut input) {
            look.end = LookEnd::Complete;
        }
        input
    }

    /// What is sent.
    pub(super) fn command(bug: Option<Self>, mut command: Command) -> Command {
        if let (Some(Self::CopiedLabels), Action::CreatePod(create)) = (bug, &mut command.action) {
            let version = if create.template == template(1).uid { 1 } else { 2 };
            let copied = &template(version).pod_template.0["metadata"]["labels"];
            for key in labels::CONTROLLER_LABELS {
                if let Some(value) = copied.get(key) {
                    create.manifest["metadata"]["labels"][key] = value.clone();
                }
            }
        }
        command
    }

    /// What the controller is told at once.
    pub(super) fn answer(bug: Option<Self>, command: &Command) -> Option<Input> {
        let creates = matches!(command.action, Action::CreatePod(_));
        (creates && bug == Some(Self::IgnoredCreates)).then(|| Input::Outcome {
            id: command.id,
            outcome: Outcome::Failed(Failure::Unavailable {
                message: "ignored".into(),
            }),
            spending: Spending::default(),
        })
    }

    pub(super) fn stops_by_force(bug: Option<Self>) -> bool {
        bug == Some(Self::ForcedStop)
    }

    pub(super) fn forgets_stops(bug: Option<Self>) -> bool {
        bug == Some(Self::ForgottenStops)
    }

    pub(super) fn forgets_fences(bug: Option<Self>) -> bool {
        bug == Some(Self::NoFence)
    }

    pub(super) fn forgets_versions(bug: Option<Self>) -> bool {
        bug == Some(Self::BlindLease)
    }

    pub(super) fn forgets_preconditions(bug: Option<Self>) -> bool {
        bug == Some(Self::NoPrecondition)
    }
}
