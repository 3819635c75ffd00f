//! Label and field selectors.

use serde_json::Value;

use super::refusal::Refusal;
use super::resource::Resource;

/// What a list or a watch narrows itself down to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    labels: Vec<LabelTerm>,
    fields: Vec<FieldTerm>,
}

#[derive(Clone, Debug)]
enum LabelTerm {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Absent(String),
}

#[derive(Clone, Debug)]
struct FieldTerm {
    path: String,
    value: String,
    equal: bool,
}

impl Selection {
    /// Reads the selectors of a query.
    pub(crate) fn parse(resource: Resource, labels: Option<&str>, fields: Option<&str>) -> Result<Self, Refusal> {
        let labels = split_terms(labels.unwrap_or_default())
            .into_iter()
            .map(|term| {
                LabelTerm::parse(term).ok_or_else(|| {
                    Refusal::bad_request(format!(
                        "unable to parse requirement: found {term:?}, expected a label requirement"
                    ))
                })
            })
            .collect::<Result<_, _>>()?;
        let fields = fields
            .unwrap_or_default()
            .split(',')
            .filter(|term| !term.is_empty())
            .map(|term| FieldTerm::parse(resource, term))
            .collect::<Result<_, _>>()?;
        Ok(Self { labels, fields })
    }

    pub(crate) fn is_everything(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    pub(crate) fn matches(&self, object: &Value) -> bool {
        let labels = &object["metadata"]["labels"];
        self.labels.iter().all(|term| term.matches(labels)) && self.fields.iter().all(|term| term.matches(object))
    }
}

/// Whether a `LabelSelector` object (`matchLabels`, `matchExpressions`) matches labels.
///
/// An empty selector matches everything, an absent one nothing.
pub(crate) fn label_selector_matches(selector: &Value, labels: &Value) -> bool {
    let Some(selector) = selector.as_object() else {
        return false;
    };
    let equal = selector
        .get("matchLabels")
        .and_then(Value::as_object)
        .into_iter()
        .flatten();
    let expressions = selector
        .get("matchExpressions")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    equal.into_iter().all(|(key, value)| labels.get(key) == Some(value))
        && expressions
            .into_iter()
            .all(|term| LabelTerm::expression(term).is_some_and(|term| term.matches(labels)))
}

impl LabelTerm {
    fn parse(term: &str) -> Option<Self> {
        if let Some((key, values)) = term.split_once(" notin ").or_else(|| term.split_once(" notin(")) {
            return Some(Self::NotIn(key.trim().to_owned(), set(values)));
        }
        if let Some((key, values)) = term.split_once(" in ").or_else(|| term.split_once(" in(")) {
            return Some(Self::In(key.trim().to_owned(), set(values)));
        }
        if let Some((key, value)) = term.split_once("!=") {
            return Some(Self::NotIn(key.trim().to_owned(), vec![value.trim().to_owned()]));
        }
        if let Some((key, value)) = term.split_once("==").or_else(|| term.split_once('=')) {
            return Some(Self::In(key.trim().to_owned(), vec![value.trim().to_owned()]));
        }
        let (absent, key) = term.strip_prefix('!').map_or((false, term), |key| (true, key));
        let key = key.trim();
        if key.is_empty() || key.contains(char::is_whitespace) {
            return None;
        }
        Some(if absent {
            Self::Absent(key.to_owned())
        } else {
            Self::Exists(key.to_owned())
        })
    }

    fn expression(term: &Value) -> Option<Self> {
        let key = term["key"].as_str()?.to_owned();
        let values = || {
            term["values"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect()
        };
        match term["operator"].as_str()? {
            "In" => Some(Self::In(key, values())),
            "NotIn" => Some(Self::NotIn(key, values())),
            "Exists" => Some(Self::Exists(key)),
            "DoesNotExist" => Some(Self::Absent(key)),
            _ => None,
        }
    }

    fn matches(&self, labels: &Value) -> bool {
        let value = |key: &String| labels.get(key).and_then(Value::as_str);
        match self {
            Self::In(key, values) => value(key).is_some_and(|value| values.iter().any(|wanted| wanted == value)),
            Self::NotIn(key, values) => value(key).is_none_or(|value| values.iter().all(|wanted| wanted != value)),
            Self::Exists(key) => value(key).is_some(),
            Self::Absent(key) => value(key).is_none(),
        }
    }
}

fn set(values: &str) -> Vec<String> {
    values
        .trim()
        .trim_matches(['(', ')'])
        .split(',')
        .map(|value| value.trim().to_owned())
        .collect()
}

/// Splits at the commas that are not inside the parentheses of a set.
fn split_terms(selector: &str) -> Vec<&str> {
    let mut depth = 0_i32;
    selector
        .split(|letter| {
            depth += i32::from(letter == '(') - i32::from(letter == ')');
            letter == ',' && depth == 0
        })
        .map(str::trim)
        .filter(|term| !term.is_empty())
        .collect()
}

impl FieldTerm {
    fn parse(resource: Resource, term: &str) -> Result<Self, Refusal> {
        let (path, value, equal) = if let Some((path, value)) = term.split_once("!=") {
            (path, value, false)
        } else if let Some((path, value)) = term.split_once("==").or_else(|| term.split_once('=')) {
            (path, value, true)
        } else {
            return Err(Refusal::bad_request(format!(
                "invalid selector: {term:?}; can't understand {term:?}"
            )));
        };
        if !selectable(resource, path) {
            return Err(Refusal::bad_request(format!("field label not supported: {path}")));
        }
        Ok(Self {
            path: path.to_owned(),
            value: value.to_owned(),
            equal,
        })
    }

    fn matches(&self, object: &Value) -> bool {
        let pointer = format!("/{}", self.path.replace('.', "/"));
        let value = object.pointer(&pointer);
        let text = match value {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        (text == self.value) == self.equal
    }
}

fn selectable(resource: Resource, path: &str) -> bool {
    if matches!(path, "metadata.name" | "metadata.namespace") {
        return true;
    }
    match resource {
        Resource::Pods => matches!(
            path,
            "spec.nodeName"
                | "spec.restartPolicy"
                | "spec.schedulerName"
                | "spec.serviceAccountName"
                | "status.phase"
                | "status.podIP"
        ),
        Resource::CoreEvents => {
            path.starts_with("involvedObject.") || matches!(path, "reason" | "type" | "source" | "reportingComponent")
        }
        Resource::Events => path.starts_with("regarding.") || matches!(path, "reason" | "type" | "reportingController"),
        Resource::Namespaces => path == "status.phase",
        Resource::Nodes => path == "spec.unschedulable",
        Resource::Secrets => path == "type",
        Resource::Jobs => path == "status.successful",
        Resource::ConfigMaps
        | Resource::ServiceAccounts
        | Resource::ResourceQuotas
        | Resource::LimitRanges
        | Resource::Leases
        | Resource::SelfSubjectAccessReviews => false,
    }
}
