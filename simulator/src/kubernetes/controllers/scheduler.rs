//! The scheduler: a Ready node with room, or a condition that says there is none.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use buildscaler_core::Timestamp;
use serde_json::{Value, json};

use super::Touched;
use super::taints::tolerates;
use crate::kubernetes::admission::quantity;
use crate::kubernetes::objects::{condition_is_true, is_finished_pod, is_terminating, items, set_condition, text};
use crate::kubernetes::resource::Resource;
use crate::kubernetes::store::Key;
use crate::kubernetes::{FakeKubernetes, time};

const RESOURCES: [&str; 2] = ["cpu", "memory"];

/// What pods ask of a node, or what a node has: pods, and thousandths of cpu and memory.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Amount {
    pods: f64,
    resources: [f64; 2],
}

/// Binds pods to nodes, the emptiest first.
#[derive(Debug, Default)]
pub(super) struct Scheduler {
    waiting: BTreeSet<Key>,
    retry: bool,
    fresh: BTreeSet<Key>,
    nodes: BTreeMap<String, Arc<Value>>,
    bound: BTreeMap<Key, (String, Amount)>,
    used: BTreeMap<String, Amount>,
}

impl Scheduler {
    pub(super) fn follow(&mut self, touched: &[Touched]) {
        for Touched { resource, key, object } in touched {
            match (resource, object) {
                (Resource::Pods, object) => self.follow_pod(key, object.as_deref()),
                (Resource::Nodes, Some(node)) => {
                    self.retry |= self
                        .nodes
                        .get(&key.name)
                        .is_none_or(|old| old["spec"] != node["spec"] || old["status"] != node["status"]);
                    self.nodes.insert(key.name.clone(), Arc::clone(node));
                }
                (Resource::Nodes, None) => {
                    self.nodes.remove(&key.name);
                }
                _ => {}
            }
        }
    }

    fn follow_pod(&mut self, key: &Key, pod: Option<&Value>) {
        if let Some((node, amount)) = self.bound.remove(key) {
            self.used.entry(node).or_default().add(amount, -1.0);
            self.retry = true;
        }
        self.waiting.remove(key);
        let Some(pod) = pod.filter(|pod| !is_finished_pod(pod)) else {
            return;
        };
        let node = text(pod, &["spec", "nodeName"]);
        if !node.is_empty() {
            let amount = Amount::asked_by(pod);
            self.used.entry(node.to_owned()).or_default().add(amount, 1.0);
            self.bound.insert(key.clone(), (node.to_owned(), amount));
        } else if !is_terminating(pod) && text(pod, &["spec", "schedulerName"]) == "default-scheduler" {
            self.waiting.insert(key.clone());
            if !items(pod, &["status", "conditions"])
                .iter()
                .any(|condition| condition["type"] == "PodScheduled")
            {
                self.fresh.insert(key.clone());
            }
        }
    }

    pub(super) fn run(&mut self, fake: &mut FakeKubernetes, now: Timestamp) {
        let retry = std::mem::take(&mut self.retry);
        let fresh = std::mem::take(&mut self.fresh);
        let due = if retry {
            self.waiting.clone()
        } else {
            fresh.intersection(&self.waiting).cloned().collect()
        };
        for key in due {
            let Some(pod) = fake.store.read(Resource::Pods, &key).map(Arc::clone) else {
                continue;
            };
            match self.choose(&pod) {
                // The binding is refused only if the pod has changed meanwhile, and then it is looked at again.
                Some(node) => drop(fake.bind(now, &key.namespace, &key.name, &node)),
                None => self.complain(fake, now, &pod),
            }
            self.follow_pod(&key, fake.store.read(Resource::Pods, &key).map(|pod| &**pod));
            self.retry = false;
        }
    }

    fn choose(&self, pod: &Value) -> Option<String> {
        let asked = Amount::asked_by(pod);
        let used = |name: &String| self.used.get(name).copied().unwrap_or_default();
        self.nodes
            .iter()
            .filter(|(name, node)| fits(pod, node) && used(name).leaves_room_for(asked, Amount::of_node(node)))
            .min_by(|(one, _), (other, _)| used(one).pods.total_cmp(&used(other).pods).then_with(|| one.cmp(other)))
            .map(|(name, _)| name.clone())
    }

    fn complain(&self, fake: &mut FakeKubernetes, now: Timestamp, pod: &Value) {
        let told = items(pod, &["status", "conditions"])
            .iter()
            .any(|condition| condition["reason"] == "Unschedulable");
        if told {
            return;
        }
        let count = self.nodes.len();
        let message = match count {
            0 => "no nodes available to schedule pods".to_owned(),
            _ => format!(
                "0/{count} nodes are available: {count} node(s) did not fit. preemption: not eligible due to a terminating pod."
            ),
        };
        let mut pod = pod.clone();
        let condition = json!({
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message,
            "lastProbeTime": null, "lastTransitionTime": time::to_text(now),
        });
        set_condition(&mut pod, condition);
        fake.store.write(Resource::Pods, pod);
    }
}

fn fits(pod: &Value, node: &Value) -> bool {
    let labels = &node["metadata"]["labels"];
    let selected = pod["spec"]["nodeSelector"]
        .as_object()
        .into_iter()
        .flatten()
        .all(|(key, value)| labels.get(key) == Some(value));
    let tolerated = items(node, &["spec", "taints"])
        .iter()
        .filter(|taint| taint["effect"] != "PreferNoSchedule")
        .all(|taint| {
            items(pod, &["spec", "tolerations"])
                .iter()
                .any(|toleration| tolerates(toleration, taint))
        });
    condition_is_true(node, "Ready")
        && node["spec"]["unschedulable"] != true
        && selected
        && tolerated
        && !is_terminating(node)
}

impl Amount {
    fn asked_by(pod: &Value) -> Self {
        let mut amount = Self {
            pods: 1.0,
            ..Self::default()
        };
        for container in items(pod, &["spec", "containers"]) {
            for (slot, name) in amount.resources.iter_mut().zip(RESOURCES) {
                let (requests, limits) = (
                    &container["resources"]["requests"][name],
                    &container["resources"]["limits"][name],
                );
                *slot += read(if requests.is_null() { limits } else { requests }).unwrap_or(0.0);
            }
        }
        amount
    }

    fn of_node(node: &Value) -> Self {
        let allocatable = &node["status"]["allocatable"];
        let resources = RESOURCES.map(|name| read(&allocatable[name]).unwrap_or(f64::INFINITY));
        Self {
            pods: read(&allocatable["pods"]).map_or(110.0, |thousandths| thousandths / 1000.0),
            resources,
        }
    }

    fn add(&mut self, other: Self, sign: f64) {
        self.pods += sign * other.pods;
        for (slot, more) in self.resources.iter_mut().zip(other.resources) {
            *slot += sign * more;
        }
    }

    fn leaves_room_for(self, asked: Self, all: Self) -> bool {
        let mut sum = self;
        sum.add(asked, 1.0);
        sum.pods <= all.pods && sum.resources.iter().zip(all.resources).all(|(sum, all)| *sum <= all)
    }
}

fn read(value: &Value) -> Option<f64> {
    value
        .as_str()
        .map(quantity)
        .or_else(|| value.as_f64().map(|number| number * 1000.0))
}
