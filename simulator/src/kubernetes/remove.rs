//! Deleting: preconditions, grace, finalizers, and what happens to dependents.

use std::sync::Arc;

use buildscaler_core::Timestamp;
use http::StatusCode;
use serde_json::{Value, json};

use super::call::Call;
use super::events::present;
use super::objects::{is_finished_pod, is_terminating, items, text};
use super::refusal::{Refusal, json_response};
use super::resource::Resource;
use super::selector::Selection;
use super::store::Key;
use super::{FakeKubernetes, Reply, object_reply, time};

/// What becomes of the objects that a deleted object owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// They lose the reference and live.
    Orphan,
    /// The garbage collector deletes them afterwards.
    Background,
    /// The garbage collector deletes them first.
    Foreground,
}

/// How an object is to be deleted.
#[derive(Clone, Debug, Default)]
pub struct DeleteOptions {
    /// Seconds that a pod may take; none means as many as the pod says itself.
    pub grace: Option<i64>,
    /// The uid that the object must have.
    pub uid: Option<String>,
    /// The resource version that the object must have.
    pub version: Option<String>,
    /// What becomes of dependents; none means the default of the kind.
    pub propagation: Option<Propagation>,
}

/// What a delete did.
#[derive(Clone, Debug)]
enum Deleted {
    /// The object is no more; this was its last state.
    Gone(Arc<Value>),
    /// The object is marked and stays until its grace or its finalizers are over.
    Marked(Arc<Value>),
}

impl FakeKubernetes {
    /// Deletes an object and returns its last or its marked state.
    pub fn delete(
        &mut self,
        now: Timestamp,
        resource: Resource,
        namespace: &str,
        name: &str,
        options: &DeleteOptions,
    ) -> Result<Arc<Value>, Refusal> {
        match self.remove(now, resource, &Key::new(namespace, name), options)? {
            Deleted::Gone(object) | Deleted::Marked(object) => Ok(object),
        }
    }

    pub(super) fn serve_delete(&mut self, now: Timestamp, call: &Call, body: &[u8]) -> Result<Reply, Refusal> {
        let options = DeleteOptions::parse(call, body)?;
        let key = Key::new(call.namespace.as_str(), call.name.as_str());
        if call.dry_run() {
            let object = self.existing(call.resource, &call.namespace, &call.name)?;
            options.check(call.resource, &object)?;
            return Ok(object_reply(StatusCode::OK, call, &object, &[]));
        }
        match self.remove(now, call.resource, &key, &options)? {
            Deleted::Marked(object) => Ok(object_reply(StatusCode::OK, call, &object, &[])),
            // Most kinds answer with a Status once the object is gone; pods and a few more with the object.
            Deleted::Gone(object)
                if matches!(
                    call.resource,
                    Resource::Pods | Resource::ServiceAccounts | Resource::ResourceQuotas
                ) =>
            {
                Ok(object_reply(StatusCode::OK, call, &object, &[]))
            }
            Deleted::Gone(object) => Ok(Reply::Response(json_response(
                StatusCode::OK,
                &success(call.resource, &object),
            ))),
        }
    }

    pub(super) fn serve_delete_collection(
        &mut self,
        now: Timestamp,
        call: &Call,
        body: &[u8],
    ) -> Result<Reply, Refusal> {
        let options = DeleteOptions::parse(call, body)?;
        let selection = Selection::parse(
            call.resource,
            call.parameter("labelSelector"),
            call.parameter("fieldSelector"),
        )?;
        let selected = self
            .store
            .scan(call.resource, &call.namespace)
            .filter(|(_, object)| selection.matches(&present(call.resource, object)))
            .map(|(key, _)| key.clone())
            .collect::<Vec<_>>();
        let mut deleted = Vec::with_capacity(selected.len());
        for key in selected {
            match self.remove(now, call.resource, &key, &options)? {
                Deleted::Gone(object) | Deleted::Marked(object) => deleted.push(object),
            }
        }
        let list = json!({
            "kind": format!("{}List", call.resource.facts().kind),
            "apiVersion": call.resource.api_version(),
            "metadata": { "resourceVersion": self.store.version().to_string() },
            "items": deleted,
        });
        Ok(Reply::Response(json_response(StatusCode::OK, &list)))
    }

