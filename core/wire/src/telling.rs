//! One Event of the announcer, as a conversation over HTTP.

use buildscaler_core::{Announcement, Outcome, Timestamp};

use crate::kubernetes::WriteScript;
use crate::transport::{Reply, Request};

/// The request that writes one Event, and what came of it.
///
/// Used as an [`Exchange`](crate::Exchange) is. It is one of its own because
/// nobody waits for its end: the controller neither asks for it nor learns of it.
#[derive(Debug)]
pub struct Telling {
    script: WriteScript,
}

impl Telling {
    /// Begins to write the Event, in the name of this instance of the
    /// controller (the first 128 letters of it).
    pub fn begin(announcement: &Announcement, instance: &str) -> Self {
        Self {
            script: WriteScript::event(announcement, instance),
        }
    }

    /// The request to send; none once it is on its way.
    pub fn next_request(&mut self) -> Option<Request> {
        self.script.next_request()
    }

    /// Takes the reply.
    pub fn absorb(&mut self, reply: Reply, now: Timestamp) {
        self.script.absorb(reply, now);
    }

    /// How it ended.
    pub fn finish(self) -> Outcome {
        self.script.outcome()
    }
}
