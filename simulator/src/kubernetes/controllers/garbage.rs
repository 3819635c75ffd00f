//! The garbage collector: an object all of whose owners are gone goes too.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use buildscaler_core::Timestamp;
use serde_json::Value;

use super::Touched;
use crate::kubernetes::FakeKubernetes;
use crate::kubernetes::objects::{is_terminating, items, take, text};
use crate::kubernetes::remove::{DeleteOptions, Propagation};
use crate::kubernetes::resource::Resource;
use crate::kubernetes::store::Key;

type Place = (Resource, Key);

/// Follows who owns whom, by uid.
#[derive(Debug, Default)]
pub(super) struct GarbageCollector {
    uids: BTreeMap<Place, String>,
    dependents: BTreeMap<String, BTreeSet<Place>>,
    suspects: BTreeSet<Place>,
    leaving: BTreeSet<Place>,
}

impl GarbageCollector {
    pub(super) fn follow(&mut self, touched: &[Touched]) {
        for Touched { resource, key, object } in touched {
            let place = (*resource, key.clone());
            let uid = object
                .as_deref()
                .map(|object| text(object, &["metadata", "uid"]).to_owned());
            let before = match &uid {
                Some(uid) => self.uids.insert(place.clone(), uid.clone()),
                None => self.uids.remove(&place),
            };
            if let Some(before) = before.filter(|before| Some(before) != uid.as_ref()) {
                self.suspects
                    .extend(self.dependents.remove(&before).unwrap_or_default());
            }
            let Some(object) = object else { continue };
            let owners = items(object, &["metadata", "ownerReferences"]);
            for owner in owners {
                self.dependents
                    .entry(text(owner, &["uid"]).to_owned())
                    .or_default()
                    .insert(place.clone());
            }
            if !owners.is_empty() {
                self.suspects.insert(place.clone());
            }
            if finalizer(object).is_some() {
                self.leaving.insert(place);
            }
        }
    }

    pub(super) fn run(&mut self, fake: &mut FakeKubernetes, now: Timestamp) {
        for place in std::mem::take(&mut self.suspects) {
            collect(fake, now, &place);
        }
        for place in std::mem::take(&mut self.leaving) {
            let Some(owner) = read(fake, &place) else { continue };
            let uid = text(&owner, &["metadata", "uid"]);
            let dependents = self.dependents.get(uid).cloned().unwrap_or_default();
            match finalizer(&owner) {
                Some(Propagation::Orphan) => {
                    for dependent in &dependents {
                        disown(fake, dependent, &|reference| text(reference, &["uid"]) == uid);
                    }
                    finish(fake, &place, &owner, "orphan");
                }
                Some(Propagation::Foreground) => {
                    if remove_first(fake, now, &dependents, uid) {
                        finish(fake, &place, &owner, "foregroundDeletion");
                    } else {
                        self.leaving.insert(place);
                    }
                }
                Some(Propagation::Background) | None => {}
            }
        }
    }
}

/// What a terminating object still waits for.
fn finalizer(object: &Value) -> Option<Propagation> {
    let has = |name: &str| {
        items(object, &["metadata", "finalizers"])
            .iter()
            .any(|finalizer| finalizer == name)
    };
    if !is_terminating(object) {
        None
    } else if has("orphan") {
        Some(Propagation::Orphan)
    } else if has("foregroundDeletion") {
        Some(Propagation::Foreground)
    } else {
        None
    }
}

fn read(fake: &FakeKubernetes, (resource, key): &Place) -> Option<Arc<Value>> {
    fake.store.read(*resource, key).map(Arc::clone)
}

/// Deletes an object if every owner of it is gone; if only some are, it loses their references.
fn collect(fake: &mut FakeKubernetes, now: Timestamp, place: &Place) {
    let Some(object) = read(fake, place) else { return };
    let (resource, key) = place;
    let owners = items(&object, &["metadata", "ownerReferences"]);
    let dangling = owners
        .iter()
        .filter(|owner| !exists(fake, &key.namespace, owner))
        .cloned()
        .collect::<Vec<_>>();
    if dangling.is_empty() || is_terminating(&object) {
        return;
    }
    if dangling.len() < owners.len() {
        disown(fake, place, &|reference| dangling.contains(reference));
        return;
    }
    let options = DeleteOptions {
        propagation: Some(Propagation::Background),
        ..DeleteOptions::only(text(&object, &["metadata", "uid"]))
    };
    drop(fake.delete(now, *resource, &key.namespace, &key.name, &options));
}

/// An owner is looked up by kind and name, and must have the uid of the reference.
fn exists(fake: &FakeKubernetes, namespace: &str, owner: &Value) -> bool {
    let known = Resource::ALL.into_iter().find(|resource| {
        owner["kind"] == resource.facts().kind && text(owner, &["apiVersion"]) == resource.api_version()
    });
    // The fake cannot tell whether an owner of a kind that it does not serve is there.
    known.is_none_or(|resource| {
        let namespace = if resource.facts().namespaced { namespace } else { "" };
        fake.object(resource, namespace, text(owner, &["name"]))
            .is_some_and(|object| object["metadata"]["uid"] == owner["uid"])
    })
}

fn disown(fake: &mut FakeKubernetes, place: &Place, gone: &dyn Fn(&Value) -> bool) {
    let Some(object) = read(fake, place) else { return };
    let mut object = Value::clone(&object);
    let owners = items(&object, &["metadata", "ownerReferences"])
        .iter()
        .filter(|owner| !gone(owner))
        .cloned()
        .collect::<Vec<_>>();
    if owners.is_empty() {
        take(&mut object["metadata"], "ownerReferences");
    } else {
        object["metadata"]["ownerReferences"] = Value::from(owners);
    }
    fake.store.write(place.0, object);
}

/// Deletes the dependents that hold an owner back; says whether none is left.
fn remove_first(fake: &mut FakeKubernetes, now: Timestamp, dependents: &BTreeSet<Place>, uid: &str) -> bool {
    let mut left = false;
    for place in dependents {
        let Some(object) = read(fake, place) else { continue };
        let blocks = items(&object, &["metadata", "ownerReferences"])
            .iter()
            .any(|owner| owner["uid"] == uid && owner["blockOwnerDeletion"] == true);
        left |= blocks;
        if blocks && !is_terminating(&object) {
            let (resource, key) = place;
            let options = DeleteOptions {
                propagation: Some(Propagation::Background),
                ..DeleteOptions::default()
            };
            drop(fake.delete(now, *resource, &key.namespace, &key.name, &options));
            left &= read(fake, place).is_some();
        }
    }
    !left
}

fn finish(fake: &mut FakeKubernetes, place: &Place, owner: &Value, finalizer: &str) {
    let mut owner = owner.clone();
    let kept = items(&owner, &["metadata", "finalizers"])
        .iter()
        .filter(|item| **item != finalizer)
        .cloned()
        .collect::<Vec<_>>();
    owner["metadata"]["finalizers"] = Value::from(kept);
    let written = fake.store.write(place.0, owner);
    fake.remove_if_released(place.0, &written);
}
