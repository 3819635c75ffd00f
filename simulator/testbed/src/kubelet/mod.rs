//! A stand-in for the kubelet: it runs the pods of its nodes without a container engine.
//!
//! It speaks to any Kubernetes API, the real one and the fake alike: it
//! registers nodes, runs the first container of each pod bound to them as a
//! [`Workload`], and writes the pod's status as a kubelet does. Further
//! containers count as sidecars, which run until the pod is deleted. Init
//! containers, probes and restarts are not imitated: every pod is run as if its
//! restart policy were `Never`.

mod environment;
mod node;
mod pods;
mod process;
mod requests;
mod status;
mod worker;
mod workload;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kube::Client;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::error::{During, TestbedError};

use pods::Pods;
use requests::Requests;

pub use process::{Process, Run, RunState};
pub use workload::{ExitStatus, PodContext, Signals, Workload};

/// How a stand-in behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// The names of its nodes.
    pub nodes: Vec<String>,
    /// How many pods the scheduler may put on each node.
    pub pods_per_node: u32,
    /// How long a pod takes from being bound to its container's start.
    pub start_up: Duration,
    /// How soon an absent image or secret is looked for again.
    pub retry: Duration,
    /// How often the nodes' leases are renewed.
    pub renewal: Duration,
    /// How many requests it sends at a time.
    pub requests_at_once: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            nodes: vec!["testbed-0".into()],
            pods_per_node: 10_000,
            start_up: Duration::from_millis(20),
            retry: Duration::from_millis(500),
            renewal: Duration::from_secs(10),
            requests_at_once: 32,
        }
    }
}

/// A container that had to be ended by SIGKILL as its grace period was over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kill {
    /// The namespace of the pod.
    pub namespace: String,
    /// The name of the pod.
    pub pod: String,
    /// The uid of the pod.
    pub uid: String,
    /// How long the container had after SIGTERM.
    pub grace: Duration,
}

/// A running stand-in.
///
/// Dropping it ends all containers; [`Kubelet::stop`] does so and waits.
pub struct Kubelet {
    shared: Arc<Shared>,
    stopping: watch::Sender<bool>,
    renewing: JoinHandle<()>,
    following: JoinHandle<()>,
}

impl Kubelet {
    /// Registers the nodes and runs their pods from then on.
    pub async fn start(client: Client, options: Options, workload: Arc<dyn Workload>) -> Result<Self, TestbedError> {
        for name in &options.nodes {
            node::register(&client, name, options.pods_per_node).await?;
        }
        let renewing = tokio::spawn(node::renew(client.clone(), options.nodes.clone(), options.renewal));
        let shared = Arc::new(Shared {
            requests: Requests::new(client.clone(), options.requests_at_once),
            options,
            workload,
            broken_images: Mutex::default(),
            kills: Mutex::default(),
        });
        let (stopping, stop) = watch::channel(false);
        let following = tokio::spawn(Pods::new(Arc::clone(&shared)).follow(client, stop));
        Ok(Self {
            shared,
            stopping,
            renewing,
            following,
        })
    }

    /// Makes an image impossible to pull from now on.
    pub fn break_image(&self, image: &str) {
        self.shared.broken_images().insert(image.to_owned());
    }

    /// Makes an image available again; pods that wait for it then start.
    pub fn mend_image(&self, image: &str) {
        self.shared.broken_images().remove(image);
    }

    /// Returns every container that had to be ended by SIGKILL.
    #[must_use]
    pub fn kills(&self) -> Vec<Kill> {
        self.shared.kills.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the writes that the API refused for good, of which a sound test has none.
    #[must_use]
    pub fn refusals(&self) -> Vec<String> {
        self.shared.requests.refusals()
    }

    /// Ends all containers at once, as a loss of power would, and waits for that.
    ///
    /// The API hears nothing of it: nodes and pods stay as they were written last.
    pub async fn stop(mut self) -> Result<(), TestbedError> {
        self.stopping.send_replace(true);
        let followed = (&mut self.following).await;
        followed
            .map_err(std::io::Error::other)
            .during(|| "stopping the kubelet stand-in".into())
    }
}

impl Drop for Kubelet {
    fn drop(&mut self) {
        self.renewing.abort();
        self.following.abort();
    }
}

/// What all pods of a stand-in share.
struct Shared {
    options: Options,
    workload: Arc<dyn Workload>,
    requests: Requests,
    broken_images: Mutex<BTreeSet<String>>,
    kills: Mutex<Vec<Kill>>,
}

impl Shared {
    fn is_broken(&self, image: &str) -> bool {
        self.broken_images().contains(image)
    }

    fn record(&self, kill: Kill) {
        self.kills.lock().unwrap_or_else(PoisonError::into_inner).push(kill);
    }

    fn broken_images(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.broken_images.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
