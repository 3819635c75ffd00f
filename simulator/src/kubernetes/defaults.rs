//! What the API server fills in.

use serde_json::{Value, json};

use super::objects::{default, is_terminating, items, take, text};
use super::resource::Resource;

/// Labels that the API server puts on a Job's pod template, so that the Job
/// controller finds its pods. Copied elsewhere, they are a trap.
const UID_LABELS: [&str; 2] = ["batch.kubernetes.io/controller-uid", "controller-uid"];
const NAME_LABELS: [&str; 2] = ["batch.kubernetes.io/job-name", "job-name"];

/// Completes a new object, whose metadata is already in place.
pub(crate) fn on_create(resource: Resource, object: &mut Value) {
    match resource {
        Resource::Pods => {
            object["metadata"]["generation"] = json!(1);
            pod_spec(&mut object["spec"], "Always");
            admitted_pod(&mut object["spec"]);
            let class = quality(object);
            object["status"] = json!({ "phase": "Pending", "qosClass": class });
        }
        Resource::Jobs => {
            object["metadata"]["generation"] = json!(1);
            object["status"] = json!({});
            new_template(object);
            on_update(resource, object);
        }
        Resource::Namespaces => {
            let name = object["metadata"]["name"].clone();
            default(&mut object["metadata"], "labels", json!({}));
            object["metadata"]["labels"]["kubernetes.io/metadata.name"] = name;
            object["spec"] = json!({ "finalizers": ["kubernetes"] });
            object["status"] = json!({ "phase": "Active" });
        }
        Resource::Secrets => {
            let plain = take(object, "stringData");
            for (key, value) in plain.as_ref().and_then(Value::as_object).into_iter().flatten() {
                object["data"][key] = json!(base64(value.as_str().unwrap_or_default().as_bytes()));
            }
            default(object, "type", "Opaque");
        }
        Resource::LimitRanges => limit_range(object),
        // What is used is counted when it matters, and not kept in the status.
        Resource::ResourceQuotas => {
            let hard = object["spec"]["hard"].clone();
            object["status"] = json!({ "hard": hard });
        }
        Resource::Nodes => {
            default(object, "spec", json!({}));
            default(object, "status", json!({}));
        }
        Resource::ConfigMaps
        | Resource::ServiceAccounts
        | Resource::CoreEvents
        | Resource::Events
        | Resource::Leases
        | Resource::SelfSubjectAccessReviews => {}
    }
}

/// Completes an object that somebody replaced.
pub(crate) fn on_update(resource: Resource, object: &mut Value) {
    match resource {
        Resource::Pods => pod_spec(&mut object["spec"], "Always"),
        Resource::Jobs => job_spec(object),
        Resource::Namespaces
        | Resource::Nodes
        | Resource::Secrets
        | Resource::ConfigMaps
        | Resource::ServiceAccounts
        | Resource::CoreEvents
        | Resource::Events
        | Resource::ResourceQuotas
        | Resource::LimitRanges
        | Resource::Leases
        | Resource::SelfSubjectAccessReviews => {}
    }
}

/// The controller labels and the selector of a new Job.
fn new_template(object: &mut Value) {
    let (uid, name) = (object["metadata"]["uid"].clone(), object["metadata"]["name"].clone());
    if items(object, &["metadata", "labels"]).is_empty() && object["metadata"]["labels"].is_null() {
        let labels = object["spec"]["template"]["metadata"]["labels"].clone();
        if !labels.is_null() {
            object["metadata"]["labels"] = labels;
        }
    }
    if object["spec"]["manualSelector"] == true {
        return;
    }
    for (labels, value) in [(UID_LABELS, &uid), (NAME_LABELS, &name)] {
        for label in labels {
            default(
                &mut object["spec"]["template"]["metadata"]["labels"],
                label,
                value.clone(),
            );
        }
    }
    let (label, _) = UID_LABELS.split_first().unwrap_or((&"", &[]));
    if object["spec"]["selector"].is_null() {
        object["spec"]["selector"] = json!({});
    }
    object["spec"]["selector"]["matchLabels"][*label] = uid;
}

fn job_spec(object: &mut Value) {
    let spec = &mut object["spec"];
    if spec["completions"].is_null() && spec["parallelism"].is_null() {
        spec["completions"] = json!(1);
    }
    default(spec, "parallelism", 1);
    default(spec, "backoffLimit", 6);
    default(spec, "completionMode", "NonIndexed");
    default(spec, "suspend", false);
    default(spec, "manualSelector", false);
    default(spec, "podReplacementPolicy", "TerminatingOrFailed");
    if !spec["template"]["spec"].is_null() {
        pod_spec(&mut spec["template"]["spec"], "Always");
    }
}

