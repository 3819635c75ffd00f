//! Creating and changing objects.

use std::sync::Arc;

use buildscaler_core::Timestamp;
use http::{Request, StatusCode, header};
use serde_json::{Value, json};

use super::access::{User, review};
use super::call::Call;
use super::events::absorb;
use super::objects::{default, is_finished_pod, is_terminating, items, set_condition, take, text};
use super::patch::PatchKind;
use super::refusal::Refusal;
use super::resource::Resource;
use super::store::Key;
use super::{FakeKubernetes, Reply, admission, defaults, object_reply, patch, time, validate};

/// How often the server tries another name from `generateName`, since 1.32.
const NAME_TRIES: usize = 8;
/// What etcd takes at most.
const LARGEST_BODY: usize = 3 * 1024 * 1024;

impl FakeKubernetes {
    /// Creates an object, as an administrator would, and returns it as it was stored.
    ///
    /// Admission, defaulting and validation apply.
    pub fn create(
        &mut self,
        now: Timestamp,
        resource: Resource,
        namespace: &str,
        object: Value,
    ) -> Result<Arc<Value>, Refusal> {
        let object = absorb(resource, validate::shape(resource, object)?);
        let (object, _warnings) = self.prepare(now, resource, namespace, object)?;
        Ok(self.store.write(resource, object))
    }

    /// Replaces an object; a `metadata.resourceVersion` in it must be the newest.
    pub fn update(&mut self, resource: Resource, object: Value) -> Result<Arc<Value>, Refusal> {
        let key = Key::of(&object);
        self.replace(resource, &key, "", object, false)
    }

    /// Replaces the status of an object, as a kubelet or controller would.
    pub fn update_status(
        &mut self,
        resource: Resource,
        namespace: &str,
        name: &str,
        status: Value,
    ) -> Result<Arc<Value>, Refusal> {
        let object = json!({ "metadata": { "namespace": namespace, "name": name }, "status": status });
        self.replace(resource, &Key::new(namespace, name), "status", object, false)
    }

