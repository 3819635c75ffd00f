//! Why something happened to a Buildkite job, an agent or a pod, or did not.
//!
//! A recording holds everything the controller saw and decided; [`why`] picks
//! out what is about one thing and those that belong to it: a job's agent, the
//! agent's pod, the command that asked for the pod.

use std::time::Duration;

use buildscaler_core::{Reason, Timestamp};
use serde::{Serialize, Serializer};

use crate::error::ReadError;
use crate::reading::Recording;

mod cast;
mod chronicle;
mod marks;

use cast::Cast;
use chronicle::Chronicle;

/// What an id turned out to name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A Buildkite job, by its id.
    BuildkiteJob,
    /// An agent, by its id.
    Agent,
    /// A pod, by its uid, its name, or `namespace/name`.
    Pod,
}

/// What a recording tells of one thing.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Story {
    /// What it is.
    pub kind: Kind,
    /// The id that was asked for.
    pub id: String,
    /// The queue it belongs to, if one is known.
    pub queue: Option<String>,
    /// When the story begins: when the job could be dispatched, the pod was
    /// asked for, the agent connected, or the first that is known of it.
    pub begun_at: Timestamp,
    /// What it came to, in one line.
    pub summary: String,
    /// How far it had come when, counted from the beginning.
    pub marks: Vec<Mark>,
    /// What was seen and decided, in order.
    pub events: Vec<Event>,
    /// What of the recording could not be read.
    pub unread: Vec<String>,
}

/// Something that was reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Mark {
    /// What.
    pub name: &'static str,
    /// When.
    pub at: Timestamp,
    /// How long after the beginning, in milliseconds.
    pub after_millis: u64,
}

/// Something that was seen or decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// When the controller learnt or decided it.
    pub at: Timestamp,
    /// With what it happened.
    pub about: String,
    /// What happened.
    pub what: String,
    /// Why, where the controller decided.
    #[serde(serialize_with = "snake_case")]
    pub reason: Option<Reason>,
}

/// The reason as metrics and logs show it.
fn snake_case<S: Serializer>(reason: &Option<Reason>, serializer: S) -> Result<S::Ok, S::Error> {
    reason.map(Reason::as_str).serialize(serializer)
}

impl Kind {
    /// The kind in words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BuildkiteJob => "job",
            Self::Agent => "agent",
            Self::Pod => "pod",
        }
    }
}

impl Mark {
    /// How long after the beginning.
    pub fn after(&self) -> Duration {
        Duration::from_millis(self.after_millis)
    }
}

/// Tells the story of the Buildkite job, agent or pod of this id; none if the
/// recording does not know it.
///
/// What of the recording cannot be read is left out and named in the story.
///
/// # Errors
/// If nothing of the recording can be read.
pub fn why(recording: &Recording, id: &str) -> Result<Option<Story>, ReadError> {
    let (cast, unread) = Cast::find(recording, id)?;
    let Some(cast) = cast else { return Ok(None) };
    let chronicle = Chronicle::write(recording, &cast);
    let told = marks::tell(&cast, &chronicle);
    Ok(Some(Story {
        kind: cast.kind,
        id: id.to_owned(),
        queue: cast.queue.as_ref().map(ToString::to_string),
        begun_at: told.begun_at,
        summary: told.summary,
        marks: told.marks,
        events: chronicle.events,
        unread,
    }))
}
