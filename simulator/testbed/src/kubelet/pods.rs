//! Which pods are on the nodes of a stand-in, as the API tells it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::utils::Backoff;
use kube::runtime::watcher::Event;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::environment::Addresses;
use super::worker::{Wanted, Worker};
use super::{Shared, node};

/// The shortest grace period that a kubelet gives.
const SHORTEST_GRACE: i64 = 1;

/// The grace period of a pod that names none.
const DEFAULT_GRACE: i64 = 30;

/// How long to wait before the API is asked again after a failure.
const PAUSE: Duration = Duration::from_millis(250);

/// The pods that a stand-in runs, one worker each.
pub(super) struct Pods {
    shared: Arc<Shared>,
    known: BTreeMap<String, Known>,
    workers: JoinSet<()>,
    /// Counts the listings, so that what a new one lacks is known to be gone.
    listing: u64,
    addresses_given: u32,
}

struct Known {
    wanted: watch::Sender<Wanted>,
    grace: Duration,
    listing: u64,
}

impl Pods {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            known: BTreeMap::new(),
            workers: JoinSet::new(),
            listing: 0,
            addresses_given: 0,
        }
    }

    /// Follows the API until asked to stop, then ends all containers at once.
    ///
    /// A lost watch is resumed, and an expired one lists anew. Meanwhile nothing
    /// is concluded: silence does not mean that a pod is gone.
    pub(super) async fn follow(mut self, client: Client, mut stopping: watch::Receiver<bool>) {
        let events = watcher(Api::<Pod>::all(client), watcher::Config::default()).backoff(Steady);
        let mut events = std::pin::pin!(events);
        loop {
            tokio::select! {
                // The sender is gone only if the stand-in was dropped.
                _ = stopping.wait_for(|stop| *stop) => break,
                event = events.next() => match event {
                    Some(Ok(event)) => self.learn(event),
                    Some(Err(_)) => {}
                    None => break,
                },
            }
            while self.workers.try_join_next().is_some() {}
        }
        self.workers.shutdown().await;
    }

    fn learn(&mut self, event: Event<Pod>) {
        match event {
            Event::Init => self.listing += 1,
            Event::InitApply(pod) | Event::Apply(pod) => self.observe(pod),
            Event::InitDone => {
                let listing = self.listing;
                let gone = self.known.extract_if(.., |_, known| known.listing < listing);
                gone.for_each(|(_, known)| known.remove());
            }
            Event::Delete(pod) => {
                let uid = pod.metadata.uid.unwrap_or_default();
                if let Some(known) = self.known.remove(&uid) {
                    known.remove();
                }
            }
        }
    }

    fn observe(&mut self, pod: Pod) {
        let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_ref());
        if !node.is_some_and(|node| self.shared.options.nodes.contains(node)) {
            return;
        }
        let wanted = wanted(&pod);
        let uid = pod.metadata.uid.clone().unwrap_or_default();
        if let Some(known) = self.known.get_mut(&uid) {
            known.listing = self.listing;
            known.wanted.send_if_modified(|old| {
                *old != wanted && {
                    *old = wanted;
                    true
                }
            });
            return;
        }
        let (sender, receiver) = watch::channel(wanted);
        self.known.insert(
            uid,
            Known {
                wanted: sender,
                grace: grace(&pod),
                listing: self.listing,
            },
        );
        let addresses = self.next_addresses();
        self.workers
            .spawn(Worker::new(Arc::clone(&self.shared), pod, addresses, receiver).live());
    }

    fn next_addresses(&mut self) -> Addresses {
        self.addresses_given = self.addresses_given.wrapping_add(1);
        let [_, a, b, c] = self.addresses_given.to_be_bytes();
        Addresses {
            pod: format!("10.{a}.{b}.{c}"),
            node: node::ADDRESS.into(),
        }
    }
}

impl Known {
    fn remove(self) {
        // The worker is gone already where the stand-in removed the pod itself.
        let _ = self.wanted.send(Wanted::Removed(self.grace));
    }
}

/// Always the same pause: after an outage tests should not wait for half a minute.
struct Steady;

impl Iterator for Steady {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(PAUSE)
    }
}

impl Backoff for Steady {
    fn reset(&mut self) {}
}

fn wanted(pod: &Pod) -> Wanted {
    if pod.metadata.deletion_timestamp.is_some() {
        Wanted::Terminate(grace(pod))
    } else {
        Wanted::Run
    }
}

/// The time between SIGTERM and SIGKILL: that of the deletion, else the pod's own, but never none.
fn grace(pod: &Pod) -> Duration {
    let deletion = pod
        .metadata
        .deletion_grace_period_seconds
        .filter(|seconds| *seconds > 0);
    let own = pod.spec.as_ref().and_then(|spec| spec.termination_grace_period_seconds);
    let seconds = deletion.or(own).unwrap_or(DEFAULT_GRACE).max(SHORTEST_GRACE);
    Duration::from_secs(seconds.unsigned_abs())
}
