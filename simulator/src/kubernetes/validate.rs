//! What the API server refuses as invalid: the part that a controller can meet.

mod jobs;

use serde_json::{Map, Value, json};

use super::objects::{items, text};
use super::refusal::{Cause, Refusal};
use super::resource::Resource;

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must \
    start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end \
    with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must \
    start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is \
    '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const POD_CHANGE: &str = "pod updates may not change fields other than `spec.containers[*].image`,\
    `spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing \
    tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";
/// All annotations of an object together.
const LARGEST_ANNOTATIONS: usize = 256 * 1024;

/// Checks that an object has the outline that the rest of the fake relies on.
pub(crate) fn shape(resource: Resource, object: Value) -> Result<Value, Refusal> {
    let kind = resource.facts().kind;
    let refuse = |path: &str| {
        let message = format!(
            "{kind} in version \"v1\" cannot be handled as a {kind}: json: cannot unmarshal into Go struct field {path}"
        );
        Err(Refusal::bad_request(message))
    };
    if !object.is_object() {
        return refuse(kind);
    }
    let template = ["/spec/template", "/spec/template/metadata", "/spec/template/spec"];
    let maps = [
        "/metadata",
        "/spec",
        "/status",
        "/spec/selector",
        "/spec/selector/matchLabels",
        "/data",
    ];
    for path in maps
        .iter()
        .chain(template.iter().filter(|_| resource == Resource::Jobs))
    {
        if object
            .pointer(path)
            .is_some_and(|value| !value.is_object() && !value.is_null())
        {
            return refuse(path);
        }
    }
    for path in [
        "/metadata/labels",
        "/metadata/annotations",
        "/spec/template/metadata/labels",
        "/spec/template/metadata/annotations",
    ] {
        let strings = |map: &Map<String, Value>| map.values().all(Value::is_string);
        if object
            .pointer(path)
            .is_some_and(|value| !value.is_null() && !value.as_object().is_some_and(strings))
        {
            return refuse(path);
        }
    }
    for spec in ["/spec", "/spec/template/spec"] {
        for list in ["containers", "initContainers", "volumes", "tolerations"] {
            let path = format!("{spec}/{list}");
            let objects = |list: &Vec<Value>| list.iter().all(Value::is_object);
            if object
                .pointer(&path)
                .is_some_and(|value| !value.is_null() && !value.as_array().is_some_and(objects))
            {
                return refuse(&path);
            }
        }
    }
    Ok(object)
}

/// Refuses a new, completed object that is invalid.
pub(crate) fn created(resource: Resource, object: &Value) -> Result<(), Refusal> {
    let mut causes = metadata(resource, object);
    match resource {
        Resource::Pods => causes.extend(pod_spec("spec", &object["spec"], &["Always", "OnFailure", "Never"])),
        Resource::Jobs => causes.extend(jobs::job(object)),
        Resource::Leases => causes.extend(lease(object)),
        Resource::Namespaces
        | Resource::Nodes
        | Resource::Secrets
        | Resource::ConfigMaps
        | Resource::ServiceAccounts
        | Resource::CoreEvents
        | Resource::Events
        | Resource::ResourceQuotas
        | Resource::LimitRanges
        | Resource::SelfSubjectAccessReviews => {}
    }
    refuse(resource, object, &causes)
}

/// Refuses a change that is invalid.
pub(crate) fn updated(resource: Resource, old: &Value, new: &Value) -> Result<(), Refusal> {
    let mut causes = metadata(resource, new);
    match resource {
        Resource::Pods if frozen_pod(&old["spec"]) != frozen_pod(&new["spec"]) => {
            causes.push(Cause::forbidden("spec", POD_CHANGE));
        }
        Resource::Jobs => {
            causes.extend(jobs::job(new));
            causes.extend(jobs::job_change(old, new));
        }
        Resource::Leases => causes.extend(lease(new)),
        Resource::Pods
        | Resource::Namespaces
        | Resource::Nodes
        | Resource::Secrets
        | Resource::ConfigMaps
        | Resource::ServiceAccounts
        | Resource::CoreEvents
        | Resource::Events
        | Resource::ResourceQuotas
        | Resource::LimitRanges
        | Resource::SelfSubjectAccessReviews => {}
    }
    refuse(resource, new, &causes)
}

fn lease(object: &Value) -> Vec<Cause> {
    let duration = &object["spec"]["leaseDurationSeconds"];
    let transitions = &object["spec"]["leaseTransitions"];
    let too_short = duration.as_i64().filter(|&seconds| seconds <= 0).map(|_| {
        let field = "spec.leaseDurationSeconds";
        Cause::invalid(field, duration, "must be greater than 0")
    });
    let negative = transitions.as_i64().filter(|&count| count < 0).map(|_| {
        let field = "spec.leaseTransitions";
        Cause::invalid(field, transitions, "must be greater than or equal to 0")
    });
    too_short.into_iter().chain(negative).collect()
}

