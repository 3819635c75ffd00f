//! The life of one pod on its node.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::{Container, Pod};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::environment::{Addresses, expand, references, resolve};
use super::requests::Subject;
use super::status::{Statuses, Waiting};
use super::workload::{ExitStatus, PodContext, Signals};
use super::{Kill, Shared};

/// The longest host name that Linux allows.
const HOSTNAME_LIMIT: usize = 63;

/// What is to become of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Live.
    Run,
    /// End within the grace period, then confirm the deletion.
    Terminate(Duration),
    /// End within the grace period; the object is gone already.
    Removed(Duration),
}

impl Wanted {
    fn grace(self) -> Option<Duration> {
        match self {
            Self::Run => None,
            Self::Terminate(grace) | Self::Removed(grace) => Some(grace),
        }
    }
}

/// Runs one pod until its object is gone.
pub(super) struct Worker {
    shared: Arc<Shared>,
    pod: Pod,
    subject: Subject,
    addresses: Addresses,
    statuses: Statuses,
    wanted: watch::Receiver<Wanted>,
}

impl Worker {
    pub(super) fn new(shared: Arc<Shared>, pod: Pod, addresses: Addresses, wanted: watch::Receiver<Wanted>) -> Self {
        let subject = Subject {
            namespace: pod.metadata.namespace.clone().unwrap_or_default(),
            name: pod.metadata.name.clone().unwrap_or_default(),
            uid: pod.metadata.uid.clone().unwrap_or_default(),
        };
        let statuses = Statuses::new(&pod, addresses.clone());
        Self {
            shared,
            pod,
            subject,
            addresses,
            statuses,
            wanted,
        }
    }

    /// Takes the pod from being bound to being gone.
    pub(super) async fn live(mut self) {
        match phase(&self.pod) {
            "Succeeded" | "Failed" => {}
            // Its containers ended with the stand-in that ran them.
            "Running" => self.write(self.statuses.ended(ExitStatus::KILLED)).await,
            _ => self.run().await,
        }
        termination(&mut self.wanted).await;
        let removed = matches!(*self.wanted.borrow(), Wanted::Removed(_));
        if !removed {
            self.shared.requests.finish_deletion(&self.subject).await;
        }
    }

    async fn run(&mut self) {
        let mut wanted = self.wanted.clone();
        let context = tokio::select! {
            biased;
            _ = termination(&mut wanted) => None,
            context = self.start_up() => context,
        };
        let Some(context) = context else {
            return self.write(self.statuses.never_ran()).await;
        };
        let running = self.statuses.running();
        let (terminate, signals) = Signals::channel();
        let container = self.shared.workload.run(context, signals);
        // The container does not wait for the API to hear of it.
        let ((), status) = tokio::join!(self.write(running), self.supervise(container, terminate));
        let alone = self.pod.spec.as_ref().is_none_or(|spec| spec.containers.len() < 2);
        if !alone && self.wanted.borrow().grace().is_none() {
            self.write(self.statuses.half_ended(status)).await;
            termination(&mut self.wanted).await;
        }
        self.write(self.statuses.ended(status)).await;
    }

    /// Waits until the first container can start; only deletion ends it otherwise.
    ///
    /// Returns none for a pod without containers, which the API does not allow.
    async fn start_up(&self) -> Option<PodContext> {
        let container = self.pod.spec.as_ref()?.containers.first()?;
        let mut told = Waiting::creating();
        self.write(self.statuses.pending(&told)).await;
        sleep(self.shared.options.start_up).await;
        loop {
            let waiting = match self.missing_image(&told) {
                Some(waiting) => waiting,
                None => match self.context(container).await {
                    Ok(context) => return Some(context),
                    Err(message) => Waiting {
                        reason: "CreateContainerConfigError",
                        message,
                    },
                },
            };
            if waiting != told {
                self.write(self.statuses.pending(&waiting)).await;
                told = waiting;
            }
            sleep(self.shared.options.retry).await;
        }
    }

