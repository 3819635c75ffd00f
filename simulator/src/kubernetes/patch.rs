//! The four kinds of patches.

use serde_json::{Map, Value, json};

use super::objects::items;
use super::refusal::Refusal;

/// How a patch is to be read, from its content type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PatchKind {
    /// RFC 7386.
    Merge,
    /// Merge, where some lists are merged by a key of their elements.
    Strategic,
    /// RFC 6902.
    Json,
    /// Server-side apply; owners of fields are not tracked, so that it is a merge that may create.
    Apply,
}

impl PatchKind {
    pub(crate) fn of(content_type: &str) -> Result<Self, Refusal> {
        match content_type.split(';').next().unwrap_or_default().trim() {
            "application/merge-patch+json" => Ok(Self::Merge),
            "application/strategic-merge-patch+json" => Ok(Self::Strategic),
            "application/json-patch+json" => Ok(Self::Json),
            "application/apply-patch+yaml" | "application/apply-patch+json" => Ok(Self::Apply),
            other => Err(Refusal::unsupported_media(other)),
        }
    }
}

/// The object after the patch.
pub(crate) fn apply(kind: PatchKind, mut object: Value, patch: Value) -> Result<Value, Refusal> {
    match kind {
        PatchKind::Merge => merge(&mut object, patch, None),
        PatchKind::Strategic | PatchKind::Apply => merge(&mut object, patch, Some("")),
        PatchKind::Json => json_patch(&mut object, &patch)?,
    }
    Ok(object)
}

/// Merges; `field` is the name of the field being merged where lists are merged by key.
fn merge(target: &mut Value, patch: Value, field: Option<&str>) {
    match (target, patch) {
        (Value::Object(target), Value::Object(patch)) => {
            for (key, value) in patch {
                if key.starts_with('$') {
                    directive(target, &key, &value);
                } else if value.is_null() {
                    target.remove(&key);
                } else {
                    let slot = target.entry(key.clone()).or_insert(Value::Null);
                    merge(slot, value, field.map(|_| key.as_str()));
                }
            }
        }
        (Value::Array(target), Value::Array(patch)) => match field.and_then(merge_key) {
            Some(key) => merge_list(target, patch, key),
            None if field == Some("finalizers") => {
                for value in patch {
                    if !target.contains(&value) {
                        target.push(value);
                    }
                }
            }
            None => *target = patch,
        },
        (target, patch @ Value::Object(_)) => {
            // Nulls inside mean "nothing here", also where there was nothing.
            *target = Value::Object(Map::new());
            merge(target, patch, field);
        }
        (target, patch) => *target = patch,
    }
}

/// The key by which elements of a list are told apart.
fn merge_key(field: &str) -> Option<&'static str> {
    match field {
        "containers" | "initContainers" | "ephemeralContainers" | "env" | "volumes" | "imagePullSecrets" => {
            Some("name")
        }
        "conditions" | "addresses" => Some("type"),
        "ownerReferences" => Some("uid"),
        "volumeMounts" => Some("mountPath"),
        "ports" => Some("containerPort"),
        "podIPs" | "hostIPs" => Some("ip"),
        "taints" => Some("key"),
        _ => None,
    }
}

fn merge_list(target: &mut Vec<Value>, patch: Vec<Value>, key: &str) {
    for element in patch {
        let at = target
            .iter()
            .position(|other| other[key] == element[key] && !element[key].is_null());
        match (at, element["$patch"].as_str()) {
            (Some(at), Some("delete")) => {
                target.remove(at);
            }
            (Some(at), _) => merge(&mut target[at], element, Some("")),
            (None, Some("delete")) => {}
            (None, _) => target.push(element),
        }
    }
}

fn directive(target: &mut Map<String, Value>, key: &str, value: &Value) {
    if let Some(list) = key.strip_prefix("$deleteFromPrimitiveList/")
        && let (Some(Value::Array(list)), Some(gone)) = (target.get_mut(list), value.as_array())
    {
        list.retain(|item| !gone.contains(item));
    }
}

fn json_patch(object: &mut Value, patch: &Value) -> Result<(), Refusal> {
    for step in items(&json!({ "steps": patch }), &["steps"]) {
        json_step(object, step).ok_or_else(|| {
            let message = format!("the server rejected our request due to an error in our request: {step}");
            Refusal::new(http::StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message)
        })?;
    }
    Ok(())
}

fn json_step(object: &mut Value, step: &Value) -> Option<()> {
    let path = step["path"].as_str()?;
    match step["op"].as_str()? {
        "test" => (object.pointer(path).unwrap_or(&Value::Null) == &step["value"]).then_some(()),
        "replace" => {
            *object.pointer_mut(path)? = step["value"].clone();
            Some(())
        }
        "add" => match slot(object, path)? {
            (Value::Object(parent), key) => {
                parent.insert(key, step["value"].clone());
                Some(())
            }
            (Value::Array(parent), key) => {
                let at = if key == "-" {
                    parent.len()
                } else {
                    key.parse().ok().filter(|&at: &usize| at <= parent.len())?
                };
                parent.insert(at, step["value"].clone());
                Some(())
            }
            (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_), _) => None,
        },
        "remove" => match slot(object, path)? {
            (Value::Object(parent), key) => parent.remove(&key).map(drop),
            (Value::Array(parent), key) => {
                parent.remove(key.parse().ok().filter(|&at: &usize| at < parent.len())?);
                Some(())
            }
            (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_), _) => None,
        },
        _ => None,
    }
}

/// The parent of what a JSON pointer points at, and the last part of the pointer.
fn slot<'a>(object: &'a mut Value, path: &str) -> Option<(&'a mut Value, String)> {
    let (parent, key) = path.rsplit_once('/')?;
    Some((object.pointer_mut(parent)?, key.replace("~1", "/").replace("~0", "~")))
}
