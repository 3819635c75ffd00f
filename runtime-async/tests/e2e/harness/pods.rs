//! The life of every pod of a namespace, as a watch shows it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use buildscaler_core::labels;
use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client};
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// What became of one pod.
#[derive(Clone, Debug)]
pub(crate) struct Story {
    /// The pod's name.
    pub(crate) name: String,
    /// The pod's uid.
    pub(crate) uid: String,
    /// The uid of the Job that it was made from; none for a pod that is not ours.
    pub(crate) template: Option<String>,
    /// Whether another controller took it for its own.
    pub(crate) owned: bool,
    /// Its node and status as last seen, for whoever wonders.
    pub(crate) status: String,
    /// Its restart policy.
    pub(crate) restart_policy: String,
    /// When the watch first showed it.
    pub(crate) appeared: Instant,
    /// When its deletion was seen, if it was.
    pub(crate) leaving: Option<Instant>,
    /// Whether its containers had ended when it was deleted.
    pub(crate) ended_before_leaving: bool,
    /// When it was gone.
    pub(crate) gone: Option<Instant>,
    ended: bool,
}

impl Story {
    /// Whether the pod exists and has not ended.
    pub(crate) fn is_live(&self) -> bool {
        self.gone.is_none() && !self.ended
    }
}

/// All that was seen so far.
#[derive(Default)]
struct Book {
    stories: BTreeMap<String, Story>,
    most_live: usize,
    leaks: BTreeSet<String>,
}

/// A watch on the pods of one namespace.
pub(crate) struct Pods {
    book: Arc<Mutex<Book>>,
    watching: JoinHandle<()>,
}

impl Pods {
    /// Watches from now on; a pod that shows one of the `secrets` is noted.
    pub(super) fn watch(client: Client, namespace: &str, secrets: &'static [&'static str]) -> Self {
        let book = Arc::new(Mutex::new(Book::default()));
        let pods: Api<Pod> = Api::namespaced(client, namespace);
        let watching = tokio::spawn(follow(pods, Arc::clone(&book), secrets));
        Self { book, watching }
    }

    /// The pods of Buildscaler, in the order of their appearance.
    pub(crate) fn ours(&self) -> Vec<Story> {
        let mut ours = self.all();
        ours.retain(|story| story.template.is_some());
        ours
    }

    /// All pods, those of other controllers included.
    pub(crate) fn all(&self) -> Vec<Story> {
        let mut all: Vec<Story> = self.book().stories.values().cloned().collect();
        all.sort_by_key(|story| story.appeared);
        all
    }

    /// How many pods of Buildscaler that had not ended there were at most at a time.
    pub(crate) fn most_live(&self) -> usize {
        self.book().most_live
    }

    /// Whether there is no pod at all.
    pub(crate) fn none_left(&self) -> bool {
        self.book().stories.values().all(|story| story.gone.is_some())
    }

    pub(super) fn leaks(&self) -> BTreeSet<String> {
        self.book().leaks.clone()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pods {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

async fn follow(pods: Api<Pod>, book: Arc<Mutex<Book>>, secrets: &[&str]) {
    let mut events = watcher(pods, watcher::Config::default()).default_backoff().boxed();
    let mut listed = BTreeSet::new();
    while let Some(event) = events.next().await {
        // A watch that was cut is opened again.
        let Ok(event) = event else { continue };
        let mut book = book.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Init => listed.clear(),
            Event::InitApply(pod) => {
                listed.extend(pod.metadata.uid.clone());
                book.see(&pod, secrets);
            }
            Event::InitDone => book.keep(&listed),
            Event::Apply(pod) => book.see(&pod, secrets),
            Event::Delete(pod) => {
                book.see(&pod, secrets);
                book.end(pod.metadata.uid.as_deref().unwrap_or_default());
            }
        }
    }
}

impl Book {
    fn see(&mut self, pod: &Pod, secrets: &[&str]) {
        let text = serde_json::to_string(pod).expect("JSON");
        let name = pod.metadata.name.clone().unwrap_or_default();
        if secrets.iter().any(|secret| text.contains(secret)) {
            self.leaks.insert(name.clone());
        }
        let uid = pod.metadata.uid.clone().unwrap_or_default();
        let label = |key: &str| pod.metadata.labels.as_ref().and_then(|labels| labels.get(key)).cloned();
        let restart_policy = pod.spec.as_ref().and_then(|spec| spec.restart_policy.clone());
        let restart_policy = restart_policy.unwrap_or_default();
        let now = Instant::now();
        let story = self.stories.entry(uid.clone()).or_insert_with(|| Story {
            name,
            uid,
            template: label(labels::JOB_UID),
            owned: false,
            status: String::new(),
            restart_policy,
            appeared: now,
            leaving: None,
            ended_before_leaving: false,
            gone: None,
            ended: false,
        });
        story.owned |= pod
            .metadata
            .owner_references
            .as_ref()
            .is_some_and(|owners| !owners.is_empty());
        let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
        story.status = json!({"node": node, "status": pod.status}).to_string();
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
        if pod.metadata.deletion_timestamp.is_some() && story.leaving.is_none() {
            story.leaving = Some(now);
            story.ended_before_leaving = story.ended;
        }
        story.ended |= matches!(phase, Some("Succeeded" | "Failed"));
        self.most_live = self.most_live.max(self.live());
    }

    fn end(&mut self, uid: &str) {
        let now = Instant::now();
        if let Some(story) = self.stories.get_mut(uid) {
            if story.leaving.is_none() {
                story.leaving = Some(now);
                story.ended_before_leaving = story.ended;
            }
            story.gone.get_or_insert(now);
        }
    }

    fn keep(&mut self, listed: &BTreeSet<String>) {
        let missing: Vec<String> = self
            .stories
            .keys()
            .filter(|uid| !listed.contains(*uid))
            .cloned()
            .collect();
        for uid in missing {
            // Nobody saw how it went.
            if let Some(story) = self.stories.get_mut(&uid) {
                story.gone.get_or_insert_with(Instant::now);
            }
        }
    }

    fn live(&self) -> usize {
        self.stories
            .values()
            .filter(|story| story.template.is_some() && story.is_live())
            .count()
    }
}
