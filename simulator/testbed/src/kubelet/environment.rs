//! The environment of a container, worked out by the rules of the kubelet.
//!
//! Variables are defined in order: those of `envFrom` first, then those of
//! `env`, which may refer to earlier ones as `$(NAME)`. What they refer to
//! outside the pod is in [`Sources`], so that this file asks nobody.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, EnvFromSource, EnvVar, EnvVarSource, Pod};

/// The config maps and secrets that a container refers to; none if absent.
pub(super) type Sources = BTreeMap<Source, Option<BTreeMap<String, String>>>;

/// A config map or a secret of the pod's namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    ConfigMap(String),
    Secret(String),
}

impl Source {
    fn describe(&self) -> String {
        match self {
            Self::ConfigMap(name) => format!("configmap \"{name}\""),
            Self::Secret(name) => format!("secret \"{name}\""),
        }
    }
}

/// The addresses that a pod has once it runs.
#[derive(Clone, Debug)]
pub(super) struct Addresses {
    pub(super) pod: String,
    pub(super) node: String,
}

/// Returns everything outside the pod that the container's environment refers to.
pub(super) fn references(container: &Container) -> Vec<Source> {
    let mut found = Vec::new();
    for from in container.env_from.iter().flatten() {
        found.extend(from.config_map_ref.iter().map(|it| Source::ConfigMap(it.name.clone())));
        found.extend(from.secret_ref.iter().map(|it| Source::Secret(it.name.clone())));
    }
    for from in container
        .env
        .iter()
        .flatten()
        .filter_map(|variable| variable.value_from.as_ref())
    {
        found.extend(
            from.config_map_key_ref
                .iter()
                .map(|it| Source::ConfigMap(it.name.clone())),
        );
        found.extend(from.secret_key_ref.iter().map(|it| Source::Secret(it.name.clone())));
    }
    found
}

/// Returns the variables in the order of their definition, or why the container cannot start.
pub(super) fn resolve(
    pod: &Pod,
    container: &Container,
    sources: &Sources,
    addresses: &Addresses,
) -> Result<Vec<(String, String)>, String> {
    let mut defined = Vec::new();
    for from in container.env_from.iter().flatten() {
        import(&mut defined, from, sources)?;
    }
    for variable in container.env.iter().flatten() {
        if let Some(value) = value_of(variable, &defined, pod, sources, addresses)? {
            define(&mut defined, variable.name.clone(), value);
        }
    }
    Ok(defined)
}

/// Replaces `$(NAME)` by the variable's value; `$$` is a plain `$`, and an unknown name stays.
pub(super) fn expand(text: &str, defined: &[(String, String)]) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let (before, after) = rest.split_at(at);
        expanded.push_str(before);
        let after = after.strip_prefix('$').unwrap_or(after);
        rest = if let Some(escaped) = after.strip_prefix('$') {
            expanded.push('$');
            escaped
        } else if let Some((name, tail)) = reference(after) {
            match defined.iter().find(|(key, _)| key == name) {
                Some((_, value)) => expanded.push_str(value),
                None => expanded.push_str(&format!("$({name})")),
            }
            tail
        } else {
            expanded.push('$');
            after
        };
    }
    expanded.push_str(rest);
    expanded
}

fn reference(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix('(')?.split_once(')')
}

fn import(defined: &mut Vec<(String, String)>, from: &EnvFromSource, sources: &Sources) -> Result<(), String> {
    let config_map = from
        .config_map_ref
        .as_ref()
        .map(|it| (Source::ConfigMap(it.name.clone()), it.optional));
    let secret = from
        .secret_ref
        .as_ref()
        .map(|it| (Source::Secret(it.name.clone()), it.optional));
    let prefix = from.prefix.as_deref().unwrap_or_default();
    for (source, optional) in config_map.into_iter().chain(secret) {
        match sources.get(&source).and_then(Option::as_ref) {
            Some(data) => data
                .iter()
                .for_each(|(key, value)| define(defined, format!("{prefix}{key}"), value.clone())),
            None if optional == Some(true) => {}
            None => return Err(format!("{} not found", source.describe())),
        }
    }
    Ok(())
}

/// Returns the value of a variable, or none if it refers to something optional that is absent.
fn value_of(
    variable: &EnvVar,
    defined: &[(String, String)],
    pod: &Pod,
    sources: &Sources,
    addresses: &Addresses,
) -> Result<Option<String>, String> {
    let literal = variable.value.as_deref().unwrap_or_default();
    let Some(from) = &variable.value_from else {
        return Ok(Some(expand(literal, defined)));
    };
    if let Some(it) = &from.field_ref {
        return field(&it.field_path, pod, addresses).map(Some);
    }
    let Some((source, key, optional)) = keyed(from) else {
        return Err(format!(
            "the source of the variable {} is not supported by this kubelet",
            variable.name
        ));
    };
    let optional = optional == Some(true);
    match sources.get(&source).and_then(Option::as_ref) {
        Some(data) => match data.get(key) {
            Some(value) => Ok(Some(value.clone())),
            None if optional => Ok(None),
            None => Err(format!("couldn't find key {key} in {}", source.describe())),
        },
        None if optional => Ok(None),
        None => Err(format!("{} not found", source.describe())),
    }
}

