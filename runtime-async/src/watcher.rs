//! Sees Kubernetes through watches, and tells when something has changed.

use std::sync::Arc;
use std::time::Duration;

use buildscaler_core::{ClusterView, Pod, Template, View};
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;

use crate::clock::Clock;
use crate::mirror::{Changes, Kind, Mirror, Standing};
use crate::reflector::Reflector;
use crate::transport::{READ_DEADLINE, Transport};

/// How long changes are gathered before they are told: most come in groups.
const BATCH: Duration = Duration::from_millis(200);
/// The least time between two views that nobody asked for. Each costs the
/// core a whole plan.
const GAP: Duration = Duration::from_millis(500);

/// Both mirrors.
#[derive(Debug)]
pub(crate) struct Mirrors {
    templates: Arc<Mirror<Template>>,
    pods: Arc<Mirror<Pod>>,
}

impl Mirrors {
    /// Answers a look at the cluster, or not: then the mirrors cannot be
    /// relied on, and the API has to be asked.
    pub(crate) async fn look(&self) -> Option<ClusterView> {
        let started = async {
            self.templates.started().await;
            self.pods.started().await;
        };
        // If that takes too long, the lists will tell why.
        drop(tokio::time::timeout(READ_DEADLINE, started).await);
        self.view()
    }

    fn view(&self) -> Option<ClusterView> {
        if self.templates.standing() != Standing::Current || self.pods.standing() != Standing::Current {
            return None;
        }
        let (templates_at, templates) = self.templates.view();
        let (pods_at, pods) = self.pods.view();
        Some(ClusterView {
            begun_at: templates_at.min(pods_at),
            templates: View::Complete(templates),
            pods: View::Complete(pods),
        })
    }
}

/// Keeps the mirrors up to date for as long as it lives.
#[derive(Debug)]
pub(crate) struct Watcher {
    mirrors: Arc<Mirrors>,
    changes: Arc<Changes>,
    reflectors: JoinSet<()>,
    /// When changes that have been noticed are told.
    due: Option<Instant>,
    told_at: Option<Instant>,
    /// The count of changes that were told.
    told: u64,
}

impl Watcher {
    /// Begins to watch.
    pub(crate) fn start(
        transport: &Arc<Transport>,
        clock: &Arc<Clock>,
        namespace: Option<&str>,
        patience: Duration,
    ) -> Self {
        let changes = Arc::new(Changes::default());
        let mut reflectors = JoinSet::new();
        let mirrors = Arc::new(Mirrors {
            templates: Arc::new(Mirror::new(Arc::clone(&changes))),
            pods: Arc::new(Mirror::new(Arc::clone(&changes))),
        });
        reflectors.spawn(reflector(&mirrors.templates, transport, clock, namespace, patience).run());
        reflectors.spawn(reflector(&mirrors.pods, transport, clock, namespace, patience).run());
        Self {
            mirrors,
            changes,
            reflectors,
            due: None,
            told_at: None,
            told: 0,
        }
    }

    /// The mirrors, for looks.
    pub(crate) fn mirrors(&self) -> &Arc<Mirrors> {
        &self.mirrors
    }

    /// Waits for changes and returns what the cluster looks like after them.
    ///
    /// It may be dropped at any point and called again; nothing is lost.
    pub(crate) async fn changed(&mut self) -> Result<ClusterView, JoinError> {
        loop {
            tokio::select! {
                Some(ended) = self.reflectors.join_next() => ended?,
                () = batch(&self.changes, &mut self.due, self.told_at) => {
                    self.due = None;
                    let count = self.changes.count();
                    if count == self.told {
                        continue;
                    }
                    if let Some(view) = self.mirrors.view() {
                        self.told = count;
                        self.told_at = Some(Instant::now());
                        return Ok(view);
                    }
                }
            }
        }
    }
}

/// Waits until changes have been gathered.
async fn batch(changes: &Changes, due: &mut Option<Instant>, told_at: Option<Instant>) {
    let until = match *due {
        Some(until) => until,
        None => {
            changes.happened.notified().await;
            let soon = Instant::now() + BATCH;
            *due.insert(told_at.map_or(soon, |at| soon.max(at + GAP)))
        }
    };
    tokio::time::sleep_until(until).await;
}

fn reflector<T: Kind>(
    mirror: &Arc<Mirror<T>>,
    transport: &Arc<Transport>,
    clock: &Arc<Clock>,
    namespace: Option<&str>,
    patience: Duration,
) -> Reflector<T> {
    Reflector {
        mirror: Arc::clone(mirror),
        transport: Arc::clone(transport),
        clock: Arc::clone(clock),
        namespace: namespace.map(str::to_owned),
        patience,
    }
}
