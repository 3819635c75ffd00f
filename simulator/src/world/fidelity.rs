//! The two APIs at one of two fidelities.
//!
//! The *domain* fidelity applies actions directly to plain records; the *wire*
//! fidelity sends what a runtime would send, through `Exchange` and HTTP types,
//! to the fakes. Everything else in a world is the same for both, and tests
//! hold that their stories are.

use std::fmt::Debug;
use std::time::Duration;

use buildscaler_core::{ClusterView, Command, Input, Queue, Timestamp, Uid};

use super::container::AgentSettings;
use super::faults::Faults;
use crate::buildkite::FakeBuildkite;
use crate::scenario::TemplateSpec;

/// The namespace in which everything lives.
pub(crate) const NAMESPACE: &str = "ci";

/// What the kubelet says of an image that is not there.
pub(crate) const NO_IMAGE: &str = "failed to resolve reference: not found";

/// What both fidelities share of the outside world.
#[derive(Debug)]
pub(crate) struct Outside {
    pub(crate) buildkite: FakeBuildkite,
    pub(crate) faults: Faults,
    /// What requests did to pods, for the world to follow.
    pub(crate) effects: Vec<Effect>,
    pub(crate) buildkite_requests: u64,
    pub(crate) kubernetes_requests: u64,
}

/// What a request did to a pod.
#[derive(Debug)]
pub(crate) enum Effect {
    Created {
        uid: Uid,
        name: String,
        queue: Queue,
        agent: AgentSettings,
    },
    /// The pod is gone at once, or its agent is told to leave within `grace`.
    Deleted { uid: Uid, gone: bool, grace: Duration },
}

/// A pod, as the world calls it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PodRef<'a> {
    pub(crate) uid: &'a Uid,
    pub(crate) name: &'a str,
}

/// What a kubelet or the scheduler says of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Unschedulable,
    NoImage,
    Running,
    Succeeded,
    Failed,
}

/// How a request passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Passage {
    /// Whether it goes to Buildkite.
    pub(crate) buildkite: bool,
    /// What its answer is late by.
    pub(crate) late: Duration,
}

/// One of the two fidelities.
pub(crate) trait Fidelity: Debug {
    /// One command of a keeper, on its way.
    type Talk: Debug;

    fn new(seed: u64) -> Self;

    /// Creates the template; whoever calls has deleted one of the same name.
    fn create_template(&mut self, now: Timestamp, spec: &TemplateSpec);
    fn delete_template(&mut self, now: Timestamp, name: &str);
    fn bind(&mut self, now: Timestamp, pod: PodRef<'_>, node: u32);
    fn tell(&mut self, now: Timestamp, pod: PodRef<'_>, told: Told);
    /// A user's delete; whether the pod is gone at once.
    fn delete_pod(&mut self, now: Timestamp, pod: PodRef<'_>) -> bool;
    /// The kubelet's last word on a pod that is being deleted, or the pod
    /// garbage collector's on one whose node is gone.
    fn remove_pod(&mut self, now: Timestamp, pod: PodRef<'_>);
    /// What a watch shows.
    fn watched(&mut self, now: Timestamp) -> Option<ClusterView>;

    fn begin(&mut self, command: Command, clock: Timestamp) -> Self::Talk;
    /// Sends the talk's next request; none when there is nothing more to ask.
    fn send(&mut self, talk: &mut Self::Talk, clock: Timestamp) -> Option<bool>;
    /// Lets the request sent last arrive.
    fn serve(&mut self, talk: &mut Self::Talk, outside: &mut Outside, now: Timestamp) -> Passage;
    /// Lets its answer arrive.
    fn absorb(&mut self, talk: &mut Self::Talk, clock: Timestamp);
    fn finish(talk: Self::Talk, clock: Timestamp) -> Input;
}
