//! Taint-based eviction: pods leave a node that they do not tolerate any more.

use std::collections::{BTreeMap, BTreeSet};

use buildscaler_core::Timestamp;
use serde_json::{Value, json};

use super::Touched;
use crate::kubernetes::objects::{condition_is_true, is_terminating, items, set_condition, text};
use crate::kubernetes::remove::DeleteOptions;
use crate::kubernetes::resource::Resource;
use crate::kubernetes::store::Key;
use crate::kubernetes::{FakeKubernetes, time};

/// Follows nodes with `NoExecute` taints and the pods that are to leave them.
#[derive(Debug, Default)]
pub(super) struct TaintManager {
    tainted: BTreeMap<String, Vec<Value>>,
    due: BTreeMap<Key, Timestamp>,
}

impl TaintManager {
    pub(super) fn follow(&mut self, fake: &FakeKubernetes, touched: &[Touched], now: Timestamp) {
        let mut nodes = BTreeSet::new();
        for Touched { resource, key, object } in touched {
            match (resource, object) {
                (Resource::Nodes, node) => {
                    let taints = node.as_deref().map(taints).unwrap_or_default();
                    if self.tainted.get(&key.name).map(Vec::as_slice).unwrap_or_default() != taints {
                        nodes.insert(key.name.clone());
                        self.tainted.insert(key.name.clone(), taints);
                    }
                }
                (Resource::Pods, Some(pod)) => self.consider(key, pod, now),
                (Resource::Pods, None) => {
                    self.due.remove(key);
                }
                _ => {}
            }
        }
        if nodes.is_empty() {
            return;
        }
        for pod in fake.objects(Resource::Pods, "") {
            if nodes.contains(text(pod, &["spec", "nodeName"])) {
                let key = Key::of(pod);
                self.due.remove(&key);
                self.consider(&key, pod, now);
            }
        }
    }

    fn consider(&mut self, key: &Key, pod: &Value, now: Timestamp) {
        let Some(taints) = self.tainted.get(text(pod, &["spec", "nodeName"])) else {
            return;
        };
        match patience(pod, taints) {
            Some(seconds) if !is_terminating(pod) => {
                self.due
                    .entry(key.clone())
                    .or_insert_with(|| now.after(time::seconds(seconds)));
            }
            Some(_) | None => {
                self.due.remove(key);
            }
        }
    }

    pub(super) fn run(&mut self, fake: &mut FakeKubernetes, now: Timestamp) -> Option<Timestamp> {
        let due = self
            .due
            .iter()
            .filter(|(_, at)| **at <= now)
            .map(|(key, _)| key.clone())
            .collect::<Vec<_>>();
        for key in due {
            self.due.remove(&key);
            evict(fake, now, &key);
        }
        self.due.values().min().copied()
    }
}

/// The `NoExecute` taints of a node, with those that the node controller puts on one that is not ready.
fn taints(node: &Value) -> Vec<Value> {
    let mut taints = items(node, &["spec", "taints"])
        .iter()
        .filter(|taint| taint["effect"] == "NoExecute")
        .cloned()
        .collect::<Vec<_>>();
    let ready = items(node, &["status", "conditions"])
        .iter()
        .find(|condition| condition["type"] == "Ready");
    if ready.is_some() && !condition_is_true(node, "Ready") {
        let unknown = ready.is_some_and(|condition| condition["status"] == "Unknown");
        let key = if unknown {
            "node.kubernetes.io/unreachable"
        } else {
            "node.kubernetes.io/not-ready"
        };
        taints.push(json!({ "key": key, "effect": "NoExecute" }));
    }
    taints
}

/// How many seconds a pod may stay; none means for ever.
fn patience(pod: &Value, taints: &[Value]) -> Option<i64> {
    let tolerations = items(pod, &["spec", "tolerations"]);
    let patience = |taint: &Value| {
        let mut matching = tolerations
            .iter()
            .filter(|toleration| tolerates(toleration, taint))
            .peekable();
        match matching.peek() {
            None => Some(0),
            Some(_) => matching
                .filter_map(|toleration| toleration["tolerationSeconds"].as_i64())
                .min(),
        }
    };
    taints.iter().filter_map(patience).min()
}

pub(super) fn tolerates(toleration: &Value, taint: &Value) -> bool {
    let key = toleration["key"].is_null() || toleration["key"] == taint["key"];
    let effect = toleration["effect"].is_null() || toleration["effect"] == taint["effect"];
    key && effect && (toleration["operator"] == "Exists" || text(toleration, &["value"]) == text(taint, &["value"]))
}

fn evict(fake: &mut FakeKubernetes, now: Timestamp, key: &Key) {
    let Some(pod) = fake.store.read(Resource::Pods, key) else {
        return;
    };
    let mut pod = Value::clone(pod);
    let condition = json!({
        "type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager",
        "message": "Taint manager: deleting due to NoExecute taint", "lastTransitionTime": time::to_text(now),
    });
    set_condition(&mut pod, condition);
    fake.store.write(Resource::Pods, pod);
    drop(fake.delete(
        now,
        Resource::Pods,
        &key.namespace,
        &key.name,
        &DeleteOptions::default(),
    ));
}
