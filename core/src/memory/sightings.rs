//! What was seen of each pod's agents over time: the difference between "not
//! listed" and "gone" (Invariant 5).

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::names::Uid;
use crate::pod::Pod;
use crate::time::Timestamp;

/// Complete listings that must lack an agent before its absence is believed.
const PROOF: u32 = 2;

/// One pod's history with its agents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sighting {
    uid: Uid,
    /// When this controller first saw the pod.
    pub(crate) first_seen: Timestamp,
    /// Whether an agent of it was ever listed.
    pub(crate) had_agent: bool,
    /// Complete listings without an agent of it, one after the other.
    pub(crate) absences: u32,
    /// Since when it has had no agent, as far as complete listings show.
    pub(crate) absent_since: Option<Timestamp>,
    /// Since when its agents have been idle, as far as they show.
    pub(crate) idle_since: Option<Timestamp>,
}

/// What a complete listing shows of a pod's agents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Glimpse {
    Absent,
    Idle,
    Engaged,
}

/// The histories, in the order of the pods' uids.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sightings {
    pods: Vec<Sighting>,
    listed_at: Option<Timestamp>,
}

impl Sightings {
    /// Takes note of the pods there are, sorted by uid.
    pub(crate) fn see_pods(&mut self, pods: &[Arc<Pod>], now: Timestamp) {
        let mut known = std::mem::take(&mut self.pods).into_iter().peekable();
        self.pods.reserve(pods.len());
        for pod in pods {
            while known.next_if(|sighting| sighting.uid < pod.uid).is_some() {}
            let sighting = known.next_if(|sighting| sighting.uid == pod.uid);
            self.pods.push(sighting.unwrap_or_else(|| Sighting::new(&pod.uid, now)));
        }
    }

    /// Takes note of a complete listing of the agents that began at `begun_at`
    /// and shows `glimpses`, one for each pod in order.
    ///
    /// Time in which nothing could be listed (more than `patience` between two
    /// complete listings) proves nothing and is not counted as absence: agents
    /// cannot connect during an outage either.
    pub(crate) fn see_agents(&mut self, begun_at: Timestamp, glimpses: &[Glimpse], patience: Duration) {
        let gap = self
            .listed_at
            .map_or(Duration::ZERO, |listed_at| begun_at.since(listed_at));
        self.listed_at = Some(begun_at);
        for (sighting, glimpse) in self.pods.iter_mut().zip(glimpses) {
            if gap > patience {
                sighting.skip(gap, begun_at);
            }
            sighting.see(*glimpse, begun_at);
        }
    }

    /// The places of pods of which these glimpses are the first to show agents.
    pub(crate) fn newcomers(&self, glimpses: &[Glimpse]) -> Vec<usize> {
        let known = self.pods.iter().zip(glimpses).enumerate();
        known
            .filter(|(_, (sighting, glimpse))| !sighting.had_agent && **glimpse != Glimpse::Absent)
            .map(|(place, _)| place)
            .collect()
    }

    /// The history of the pod at this place of the last `see_pods`.
    pub(crate) fn at(&self, place: usize) -> Option<&Sighting> {
        self.pods.get(place)
    }

    /// Whether these histories are in order and nothing in them is later than
    /// `end`.
    pub(crate) fn are_consistent(&self, end: Timestamp) -> bool {
        let in_order = self.pods.windows(2).all(|pair| pair[0].uid < pair[1].uid);
        let mut times = self.pods.iter().flat_map(|sighting| {
            let since = [sighting.absent_since, sighting.idle_since];
            since.into_iter().flatten().chain([sighting.first_seen])
        });
        in_order && self.listed_at.is_none_or(|at| at <= end) && times.all(|at| at <= end)
    }

    /// When the last complete listing began.
    pub(crate) fn listed_at(&self) -> Option<Timestamp> {
        self.listed_at
    }
}

impl Sighting {
    fn new(uid: &Uid, now: Timestamp) -> Self {
        Self {
            uid: uid.clone(),
            first_seen: now,
            had_agent: false,
            absences: 0,
            absent_since: None,
            idle_since: None,
        }
    }

    /// Whether enough complete listings lacked an agent of this pod.
    pub(crate) fn is_proven_absent(&self) -> bool {
        self.absences >= PROOF
    }

    fn see(&mut self, glimpse: Glimpse, begun_at: Timestamp) {
        match glimpse {
            Glimpse::Absent if begun_at < self.first_seen => {}
            Glimpse::Absent => {
                let since = if self.had_agent { begun_at } else { self.first_seen };
                self.absent_since.get_or_insert(since);
                self.absences = self.absences.saturating_add(1);
                self.idle_since = None;
            }
            Glimpse::Idle => {
                self.present();
                self.idle_since.get_or_insert(begun_at);
            }
            Glimpse::Engaged => {
                self.present();
                self.idle_since = None;
            }
        }
    }

    fn present(&mut self) {
        self.had_agent = true;
        self.absences = 0;
        self.absent_since = None;
    }

    fn skip(&mut self, gap: Duration, begun_at: Timestamp) {
        self.absences = 0;
        self.absent_since = None;
        self.first_seen = self.first_seen.after(gap).min(begun_at);
        self.idle_since = self.idle_since.map(|since| since.after(gap).min(begun_at));
    }
}
