//! The Pod Security standards, as far as pods without privileges can break them.

use serde_json::Value;

use super::objects::{items, text};

/// What a pod does that `level` does not allow, as the API server words it.
pub(crate) fn violations(level: &str, spec: &Value) -> Option<String> {
    let mut found = Vec::new();
    if matches!(level, "baseline" | "restricted") {
        found.extend(baseline(spec));
    }
    if level == "restricted" {
        found.extend(restricted(spec));
    }
    if found.is_empty() { None } else { Some(found.join(", ")) }
}

fn baseline(spec: &Value) -> Vec<String> {
    let mut found = Vec::new();
    if ["hostNetwork", "hostPID", "hostIPC"]
        .into_iter()
        .any(|field| spec[field] == true)
    {
        let used = ["hostNetwork", "hostPID", "hostIPC"]
            .into_iter()
            .filter(|&field| spec[field] == true);
        found.push(format!(
            "host namespaces ({})",
            used.map(|field| format!("{field}=true")).collect::<Vec<_>>().join(", ")
        ));
    }
    if let Some(names) = offenders(spec, |container| container["securityContext"]["privileged"] == true) {
        found.push(format!(
            "privileged ({names} must not set securityContext.privileged=true)"
        ));
    }
    found
}

fn restricted(spec: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let context = |container: &Value, field: &str| container["securityContext"][field].clone();
    if let Some(names) = offenders(spec, |container| {
        context(container, "allowPrivilegeEscalation") != false
    }) {
        found.push(format!(
            "allowPrivilegeEscalation != false ({names} must set securityContext.allowPrivilegeEscalation=false)"
        ));
    }
    let drops_all = |container: &Value| {
        items(container, &["securityContext", "capabilities", "drop"])
            .iter()
            .any(|name| name == "ALL")
    };
    if let Some(names) = offenders(spec, |container| !drops_all(container)) {
        found.push(format!(
            "unrestricted capabilities ({names} must set securityContext.capabilities.drop=[\"ALL\"])"
        ));
    }
    let pod = &spec["securityContext"];
    let root = |container: &Value| {
        let own = context(container, "runAsNonRoot");
        let asked = if own.is_null() {
            pod["runAsNonRoot"].clone()
        } else {
            own
        };
        asked != true
    };
    if let Some(names) = offenders(spec, root) {
        found.push(format!(
            "runAsNonRoot != true (pod or {names} must set securityContext.runAsNonRoot=true)"
        ));
    }
    let confined = |context: &Value| {
        matches!(
            text(context, &["seccompProfile", "type"]),
            "RuntimeDefault" | "Localhost"
        )
    };
    let unconfined = |container: &Value| !confined(&container["securityContext"]) && !confined(pod);
    if let Some(names) = offenders(spec, unconfined) {
        found.push(format!(
            "seccompProfile (pod or {names} must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")"
        ));
    }
    found
}

/// The containers that break a rule: `container "a"`, `containers "a", "b"`.
fn offenders(spec: &Value, breaks: impl Fn(&Value) -> bool) -> Option<String> {
    let names = ["initContainers", "containers"]
        .into_iter()
        .flat_map(|list| items(spec, &[list]))
        .filter(|container| breaks(container))
        .map(|container| format!("{:?}", text(container, &["name"])))
        .collect::<Vec<_>>();
    match names.as_slice() {
        [] => None,
        [only] => Some(format!("container {only}")),
        several => Some(format!("containers {}", several.join(", "))),
    }
}
