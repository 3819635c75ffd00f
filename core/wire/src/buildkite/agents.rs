//! From a page of agents to agents.

use buildscaler_core::{Agent, AgentId, BuildkiteJobId, ConnectionState, Failure, Queue, Uid, labels};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::rows::{lax, objects, texts};
use crate::date;
use crate::malformed::told;

#[derive(Deserialize)]
struct AgentRow<'a> {
    id: String,
    #[serde(default, deserialize_with = "lax")]
    name: Option<String>,
    #[serde(default, deserialize_with = "lax")]
    hostname: Option<String>,
    #[serde(default, deserialize_with = "lax")]
    connection_state: Option<String>,
    #[serde(borrow, default)]
    paused: Option<&'a RawValue>,
    #[serde(default, deserialize_with = "lax")]
    queue: Option<String>,
    #[serde(borrow, default)]
    meta_data: Option<&'a RawValue>,
    #[serde(default, deserialize_with = "lax")]
    connected_at: Option<String>,
    #[serde(borrow, default)]
    job: Option<&'a RawValue>,
}

/// The job an agent holds. Only that there is one matters, and its id.
#[derive(Default, Deserialize)]
struct Held {
    #[serde(default, deserialize_with = "lax")]
    id: Option<String>,
}

#[derive(Default, Deserialize)]
struct Tags(#[serde(deserialize_with = "texts")] Vec<String>);

/// Reads a page of agents. Everything but an agent's id may be missing or of
/// another type; without the id the page is no good, since an agent that is
/// left out looks like one that is dead (Invariant 4).
pub(super) fn read(body: &[u8], agents: &mut Vec<Agent>) -> Result<(), Failure> {
    for row in objects(body)? {
        let row: AgentRow<'_> = serde_json::from_str(row.get()).map_err(|error| Failure::Malformed {
            message: format!("an agent cannot be told: {}", told(&error)),
        })?;
        agents.push(row.into());
    }
    Ok(())
}

impl From<AgentRow<'_>> for Agent {
    fn from(row: AgentRow<'_>) -> Self {
        let Tags(tags) = row
            .meta_data
            .and_then(|tags| serde_json::from_str(tags.get()).ok())
            .unwrap_or_default();
        let value = |tag: &str, key: &str| Some(tag.split_once('=').filter(|(name, _)| *name == key)?.1.to_owned());
        let mut queues: Vec<Queue> = tags
            .iter()
            .filter_map(|tag| value(tag, labels::QUEUE_TAG))
            .chain(row.queue)
            .filter(|queue| !queue.is_empty())
            .map(Queue::from)
            .collect();
        queues.sort_unstable();
        queues.dedup();
        if queues.is_empty() {
            queues.push(Queue::from(labels::DEFAULT_QUEUE));
        }
        let pod_uid = tags
            .iter()
            .find_map(|tag| value(tag, labels::POD_UID_TAG))
            // A variable that nobody filled in names no pod.
            .filter(|uid| !uid.is_empty() && !uid.contains('$'));
        // There are thousands of agents: what the other fields say already is
        // not kept a second time.
        let hostname = row
            .hostname
            .filter(|hostname| !hostname.is_empty())
            .or_else(|| row.name.as_deref().and_then(host_of))
            .filter(|_| pod_uid.is_none());
        let told = |tag: &String| {
            tag.split_once('=')
                .is_some_and(|(key, _)| [labels::QUEUE_TAG, labels::POD_UID_TAG].contains(&key))
        };
        Self {
            id: AgentId::from(row.id),
            hostname,
            state: match row.connection_state.as_deref() {
                Some("connected") => ConnectionState::Connected,
                Some("stopping") => ConnectionState::Stopping,
                Some(_) | None => ConnectionState::Other,
            },
            // A job without an id is a job all the same: the agent is busy.
            running: row.job.map(|held| {
                let held: Held = serde_json::from_str(held.get()).unwrap_or_default();
                BuildkiteJobId::from(held.id.unwrap_or_default())
            }),
            // In doubt it is left alone.
            paused: row.paused.is_some_and(|paused| paused.get() != "false"),
            queues,
            pod_uid: pod_uid.map(Uid::from),
            tags: tags.into_iter().filter(|tag| !told(tag)).collect(),
            connected_at: row.connected_at.as_deref().and_then(date::parse),
        }
    }
}

/// The host in a name as the agent's image makes it: `<hostname>-<spawn>`.
fn host_of(name: &str) -> Option<String> {
    let (host, spawn) = name.rsplit_once('-')?;
    let numbered = !spawn.is_empty() && spawn.bytes().all(|digit| digit.is_ascii_digit());
    (numbered && !host.is_empty()).then(|| host.to_owned())
}
