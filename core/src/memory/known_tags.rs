//! The tags that agents of one version of a template really had, where the
//! template does not tell: so that no pod is made again and again for a job
//! that none of them can take.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::index::fingerprint;
use crate::labels;
use crate::time::Timestamp;

/// Most sets of tags that are remembered; some tags differ from agent to agent.
const MOST_SETS: usize = 16;
/// How long no agent may have come before one pod is made for a job that none
/// of those before could take: tags may depend on the node, or on a Secret
/// that has been changed.
const DOUBT_AFTER: Duration = Duration::from_secs(30 * 60);

/// Sets of tags, as fingerprints: nobody's words are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KnownTags {
    sets: VecDeque<TagSet>,
    /// When an agent last came.
    seen_at: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct TagSet {
    tags: Vec<u64>,
    keys: Vec<u64>,
}

impl KnownTags {
    /// Takes note of the tags of an agent that has come.
    pub(crate) fn see(&mut self, tags: &[String], now: Timestamp) {
        self.seen_at = self.seen_at.max(Some(now));
        let set = TagSet::of(tags);
        if !self.sets.contains(&set) {
            if self.sets.len() >= MOST_SETS {
                self.sets.pop_front();
            }
            self.sets.push_back(set);
        }
    }

    /// Whether some agent that was seen satisfied all of these rules; none if
    /// no agent was seen yet.
    pub(crate) fn satisfy(&self, rules: &[String]) -> Option<bool> {
        let satisfied = || self.sets.iter().any(|set| set.satisfies(rules));
        (!self.sets.is_empty()).then(satisfied)
    }

    /// Whether what is known is old enough for another try.
    pub(crate) fn are_doubtful(&self, now: Timestamp) -> bool {
        self.seen_at.is_some_and(|seen_at| now.since(seen_at) >= DOUBT_AFTER)
    }

    /// Whether nothing in them is later than `end`.
    pub(crate) fn are_consistent(&self, end: Timestamp) -> bool {
        self.seen_at.is_none_or(|seen_at| seen_at <= end)
    }
}

impl TagSet {
    fn of(tags: &[String]) -> Self {
        // The pod's uid is another for each agent, and no rule asks for it.
        let telling = || {
            tags.iter()
                .map(|tag| (tag, tag.split_once('=').map(|(key, _)| key)))
                .filter(|(_, key)| *key != Some(labels::POD_UID_TAG))
        };
        Self {
            tags: telling().map(|(tag, _)| fingerprint(tag.as_bytes())).collect(),
            keys: telling()
                .filter_map(|(_, key)| Some(fingerprint(key?.as_bytes())))
                .collect(),
        }
    }

    /// As [`crate::demand::satisfies`], with fingerprints.
    fn satisfies(&self, rules: &[String]) -> bool {
        rules.iter().all(|rule| match rule.strip_suffix("=*") {
            Some(key) => self.keys.contains(&fingerprint(key.as_bytes())),
            None => self.tags.contains(&fingerprint(rule.as_bytes())),
        })
    }
}
