//! A volume that each pod gets for itself: a generic ephemeral one. Kubernetes
//! itself makes its claim with the pod and removes it with the pod, so no more
//! rights are needed.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{PVC_MOUNT_PATH, PVC_SIZE, PVC_STORAGE_CLASS_NAME, Reader};
use crate::labels;
use crate::names::Queue;

/// What the volume is called in the pod.
const NAME: &str = "buildscaler-pvc";
/// What holds while the annotations cannot be used. A pod without the volume
/// runs builds as if nobody had asked for one; no pod at all would hold up the
/// whole queue over a typo.
const MEANWHILE: &str = "new pods have no volume";
/// Letters of a storage class's name.
const NAME_LENGTH: usize = 253;
/// Letters of a path, and of a quantity, that are believed.
const PATH_LENGTH: usize = 1024;
const QUANTITY_LENGTH: usize = 24;

/// The volume that the annotations ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Volume {
    size: String,
    mount_path: String,
    storage_class: Option<String>,
}

impl Reader<'_> {
    /// The volume, if all that is said of it can be used and goes with the pod
    /// template.
    pub(super) fn volume(&mut self) -> Option<Volume> {
        let [size, mount_path, storage_class] = [PVC_SIZE, PVC_MOUNT_PATH, PVC_STORAGE_CLASS_NAME]
            .map(|annotation| self.text(annotation).map(|text| text.trim().to_owned()));
        let mut usable = true;
        let mut test = |annotation: &str, is_good: bool, expected: &str| {
            if !is_good {
                self.refuse(annotation, expected, MEANWHILE);
                usable = false;
            }
        };
        if let Some(size) = &size {
            test(PVC_SIZE, is_quantity(size), "a size such as 20Gi");
        }
        if let Some(path) = &mount_path {
            test(
                PVC_MOUNT_PATH,
                is_path(path),
                "an absolute path such as /cache, without .. or a colon",
            );
        }
        if let Some(class) = &storage_class {
            test(PVC_STORAGE_CLASS_NAME, is_name(class), "the name of a storage class");
        }
        match (size, mount_path) {
            (Some(size), Some(mount_path)) if usable => {
                let volume = Volume {
                    size,
                    mount_path,
                    storage_class,
                };
                match self.obstacle(&volume) {
                    None => return Some(volume),
                    Some(obstacle) => {
                        self.doubt(PVC_MOUNT_PATH, format!("{obstacle}; {MEANWHILE} until it is corrected"));
                    }
                }
            }
            (Some(_), None) => self.lacks(PVC_SIZE, PVC_MOUNT_PATH),
            (None, Some(_)) => self.lacks(PVC_MOUNT_PATH, PVC_SIZE),
            (None, None) if storage_class.is_some() => self.lacks(PVC_STORAGE_CLASS_NAME, PVC_SIZE),
            (Some(_) | None, _) => {}
        }
        None
    }

    fn lacks(&mut self, given: &str, missing: &str) {
        let prefix = labels::ANNOTATION_PREFIX;
        self.doubt(
            given,
            format!(
                "its annotation {prefix}{given} is nothing without {prefix}{missing}; {MEANWHILE} until that is there too"
            ),
        );
    }

    /// What in the pod template is in the volume's way: with it, Kubernetes
    /// would refuse each pod.
    fn obstacle(&self, volume: &Volume) -> Option<String> {
        let spec = self.template.pod_template.0.get("spec");
        let container = self.template.pod_template.agent_container();
        let volumes = spec.and_then(|spec| spec.get("volumes"));
        let mounts = container.and_then(|container| container.get("volumeMounts"));
        for (list, name) in [(volumes, "volumes"), (mounts, "volumeMounts")] {
            if list.is_some_and(|list| !list.is_array() && !list.is_null()) {
                return Some(format!("the {name} of its pod template are no list"));
            }
        }
        let among = |list: Option<&Value>, is_it: &dyn Fn(&Value) -> bool| {
            list.and_then(Value::as_array)
                .is_some_and(|list| list.iter().any(is_it))
        };
        if among(volumes, &|one| one["name"] == NAME) {
            return Some(format!(
                "its pod template has a volume called {NAME}, as the annotation's would be"
            ));
        }
        let plain = |path: &str| path.trim_end_matches('/').to_owned();
        let path = plain(&volume.mount_path);
        let is_there = |one: &Value| one["mountPath"].as_str().map(plain).as_ref() == Some(&path);
        among(mounts, &is_there).then(|| format!("its agent container has something mounted on {path} already"))
    }
}

/// Adds the volume to a pod's spec, mounted in the agent's container. What is
/// in its way was found when the annotations were read.
pub(crate) fn mount(volume: &Volume, spec: &mut Map<String, Value>, agent: usize, queue: &Queue) {
    let mut claim = json!({
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": volume.size}},
    });
    if let Some(class) = &volume.storage_class {
        claim["storageClassName"] = json!(class);
    }
    let labels = json!({labels::APP: labels::APP_VALUE, labels::QUEUE: queue});
    let ephemeral = json!({
        "name": NAME,
        "ephemeral": {"volumeClaimTemplate": {"metadata": {"labels": labels}, "spec": claim}},
    });
    push(spec, "volumes", ephemeral);
    let container = spec
        .get_mut("containers")
        .and_then(|containers| containers.get_mut(agent));
    if let Some(container) = container.and_then(Value::as_object_mut) {
        push(
            container,
            "volumeMounts",
            json!({"name": NAME, "mountPath": volume.mount_path}),
        );
    }
}

fn push(object: &mut Map<String, Value>, list: &str, value: Value) {
    match object.get_mut(list) {
        Some(Value::Array(values)) => values.push(value),
        Some(_) | None => drop(object.insert(list.to_owned(), json!([value]))),
    }
}

/// A Kubernetes quantity of bytes that is more than nothing: a number with one
/// of the suffixes of the API, or an exponent.
fn is_quantity(text: &str) -> bool {
    if text.len() > QUANTITY_LENGTH {
        return false;
    }
    let digits = text.strip_prefix('+').unwrap_or(text);
    let end = digits
        .find(|letter: char| !letter.is_ascii_digit() && letter != '.')
        .unwrap_or(digits.len());
    let (number, suffix) = digits.split_at(end);
    let is_number = number.matches('.').count() <= 1 && number.contains(|digit: char| digit.is_ascii_digit());
    let is_something = number.contains(|digit: char| ('1'..='9').contains(&digit));
    is_number && is_something && is_suffix(suffix)
}

fn is_suffix(suffix: &str) -> bool {
    const SUFFIXES: [&str; 13] = ["", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    let exponent = suffix.strip_prefix(['e', 'E']).unwrap_or_default();
    let exponent = exponent.strip_prefix('+').unwrap_or(exponent);
    let is_exponent = (1..=2).contains(&exponent.len()) && exponent.chars().all(|digit| digit.is_ascii_digit());
    SUFFIXES.contains(&suffix) || is_exponent
}

fn is_path(text: &str) -> bool {
    let fits = |letter: char| !letter.is_control() && letter != ':';
    text.len() <= PATH_LENGTH
        && text.starts_with('/')
        && !text.trim_end_matches('/').is_empty()
        && text.chars().all(fits)
        && text.split('/').all(|part| part != "..")
}

/// A DNS subdomain, as names of storage classes are.
fn is_name(text: &str) -> bool {
    let fits = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    text.len() <= NAME_LENGTH
        && text.split('.').all(|part| {
            let ends_well = !part.starts_with('-') && !part.ends_with('-');
            !part.is_empty() && ends_well && part.chars().all(fits)
        })
}
