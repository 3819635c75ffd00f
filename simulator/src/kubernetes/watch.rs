//! Watching: changes as events, with bookmarks, and the ways in which a watch ends.

use std::sync::Arc;

use buildscaler_core::Timestamp;
use http::StatusCode;
use serde_json::{Value, json};

use super::call::Call;
use super::events::present;
use super::list::parse_version;
use super::refusal::Refusal;
use super::resource::Resource;
use super::selector::Selection;
use super::store::Change;
use super::time::seconds;
use super::{ExpiredWatch, FakeKubernetes, Reply};

/// A watch that somebody holds open.
///
/// It lives outside the fake, so that an owner can drop it, as a broken
/// connection would, without telling anybody.
#[derive(Clone, Debug)]
pub struct Subscription {
    resource: Resource,
    namespace: String,
    selection: Selection,
    version: u64,
    /// The newest version that the client can know of.
    told: u64,
    bookmarks: bool,
    next_bookmark: Timestamp,
    ends: Timestamp,
    start: Start,
    ended: bool,
}

/// What a watch begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    /// Changes only.
    Changes,
    /// The objects that exist, as if they were just added.
    Objects,
    /// The same, and a bookmark that says that they were all.
    ObjectsThenBookmark,
    /// Nothing but the news that the version is gone.
    Expired,
}

impl Subscription {
    /// Whether the server has closed the stream.
    pub const fn has_ended(&self) -> bool {
        self.ended
    }

    fn bookmark(&self, version: u64, initial: bool) -> Value {
        let mut metadata = json!({ "resourceVersion": version.to_string(), "creationTimestamp": null });
        if initial {
            metadata["annotations"] = json!({ "k8s.io/initial-events-end": "true" });
        }
        let (api_version, kind) = (self.resource.api_version(), self.resource.facts().kind);
        json!({ "type": "BOOKMARK", "object": { "kind": kind, "apiVersion": api_version, "metadata": metadata } })
    }

    fn event<'a>(&self, change: &'a Change) -> Option<Value> {
        let concerns = change.resource == self.resource.stored_as()
            && (self.namespace.is_empty() || self.namespace == change.key.namespace);
        if !concerns {
            return None;
        }
        let seen = |object: Option<&'a Arc<Value>>| {
            object
                .map(|object| present(self.resource, object))
                .filter(|object| self.selection.matches(object))
        };
        // An object that leaves the selection looks deleted, in the last state that matched.
        let (kind, object) = match (seen(change.before.as_ref()), seen(change.after.as_ref())) {
            (None, None) => return None,
            (None, Some(object)) => ("ADDED", object),
            (Some(_), Some(object)) => ("MODIFIED", object),
            (Some(object), None) => ("DELETED", object),
        };
        let mut event = json!({ "type": kind, "object": object });
        event["object"]["metadata"]["resourceVersion"] = json!(change.version.to_string());
        Some(event)
    }
}

impl FakeKubernetes {
    /// Takes the events that a watch has not seen yet.
    ///
    /// Sets the subscription's end where the server would close the stream: at
    /// its timeout, or when the history it needs has been compacted.
    pub fn watch_events(&self, now: Timestamp, watch: &mut Subscription) -> Vec<Value> {
        if watch.ended {
            return Vec::new();
        }
        let mut events = Vec::new();
        match watch.start {
            Start::Changes => {}
            Start::Objects => self.initial_events(watch, &mut events),
            Start::ObjectsThenBookmark => {
                self.initial_events(watch, &mut events);
                events.push(watch.bookmark(watch.version, true));
            }
            Start::Expired => {
                watch.ended = true;
                return vec![self.expired_event(watch.version)];
            }
        }
        watch.start = Start::Changes;
        if watch.version < self.store.compacted() {
            watch.ended = true;
            events.push(self.expired_event(watch.version));
            return events;
        }
        events.extend(
            self.store
                .changes_after(watch.version)
                .filter_map(|change| watch.event(change)),
        );
        watch.version = self.store.version();
        if !events.is_empty() {
            watch.told = watch.version;
        }
        watch.ended = now >= watch.ends;
        if watch.bookmarks && (watch.ended || now >= watch.next_bookmark) {
            watch.next_bookmark = now.after(self.settings.bookmark_every);
            // A bookmark that says nothing new is not sent.
            if watch.told < watch.version {
                watch.told = watch.version;
                events.push(watch.bookmark(watch.version, false));
            }
        }
        events
    }

    pub(super) fn subscribe(&self, now: Timestamp, call: &Call) -> Result<Reply, Refusal> {
        let selection = Selection::parse(
            call.resource,
            call.parameter("labelSelector"),
            call.parameter("fieldSelector"),
        )?;
        let streaming = call.flag("sendInitialEvents");
        if streaming || call.parameter("resourceVersionMatch").is_some() {
            self.check_streaming(call, streaming)?;
        }
        let asked = call
            .parameter("resourceVersion")
            .map(parse_version)
            .transpose()?
            .unwrap_or(0);
        let timeout = call
            .parameter("timeoutSeconds")
            .and_then(|text| text.parse().ok())
            .filter(|&timeout: &i64| timeout > 0);
        let expired = asked != 0 && asked < self.store.compacted();
        if expired && !streaming && self.settings.expired_watch == ExpiredWatch::Status {
            return Err(Refusal::expired(self.expired_message(asked)));
        }
        let start = match (streaming, asked) {
            (true, _) => Start::ObjectsThenBookmark,
            (false, 0) => Start::Objects,
            (false, _) if expired => Start::Expired,
            (false, _) => Start::Changes,
        };
        Ok(Reply::Watch(Subscription {
            resource: call.resource,
            namespace: call.namespace.clone(),
            selection,
            version: asked,
            told: asked,
            bookmarks: call.flag("allowWatchBookmarks"),
            next_bookmark: now.after(self.settings.bookmark_every),
            ends: now.after(timeout.map_or(self.settings.watch_timeout, seconds)),
            start,
            ended: false,
        }))
    }

    fn check_streaming(&self, call: &Call, streaming: bool) -> Result<(), Refusal> {
        let detail = if !self.settings.streaming_lists {
            "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"
        } else if !streaming {
            "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
        } else if call.parameter("resourceVersionMatch") != Some("NotOlderThan") {
            "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        } else {
            return Ok(());
        };
        let field = if streaming && !self.settings.streaming_lists {
            "sendInitialEvents"
        } else {
            "resourceVersionMatch"
        };
        let message = format!("ListOptions.meta.k8s.io \"\" is invalid: {field}: Forbidden: {detail}");
        let cause =
            json!([{ "reason": "FieldValueForbidden", "message": format!("Forbidden: {detail}"), "field": field }]);
        let details = json!({ "group": "meta.k8s.io", "kind": "ListOptions", "causes": cause });
        Err(Refusal {
            details,
            ..Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message)
        })
    }

    fn initial_events(&self, watch: &mut Subscription, events: &mut Vec<Value>) {
        let objects = self
            .store
            .scan(watch.resource, &watch.namespace)
            .map(|(_, object)| present(watch.resource, object));
        events.extend(
            objects
                .filter(|object| watch.selection.matches(object))
                .map(|object| json!({ "type": "ADDED", "object": object })),
        );
        watch.version = self.store.version();
    }

    fn expired_event(&self, version: u64) -> Value {
        json!({ "type": "ERROR", "object": Refusal::expired(self.expired_message(version)).status() })
    }

    fn expired_message(&self, version: u64) -> String {
        format!("too old resource version: {version} ({})", self.store.compacted())
    }
}