    fn remove(
        &mut self,
        now: Timestamp,
        resource: Resource,
        key: &Key,
        options: &DeleteOptions,
    ) -> Result<Deleted, Refusal> {
        let old = self.existing(resource, &key.namespace, &key.name)?;
        options.check(resource, &old)?;
        let mut object = Value::clone(&old);
        if let Some(finalizer) = options.finalizer(resource) {
            add_finalizer(&mut object, finalizer);
        }
        let mark = match resource {
            Resource::Pods => mark_pod(now, &mut object, options.grace),
            Resource::Namespaces => mark_namespace(now, &mut object),
            Resource::Nodes
            | Resource::Secrets
            | Resource::ConfigMaps
            | Resource::ServiceAccounts
            | Resource::CoreEvents
            | Resource::Events
            | Resource::ResourceQuotas
            | Resource::LimitRanges
            | Resource::Jobs
            | Resource::Leases
            | Resource::SelfSubjectAccessReviews => mark_until(now, &mut object, 0),
        };
        if mark == Mark::Done && items(&object, &["metadata", "finalizers"]).is_empty() {
            // A pod is marked first even where it goes at once, and watches see both.
            if resource == Resource::Pods && object != *old {
                self.store.write(resource, object);
            }
            return match self.store.remove(resource, key) {
                Some(last) => Ok(Deleted::Gone(last)),
                None => Err(Refusal::not_found(resource, &key.name)),
            };
        }
        if object == *old {
            return Ok(Deleted::Marked(old));
        }
        Ok(Deleted::Marked(self.store.write(resource, object)))
    }

    /// Removes a marked object that nothing holds any more.
    pub(super) fn remove_if_released(&mut self, resource: Resource, object: &Value) {
        let held = match resource {
            Resource::Namespaces => !items(object, &["spec", "finalizers"]).is_empty(),
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
            | Resource::Leases
            | Resource::SelfSubjectAccessReviews => {
                object["metadata"]["deletionGracePeriodSeconds"].as_i64().unwrap_or(0) > 0
            }
        };
        if is_terminating(object) && !held && items(object, &["metadata", "finalizers"]).is_empty() {
            self.store.remove(resource, &Key::of(object));
        }
    }
}

/// Whether a deletion has to wait for somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Done,
    Waits,
}

/// The rules of graceful deletion: a grace period can only become shorter.
fn mark_pod(now: Timestamp, pod: &mut Value, asked: Option<i64>) -> Mark {
    if is_terminating(pod) {
        let old = pod["metadata"]["deletionGracePeriodSeconds"].as_i64().unwrap_or(0);
        let new = asked.unwrap_or(old);
        if new >= old {
            return if old == 0 { Mark::Done } else { Mark::Waits };
        }
        let deadline = time::from_text(text(pod, &["metadata", "deletionTimestamp"])).unwrap_or(now);
        let deadline = deadline.before(time::seconds(old - new)).max(now);
        pod["metadata"]["deletionTimestamp"] = json!(time::to_text(deadline));
        pod["metadata"]["deletionGracePeriodSeconds"] = json!(new);
        return if new == 0 { Mark::Done } else { Mark::Waits };
    }
    let own = pod["spec"]["terminationGracePeriodSeconds"].as_i64().unwrap_or(0);
    let unscheduled = text(pod, &["spec", "nodeName"]).is_empty();
    let grace = if unscheduled || is_finished_pod(pod) {
        0
    } else {
        asked.unwrap_or(own)
    };
    mark_until(now, pod, if grace < 0 { 1 } else { grace })
}