    /// Tells what a kubelet says of an image that it cannot pull: first the failure, then that it waits.
    fn missing_image(&self, told: &Waiting) -> Option<Waiting> {
        let spec = self.pod.spec.as_ref()?;
        let images = spec.containers.iter().filter_map(|container| container.image.as_ref());
        let image = images.into_iter().find(|image| self.shared.is_broken(image))?;
        Some(match told.reason {
            "ErrImagePull" | "ImagePullBackOff" => Waiting {
                reason: "ImagePullBackOff",
                message: format!("Back-off pulling image \"{image}\""),
            },
            _ => Waiting {
                reason: "ErrImagePull",
                message: format!("failed to pull and unpack image \"{image}\""),
            },
        })
    }

    async fn context(&self, container: &Container) -> Result<PodContext, String> {
        let Subject { namespace, name, uid } = self.subject.clone();
        let sources = self.shared.requests.sources(&namespace, references(container)).await?;
        let env = resolve(&self.pod, container, &sources, &self.addresses)?;
        let expanded = |texts: &Option<Vec<String>>| texts.iter().flatten().map(|text| expand(text, &env)).collect();
        let spec = self.pod.spec.as_ref();
        Ok(PodContext {
            hostname: hostname(spec.and_then(|spec| spec.hostname.as_deref()).unwrap_or(&name)),
            node: spec.and_then(|spec| spec.node_name.clone()).unwrap_or_default(),
            container: container.name.clone(),
            image: container.image.clone().unwrap_or_default(),
            command: expanded(&container.command),
            args: expanded(&container.args),
            env,
            uid,
            namespace,
            name,
        })
    }

    /// Waits for the container to end; asks it to once the pod is deleted, and kills it after the grace period.
    async fn supervise(
        &self,
        mut container: BoxFuture<'static, ExitStatus>,
        terminate: watch::Sender<bool>,
    ) -> ExitStatus {
        let mut wanted = self.wanted.clone();
        let mut grace = tokio::select! {
            status = &mut container => return status,
            grace = termination(&mut wanted) => grace,
        };
        let asked = Instant::now();
        // Nobody listens when the workload does not care.
        let _ = terminate.send(true);
        loop {
            tokio::select! {
                biased;
                status = &mut container => return status,
                Ok(()) = wanted.changed() => {
                    // Another deletion may only shorten the time.
                    let newer = wanted.borrow_and_update().grace();
                    grace = newer.map_or(grace, |newer| newer.min(grace));
                }
                () = sleep_until(asked + grace) => break,
            }
        }
        self.shared.record(Kill {
            pod: self.subject.name.clone(),
            namespace: self.subject.namespace.clone(),
            uid: self.subject.uid.clone(),
            grace,
        });
        drop(container);
        ExitStatus::KILLED
    }

    async fn write(&self, patch: serde_json::Value) {
        if !matches!(*self.wanted.borrow(), Wanted::Removed(_)) {
            self.shared.requests.write_status(&self.subject, &patch).await;
        }
    }
}

/// Resolves once the pod is to end, with its grace period.
async fn termination(wanted: &mut watch::Receiver<Wanted>) -> Duration {
    let grace = wanted
        .wait_for(|wanted| wanted.grace().is_some())
        .await
        .ok()
        .and_then(|wanted| wanted.grace());
    match grace {
        Some(grace) => grace,
        // The stand-in is being stopped, which drops this pod at once.
        None => std::future::pending().await,
    }
}

fn phase(pod: &Pod) -> &str {
    pod.status
        .as_ref()
        .and_then(|status| status.phase.as_deref())
        .unwrap_or("Pending")
}

fn hostname(name: &str) -> String {
    let cut: String = name.chars().take(HOSTNAME_LIMIT).collect();
    cut.trim_end_matches(['-', '.']).to_owned()
}