    pub(super) fn serve_create(
        &mut self,
        now: Timestamp,
        user: &User,
        call: &Call,
        body: &[u8],
    ) -> Result<Reply, Refusal> {
        if body.len() > LARGEST_BODY {
            let message = format!("Request entity too large: limit is {LARGEST_BODY}");
            return Err(Refusal::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "RequestEntityTooLarge",
                message,
            ));
        }
        let object = read_body(body)?;
        match (call.name.as_str(), call.subresource.as_str()) {
            ("", _) => {}
            (_, "binding") => return self.serve_binding(now, call, &object),
            (_, "eviction") => return self.serve_delete(now, call, object["deleteOptions"].to_string().as_bytes()),
            _ => return Err(Refusal::unknown_path()),
        }
        let object = absorb(call.resource, validate::shape(call.resource, object)?);
        if call.resource == Resource::SelfSubjectAccessReviews {
            return Ok(object_reply(StatusCode::CREATED, call, &review(user, object), &[]));
        }
        self.make(now, call, object)
    }

    fn make(&mut self, now: Timestamp, call: &Call, object: Value) -> Result<Reply, Refusal> {
        let (object, warnings) = self.prepare(now, call.resource, &call.namespace, object)?;
        let object = if call.dry_run() {
            Arc::new(object)
        } else {
            self.store.write(call.resource, object)
        };
        Ok(object_reply(StatusCode::CREATED, call, &object, &warnings))
    }

    pub(super) fn serve_update(&mut self, now: Timestamp, call: &Call, body: &[u8]) -> Result<Reply, Refusal> {
        let object = absorb(call.resource, read_body(body)?);
        let key = Key::new(call.namespace.as_str(), call.name.as_str());
        if call.resource.facts().made_by_update && self.store.read(call.resource, &key).is_none() {
            return self.make(now, call, validate::shape(call.resource, object)?);
        }
        let object = self.replace(call.resource, &key, &call.subresource, object, call.dry_run())?;
        Ok(object_reply(StatusCode::OK, call, &object, &[]))
    }

    pub(super) fn serve_patch(
        &mut self,
        now: Timestamp,
        call: &Call,
        request: &Request<Vec<u8>>,
    ) -> Result<Reply, Refusal> {
        let content_type = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let kind = PatchKind::of(content_type.unwrap_or_default())?;
        let patch = read_body(request.body())?;
        let key = Key::new(call.namespace.as_str(), call.name.as_str());
        let Some(old) = self.store.read(call.resource, &key).map(Arc::clone) else {
            // Only server-side apply creates what is not there.
            if kind != PatchKind::Apply || !call.subresource.is_empty() {
                return Err(Refusal::not_found(call.resource, &call.name));
            }
            let object = absorb(call.resource, validate::shape(call.resource, patch)?);
            let (object, warnings) = self.prepare(now, call.resource, &call.namespace, object)?;
            let object = self.store.write(call.resource, object);
            return Ok(object_reply(StatusCode::CREATED, call, &object, &warnings));
        };
        let patch = if kind == PatchKind::Json {
            patch
        } else {
            absorb(call.resource, patch)
        };
        let object = patch::apply(kind, Value::clone(&old), patch)?;
        let object = self.replace(call.resource, &key, &call.subresource, object, call.dry_run())?;
        Ok(object_reply(StatusCode::OK, call, &object, &[]))
    }

    /// Does everything about a create but the write.
    fn prepare(
        &mut self,
        now: Timestamp,
        resource: Resource,
        namespace: &str,
        mut object: Value,
    ) -> Result<(Value, Vec<String>), Refusal> {
        self.place(resource, namespace, &mut object)?;
        admission::check_namespace(self, resource, &object)?;
        let metadata = &mut object["metadata"];
        for field in [
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "resourceVersion",
            "selfLink",
        ] {
            take(metadata, field);
        }
        metadata["uid"] = json!(self.identities.uid());
        metadata["creationTimestamp"] = json!(time::to_text(now));
        defaults::on_create(resource, &mut object);
        admission::default_limits(self, resource, &mut object);
        validate::created(resource, &object)?;
        let warnings = admission::check(self, resource, &object)?;
        let key = Key::of(&object);
        if self.store.read(resource, &key).is_some() {
            return Err(Refusal::already_exists(resource, &key.name));
        }
        Ok((object, warnings))
    }

    /// Gives the object its namespace and, from `generateName`, its name.
    fn place(&mut self, resource: Resource, namespace: &str, object: &mut Value) -> Result<(), Refusal> {
        let own = text(object, &["metadata", "namespace"]);
        if !own.is_empty() && own != namespace {
            let message = "the namespace of the provided object does not match the namespace sent on the request";
            return Err(Refusal::bad_request(message));
        }
        if resource.facts().namespaced {
            object["metadata"]["namespace"] = json!(namespace);
        }
        let prefix = text(object, &["metadata", "generateName"]).to_owned();
        if !text(object, &["metadata", "name"]).is_empty() || prefix.is_empty() {
            return Ok(());
        }
        for _ in 0..NAME_TRIES {
            object["metadata"]["name"] = json!(self.identities.name(&prefix));
            if self.store.read(resource, &Key::of(object)).is_none() {
                break;
            }
        }
        Ok(())
    }

    fn replace(
        &mut self,
        resource: Resource,
        key: &Key,
        subresource: &str,
        object: Value,
        dry_run: bool,
    ) -> Result<Arc<Value>, Refusal> {
        let old = self.existing(resource, &key.namespace, &key.name)?;
        check_identity(resource, key, &old, &object)?;
        let object = validate::shape(resource, object)?;
        let mut new = match subresource {
            "" => with_system_fields(resource, &old, object),
            "status" if resource.facts().status => with_status(&old, object),
            "finalize" => with_finalizers(&old, &object),
            _ => return Err(Refusal::unknown_path()),
        };
        if subresource.is_empty() {
            defaults::on_update(resource, &mut new);
            validate::updated(resource, &old, &new)?;
        }
        if new == *old {
            return Ok(old);
        }
        if resource == Resource::Jobs && new["spec"] != old["spec"] {
            new["metadata"]["generation"] = json!(old["metadata"]["generation"].as_i64().unwrap_or(0) + 1);
        }
        if dry_run {
            return Ok(Arc::new(new));
        }
        let written = self.store.write(resource, new);
        self.remove_if_released(resource, &written);
        Ok(written)
    }

    fn serve_binding(&mut self, now: Timestamp, call: &Call, binding: &Value) -> Result<Reply, Refusal> {
        self.bind(now, &call.namespace, &call.name, text(binding, &["target", "name"]))?;
        let status = json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201 });
        Ok(object_reply(StatusCode::CREATED, call, &status, &[]))
    }

    /// Binds a pod to a node, as the scheduler does.
    pub fn bind(&mut self, now: Timestamp, namespace: &str, name: &str, node: &str) -> Result<Arc<Value>, Refusal> {
        let old = self.existing(Resource::Pods, namespace, name)?;
        let bound = text(&old, &["spec", "nodeName"]);
        if !bound.is_empty() {
            let why = format!("pod {name} is already assigned to node {bound:?}");
            return Err(Refusal::conflict(Resource::Pods, name, &why));
        }
        if is_terminating(&old) || is_finished_pod(&old) {
            return Err(Refusal::conflict(
                Resource::Pods,
                name,
                &format!("pod {name} is being deleted, cannot be assigned to a host"),
            ));
        }
        let mut pod = Value::clone(&old);
        pod["spec"]["nodeName"] = json!(node);
        let condition = json!({
            "type": "PodScheduled", "status": "True", "lastProbeTime": null, "lastTransitionTime": time::to_text(now),
        });
        set_condition(&mut pod, condition);
        Ok(self.store.write(Resource::Pods, pod))
    }
}

