//! What the stand-in asks of the API, a bounded number of requests at a time.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret};
use kube::api::{Api, DeleteParams, Patch, PatchParams, Preconditions};
use kube::{Client, Error};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::environment::{Source, Sources};

/// How long one answer may take before the request is sent again.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long to wait before a request that failed is sent again.
const PAUSE: Duration = Duration::from_millis(250);

/// The API as the pods of a stand-in use it.
pub(super) struct Requests {
    client: Client,
    permits: Semaphore,
    refusals: Mutex<Vec<String>>,
}

/// The pod that a request is about.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) uid: String,
}

impl Requests {
    pub(super) fn new(client: Client, at_once: usize) -> Self {
        Self {
            client,
            permits: Semaphore::new(at_once),
            refusals: Mutex::default(),
        }
    }

    /// Patches a pod's status, again and again until the API answers.
    ///
    /// An outage of the API must not lose how a container ended.
    pub(super) async fn write_status(&self, pod: &Subject, patch: &Value) {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &pod.namespace);
        let patch = Patch::Strategic(patch);
        let write = async || {
            pods.patch_status(&pod.name, &PatchParams::default(), &patch)
                .await
                .map(drop)
        };
        self.insist(pod, "status", write).await;
    }

    /// Tells the API that nothing of a deleted pod is left on its node.
    pub(super) async fn finish_deletion(&self, pod: &Subject) {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &pod.namespace);
        let uid = Preconditions {
            uid: Some(pod.uid.clone()),
            ..Preconditions::default()
        };
        let now = DeleteParams {
            grace_period_seconds: Some(0),
            preconditions: Some(uid),
            ..DeleteParams::default()
        };
        let (pods, now) = (&pods, &now);
        let delete = || async move { pods.delete(&pod.name, now).await.map(drop) };
        self.insist(pod, "deletion", delete).await;
    }

    /// Reads config maps and secrets; absent ones are none.
    pub(super) async fn sources(&self, namespace: &str, wanted: Vec<Source>) -> Result<Sources, String> {
        let mut found = Sources::new();
        for source in wanted {
            let data = self
                .source(namespace, &source)
                .await
                .map_err(|error| error.to_string())?;
            found.insert(source, data);
        }
        Ok(found)
    }

    /// Returns what the API refused for good, which a sound test bed never has.
    pub(super) fn refusals(&self) -> Vec<String> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn source(&self, namespace: &str, source: &Source) -> Result<Option<BTreeMap<String, String>>, Error> {
        let text = |ByteString(bytes): ByteString| String::from_utf8_lossy(&bytes).into_owned();
        match source {
            Source::ConfigMap(name) => {
                let maps: Api<ConfigMap> = Api::namespaced(self.client.clone(), namespace);
                let map = self.once(maps.get_opt(name)).await?;
                Ok(map.map(|map| map.data.unwrap_or_default()))
            }
            Source::Secret(name) => {
                let secrets: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
                let secret = self.once(secrets.get_opt(name)).await?;
                let data = secret.map(|secret| secret.data.unwrap_or_default());
                Ok(data.map(|data| data.into_iter().map(|(key, value)| (key, text(value))).collect()))
            }
        }
    }

    async fn insist<A>(&self, pod: &Subject, what: &str, ask: impl Fn() -> A)
    where
        A: Future<Output = Result<(), Error>>,
    {
        loop {
            let error = match timeout(PATIENCE, self.once(ask())).await {
                Ok(Ok(())) => return,
                Ok(Err(error)) => error,
                Err(_) => continue,
            };
            match refusal(&error) {
                // The pod is gone, or its name belongs to another one.
                Some(404 | 409) => return,
                Some(400..=428) => {
                    let refused = format!("{what} of {}/{}: {error}", pod.namespace, pod.name);
                    self.refusals
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(refused);
                    return;
                }
                Some(_) | None => sleep(PAUSE).await,
            }
        }
    }

    async fn once<T>(&self, ask: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        // The semaphore is never closed.
        let _permit = self.permits.acquire().await.ok();
        ask.await
    }
}

/// Returns the status code with which the API refused, if it is the API that did.
pub(super) fn refusal(error: &Error) -> Option<u16> {
    if let Error::Api(status) = error {
        Some(status.code)
    } else {
        None
    }
}
