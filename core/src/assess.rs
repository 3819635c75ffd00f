//! From workers to situations: what the verdict table is asked about.

use std::time::Duration;

use crate::agent::{Agent, ConnectionState};
use crate::fleet::{Fleet, QueueFleet, Worker};
use crate::memory::{Holds, Sighting, Sightings};
use crate::pod::PodStage;
use crate::time::Timestamp;
use crate::verdict::{Owner, Presence, Relation, Situation, Spare, Stage};

/// What assessments depend on besides the worker itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Assessor<'m> {
    pub(crate) sightings: &'m Sightings,
    pub(crate) holds: &'m Holds,
    pub(crate) agents_known: bool,
    pub(crate) now: Timestamp,
}

impl Assessor<'_> {
    /// The situation of a worker, before it is known whether an idle agent is
    /// wanted.
    pub(crate) fn situation(
        &self,
        queue: &QueueFleet<'_>,
        worker: &Worker<'_>,
        relation: Relation,
        startup_timeout: Duration,
    ) -> Situation {
        Situation {
            owner: Owner::Ours,
            stage: self.stage(worker),
            relation,
            presence: self.presence(queue, worker, startup_timeout),
            spare: Spare::Wanted,
        }
    }

    /// Whether no agent of the worker was ever seen.
    pub(crate) fn never_had_agent(&self, worker: &Worker<'_>) -> bool {
        let had_agent = |sighting: &Sighting| sighting.had_agent;
        worker.agents.is_empty() && !self.sightings.at(worker.place).is_some_and(had_agent)
    }

    fn stage(&self, worker: &Worker<'_>) -> Stage {
        if worker.pod.deleting || self.holds.was_deleted(&worker.pod.uid) {
            return Stage::Leaving;
        }
        match worker.pod.stage {
            PodStage::Unscheduled | PodStage::Starting => Stage::Pending,
            PodStage::Running => Stage::Running,
            PodStage::AgentEnded => Stage::AgentEnded,
            PodStage::Succeeded | PodStage::Failed => Stage::Finished,
        }
    }

    fn presence(&self, queue: &QueueFleet<'_>, worker: &Worker<'_>, startup_timeout: Duration) -> Presence {
        if !self.agents_known {
            return Presence::Unknown;
        }
        let available = |agent: &&Agent| agent.state == ConnectionState::Connected && !self.holds.was_asked(&agent.id);
        if worker.agents.is_empty() {
            self.sightings.at(worker.place).map_or(Presence::Unproven, |sighting| {
                self.absence(queue, worker, sighting, startup_timeout)
            })
        } else if worker.agents.iter().any(|agent| agent.paused) {
            Presence::Paused
        } else if worker
            .agents
            .iter()
            .filter(available)
            .any(|agent| agent.running.is_some())
        {
            Presence::Busy
        } else if worker.agents.iter().filter(available).count() > 0 {
            Presence::Idle
        } else {
            Presence::Stopping
        }
    }

    /// "Over" ten minutes: at exactly ten it is not yet (Invariant 5). Both
    /// the pod's age and the absence as seen by us must be over it.
    ///
    /// An agent whose tags were overridden and whose host is called otherwise
    /// cannot be linked to its pod. While agents of the queue belong to no pod
    /// that can be told, theirs may be this one.
    fn absence(
        &self,
        queue: &QueueFleet<'_>,
        worker: &Worker<'_>,
        sighting: &Sighting,
        startup_timeout: Duration,
    ) -> Presence {
        let Some(absent_since) = sighting.absent_since.filter(|_| sighting.is_proven_absent()) else {
            return Presence::Unproven;
        };
        let absent = self
            .sightings
            .listed_at()
            .map_or(Duration::ZERO, |listed_at| listed_at.since(absent_since));
        if absent > startup_timeout && self.now.since(worker.pod.created_at) > startup_timeout {
            if queue.foreign_busy > 0 {
                Presence::Vanished
            } else if queue.foreign_idle > 0 {
                Presence::Doubtful
            } else {
                Presence::Overdue
            }
        } else if sighting.had_agent {
            Presence::Vanished
        } else {
            Presence::Awaited
        }
    }
}

/// What a worker's pod is to the templates of its queue.
pub(crate) fn relation(fleet: &Fleet<'_>, queue: &QueueFleet<'_>, worker: &Worker<'_>) -> Relation {
    if !fleet.templates_known {
        return Relation::Unknown;
    }
    match queue.claims.as_slice() {
        [] => Relation::Orphan,
        [template] => {
            let same_job = worker.pod.template_uid.as_ref() == Some(&template.uid);
            let same_template = worker
                .pod
                .template_hash
                .as_ref()
                .is_none_or(|hash| *hash == template.hash);
            if same_job && same_template {
                Relation::Current
            } else {
                Relation::Replaced
            }
        }
        [_, _, ..] => Relation::Current,
    }
}
