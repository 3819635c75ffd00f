//! What may happen in the outside world.

use serde::{Deserialize, Serialize};

use super::span::Span;
use super::workload::{BuildEvent, TemplateSpec};

/// Something that happens, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Moment {
    /// When, counted from the beginning of the scenario.
    pub at: Span,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

/// Something that comes from outside: a user, a failure, chance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// A build is created.
    Build(BuildEvent),
    /// A user cancels the build of this id.
    CancelBuild(String),
    /// A user lets the build of this id pass its block steps.
    Unblock(String),
    /// A template is created; if there is one of this name, it is deleted and
    /// made anew (a Job's pod template cannot be changed).
    ApplyTemplate(TemplateSpec),
    /// The template of this name is deleted; its pods stay.
    DeleteTemplate(String),
    /// An operator pauses every connected agent of this queue.
    PauseAgents(String),
    /// And ends the pause.
    ResumeAgents(String),
    /// A node is lost with everything on it: silent at first, its pods are
    /// removed after five minutes. The node with most pods if 0, counted from 1.
    LoseNode(u32),
    /// So many nodes are added.
    AddNodes(u32),
    /// The agents of so many pods die without a word (the oldest idle first,
    /// then starting ones); their pods fail.
    KillPods(u32),
    /// Someone deletes so many pods by hand, busy ones excepted.
    DeletePods(u32),
    /// The controller is killed and started again, with no memory.
    CrashController,
    /// The controller is away until `start-controller`.
    StopController,
    /// It is back, with no memory.
    StartController,
    /// A second controller of the same configuration starts beside it.
    StartSecondController,
    /// And is killed.
    StopSecondController,
    /// The controller's clock jumps ahead.
    ClockForward(Span),
    /// The controller's clock jumps back.
    ClockBack(Span),
    /// Requests go wrong.
    Fault(FaultSpec),
    /// Other tools spend so many requests of the organisation's limit.
    SpendRequests(u32),
    /// All faults end here; what is promised after faults counts from now on.
    FaultsEnd,
}

/// Requests of a kind that go wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FaultSpec {
    /// Which requests.
    pub on: RequestKind,
    /// What goes wrong.
    pub with: FaultKind,
    /// For how long; until the end (or `faults-end`) if left out.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub lasts: Option<Span>,
    /// How many requests pass before.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub skip: u64,
    /// How many requests it strikes; all if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Requests of the controller, told apart by what they ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RequestKind {
    /// A page of builds.
    Builds,
    /// A page of agents.
    Agents,
    /// A stop.
    Stops,
    /// Lists of templates.
    Templates,
    /// Lists of pods.
    Pods,
    /// Creation of a pod.
    Creates,
    /// Deletion of a pod.
    Deletes,
    /// Everything sent to Buildkite.
    Buildkite,
    /// Everything sent to Kubernetes.
    Kubernetes,
}

/// What goes wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// It is lost before it arrives.
    Drop,
    /// It is carried out, its answer is lost.
    LoseReply,
    /// Its answer comes later by so much.
    Delay(Span),
    /// 429, come back in 5 s.
    TooManyRequests,
    /// 500.
    ServerError,
    /// 503.
    Unavailable,
    /// The answer is no JSON.
    Garbled,
    /// Half of a page's rows are missing, and it says that there is another page.
    Truncated,
    /// The answer is the one of before the fault.
    Stale,
}
