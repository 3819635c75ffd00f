//! Kubernetes Events: writes what the announcer has to say, one at a time, on a
//! thread of its own.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use buildscaler_args::instance;
use buildscaler_core::{Announcement, Announcer, Controller, EventTrouble, FindingChange, Input, Outcome};
use buildscaler_wire::Telling;

use crate::clock::Clock;
use crate::crew::{Crew, Errand};

/// Writes Events about findings, beside the controller and never in its way.
#[derive(Debug)]
pub(crate) struct Crier {
    announcer: Announcer,
    announcements: Sender<Announcement>,
    outcomes: Receiver<Outcome>,
}

impl Crier {
    /// Starts the thread. It ends with the process or after this value. What
    /// it has written wakes the loop that waits for the crew's inputs.
    pub(crate) fn hire(crew: &Crew) -> io::Result<Self> {
        let (announcements, waiting) = channel::<Announcement>();
        let (ended, outcomes) = channel();
        let (errand, inbox) = (Arc::clone(crew.errand()), crew.inbox());
        thread::Builder::new().name("events".into()).spawn(move || {
            let instance = instance();
            for announcement in waiting {
                let outcome = tell(&errand, &announcement, &instance);
                if ended.send(outcome).is_err() || inbox.send(Ok(Input::Tick)).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self {
            announcer: Announcer::default(),
            announcements,
            outcomes,
        })
    }

    /// Learns what came of the last Event, and has the next one written if one
    /// is due.
    pub(crate) fn hear(&mut self, changes: &[FindingChange], controller: &Controller, clock: &Clock) {
        let now = clock.now();
        if let Ok(outcome) = self.outcomes.try_recv() {
            match self.announcer.settle(&outcome, now) {
                None => {}
                Some(ref trouble @ EventTrouble::Began(ref error)) => tracing::warn!(%error, "{trouble}"),
                Some(trouble @ EventTrouble::Ended) => tracing::info!("{trouble}"),
            }
        }
        if let Some(announcement) = self.announcer.next(controller, !changes.is_empty(), now) {
            // A thread that has ended says nothing more, and nothing depends on it.
            drop(self.announcements.send(announcement));
        }
    }
}

fn tell(errand: &Errand, announcement: &Announcement, instance: &str) -> Outcome {
    let mut telling = Telling::begin(announcement, instance);
    while let Some(request) = telling.next_request() {
        let reply = errand.transport.send(request);
        telling.absorb(reply, errand.clock.now());
    }
    telling.finish()
}
