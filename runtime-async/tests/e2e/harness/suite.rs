//! The cases as trials, and the cluster that they share.

use std::sync::Arc;

use libtest_mimic::Trial;
use tokio::runtime::Runtime;
use tokio::sync::Mutex;

use super::cluster::Cluster;
use super::world::World;

/// Everything that the cases of this process share.
#[derive(Clone)]
pub(crate) struct Suite {
    runtime: Arc<Runtime>,
    shared: Arc<Mutex<Option<Arc<Cluster>>>>,
}

impl Suite {
    pub(crate) fn new() -> Self {
        Self {
            runtime: Arc::new(Runtime::new().expect("a runtime")),
            shared: Arc::default(),
        }
    }

    /// A case that has namespaces of its own on a cluster with others.
    pub(crate) fn case(&self, name: &'static str, run: impl AsyncFn(&World) + Send + 'static) -> Trial {
        let suite = self.clone();
        self.trial(name, async move || {
            let cluster = suite.cluster().await;
            live(cluster, name, &run).await;
        })
    }

    /// A case that looks at all namespaces, or that takes the cluster down.
    pub(crate) fn case_alone(&self, name: &'static str, run: impl AsyncFn(&World) + Send + 'static) -> Trial {
        self.trial(name, async move || {
            let cluster = Arc::new(Cluster::start().await);
            live(Arc::clone(&cluster), name, &run).await;
            stop(cluster).await;
        })
    }

    /// A case that needs no cluster.
    pub(crate) fn check(&self, name: &'static str, run: impl FnOnce() + Send + 'static) -> Trial {
        self.trial(name, async move || run())
    }

    /// Stops the cluster, if a case has started it, and what failed cases have left.
    pub(crate) fn stop(self) {
        self.runtime.block_on(async {
            if let Some(cluster) = self.shared.lock().await.take() {
                stop(cluster).await;
            }
        });
    }

    fn trial(&self, name: &str, run: impl AsyncFnOnce() + Send + 'static) -> Trial {
        let runtime = Arc::clone(&self.runtime);
        let why = if cfg!(have_go) {
            ""
        } else {
            " (needs Go to build the real control plane)"
        };
        let trial = Trial::test(format!("{name}{why}"), move || {
            runtime.block_on(run());
            Ok(())
        });
        trial.with_ignored_flag(!cfg!(have_go))
    }

    async fn cluster(&self) -> Arc<Cluster> {
        let mut shared = self.shared.lock().await;
        match &*shared {
            Some(cluster) => Arc::clone(cluster),
            None => Arc::clone(shared.insert(Arc::new(Cluster::start().await))),
        }
    }
}

async fn live(cluster: Arc<Cluster>, name: &str, run: impl AsyncFn(&World)) {
    let world = World::new(cluster, name).await;
    run(&world).await;
    world.end().await;
}

async fn stop(cluster: Arc<Cluster>) {
    // A case that failed may have left a task behind that still knows it.
    if let Some(cluster) = Arc::into_inner(cluster) {
        cluster.stop().await;
    }
}
