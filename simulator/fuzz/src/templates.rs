//! Templates as their authors may write them: their annotations, and the rest.

use buildscaler_core::labels::ANNOTATION_PREFIX;
use buildscaler_wire::template as read;
use serde_json::{Map, Value};

use crate::life::{Life, running_pod, template_of};
use crate::replies::assert_short;

/// Lines `name: value`, as annotations below our prefix. A controller scales
/// by them for some hours.
pub(crate) fn annotations(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut annotations = Map::new();
    for line in text.split('\n') {
        // The API server takes no longer name.
        if let Some((name, value)) = line.split_once(": ").filter(|(name, _)| name.len() <= 63) {
            annotations.insert(format!("{ANNOTATION_PREFIX}{name}"), value.into());
        }
    }
    let mut life = Life::new();
    let template = template_of("linux", Value::Object(annotations));
    life.show(vec![template], (0..3).map(running_pod).collect());
    life.go_on();
}

/// A Job as JSON. A controller makes pods of it, if pods can be made of it.
pub(crate) fn template(bytes: &[u8]) {
    let Ok(job) = serde_json::from_slice::<Value>(bytes) else {
        return;
    };
    match read(&job) {
        Err(error) => assert_short(&error.to_string()),
        Ok(template) => {
            let mut life = Life::new();
            life.show(vec![template, template_of("linux", Value::Null)], Vec::new());
            life.go_on();
        }
    }
}
