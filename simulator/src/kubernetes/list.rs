//! Reading: one object, or a page of many.

use std::sync::Arc;

use http::StatusCode;
use serde_json::{Value, json};

use super::call::Call;
use super::events::present;
use super::objects::take;
use super::refusal::{Refusal, json_response};
use super::resource::Resource;
use super::selector::Selection;
use super::store::Key;
use super::{FakeKubernetes, Reply, object_reply};

const STALE_TOKEN: &str = "The provided continue parameter is too old to display a consistent list result. You can start a new \
    list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. \
    Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between \
    the time the first chunk was returned and now may show up in the list.";

/// Where a list goes on: after which object, and in the state of which version.
struct Continue {
    version: Option<u64>,
    after: Key,
}

impl FakeKubernetes {
    pub(super) fn get(&self, call: &Call) -> Result<Reply, Refusal> {
        if !matches!(call.subresource.as_str(), "" | "status") {
            return Err(Refusal::unknown_path());
        }
        let object = self.existing(call.resource, &call.namespace, &call.name)?;
        Ok(object_reply(StatusCode::OK, call, &object, &[]))
    }

    pub(super) fn existing(&self, resource: Resource, namespace: &str, name: &str) -> Result<Arc<Value>, Refusal> {
        self.object(resource, namespace, name)
            .ok_or_else(|| Refusal::not_found(resource, name))
    }

    pub(super) fn list(&self, call: &Call) -> Result<Reply, Refusal> {
        let selection = Selection::parse(
            call.resource,
            call.parameter("labelSelector"),
            call.parameter("fieldSelector"),
        )?;
        let limit = call
            .parameter("limit")
            .and_then(|limit| limit.parse::<usize>().ok())
            .filter(|&limit| limit > 0);
        let start = call.parameter("continue").map(Continue::parse).transpose()?;
        let version = self.version_to_list(call, start.as_ref())?;
        let selected = self
            .store
            .at(call.resource, version)
            .into_iter()
            .filter(|(key, _)| call.namespace.is_empty() || key.namespace == call.namespace)
            .filter(|(key, _)| start.as_ref().is_none_or(|start| *key > start.after))
            .filter(|(_, object)| selection.is_everything() || selection.matches(&present(call.resource, object)))
            .collect::<Vec<_>>();
        let page = &selected[..limit.unwrap_or(selected.len()).min(selected.len())];
        let mut metadata = json!({ "resourceVersion": version.to_string() });
        if let (Some((last, _)), true) = (page.last(), page.len() < selected.len()) {
            metadata["continue"] = json!(
                Continue {
                    version: Some(version),
                    after: last.clone()
                }
                .token()
            );
            if selection.is_everything() {
                metadata["remainingItemCount"] = json!(selected.len() - page.len());
            }
        }
        let items = page
            .iter()
            .map(|(_, object)| list_item(call.resource, object))
            .collect::<Vec<_>>();
        let list = json!({
            "kind": format!("{}List", call.resource.facts().kind),
            "apiVersion": call.resource.api_version(),
            "metadata": metadata,
            "items": items,
        });
        Ok(Reply::Response(json_response(StatusCode::OK, &list)))
    }

    fn version_to_list(&self, call: &Call, start: Option<&Continue>) -> Result<u64, Refusal> {
        if let Some(start) = start {
            return match start.version {
                Some(version) if version < self.store.compacted() => Err(self.stale_token(start)),
                Some(version) => Ok(version),
                None => Ok(self.store.version()),
            };
        }
        let Some(asked) = call.parameter("resourceVersion").filter(|&version| version != "0") else {
            return Ok(self.store.version());
        };
        let asked = parse_version(asked)?;
        if asked > self.store.version() {
            return Err(too_large(asked, self.store.version()));
        }
        let exact = call.parameter("resourceVersionMatch") == Some("Exact");
        if exact && asked < self.store.compacted() {
            return Err(Refusal::expired(
                "The resourceVersion for the provided list is too old.",
            ));
        }
        Ok(if exact { asked } else { self.store.version() })
    }

    fn stale_token(&self, start: &Continue) -> Refusal {
        let token = Continue {
            version: None,
            after: start.after.clone(),
        }
        .token();
        let metadata = json!({ "continue": token, "resourceVersion": self.store.version().to_string() });
        Refusal {
            metadata,
            ..Refusal::expired(STALE_TOKEN)
        }
    }
}

pub(super) fn parse_version(text: &str) -> Result<u64, Refusal> {
    text.parse()
        .map_err(|_| Refusal::bad_request(format!("Invalid value: {text:?}: invalid resource version")))
}

fn too_large(asked: u64, current: u64) -> Refusal {
    let message = format!("Timeout: Too large resource version: {asked}, current: {current}");
    let cause = json!([{ "reason": "ResourceVersionTooLarge", "message": "Too large resource version" }]);
    let details = json!({ "retryAfterSeconds": 1, "causes": cause });
    Refusal {
        details,
        ..Refusal::new(StatusCode::GATEWAY_TIMEOUT, "Timeout", message)
    }
}

/// Objects inside a typed list do not repeat their type.
fn list_item(resource: Resource, object: &Value) -> Value {
    let mut item = present(resource, object).into_owned();
    take(&mut item, "kind");
    take(&mut item, "apiVersion");
    item
}

impl Continue {
    /// Opaque to clients: the version, and the last key in hexadecimal.
    fn token(&self) -> String {
        let version = self
            .version
            .map_or_else(|| "-".to_owned(), |version| version.to_string());
        let key = format!("{}/{}", self.after.namespace, self.after.name);
        let key = key.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
        format!("{version}.{key}")
    }

    fn parse(token: &str) -> Result<Self, Refusal> {
        let read = || {
            let (version, key) = token.split_once('.')?;
            let bytes = (0..key.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(key.get(at..at + 2)?, 16).ok())
                .collect::<Option<Vec<_>>>()?;
            let key = String::from_utf8(bytes).ok()?;
            let (namespace, name) = key.split_once('/')?;
            let version = if version == "-" {
                None
            } else {
                Some(version.parse().ok()?)
            };
            Some(Self {
                version,
                after: Key::new(namespace, name),
            })
        };
        read().ok_or_else(|| Refusal::bad_request("continue key is not valid: illegal base64 data"))
    }
}
