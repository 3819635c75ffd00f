//! The documents by which clients learn what a server serves.
//!
//! The schemas are empty: they say of each kind only that the server validates
//! fields itself, which is what kubectl asks before it sends a file.

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
        "/openapi/v3" => Some(schemas()),
        "/healthz" | "/livez" | "/readyz" => Some(json!("ok")),
        other if other.starts_with("/openapi/v3/") => schema(other),
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

/// The groups of the API, as parts of paths.
fn roots() -> impl Iterator<Item = (&'static str, String)> {
    [("", "api/v1".to_owned())]
        .into_iter()
        .chain(GROUPS.map(|group| (group, format!("apis/{group}/v1"))))
}

fn schemas() -> Value {
    let mut paths = json!({});
    for (_, root) in roots() {
        paths[&root] = json!({ "serverRelativeURL": format!("/openapi/v3/{root}") });
    }
    json!({ "paths": paths })
}

fn schema(path: &str) -> Option<Value> {
    let (group, root) = roots().find(|(_, root)| path == format!("/openapi/v3/{root}"))?;
    let mut paths = json!({});
    for resource in Resource::ALL
        .into_iter()
        .filter(|resource| resource.facts().group == group)
    {
        let facts = resource.facts();
        let place = if facts.namespaced {
            "namespaces/{namespace}/"
        } else {
            ""
        };
        paths[format!("/{root}/{place}{}/{{name}}", facts.plural)] = json!({ "patch": {
            "parameters": [{ "name": "fieldValidation", "in": "query", "schema": { "type": "string" } }],
            "responses": {},
            "x-kubernetes-group-version-kind": { "group": facts.group, "version": "v1", "kind": facts.kind },
        } });
    }
    Some(
        json!({ "openapi": "3.0.0", "info": { "title": "fake", "version": "v1" }, "paths": paths, "components": { "schemas": {} } }),
    )
}
