//! Objects, their versions, and the history from which watches and old lists are served.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use serde_json::{Value, json};

use super::resource::Resource;

/// Where an object lives within its resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Key {
    pub(crate) fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    pub(crate) fn of(object: &Value) -> Self {
        let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default();
        Self::new(text("namespace"), text("name"))
    }
}

/// One write: what was there before and what is there now.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) version: u64,
    pub(crate) resource: Resource,
    pub(crate) key: Key,
    pub(crate) before: Option<Arc<Value>>,
    pub(crate) after: Option<Arc<Value>>,
}

/// All objects, at the newest version, with the changes that led there.
///
/// One counter numbers the writes of all resources, as etcd does. History is
/// bounded; what has been dropped is *compacted*, and asking for it is refused.
#[derive(Debug)]
pub(crate) struct Store {
    objects: BTreeMap<Resource, BTreeMap<Key, Arc<Value>>>,
    history: VecDeque<Change>,
    history_limit: usize,
    version: u64,
    compacted: u64,
    /// What was written since the built-in controllers last looked.
    touched: BTreeSet<(Resource, Key)>,
}

impl Store {
    pub(crate) fn new(history_limit: usize) -> Self {
        Self {
            objects: BTreeMap::new(),
            history: VecDeque::new(),
            history_limit,
            version: 1,
            compacted: 0,
            touched: BTreeSet::new(),
        }
    }

    pub(crate) const fn version(&self) -> u64 {
        self.version
    }

    /// The newest version of which the history is gone.
    pub(crate) const fn compacted(&self) -> u64 {
        self.compacted
    }

    pub(crate) fn compact(&mut self) {
        self.history.clear();
        self.compacted = self.version;
    }

    pub(crate) fn read(&self, resource: Resource, key: &Key) -> Option<&Arc<Value>> {
        self.objects.get(&resource.stored_as())?.get(key)
    }

    /// The objects of one namespace, or of all for an empty one, in the order of their keys.
    pub(crate) fn scan<'a>(
        &'a self,
        resource: Resource,
        namespace: &'a str,
    ) -> impl Iterator<Item = (&'a Key, &'a Arc<Value>)> {
        self.objects
            .get(&resource.stored_as())
            .into_iter()
            .flat_map(move |objects| objects.range(Key::new(namespace, "")..))
            .take_while(move |(key, _)| namespace.is_empty() || key.namespace == namespace)
    }

    /// The objects of a resource as they were at `version`, which must not be compacted.
    pub(crate) fn at(&self, resource: Resource, version: u64) -> BTreeMap<Key, Arc<Value>> {
        let mut objects = self.objects.get(&resource.stored_as()).cloned().unwrap_or_default();
        for change in self.history.iter().rev().take_while(|change| change.version > version) {
            if change.resource == resource.stored_as() {
                match &change.before {
                    Some(before) => objects.insert(change.key.clone(), Arc::clone(before)),
                    None => objects.remove(&change.key),
                };
            }
        }
        objects
    }

    /// The changes after `version`.
    pub(crate) fn changes_after(&self, version: u64) -> impl Iterator<Item = &Change> {
        let start = self.history.partition_point(|change| change.version <= version);
        self.history.range(start..)
    }

    /// Writes an object under the next version and returns it as it is now.
    pub(crate) fn write(&mut self, resource: Resource, mut object: Value) -> Arc<Value> {
        let key = Key::of(&object);
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        let object = Arc::new(object);
        let before = self
            .objects
            .entry(resource.stored_as())
            .or_default()
            .insert(key.clone(), Arc::clone(&object));
        self.record(resource, key, before, Some(Arc::clone(&object)));
        object
    }

    /// Removes an object and returns its last state, at the version of its removal.
    pub(crate) fn remove(&mut self, resource: Resource, key: &Key) -> Option<Arc<Value>> {
        let before = self.objects.get_mut(&resource.stored_as())?.remove(key)?;
        self.version += 1;
        let mut last = Value::clone(&before);
        last["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.record(resource, key.clone(), Some(before), None);
        Some(Arc::new(last))
    }

    /// What was written since the last call, each object once.
    pub(crate) fn take_touched(&mut self) -> BTreeSet<(Resource, Key)> {
        std::mem::take(&mut self.touched)
    }

    fn record(&mut self, resource: Resource, key: Key, before: Option<Arc<Value>>, after: Option<Arc<Value>>) {
        let resource = resource.stored_as();
        self.touched.insert((resource, key.clone()));
        self.history.push_back(Change {
            version: self.version,
            resource,
            key,
            before,
            after,
        });
        while self.history.len() > self.history_limit {
            self.compacted = self.history.pop_front().map_or(self.compacted, |change| change.version);
        }
    }
}
