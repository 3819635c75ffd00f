//! Pod garbage collection: pods whose node object is gone are ended by force.

use std::collections::BTreeMap;
use std::time::Duration;

use buildscaler_core::Timestamp;
use serde_json::{Value, json};

use super::Touched;
use crate::kubernetes::objects::{is_finished_pod, set_condition, text};
use crate::kubernetes::remove::DeleteOptions;
use crate::kubernetes::resource::Resource;
use crate::kubernetes::store::Key;
use crate::kubernetes::{FakeKubernetes, time};

/// How long a node has to be missing.
const QUARANTINE: Duration = Duration::from_secs(40);

/// Follows nodes that are gone while pods are bound to them.
#[derive(Debug, Default)]
pub(super) struct PodGc {
    missing: BTreeMap<String, Timestamp>,
}

impl PodGc {
    pub(super) fn follow(&mut self, fake: &FakeKubernetes, touched: &[Touched], now: Timestamp) {
        for Touched { resource, key, object } in touched {
            match (resource, object) {
                (Resource::Nodes, Some(_)) => {
                    self.missing.remove(&key.name);
                }
                (Resource::Nodes, None) => self.suspect(&key.name, now),
                (Resource::Pods, Some(pod)) => {
                    let node = text(pod, &["spec", "nodeName"]);
                    if !node.is_empty() && fake.object(Resource::Nodes, "", node).is_none() {
                        self.suspect(node, now);
                    }
                }
                _ => {}
            }
        }
    }

    fn suspect(&mut self, node: &str, now: Timestamp) {
        self.missing
            .entry(node.to_owned())
            .or_insert_with(|| now.after(QUARANTINE));
    }

    pub(super) fn run(&mut self, fake: &mut FakeKubernetes, now: Timestamp) -> Option<Timestamp> {
        let due = self
            .missing
            .iter()
            .filter(|(_, at)| **at <= now)
            .map(|(node, _)| node.clone())
            .collect::<Vec<_>>();
        for node in &due {
            self.missing.remove(node);
            let pods = fake
                .objects(Resource::Pods, "")
                .filter(|pod| text(pod, &["spec", "nodeName"]) == node)
                .map(|pod| Value::clone(pod))
                .collect::<Vec<_>>();
            for pod in pods {
                end(fake, now, pod);
            }
        }
        self.missing.values().min().copied()
    }
}

/// Says in the status what happened, then removes the pod at once.
fn end(fake: &mut FakeKubernetes, now: Timestamp, mut pod: Value) {
    let key = Key::of(&pod);
    if !is_finished_pod(&pod) {
        pod["status"]["phase"] = json!("Failed");
        let condition = json!({
            "type": "DisruptionTarget", "status": "True", "reason": "DeletionByPodGC",
            "message": "PodGC: node no longer exists", "lastTransitionTime": time::to_text(now),
        });
        set_condition(&mut pod, condition);
        fake.store.write(Resource::Pods, pod);
    }
    let options = DeleteOptions {
        grace: Some(0),
        ..DeleteOptions::default()
    };
    drop(fake.delete(now, Resource::Pods, &key.namespace, &key.name, &options));
}