fn pod_spec(spec: &mut Value, restart_policy: &str) {
    default(spec, "restartPolicy", restart_policy);
    default(spec, "terminationGracePeriodSeconds", 30);
    default(spec, "dnsPolicy", "ClusterFirst");
    default(spec, "securityContext", json!({}));
    default(spec, "schedulerName", "default-scheduler");
    for list in ["initContainers", "containers"] {
        for container in spec[list].as_array_mut().into_iter().flatten() {
            default_container(container);
        }
    }
    for volume in spec["volumes"].as_array_mut().into_iter().flatten() {
        for source in ["secret", "configMap", "projected", "downwardAPI"] {
            if volume[source].is_object() {
                default(&mut volume[source], "defaultMode", 420);
            }
        }
    }
    // Reading a key of a list adds it: what was not there must not be there now.
    for list in ["initContainers", "volumes"] {
        if spec[list].is_null() {
            take(spec, list);
        }
    }
}

fn default_container(container: &mut Value) {
    default(container, "terminationMessagePath", "/dev/termination-log");
    default(container, "terminationMessagePolicy", "File");
    default(container, "resources", json!({}));
    let image = text(container, &["image"]);
    let tag = image
        .rsplit('/')
        .next()
        .and_then(|last| last.split_once(':'))
        .map(|(_, tag)| tag);
    let pinned = image.contains('@') || tag.is_some_and(|tag| tag != "latest");
    default(
        container,
        "imagePullPolicy",
        if pinned { "IfNotPresent" } else { "Always" },
    );
    if let Some(variables) = container.get_mut("env").and_then(Value::as_array_mut) {
        for variable in variables {
            if let Some(field) = variable.pointer_mut("/valueFrom/fieldRef") {
                default(field, "apiVersion", "v1");
            }
        }
    }
    if let Some(ports) = container.get_mut("ports").and_then(Value::as_array_mut) {
        for port in ports {
            default(port, "protocol", "TCP");
        }
    }
}

/// What admission plugins add to pods, and not to templates.
fn admitted_pod(spec: &mut Value) {
    default(spec, "enableServiceLinks", true);
    default(spec, "priority", 0);
    default(spec, "preemptionPolicy", "PreemptLowerPriority");
    let mut tolerations = items(spec, &["tolerations"]).to_vec();
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        if tolerations.iter().all(|toleration| toleration["key"] != key) {
            tolerations
                .push(json!({ "key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300 }));
        }
    }
    spec["tolerations"] = Value::from(tolerations);
}

fn quality(pod: &Value) -> &'static str {
    let containers = items(pod, &["spec", "containers"]);
    let resources = |container: &Value, kind: &str| {
        container["resources"][kind]
            .as_object()
            .is_some_and(|map| !map.is_empty())
    };
    let none = containers
        .iter()
        .all(|container| !resources(container, "limits") && !resources(container, "requests"));
    let guaranteed = containers.iter().all(|container| {
        let (limits, requests) = (&container["resources"]["limits"], &container["resources"]["requests"]);
        limits["cpu"].is_string() && limits["memory"].is_string() && (requests.is_null() || requests == limits)
    });
    if none {
        "BestEffort"
    } else if guaranteed {
        "Guaranteed"
    } else {
        "Burstable"
    }
}

/// A maximum is the default limit, and the default limit the default request.
fn limit_range(object: &mut Value) {
    if let Some(limits) = object.pointer_mut("/spec/limits").and_then(Value::as_array_mut) {
        for limit in limits.iter_mut().filter(|limit| limit["type"] == "Container") {
            for (to, from) in [
                ("default", "max"),
                ("defaultRequest", "default"),
                ("defaultRequest", "min"),
            ] {
                for (key, value) in limit.get(from).and_then(Value::as_object).cloned().unwrap_or_default() {
                    default(&mut limit[to], &key, value);
                }
            }
        }
    }
}

/// Base64, as secrets carry their data.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let index = usize::try_from(bits >> (18 - 6 * at) & 63).unwrap_or(0);
            text.push(if at <= chunk.len() {
                char::from(LETTERS[index])
            } else {
                '='
            });
        }
    }
    text
}

/// Whether a Job's template may still change: it was suspended before it ever started.
pub(crate) fn template_is_open(job: &Value) -> bool {
    job["spec"]["suspend"] == true && job["status"]["startTime"].is_null() && !is_terminating(job)
}
