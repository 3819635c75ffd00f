//! Looking into objects without knowing their types.

use serde_json::{Map, Value};

/// Text at a path of keys, empty where there is none.
pub(crate) fn text<'a>(object: &'a Value, path: &[&str]) -> &'a str {
    path.iter()
        .fold(object, |value, key| &value[*key])
        .as_str()
        .unwrap_or_default()
}

/// A list at a path of keys, empty where there is none.
pub(crate) fn items<'a>(object: &'a Value, path: &[&str]) -> &'a [Value] {
    path.iter()
        .fold(object, |value, key| &value[*key])
        .as_array()
        .map_or(&[], Vec::as_slice)
}

/// Sets a field that is absent or null.
pub(crate) fn default(object: &mut Value, key: &str, value: impl Into<Value>) {
    if object.is_null() {
        *object = Value::Object(Map::new());
    }
    if let Some(fields) = object.as_object_mut()
        && fields.get(key).is_none_or(Value::is_null)
    {
        fields.insert(key.to_owned(), value.into());
    }
}

/// Removes a field, if there is one.
pub(crate) fn take(object: &mut Value, key: &str) -> Option<Value> {
    object.as_object_mut()?.remove(key)
}

/// Whether a pod has come to its end.
pub(crate) fn is_finished_pod(pod: &Value) -> bool {
    matches!(text(pod, &["status", "phase"]), "Succeeded" | "Failed")
}

/// Whether an object is on its way out.
pub(crate) fn is_terminating(object: &Value) -> bool {
    object["metadata"]["deletionTimestamp"].is_string()
}

/// The reference to the controller that owns an object.
pub(crate) fn controller_of(object: &Value) -> Option<&Value> {
    items(object, &["metadata", "ownerReferences"])
        .iter()
        .find(|owner| owner["controller"] == true)
}

/// Whether a condition of that type is true.
pub(crate) fn condition_is_true(object: &Value, kind: &str) -> bool {
    items(object, &["status", "conditions"])
        .iter()
        .any(|condition| condition["type"] == kind && condition["status"] == "True")
}

/// Adds a condition, or replaces the one of the same type.
pub(crate) fn set_condition(object: &mut Value, condition: Value) {
    let conditions = &mut object["status"]["conditions"];
    if !conditions.is_array() {
        *conditions = Value::Array(Vec::new());
    }
    if let Some(list) = conditions.as_array_mut() {
        list.retain(|other| other["type"] != condition["type"]);
        list.push(condition);
    }
}
