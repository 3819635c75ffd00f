//! The namespace controller: equips new namespaces, and empties those that are being deleted.

use std::collections::BTreeSet;

use buildscaler_core::Timestamp;
use serde_json::{Value, json};

use super::Touched;
use crate::kubernetes::FakeKubernetes;
use crate::kubernetes::objects::is_terminating;
use crate::kubernetes::remove::{DeleteOptions, Propagation};
use crate::kubernetes::resource::Resource;
use crate::kubernetes::store::Key;

/// Follows the namespaces that are new or being deleted.
#[derive(Debug, Default)]
pub(super) struct Namespaces {
    leaving: BTreeSet<String>,
    fresh: BTreeSet<String>,
}

impl Namespaces {
    pub(super) fn follow(&mut self, touched: &[Touched]) {
        for Touched { resource, key, object } in touched {
            if *resource == Resource::Namespaces {
                self.leaving.remove(&key.name);
                match object {
                    Some(object) if is_terminating(object) => drop(self.leaving.insert(key.name.clone())),
                    Some(_) => drop(self.fresh.insert(key.name.clone())),
                    None => {}
                }
            }
        }
    }

    pub(super) fn run(&mut self, fake: &mut FakeKubernetes, now: Timestamp) {
        for name in std::mem::take(&mut self.fresh) {
            if fake.settings.service_accounts {
                let account = json!({ "metadata": { "name": "default" } });
                // It may be there already, or the namespace gone: either is fine.
                drop(fake.create(now, Resource::ServiceAccounts, &name, account));
            }
        }
        for name in &self.leaving {
            if empty(fake, now, name)
                && let Some(namespace) = fake.object(Resource::Namespaces, "", name)
            {
                let mut namespace = Value::clone(&namespace);
                namespace["spec"]["finalizers"] = Value::Array(Vec::new());
                let written = fake.store.write(Resource::Namespaces, namespace);
                fake.remove_if_released(Resource::Namespaces, &written);
            }
        }
    }
}

/// Deletes what lives in a namespace; says whether nothing is left.
fn empty(fake: &mut FakeKubernetes, now: Timestamp, namespace: &str) -> bool {
    let mut left = false;
    for resource in Resource::ALL
        .into_iter()
        .filter(|resource| resource.facts().namespaced && resource.stored_as() == *resource)
    {
        let found = fake
            .objects(resource, namespace)
            .map(|object| (Key::of(object), is_terminating(object)))
            .collect::<Vec<_>>();
        let options = DeleteOptions {
            propagation: Some(Propagation::Background),
            ..DeleteOptions::default()
        };
        for (key, terminating) in found {
            if !terminating {
                drop(fake.delete(now, resource, &key.namespace, &key.name, &options));
            }
        }
        left |= fake.objects(resource, namespace).next().is_some();
    }
    !left
}
