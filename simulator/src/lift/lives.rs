//! Pods' lives: how long they wait for a node and for their agent.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use buildscaler_core::{Agent, Pod, PodStage, Timestamp, Uid};

use crate::scenario::{PodSettings, Range, Span};

/// What is known of pods so far.
#[derive(Debug, Default)]
pub(super) struct Lives {
    pods: BTreeMap<Uid, Life>,
}

#[derive(Debug)]
struct Life {
    created: Timestamp,
    /// Whether it was seen without a node.
    waited: bool,
    scheduled: Option<Timestamp>,
    connected: Option<Timestamp>,
}

impl Lives {
    /// Takes in all pods that there are.
    pub(super) fn pods(&mut self, pods: &[Arc<Pod>], at: Timestamp) {
        for pod in pods {
            let life = self.pods.entry(pod.uid.clone()).or_insert_with(|| Life {
                created: pod.created_at,
                waited: false,
                scheduled: None,
                connected: None,
            });
            if pod.stage == PodStage::Unscheduled {
                life.waited = true;
            } else if life.waited {
                life.scheduled.get_or_insert(at);
            }
        }
    }

    /// Takes in agents of a look.
    pub(super) fn agents(&mut self, agents: &[Agent], at: Timestamp) {
        for agent in agents {
            let life = agent.pod_uid.as_ref().and_then(|uid| self.pods.get_mut(uid));
            if let Some(life) = life {
                life.connected.get_or_insert(agent.connected_at.unwrap_or(at));
            }
        }
    }

    /// The settings of a world in which pods live as they mostly did.
    pub(super) fn medians(&self) -> PodSettings {
        let defaults = PodSettings::default();
        let lives = || self.pods.values();
        let scheduling = lives().filter_map(|life| Some(life.scheduled?.since(life.created)));
        let starts = lives().filter_map(|life| Some(life.connected?.since(life.scheduled.unwrap_or(life.created))));
        let fixed = |length: Duration| Range::millis(u64::try_from(length.as_millis()).unwrap_or(u64::MAX));
        let start = median(starts.collect());
        PodSettings {
            scheduling: median(scheduling.collect()).map_or(defaults.scheduling, fixed),
            // A pull is part of the start that was seen.
            image_pull: start.map_or(defaults.image_pull, |_| Range::Fixed(Span::default())),
            agent_start: start.map_or(defaults.agent_start, fixed),
            ..defaults
        }
    }
}

/// The middle one of some lengths; none if there are none.
pub(super) fn median(mut lengths: Vec<Duration>) -> Option<Duration> {
    lengths.sort_unstable();
    lengths.get(lengths.len() / 2).copied()
}
