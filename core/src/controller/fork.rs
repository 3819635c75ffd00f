//! One controller becomes two.

use super::Controller;
use crate::policy::ScalingPolicy;

impl Controller {
    /// Another controller with the same memory. It asks `policy`, which has to
    /// know what this one's knows for both to decide the same.
    ///
    /// A search over what may happen next goes many ways from one moment.
    #[must_use]
    pub fn fork(&self, policy: Box<dyn ScalingPolicy>) -> Self {
        Self {
            config: self.config.clone(),
            policy,
            clock: self.clock,
            next_id: self.next_id,
            shutting_down: self.shutting_down,
            cluster: self.cluster.clone(),
            buildkite: self.buildkite.clone(),
            versions: self.versions.clone(),
            blueprints: self.blueprints.clone(),
            breakers: self.breakers.clone(),
            sightings: self.sightings.clone(),
            held_back: self.held_back.clone(),
            holds: self.holds.clone(),
            lanes: self.lanes.clone(),
            looks: self.looks.clone(),
            budget: self.budget.clone(),
            flights: self.flights.clone(),
            cluster_blocked_until: self.cluster_blocked_until,
            wishes: self.wishes.clone(),
            metering: self.metering.clone(),
            jobs_lack_room: self.jobs_lack_room,
            standing: self.standing.clone(),
            withheld: self.withheld.clone(),
            report: self.report.clone(),
            candidacy: self.candidacy.clone(),
            judgements: self.judgements.clone(),
        }
    }
}
