//! What a watch has shown of one kind of object, trimmed to what is decided on.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use buildscaler_core::{Pod, Template, Timestamp, Uid};
use buildscaler_wire::watch::Watched;
use tokio::sync::{Notify, watch};

/// A kind of object that is mirrored.
pub(crate) trait Kind: Watched + PartialEq + Send + Sync + 'static {
    /// Where they are listed.
    fn path(namespace: Option<&str>) -> String;
}

impl Kind for Template {
    fn path(namespace: Option<&str>) -> String {
        path("/apis/batch/v1", namespace, Self::PLURAL)
    }
}

impl Kind for Pod {
    fn path(namespace: Option<&str>) -> String {
        path("/api/v1", namespace, Self::PLURAL)
    }
}

fn path(group: &str, namespace: Option<&str>, plural: &str) -> String {
    match namespace {
        Some(namespace) => format!("{group}/namespaces/{namespace}/{plural}"),
        None => format!("{group}/{plural}"),
    }
}

/// Whether a mirror can be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The first list is on its way.
    Starting,
    /// A watch keeps it up to date.
    Current,
    /// There is no watch: what it holds is old.
    Lost,
}

/// Counts the changes of all mirrors and wakes who waits for one.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    count: AtomicU64,
    pub(crate) happened: Notify,
}

impl Changes {
    /// How many there have been.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    fn announce(&self) {
        self.count.fetch_add(1, Ordering::AcqRel);
        self.happened.notify_one();
    }
}

/// The objects of one kind, as last seen.
#[derive(Debug)]
pub(crate) struct Mirror<T> {
    seen: Mutex<Seen<T>>,
    standing: watch::Sender<Standing>,
    changes: Arc<Changes>,
}

#[derive(Debug)]
struct Seen<T> {
    /// In the order of views: by uid.
    objects: BTreeMap<Uid, Arc<T>>,
    /// When the newest news came.
    known_at: Timestamp,
}

impl<T: Kind> Mirror<T> {
    pub(crate) fn new(changes: Arc<Changes>) -> Self {
        Self {
            seen: Mutex::new(Seen {
                objects: BTreeMap::new(),
                known_at: Timestamp::default(),
            }),
            standing: watch::Sender::new(Standing::Starting),
            changes,
        }
    }

    /// Whether it can be relied on.
    pub(crate) fn standing(&self) -> Standing {
        *self.standing.borrow()
    }

    /// Waits until it is known whether it can be relied on.
    pub(crate) async fn started(&self) {
        let mut standing = self.standing.subscribe();
        // The sender lives as long as `self`.
        drop(standing.wait_for(|standing| *standing != Standing::Starting).await);
    }

    /// The objects in the order of their uids, and since when nothing is newer.
    pub(crate) fn view(&self) -> (Timestamp, Vec<Arc<T>>) {
        let seen = self.seen();
        (seen.known_at, seen.objects.values().map(Arc::clone).collect())
    }

    /// Takes over a whole list that was begun at `begun_at`.
    pub(crate) fn replace(&self, objects: BTreeMap<Uid, Arc<T>>, begun_at: Timestamp) {
        *self.seen() = Seen {
            objects,
            known_at: begun_at,
        };
        self.standing.send_replace(Standing::Current);
        self.changes.announce();
    }

    /// Takes over an object that is new or has changed.
    pub(crate) fn upsert(&self, object: T, now: Timestamp) {
        let changed = {
            let mut seen = self.seen();
            seen.known_at = now;
            // Most events touch nothing of what is decided on.
            let changed = seen.objects.get(object.uid()).is_none_or(|known| **known != object);
            if changed {
                seen.objects.insert(object.uid().clone(), Arc::new(object));
            }
            changed
        };
        if changed {
            self.changes.announce();
        }
    }

    /// Forgets an object that is gone, or no longer carries our label.
    pub(crate) fn remove(&self, uid: &Uid, now: Timestamp) {
        let removed = {
            let mut seen = self.seen();
            seen.known_at = now;
            seen.objects.remove(uid).is_some()
        };
        if removed {
            self.changes.announce();
        }
    }

    /// Takes note that nothing has changed up to `now`.
    pub(crate) fn confirm(&self, now: Timestamp) {
        self.seen().known_at = now;
    }

    /// Takes note that there is no watch any more.
    pub(crate) fn lose(&self) {
        self.standing.send_replace(Standing::Lost);
    }

    fn seen(&self) -> MutexGuard<'_, Seen<T>> {
        // Changed in whole steps: after a panic elsewhere it is still sound.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