fn refuse(resource: Resource, object: &Value, causes: &[Cause]) -> Result<(), Refusal> {
    if causes.is_empty() {
        return Ok(());
    }
    Err(Refusal::invalid(resource, text(object, &["metadata", "name"]), causes))
}

fn metadata(resource: Resource, object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let name = text(object, &["metadata", "name"]);
    if name.is_empty() {
        causes.push(Cause::required("metadata.name", "name or generateName is required"));
    } else if resource == Resource::Namespaces && !is_label(name) {
        causes.push(Cause::invalid("metadata.name", &json!(name), LABEL));
    } else if !is_subdomain(name) {
        causes.push(Cause::invalid("metadata.name", &json!(name), SUBDOMAIN));
    }
    causes.extend(labels("metadata.labels", &object["metadata"]["labels"]));
    let annotations = object["metadata"]["annotations"].as_object();
    let size: usize = annotations
        .into_iter()
        .flatten()
        .map(|(key, value)| key.len() + value.as_str().map_or(0, str::len))
        .sum();
    if size > LARGEST_ANNOTATIONS {
        let message = format!("Too long: may not be more than {LARGEST_ANNOTATIONS} bytes");
        causes.push(Cause {
            reason: "FieldValueTooLong",
            message,
            field: "metadata.annotations".to_owned(),
        });
    }
    causes
}

fn labels(field: &str, labels: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    for (key, value) in labels.as_object().into_iter().flatten() {
        let name = key.rsplit('/').next().unwrap_or_default();
        if name.is_empty() || !is_label_value(name) {
            causes.push(Cause::invalid(
                field,
                &json!(key),
                "name part must consist of alphanumeric characters, '-', '_' or '.'",
            ));
        }
        let text = value.as_str().unwrap_or_default();
        if text.len() > 63 {
            causes.push(Cause::invalid(field, value, "must be no more than 63 bytes"));
        }
        if !text.is_empty() && !is_label_value(text.get(..63).unwrap_or(text)) {
            causes.push(Cause::invalid(field, value, LABEL_VALUE));
        }
    }
    causes
}

fn pod_spec(field: &str, spec: &Value, restart_policies: &[&str]) -> Vec<Cause> {
    let mut causes = Vec::new();
    if items(spec, &["containers"]).is_empty() {
        causes.push(Cause::required(format!("{field}.containers"), ""));
    }
    let mut names = Vec::new();
    for list in ["containers", "initContainers"] {
        for (index, container) in items(spec, &[list]).iter().enumerate() {
            let field = format!("{field}.{list}[{index}]");
            causes.extend(container_causes(&field, container));
            let name = text(container, &["name"]);
            if !name.is_empty() && names.contains(&name) {
                causes.push(Cause::duplicate(format!("{field}.name"), &json!(name)));
            }
            names.push(name);
        }
    }
    let policy = text(spec, &["restartPolicy"]);
    if !restart_policies.contains(&policy) {
        causes.push(Cause::unsupported(
            format!("{field}.restartPolicy"),
            policy,
            restart_policies,
        ));
    }
    if spec["terminationGracePeriodSeconds"]
        .as_i64()
        .is_none_or(|grace| grace < 0)
    {
        let value = &spec["terminationGracePeriodSeconds"];
        causes.push(Cause::invalid(
            format!("{field}.terminationGracePeriodSeconds"),
            value,
            "must be greater than or equal to 0",
        ));
    }
    causes
}

fn container_causes(field: &str, container: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let name = text(container, &["name"]);
    if name.is_empty() {
        causes.push(Cause::required(format!("{field}.name"), ""));
    } else if !is_label(name) {
        causes.push(Cause::invalid(format!("{field}.name"), &json!(name), LABEL));
    }
    if text(container, &["image"]).is_empty() {
        causes.push(Cause::required(format!("{field}.image"), ""));
    }
    for (index, variable) in items(container, &["env"]).iter().enumerate() {
        let field = format!("{field}.env[{index}].name");
        let name = text(variable, &["name"]);
        if name.is_empty() {
            causes.push(Cause::required(field, ""));
        } else if !name.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'=') {
            let rule =
                "a valid environment variable name must consist only of printable ASCII characters other than '='";
            causes.push(Cause::invalid(field, &json!(name), rule));
        }
    }
    causes
}

fn frozen_pod(spec: &Value) -> Value {
    let mut spec = spec.clone();
    for field in ["activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds"] {
        spec[field] = Value::Null;
    }
    for list in ["containers", "initContainers"] {
        for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            container["image"] = Value::Null;
        }
    }
    spec
}

fn is_label(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.len() <= 63 && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

fn is_subdomain(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let part =
        |part: &str| !part.is_empty() && part.bytes().all(inner) && !part.starts_with('-') && !part.ends_with('-');
    text.len() <= 253 && text.split('.').all(part)
}

fn is_label_value(text: &str) -> bool {
    let ends = |letter: Option<u8>| letter.is_some_and(|byte| byte.is_ascii_alphanumeric());
    text.len() <= 63
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
        && ends(text.bytes().next())
        && ends(text.bytes().last())
}
