//! From a Kubernetes Job to a Template.

use std::collections::BTreeMap;
use std::sync::Arc;

use buildscaler_core::selector::{LabelSelector, Operator, Requirement};
use buildscaler_core::{PodTemplate, Queue, Template, Uid, labels};
use serde::Deserialize;
use serde_json::Value;

use super::list::Row;
use crate::date;
use crate::malformed::Malformed;

/// Reads a Template from a Job, as the API server writes it.
///
/// # Errors
/// If it is no Job that an API server could have written.
pub fn template(job: &Value) -> Result<Template, Malformed> {
    JobRow::deserialize(job)?.into_template()
}

/// A Job, without what is not needed.
#[derive(Deserialize)]
pub(super) struct JobRow {
    metadata: Metadata,
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    uid: String,
    namespace: String,
    name: String,
    creation_timestamp: String,
    deletion_timestamp: Option<String>,
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct Spec {
    parallelism: Option<i64>,
    selector: Option<Selector>,
    template: Value,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Selector {
    match_labels: Option<BTreeMap<String, String>>,
    match_expressions: Option<Vec<Expression>>,
}

#[derive(Deserialize)]
struct Expression {
    key: String,
    operator: String,
    values: Option<Vec<String>>,
}

#[derive(Default, Deserialize)]
struct Status {
    conditions: Option<Vec<Condition>>,
}

#[derive(Deserialize)]
struct Condition {
    r#type: String,
    status: String,
}

impl Row for JobRow {
    type Kept = Arc<Template>;
    const LIST: &'static str = "JobList";

    fn keep(self) -> Result<Self::Kept, Malformed> {
        self.into_template().map(Arc::new)
    }
}

impl JobRow {
    fn into_template(self) -> Result<Template, Malformed> {
        let Self { metadata, spec, status } = self;
        let created_at = date::required("creationTimestamp", &metadata.creation_timestamp)?;
        let pod_template = PodTemplate(spec.template);
        let hash = pod_template.fingerprint();
        Ok(Template {
            uid: Uid::from(metadata.uid),
            namespace: metadata.namespace,
            name: metadata.name,
            queue: metadata.labels.and_then(|labels| {
                let queue = labels.get(labels::QUEUE).filter(|queue| !queue.is_empty())?;
                Some(Queue::from(queue.as_str()))
            }),
            // The API server's own default.
            parallelism: spec.parallelism.unwrap_or(1),
            created_at,
            deleting: metadata.deletion_timestamp.is_some(),
            finished: status.conditions.into_iter().flatten().any(|condition| {
                ["Complete", "Failed"].contains(&condition.r#type.as_str()) && condition.status == "True"
            }),
            selector: spec.selector.unwrap_or_default().into(),
            annotations: ours(metadata.annotations.unwrap_or_default()),
            pod_template,
            hash,
        })
    }
}

/// The annotations below our prefix, without it.
fn ours(annotations: BTreeMap<String, String>) -> BTreeMap<String, String> {
    annotations
        .into_iter()
        .filter_map(|(key, value)| Some((key.strip_prefix(labels::ANNOTATION_PREFIX)?.to_owned(), value)))
        .collect()
}

impl From<Selector> for LabelSelector {
    fn from(selector: Selector) -> Self {
        Self {
            match_labels: selector.match_labels.unwrap_or_default(),
            match_expressions: selector
                .match_expressions
                .into_iter()
                .flatten()
                .map(Requirement::from)
                .collect(),
        }
    }
}

impl From<Expression> for Requirement {
    fn from(expression: Expression) -> Self {
        Self {
            key: expression.key,
            operator: match expression.operator.as_str() {
                "In" => Operator::In,
                "NotIn" => Operator::NotIn,
                "Exists" => Operator::Exists,
                "DoesNotExist" => Operator::DoesNotExist,
                _ => Operator::Unknown,
            },
            values: expression.values.unwrap_or_default(),
        }
    }
}
