//! What really happened to Buildkite jobs, told and counted.

use super::World;
use super::fidelity::Fidelity;
use super::life::Doom;
use crate::buildkite::{Happening as Fact, LifeEvent};

impl<F: Fidelity> World<'_, F> {
    /// Tells what has happened to jobs since the last call.
    pub(super) fn tell_truth(&mut self) {
        let facts = self.outside.buildkite.truth().happenings();
        if self.told == facts.len() {
            return;
        }
        let fresh = self.told..facts.len();
        self.told = facts.len();
        for at in fresh {
            let fact = &self.outside.buildkite.truth().happenings()[at];
            if self.story.is_told() {
                let words = self.words(fact);
                self.story.line(self.now, || words);
            }
            if let LifeEvent::Interrupted(_) = fact.event {
                let fact = fact.clone();
                self.book_interruption(&fact);
            }
        }
    }

    fn words(&self, fact: &Fact) -> String {
        let found = self.outside.buildkite.job_of(&fact.id);
        let (number, queue) = found.map_or((0, String::new()), |found| (found.sequence, found.queue().to_string()));
        let alias = |agent| {
            let number = self.by_agent.get(agent);
            number.map_or("a stranger", |number| self.lives[*number as usize].alias.as_str())
        };
        match &fact.event {
            LifeEvent::Scheduled => format!("job {number} wants an agent of {queue}"),
            LifeEvent::Assigned(agent) => format!("job {number} is given to {}", alias(agent)),
            LifeEvent::Started(agent) => {
                let since = found.and_then(|found| found.runnable_at).unwrap_or(self.now);
                let waited = self.now.since(since).as_secs_f64();
                format!("job {number} runs on {} after {waited:.1} s", alias(agent))
            }
            LifeEvent::Finished(0) => format!("job {number} has passed"),
            LifeEvent::Finished(status) => format!("job {number} has failed with {status}"),
            LifeEvent::Canceled => format!("job {number} is canceled"),
            LifeEvent::Interrupted(why) => format!("job {number} IS CUT OFF: {why:?}"),
        }
    }

    /// Whose doing it was: the world's, if it ended the pod, else whoever
    /// keeps the fleet.
    fn book_interruption(&mut self, fact: &Fact) {
        let Some(found) = self.outside.buildkite.job_of(&fact.id) else {
            return;
        };
        let queue = found.queue();
        let pod = found
            .agent_id(&self.outside.buildkite)
            .and_then(|agent| self.by_agent.get(agent));
        let doom = pod.and_then(|number| self.lives[*number as usize].doom);
        self.tally.interrupted(&queue, doom == Some(Doom::World));
    }

    /// Tells which agents were asked to stop by the request that just arrived.
    pub(super) fn tell_stops(&mut self) {
        if !self.story.is_told() {
            return;
        }
        for agent in self.outside.buildkite.just_stopped() {
            if let Some(number) = self.by_agent.get(&agent) {
                let alias = &self.lives[*number as usize].alias;
                let cause = self.cause.map(|reason| format!(" ({reason})")).unwrap_or_default();
                self.story
                    .line(self.now, || format!("agent {alias} is asked to leave{cause}"));
            }
        }
    }
}
