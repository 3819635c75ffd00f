//! The two spellings of events: one store, two API groups.

use std::borrow::Cow;

use serde_json::Value;

use super::objects::{default, take};
use super::resource::Resource;

/// Fields of the core group, and what `events.k8s.io` calls them.
const SPELLINGS: [(&str, &str); 7] = [
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("reportingComponent", "reportingController"),
];

/// An object as it is kept.
pub(crate) fn absorb(resource: Resource, mut object: Value) -> Value {
    if resource == Resource::CoreEvents {
        for (core, events) in SPELLINGS {
            respell(&mut object, core, events);
        }
    }
    let stored = resource.stored_as();
    if let Some(fields) = object.as_object_mut() {
        fields.insert("apiVersion".to_owned(), Value::from(stored.api_version()));
        fields.insert("kind".to_owned(), Value::from(stored.facts().kind));
    }
    object
}

/// An object as a client of `resource` sees it.
pub(crate) fn present(resource: Resource, object: &Value) -> Cow<'_, Value> {
    if resource != Resource::CoreEvents {
        return Cow::Borrowed(object);
    }
    let mut object = object.clone();
    for (core, events) in SPELLINGS {
        respell(&mut object, events, core);
    }
    object["apiVersion"] = Value::from(resource.api_version());
    Cow::Owned(object)
}

fn respell(object: &mut Value, from: &str, to: &str) {
    if let Some(value) = take(object, from) {
        default(object, to, value);
    }
}
