//! Pods to create from one template, named one by one as they are sent: a
//! plan for thousands costs nothing until their turn comes.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::blueprint::Blueprint;
use crate::index::fingerprint;
use crate::memory::holds::{Holds, pod_key};
use crate::memory::lanes::Planned;
use crate::names::Queue;
use crate::pod_name::pod_name;
use crate::reason::Reason;
use crate::step::{Action, CreatePod};
use crate::template::Template;

/// Creates that are decided on and not sent yet.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PodRun {
    pub(crate) template: Arc<Template>,
    pub(crate) queue: Queue,
    pub(crate) blueprint: Arc<Blueprint>,
    /// Fingerprints of the names of pods that exist, in order. Two names with
    /// one fingerprint cost a slot that is left out, and nothing else.
    pub(crate) names: Vec<u64>,
    /// How many are left to create.
    pub(crate) left: u32,
    /// How many of them jobs wait for; the others are to be kept warm.
    #[serde(default = "all")]
    pub(crate) for_jobs: u32,
    /// The lowest slot that has not been tried.
    pub(crate) slot: u32,
}

/// What was written before agents were kept warm was for jobs.
fn all() -> u32 {
    u32::MAX
}

impl PodRun {
    /// The create in the lowest slot that is free.
    ///
    /// Two controllers that see the same pods choose the same slots and so the
    /// same names: the second create of each is refused by Kubernetes.
    pub(crate) fn next(&mut self, holds: &Holds) -> Option<Planned> {
        self.left = self.left.checked_sub(1)?;
        let reason = match self.for_jobs.checked_sub(1) {
            Some(left) => {
                self.for_jobs = left;
                Reason::Demand
            }
            None => Reason::MinIdle,
        };
        let template = &self.template;
        let name = loop {
            let name = pod_name(template, &self.queue, self.slot);
            self.slot += 1;
            if self.names.binary_search(&fingerprint(name.as_bytes())).is_err()
                && !holds.bars_create(&pod_key(&template.namespace, &name))
            {
                break name;
            }
        };
        let create = CreatePod {
            namespace: template.namespace.clone(),
            manifest: self.blueprint.manifest(&name),
            name,
            queue: self.queue.clone(),
            template: template.uid.clone(),
        };
        Some(Planned {
            action: Action::CreatePod(create),
            reason,
        })
    }
}