fn mark_until(now: Timestamp, object: &mut Value, grace: i64) -> Mark {
    if !is_terminating(object) {
        object["metadata"]["deletionTimestamp"] = json!(time::to_text(now.after(time::seconds(grace))));
        object["metadata"]["deletionGracePeriodSeconds"] = json!(grace);
        if let Some(generation) = object["metadata"]["generation"].as_i64() {
            object["metadata"]["generation"] = json!(generation + 1);
        }
    }
    if grace == 0 { Mark::Done } else { Mark::Waits }
}

fn mark_namespace(now: Timestamp, namespace: &mut Value) -> Mark {
    if !is_terminating(namespace) {
        namespace["metadata"]["deletionTimestamp"] = json!(time::to_text(now));
        namespace["status"]["phase"] = json!("Terminating");
    }
    if items(namespace, &["spec", "finalizers"]).is_empty() {
        Mark::Done
    } else {
        Mark::Waits
    }
}

fn add_finalizer(object: &mut Value, finalizer: &str) {
    let mut finalizers = items(object, &["metadata", "finalizers"]).to_vec();
    if finalizers.iter().all(|other| other != finalizer) {
        finalizers.push(json!(finalizer));
    }
    object["metadata"]["finalizers"] = Value::from(finalizers);
}

fn success(resource: Resource, object: &Value) -> Value {
    let facts = resource.facts();
    let mut details =
        json!({ "name": object["metadata"]["name"], "kind": facts.plural, "uid": object["metadata"]["uid"] });
    if !facts.group.is_empty() {
        details["group"] = json!(facts.group);
    }
    json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details })
}

impl DeleteOptions {
    /// Deletes only the object with that uid.
    pub fn only(uid: &str) -> Self {
        Self {
            uid: Some(uid.to_owned()),
            ..Self::default()
        }
    }

    fn parse(call: &Call, body: &[u8]) -> Result<Self, Refusal> {
        let options: Value = if body.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(body).unwrap_or(Value::Null)
        };
        let grace = call.parameter("gracePeriodSeconds").and_then(|text| text.parse().ok());
        let policy = options["propagationPolicy"]
            .as_str()
            .or_else(|| call.parameter("propagationPolicy"));
        let propagation = match policy {
            None if options["orphanDependents"] == true => Some(Propagation::Orphan),
            None => None,
            Some("Orphan") => Some(Propagation::Orphan),
            Some("Background") => Some(Propagation::Background),
            Some("Foreground") => Some(Propagation::Foreground),
            Some(other) => return Err(Refusal::bad_request(format!("invalid propagationPolicy {other:?}"))),
        };
        let precondition = |field: &str| options["preconditions"][field].as_str().map(str::to_owned);
        Ok(Self {
            grace: options["gracePeriodSeconds"].as_i64().or(grace),
            uid: precondition("uid"),
            version: precondition("resourceVersion"),
            propagation,
        })
    }

    fn check(&self, resource: Resource, object: &Value) -> Result<(), Refusal> {
        let own = |field: &str| text(object, &["metadata", field]);
        let name = own("name");
        if let Some(uid) = self.uid.as_deref().filter(|&uid| uid != own("uid")) {
            let why = format!(
                "the UID in the precondition ({uid}) does not match the UID in record ({}). \
                 The object might have been deleted and then recreated",
                own("uid")
            );
            return Err(Refusal::precondition(resource, name, &why));
        }
        if let Some(version) = self
            .version
            .as_deref()
            .filter(|&version| version != own("resourceVersion"))
        {
            let why = format!(
                "the ResourceVersion in the precondition ({version}) does not match the ResourceVersion in record ({}). \
                 The object might have been modified",
                own("resourceVersion")
            );
            return Err(Refusal::precondition(resource, name, &why));
        }
        Ok(())
    }

    fn finalizer(&self, resource: Resource) -> Option<&'static str> {
        // A Job deleted without a policy orphans its pods, for compatibility.
        let default = if resource == Resource::Jobs {
            Propagation::Orphan
        } else {
            Propagation::Background
        };
        match self.propagation.unwrap_or(default) {
            Propagation::Orphan => Some("orphan"),
            Propagation::Foreground => Some("foregroundDeletion"),
            Propagation::Background => None,
        }
    }
}
