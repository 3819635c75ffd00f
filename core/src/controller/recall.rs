//! From one process to the next: what is remembered, and how it is recalled.

use super::Controller;
use crate::memory::saved::{Memory, Saved, Unusable};
use crate::memory::{Budget, Lanes, Looks};
use crate::time::Timestamp;

/// In how many periods of looking memory grows too old: where looks are
/// further apart than that, absence is not counted either.
const PERIODS: u32 = 3;

impl Controller {
    /// What a later controller in this one's place should recall.
    ///
    /// It may be taken between any two steps. Answers to commands that are in
    /// flight meanwhile are lost, and are not waited for.
    pub fn save(&self) -> Saved {
        let now = self.clock;
        let (look_cost, look_failures) = self.looks.experience();
        Saved::new(Memory {
            saved_at: now,
            last_id: self.next_id,
            breakers: self.breakers.without_words(),
            sightings: self.sightings.clone(),
            held_back: self.held_back.clone(),
            holds: self.holds.without_answers(now),
            closures: self.lanes.closures(),
            look_cost,
            look_failures,
            account: self.budget.account(now),
            cluster_blocked_until: self.cluster_blocked_until,
            wishes: self.wishes.clone(),
            jobs_lack_room: self.jobs_lack_room,
        })
    }

    /// Recalls what an earlier controller saved, before the first step.
    ///
    /// From its first complete look on it then decides as the earlier one
    /// would have; until then it only looks.
    ///
    /// # Errors
    /// If the memory is of another version, from the future, too old or
    /// damaged. The controller is then as before: without memory.
    pub fn recall(&mut self, saved: Saved, now: Timestamp) -> Result<(), Unusable> {
        let memory = saved.open(now)?;
        let looks = Looks::experienced((memory.look_cost, memory.look_failures));
        let budget = Budget::continued(self.config.budget, memory.account);
        let limit = looks.period(&budget, self.config.sync_interval).saturating_mul(PERIODS);
        let age = now.since(memory.saved_at);
        if age > limit {
            return Err(Unusable::Old { age, limit });
        }
        self.clock = memory.saved_at;
        self.next_id = memory.last_id;
        self.breakers = memory.breakers;
        self.sightings = memory.sightings;
        self.held_back = memory.held_back;
        self.holds = memory.holds;
        self.lanes = Lanes::closed(memory.closures);
        self.looks = looks;
        self.budget = budget;
        self.cluster_blocked_until = memory.cluster_blocked_until;
        self.wishes = memory.wishes;
        self.jobs_lack_room = memory.jobs_lack_room;
        Ok(())
    }
}