fn read_body(body: &[u8]) -> Result<Value, Refusal> {
    serde_json::from_slice(body).map_err(|error| {
        Refusal::bad_request(format!(
            "the object provided is unrecognized (must be of type json): {error}"
        ))
    })
}

/// Checks that the object in the body is the one that the path names, in its newest version.
fn check_identity(resource: Resource, key: &Key, old: &Value, new: &Value) -> Result<(), Refusal> {
    let field = |name: &str| text(new, &["metadata", name]);
    if !field("name").is_empty() && field("name") != key.name {
        let message = format!(
            "the name of the object ({}) does not match the name on the URL ({})",
            field("name"),
            key.name
        );
        return Err(Refusal::bad_request(message));
    }
    if !field("uid").is_empty() && field("uid") != text(old, &["metadata", "uid"]) {
        let why = format!(
            "StorageError: invalid object, Code: 4, Key: /registry/{}/{}/{}, ResourceVersion: 0, AdditionalErrorMsg: \
             Precondition failed: UID in precondition: {}, UID in object meta: {}",
            resource.facts().plural,
            key.namespace,
            key.name,
            field("uid"),
            text(old, &["metadata", "uid"])
        );
        return Err(Refusal::conflict(resource, &key.name, &why));
    }
    if !field("resourceVersion").is_empty() && field("resourceVersion") != text(old, &["metadata", "resourceVersion"]) {
        return Err(Refusal::stale(resource, &key.name));
    }
    Ok(())
}

/// The new object with what only the server may set, and with the old status where that is a subresource.
fn with_system_fields(resource: Resource, old: &Value, mut new: Value) -> Value {
    for field in [
        "name",
        "namespace",
        "uid",
        "creationTimestamp",
        "generation",
        "resourceVersion",
        "generateName",
    ] {
        restore(&mut new["metadata"], &old["metadata"], field);
    }
    for field in ["deletionTimestamp", "deletionGracePeriodSeconds"] {
        restore(&mut new["metadata"], &old["metadata"], field);
    }
    if resource.facts().status {
        restore(&mut new, old, "status");
    }
    new
}

fn restore(new: &mut Value, old: &Value, field: &str) {
    take(new, field);
    if let Some(value) = old.get(field) {
        default(new, field, value.clone());
    }
}

fn with_status(old: &Value, mut new: Value) -> Value {
    let mut object = old.clone();
    take(&mut object, "status");
    if let Some(status) = take(&mut new, "status") {
        object["status"] = status;
    }
    object
}

fn with_finalizers(old: &Value, new: &Value) -> Value {
    let mut object = old.clone();
    object["spec"]["finalizers"] = Value::from(items(new, &["spec", "finalizers"]));
    object
}
