//! The documents by which clients learn what a server serves.

use serde_json::{Value, json};

use super::resource::Resource;

const GROUPS: [&str; 4] = ["authorization.k8s.io", "batch", "coordination.k8s.io", "events.k8s.io"];

/// The document at `path`, if there is one.
pub(crate) fn document(path: &str) -> Option<Value> {
    match path.trim_end_matches('/') {
        "/version" => Some(json!({
            "major": "1", "minor": "33", "gitVersion": "v1.33.0-fake", "gitCommit": "", "gitTreeState": "clean",
            "buildDate": "2025-04-23T00:00:00Z", "goVersion": "none", "compiler": "none", "platform": "fake",
        })),
        "/api" => Some(json!({
            "kind": "APIVersions", "versions": ["v1"],
            "serverAddressByClientCIDRs": [{ "clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1" }],
        })),
        "/apis" => Some(json!({
            "kind": "APIGroupList", "apiVersion": "v1", "groups": GROUPS.map(group).to_vec(),
        })),
        "/api/v1" => Some(resources("")),
        "/healthz" | "/livez" | "/readyz" => Some(json!("ok")),
        other => {
            let parts = other.strip_prefix("/apis/")?.split('/').collect::<Vec<_>>();
            let known = GROUPS.iter().find(|name| Some(*name) == parts.first())?;
            match parts.as_slice() {
                [_] => Some(group(known)),
                [_, "v1"] => Some(resources(known)),
                _ => None,
            }
        }
    }
}

fn group(name: &str) -> Value {
    let version = json!({ "groupVersion": format!("{name}/v1"), "version": "v1" });
    json!({ "kind": "APIGroup", "apiVersion": "v1", "name": name, "versions": [version], "preferredVersion": version })
}

fn resources(group: &str) -> Value {
    let mut list = Vec::new();
    for resource in Resource::ALL
        .into_iter()
        .filter(|resource| resource.facts().group == group)
    {
        let facts = resource.facts();
        let verbs: &[&str] = match resource {
            Resource::SelfSubjectAccessReviews => &["create"],
            Resource::Namespaces => &["create", "delete", "get", "list", "patch", "update", "watch"],
            Resource::Nodes
            | Resource::Pods
            | Resource::Secrets
            | Resource::ConfigMaps
            | Resource::ServiceAccounts
            | Resource::CoreEvents
            | Resource::Events
            | Resource::ResourceQuotas
            | Resource::LimitRanges
            | Resource::Jobs
            | Resource::Leases => &[
                "create",
                "delete",
                "deletecollection",
                "get",
                "list",
                "patch",
                "update",
                "watch",
            ],
        };
        list.push(json!({
            "name": facts.plural, "singularName": facts.singular, "namespaced": facts.namespaced, "kind": facts.kind,
            "shortNames": facts.short, "verbs": verbs,
        }));
        if facts.status {
            list.push(json!({
                "name": format!("{}/status", facts.plural), "singularName": "", "namespaced": facts.namespaced,
                "kind": facts.kind, "verbs": ["get", "patch", "update"],
            }));
        }
    }
    let version = if group.is_empty() {
        "v1".to_owned()
    } else {
        format!("{group}/v1")
    };
    json!({ "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": list })
}
