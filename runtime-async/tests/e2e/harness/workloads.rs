//! What runs in the pods, by namespace and image.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use buildscaler_testbed::agent::Synthetic;
use buildscaler_testbed::kubelet::{ExitStatus, PodContext, Process, Signals, Workload};
use futures::FutureExt;
use futures::future::BoxFuture;

use super::installed::Installed;

/// What a template asks to be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Image {
    /// The real agent.
    Agent,
    /// An imitation of it, for cases with more agents than the machine can run.
    Synthetic,
    /// The real agent in an image that can be taken away.
    Fragile,
    /// A program that runs and never registers with Buildkite.
    Mute,
}

impl Image {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Agent => "buildkite/agent:3",
            Self::Synthetic => "testbed/synthetic-agent",
            Self::Fragile => "testbed/fragile-agent",
            Self::Mute => "testbed/never-registers",
        }
    }
}

/// The programs of one world.
#[derive(Clone)]
pub(super) struct Programs {
    pub(super) agent: Arc<Process>,
    pub(super) synthetic: Arc<Synthetic>,
    pub(super) installed: Installed,
}

/// The workloads of all worlds, each with a Buildkite of its own.
#[derive(Default)]
pub(super) struct Workloads {
    by_namespace: Mutex<BTreeMap<String, Programs>>,
}

impl Workloads {
    pub(super) fn add(&self, namespace: &str, programs: Programs) {
        let mut known = self.by_namespace.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(namespace.to_owned(), programs);
    }
}

impl Workload for Workloads {
    fn run(&self, pod: PodContext, mut signals: Signals) -> BoxFuture<'static, ExitStatus> {
        let programs = self.by_namespace.lock().unwrap_or_else(PoisonError::into_inner);
        let programs = programs.get(&pod.namespace);
        let is = |image: Image| pod.image == image.name();
        match programs {
            Some(programs) if is(Image::Agent) || is(Image::Fragile) => programs.agent.run(pod, signals),
            Some(programs) if Installed::has(&pod.image) => programs.installed.clone().run(pod, signals).boxed(),
            Some(programs) if is(Image::Synthetic) => programs.synthetic.run(pod, signals),
            Some(_) | None => async move {
                signals.terminated().await;
                ExitStatus::TERMINATED
            }
            .boxed(),
        }
    }
}
