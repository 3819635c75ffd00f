//! What is kept of a pod template and of a pod's manifest: the few things that
//! blueprints are drawn from, named one by one. Everything else is dropped.

use buildscaler_core::labels;
use serde_json::{Map, Value, json};

use super::{LEFT_OUT, Redactor, is_number};

/// The variables of the agent's container that decide something.
const VARIABLES: [&str; 6] = [
    labels::POD_UID_VARIABLE,
    labels::TAGS_VARIABLE,
    labels::META_DATA_VARIABLE,
    labels::QUEUE_VARIABLE,
    labels::IDLE_TIMEOUT_VARIABLE,
    labels::TOKEN_VARIABLE,
];

impl Redactor {
    /// A pod template, or what is there in its place.
    pub(super) fn pod_template(&self, template: &Value) -> Value {
        let mut kept = Map::new();
        if let Some(labels) = self.label_values(template.pointer("/metadata/labels")) {
            kept.insert("metadata".into(), json!({ "labels": labels }));
        }
        if let Some(spec) = template.get("spec").and_then(Value::as_object) {
            kept.insert("spec".into(), self.spec(spec));
        }
        Value::Object(kept)
    }

    /// The manifest of a pod that is to be created.
    pub(super) fn manifest(&self, manifest: &Value) -> Value {
        let mut metadata = Map::new();
        for key in ["name", "namespace"] {
            if let Some(name) = manifest["metadata"][key].as_str() {
                metadata.insert(key.into(), json!(name));
            }
        }
        if let Some(labels) = self.label_values(manifest.pointer("/metadata/labels")) {
            metadata.insert("labels".into(), labels);
        }
        let mut kept = Map::new();
        kept.insert("metadata".into(), Value::Object(metadata));
        if let Some(spec) = manifest.get("spec").and_then(Value::as_object) {
            kept.insert("spec".into(), self.spec(spec));
        }
        Value::Object(kept)
    }

    fn label_values(&self, labels: Option<&Value>) -> Option<Value> {
        let labels = labels?.as_object()?;
        let kept: Map<String, Value> = labels
            .iter()
            .filter_map(|(key, value)| Some((self.key(key), json!(self.label(key, value.as_str()?)))))
            .collect();
        Some(Value::Object(kept))
    }

    fn spec(&self, spec: &Map<String, Value>) -> Value {
        let mut kept = Map::new();
        if spec.get("restartPolicy").is_some_and(|policy| policy == "Never") {
            kept.insert("restartPolicy".into(), json!("Never"));
        }
        if let Some(containers) = spec.get("containers").and_then(Value::as_array) {
            let containers = containers.iter().map(|container| self.container(container)).collect();
            kept.insert("containers".into(), Value::Array(containers));
        }
        if let Some(volumes) = spec.get("volumes").and_then(Value::as_array) {
            kept.insert("volumes".into(), blanks(volumes));
        }
        Value::Object(kept)
    }

    fn container(&self, container: &Value) -> Value {
        let Some(container) = container.as_object() else {
            return Value::Null;
        };
        let mut kept = Map::new();
        if container.get("name").is_some_and(|name| name == "agent") {
            kept.insert("name".into(), json!("agent"));
        }
        for key in ["command", "args"] {
            if let Some(words) = container.get(key).and_then(Value::as_array) {
                kept.insert(key.into(), words.iter().map(word).collect());
            }
        }
        match container.get("env") {
            Some(Value::Array(variables)) => {
                let variables = variables.iter().filter_map(|variable| self.variable(variable));
                kept.insert("env".into(), variables.collect());
            }
            None | Some(Value::Null) => {}
            Some(_) => {
                kept.insert("env".into(), json!(LEFT_OUT));
            }
        }
        if let Some(sources) = container.get("envFrom") {
            kept.insert(
                "envFrom".into(),
                sources.as_array().map_or(Value::Null, |all| blanks(all)),
            );
        }
        Value::Object(kept)
    }

    /// A variable that decides something. Of its value, only tags and an idle
    /// timeout do.
    fn variable(&self, variable: &Value) -> Option<Value> {
        let name = variable["name"].as_str().filter(|name| VARIABLES.contains(name))?;
        let mut kept = Map::new();
        kept.insert("name".into(), json!(name));
        if let Some(value) = variable.get("value").and_then(Value::as_str) {
            let value = if [labels::TAGS_VARIABLE, labels::META_DATA_VARIABLE].contains(&name) {
                self.tag_list(value)
            } else if name == labels::IDLE_TIMEOUT_VARIABLE && is_number(value) {
                value.to_owned()
            } else {
                LEFT_OUT.to_owned()
            };
            kept.insert("value".into(), json!(value));
        }
        Some(Value::Object(kept))
    }

    /// Tags with commas between them, as an agent reads them.
    fn tag_list(&self, list: &str) -> String {
        let tags: Vec<String> = list.split(',').map(|tag| self.tag(tag.trim())).collect();
        tags.join(",")
    }
}

/// As many empty objects.
fn blanks(values: &[Value]) -> Value {
    values.iter().map(|_| json!({})).collect()
}

/// A word of a command line: nothing but which of the agent's options it sets.
fn word(word: &Value) -> Value {
    let Some(word) = word.as_str() else {
        return Value::Null;
    };
    let mut kept = match word {
        "--tags" | "--queue" => return json!(word),
        _ if word.starts_with("--tags=") => format!("--tags={LEFT_OUT}"),
        _ if word.starts_with("--queue=") => format!("--queue={LEFT_OUT}"),
        _ => LEFT_OUT.to_owned(),
    };
    if word.contains("--token") {
        kept.push_str(" --token");
    }
    json!(kept)
}
