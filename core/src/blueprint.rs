//! From a Template to the pods made from it: what is added, what is taken
//! away, and when no pod may be made at all.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::annotations::{Terms, mount};
use crate::finding::{Finding, FindingKind};
use crate::labels;
use crate::names::Queue;
use crate::selector::LabelSelector;
use crate::template::Template;

pub(crate) mod agent_container;

/// A pod manifest that lacks nothing but its name.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Blueprint {
    manifest: Map<String, Value>,
    labels: BTreeMap<String, String>,
    /// The tags that agents of these pods will have.
    pub(crate) tags: Tags,
    /// What is doubtful about the template without keeping it from serving.
    pub(crate) notes: Vec<Finding>,
}

/// The tags of the agents that a template makes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tags {
    /// Those that the template spells out.
    pub(crate) known: Vec<String>,
    /// Whether there may be others: from a Secret, a file or the command line.
    pub(crate) open: bool,
}

impl fmt::Debug for Blueprint {
    /// Leaves the manifest out: it may hold secrets (Invariant 22).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blueprint")
            .field("tags", &self.tags)
            .finish_non_exhaustive()
    }
}

impl Blueprint {
    /// Draws the blueprint of `template`, whose queue is `queue`.
    ///
    /// The pod equals the template except for labels, `restartPolicy: Never`,
    /// added environment, and the volume that annotations ask for (Invariant
    /// 9). There is no ownerReference: the garbage collector would end busy
    /// pods when the Job is replaced.
    ///
    /// # Errors
    /// The finding that says why no pod can be made from this template.
    pub(crate) fn draw(template: &Template, queue: &Queue, terms: &Terms) -> Result<Self, Finding> {
        let bad = |detail: String| template_finding(FindingKind::BadTemplate, template, detail);
        let mut spec = template
            .pod_template
            .0
            .get("spec")
            .and_then(Value::as_object)
            .cloned()
            .ok_or_else(|| bad("its spec.template has no spec; write one with at least one container".into()))?;
        let labels = pod_labels(template, queue)?;
        let outcome =
            agent_container::equip(&mut spec, template, queue, terms.agents_own_idle_timeout()).map_err(bad)?;
        if let Some(volume) = &terms.volume {
            mount(volume, &mut spec, outcome.place, queue);
        }
        spec.insert("restartPolicy".into(), json!("Never"));

        let mut metadata = Map::new();
        metadata.insert("namespace".into(), json!(template.namespace));
        metadata.insert("labels".into(), json!(labels));
        if let Some(annotations) = template.pod_template.0.pointer("/metadata/annotations") {
            metadata.insert("annotations".into(), annotations.clone());
        }
        let mut manifest = Map::new();
        manifest.insert("apiVersion".into(), json!("v1"));
        manifest.insert("kind".into(), json!("Pod"));
        manifest.insert("metadata".into(), Value::Object(metadata));
        manifest.insert("spec".into(), Value::Object(spec));
        Ok(Self {
            manifest,
            labels,
            tags: outcome.tags,
            notes: outcome.notes,
        })
    }

    /// The whole manifest of the pod with this name.
    pub(crate) fn manifest(&self, name: &str) -> Value {
        let mut manifest = self.manifest.clone();
        if let Some(metadata) = manifest.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.insert("name".into(), json!(name));
        }
        Value::Object(manifest)
    }

    /// Whether a Job with this selector would take the pods for its own.
    pub(crate) fn would_be_adopted_by(&self, selector: &LabelSelector) -> bool {
        selector.matches(&self.labels)
    }
}

/// The labels of a pod: the template's, less those by which a Job would adopt
/// and delete it, and ours.
fn pod_labels(template: &Template, queue: &Queue) -> Result<BTreeMap<String, String>, Finding> {
    let ours = BTreeMap::from([
        (labels::APP.to_owned(), labels::APP_VALUE.to_owned()),
        (labels::QUEUE.to_owned(), queue.to_string()),
        (labels::JOB_UID.to_owned(), template.uid.to_string()),
        (labels::TEMPLATE_HASH.to_owned(), template.hash.to_string()),
    ]);
    let mut all: BTreeMap<String, String> = template
        .pod_template
        .0
        .pointer("/metadata/labels")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter(|(key, _)| !labels::CONTROLLER_LABELS.contains(&key.as_str()))
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect();
    all.extend(ours.clone());
    // With `manualSelector` the Job looks for labels of its author's choice:
    // they are dropped one by one until it looks past our pods.
    for key in template.selector.keys() {
        if !template.selector.matches(&all) {
            break;
        }
        if !ours.contains_key(key) {
            all.remove(key);
        }
    }
    if template.selector.matches(&all) {
        return Err(template_finding(
            FindingKind::Adoption,
            template,
            "its selector matches every pod made from it, so the Job controller would delete them, busy ones \
             included; remove manualSelector and the selector from the Job"
                .into(),
        ));
    }
    Ok(all)
}

/// A finding about a template.
pub(crate) fn template_finding(kind: FindingKind, template: &Template, detail: String) -> Finding {
    Finding {
        kind,
        subject: format!("{}/{}", template.namespace, template.name),
        detail,
    }
}