fn keyed(from: &EnvVarSource) -> Option<(Source, &str, Option<bool>)> {
    let secret = from.secret_key_ref.as_ref();
    let secret = secret.map(|it| (Source::Secret(it.name.clone()), it.key.as_str(), it.optional));
    let config_map = from.config_map_key_ref.as_ref();
    secret.or(config_map.map(|it| (Source::ConfigMap(it.name.clone()), it.key.as_str(), it.optional)))
}

/// Reads a field of the pod as the Downward API does; an absent label is empty.
fn field(path: &str, pod: &Pod, addresses: &Addresses) -> Result<String, String> {
    let spec = pod.spec.as_ref();
    let text = |value: Option<&String>| Ok(value.cloned().unwrap_or_default());
    match path {
        "metadata.name" => text(pod.metadata.name.as_ref()),
        "metadata.namespace" => text(pod.metadata.namespace.as_ref()),
        "metadata.uid" => text(pod.metadata.uid.as_ref()),
        "spec.nodeName" => text(spec.and_then(|spec| spec.node_name.as_ref())),
        "spec.serviceAccountName" => text(spec.and_then(|spec| spec.service_account_name.as_ref())),
        "status.hostIP" | "status.hostIPs" => Ok(addresses.node.clone()),
        "status.podIP" | "status.podIPs" => Ok(addresses.pod.clone()),
        other => {
            let labels = (subscript(other, "metadata.labels"), &pod.metadata.labels);
            let annotations = (subscript(other, "metadata.annotations"), &pod.metadata.annotations);
            let found = [labels, annotations]
                .into_iter()
                .find_map(|(key, map)| key.map(|key| (key, map)));
            let (key, map) = found.ok_or_else(|| format!("unsupported fieldPath: {other}"))?;
            text(map.as_ref().and_then(|map| map.get(key)))
        }
    }
}

/// Reads the key of `field['key']`.
fn subscript<'a>(path: &'a str, field: &str) -> Option<&'a str> {
    path.strip_prefix(field)?.strip_prefix("['")?.strip_suffix("']")
}

fn define(defined: &mut Vec<(String, String)>, name: String, value: String) {
    match defined.iter_mut().find(|(key, _)| *key == name) {
        Some((_, old)) => *old = value,
        None => defined.push((name, value)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn environment(container: Value, sources: Sources) -> Result<Vec<(String, String)>, String> {
        let pod = serde_json::from_value(json!({
            "metadata": {"name": "p", "namespace": "n", "uid": "u", "labels": {"a.b/c": "label"}},
            "spec": {"nodeName": "node", "containers": []},
        }));
        let addresses = Addresses {
            pod: "10.0.0.1".into(),
            node: "127.0.0.1".into(),
        };
        let container = serde_json::from_value(container).expect("a container");
        resolve(&pod.expect("a pod"), &container, &sources, &addresses)
    }

    fn secret(name: &str, data: &[(&str, &str)]) -> Sources {
        let data = data
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        BTreeMap::from([(Source::Secret(name.into()), Some(data))])
    }

    #[test]
    fn a_reference_is_expanded_where_the_name_is_defined_earlier() {
        let env = json!([
            {"name": "EARLY", "value": "$(LATE)"},
            {"name": "UID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}},
            {"name": "LATE", "value": "queue=q,pod-uid=$(UID)"},
        ]);
        let defined = environment(json!({"name": "c", "env": env}), Sources::new()).expect("resolved");
        let values: Vec<_> = defined.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(values, ["$(LATE)", "u", "queue=q,pod-uid=u"]);
    }

    #[test]
    fn expansion_follows_the_rules_of_kubernetes() {
        let defined = [("A".to_owned(), "1".to_owned())];
        for (text, expanded) in [
            ("$(A)", "1"),
            ("$$(A)", "$(A)"),
            ("$$$(A)", "$1"),
            ("$(B)", "$(B)"),
            ("$A and $", "$A and $"),
            ("$(A", "$(A"),
            ("é$(A)é", "é1é"),
        ] {
            assert_eq!(expand(text, &defined), expanded, "{text}");
        }
    }

    #[test]
    fn env_overrides_what_a_secret_defines() {
        let container = json!({
            "name": "c",
            "envFrom": [{"prefix": "X_", "secretRef": {"name": "s"}}],
            "env": [{"name": "X_TOKEN", "value": "mine"}, {"name": "COPY", "value": "$(X_OTHER)"}],
        });
        let defined = environment(container, secret("s", &[("TOKEN", "t"), ("OTHER", "o")])).expect("resolved");
        assert!(defined.contains(&("X_TOKEN".into(), "mine".into())));
        assert!(defined.contains(&("COPY".into(), "o".into())));
    }

    #[test]
    fn an_absent_secret_stops_the_container_unless_it_is_optional() {
        let wanting = |optional: bool| {
            let from = json!({"secretKeyRef": {"name": "s", "key": "k", "optional": optional}});
            environment(
                json!({"name": "c", "env": [{"name": "T", "valueFrom": from}]}),
                Sources::new(),
            )
        };
        assert_eq!(wanting(false), Err("secret \"s\" not found".into()));
        assert_eq!(wanting(true), Ok(vec![]));
    }

    #[test]
    fn labels_are_read_by_their_key() {
        let from = json!({"fieldRef": {"fieldPath": "metadata.labels['a.b/c']"}});
        let defined = environment(
            json!({"name": "c", "env": [{"name": "L", "valueFrom": from}]}),
            Sources::new(),
        );
        assert_eq!(defined, Ok(vec![("L".into(), "label".into())]));
    }
}
