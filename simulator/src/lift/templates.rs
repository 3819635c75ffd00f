//! Templates: which there were at first, and what became of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use buildscaler_core::{Template, Timestamp, labels};
use serde_json::Value;

use super::span;
use crate::import::names;
use crate::scenario::{Event, Moment, TemplateSpec};

/// What is known of templates so far.
#[derive(Debug, Default)]
pub(super) struct Templates {
    first: Vec<TemplateSpec>,
    changes: Vec<(Timestamp, Event)>,
    /// Those that there are, by namespace and name.
    now: BTreeMap<(String, String), Known>,
    /// The names that they have in the scenario, which knows no namespaces.
    names: BTreeSet<String>,
    begun: bool,
}

#[derive(Debug)]
struct Known {
    version: (String, String, i64),
    name: String,
}

impl Templates {
    /// Takes in all templates that there are.
    pub(super) fn seen(&mut self, templates: &[Arc<Template>], at: Timestamp) {
        let mut gone: BTreeSet<(String, String)> = self.now.keys().cloned().collect();
        for template in templates.iter().filter(|template| !template.deleting) {
            let key = (template.namespace.clone(), template.name.clone());
            gone.remove(&key);
            self.one(key, template, at);
        }
        for key in gone {
            if let Some(known) = self.now.remove(&key) {
                self.names.remove(&known.name);
                self.changes.push((at, Event::DeleteTemplate(known.name)));
            }
        }
        self.begun = true;
    }

    fn one(&mut self, key: (String, String), template: &Template, at: Timestamp) {
        let version = (
            template.uid.as_str().to_owned(),
            template.hash.as_str().to_owned(),
            template.parallelism,
        );
        let name = match self.now.get(&key) {
            Some(known) if known.version == version => return,
            Some(known) => known.name.clone(),
            None => names::template(&template.name, &mut self.names),
        };
        let spec = spec(name.clone(), template);
        if self.begun {
            self.changes.push((at, Event::ApplyTemplate(spec)));
        } else {
            self.first.push(spec);
        }
        self.now.insert(key, Known { version, name });
    }

    /// The templates of the beginning, and the changes after it.
    pub(super) fn lifted(self, begins: Timestamp) -> (Vec<TemplateSpec>, Vec<Moment>) {
        let change = |(at, event)| Moment {
            at: span(begins, at),
            event,
        };
        (self.first, self.changes.into_iter().map(change).collect())
    }
}

fn spec(name: String, template: &Template) -> TemplateSpec {
    let queue = template.queue.as_ref().map(|queue| names::label(queue.as_str()));
    let annotations = template.annotations.iter().filter(|(_, value)| names::is_text(value));
    TemplateSpec {
        queue: queue.filter(|queue| *queue != name),
        image: format!("recorded:{}", names::label(template.hash.as_str())),
        parallelism: template.parallelism,
        annotations: annotations
            .map(|(key, value)| (names::label(key), value.clone()))
            .collect(),
        tags: tags(&template.pod_template.0),
        ..TemplateSpec::named(name)
    }
}

/// The tags that the template gives its agents, the queue's and ours excepted.
fn tags(pod_template: &Value) -> Vec<String> {
    let containers = pod_template.pointer("/spec/containers").and_then(Value::as_array);
    let variables = containers
        .into_iter()
        .flatten()
        .filter_map(|container| container["env"].as_array());
    let tags = variables.flatten().filter(|variable| {
        let name = variable["name"].as_str();
        name == Some(labels::TAGS_VARIABLE) || name == Some(labels::META_DATA_VARIABLE)
    });
    let lists = tags.filter_map(|variable| variable["value"].as_str());
    lists
        .flat_map(|list| list.split(','))
        .map(str::trim)
        .filter(|tag| names::is_tag(tag) && !tag.starts_with(labels::POD_UID_TAG))
        .map(str::to_owned)
        .collect()
}
