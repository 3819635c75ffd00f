//! Kubernetes Events: writes what the announcer has to say, one at a time.

use std::sync::Arc;

use buildscaler_args::instance;
use buildscaler_core::{Announcement, Announcer, Controller, EventTrouble, FindingChange, Outcome};
use buildscaler_wire::Telling;
use tokio::task::{JoinError, JoinSet};

use crate::clock::Clock;
use crate::transport::Transport;

/// Writes Events about findings, beside the controller and never in its way.
#[derive(Debug)]
pub(crate) struct Crier {
    announcer: Announcer,
    transport: Arc<Transport>,
    clock: Arc<Clock>,
    instance: String,
    underway: JoinSet<Outcome>,
}

impl Crier {
    /// A crier that has said nothing yet.
    pub(crate) fn new(transport: &Arc<Transport>, clock: &Arc<Clock>) -> Self {
        Self {
            announcer: Announcer::default(),
            transport: Arc::clone(transport),
            clock: Arc::clone(clock),
            instance: instance(),
            underway: JoinSet::new(),
        }
    }

    /// Begins to write the next Event, if one is due.
    pub(crate) fn hear(&mut self, changes: &[FindingChange], controller: &Controller) {
        let now = self.clock.now();
        if let Some(announcement) = self.announcer.next(controller, !changes.is_empty(), now) {
            let (transport, clock) = (Arc::clone(&self.transport), Arc::clone(&self.clock));
            let instance = self.instance.clone();
            self.underway
                .spawn(async move { tell(&transport, &clock, &announcement, &instance).await });
        }
    }

    /// Waits until an Event is written or has failed, and learns from it; for
    /// ever if none is underway.
    pub(crate) async fn heard(&mut self) -> Result<(), JoinError> {
        let Some(outcome) = self.underway.join_next().await else {
            return std::future::pending().await;
        };
        match self.announcer.settle(&outcome?, self.clock.now()) {
            None => {}
            Some(ref trouble @ EventTrouble::Began(ref error)) => tracing::warn!(%error, "{trouble}"),
            Some(trouble @ EventTrouble::Ended) => tracing::info!("{trouble}"),
        }
        Ok(())
    }
}

async fn tell(transport: &Transport, clock: &Clock, announcement: &Announcement, instance: &str) -> Outcome {
    let mut telling = Telling::begin(announcement, instance);
    while let Some(request) = telling.next_request() {
        let reply = transport.send(request).await;
        telling.absorb(reply, clock.now());
    }
    telling.finish()
}
