//! What agents do: connect, take jobs, and leave.
//!
//! Idle agents ping all day. Here they ping only when there is something to
//! learn, at the time at which they would have.

use buildscaler_core::{AgentId, BuildkiteJobId};

use super::fidelity::Fidelity;
use super::life::{Phase, PodNumber};
use super::{Happening, World};
use crate::buildkite::{AgentSpec, Ending, News, Ping};
use crate::rivals::Stay;

impl<F: Fidelity> World<'_, F> {
    /// The agent of a pod registers and connects.
    pub(super) fn agent_up(&mut self, number: PodNumber) {
        let life = &mut self.lives[number as usize];
        if life.phase != Phase::Starting || life.terminating || life.removed {
            return;
        }
        let spec = AgentSpec {
            name: format!("{}-1", life.name),
            hostname: life.name.clone(),
            tags: life.settings.tags_of(&life.uid),
            ..AgentSpec::default()
        };
        let agent = self.outside.buildkite.register(self.now, spec);
        let connected = self.outside.buildkite.connect(self.now, &agent);
        self.by_agent.insert(agent.clone(), number);
        life.agent = Some(agent);
        if connected.is_err() {
            return self.pod_exited(number, false);
        }
        life.enter(Phase::Idle, self.now);
        life.connected_at = Some(self.now);
        self.story.line(self.now, || format!("agent {} connected", life.alias));
        self.tally.agent_connected(&life.queue);
        self.wait_for_work(number);
        self.ping(number);
    }

    /// Plans for what an idle agent does by itself.
    pub(super) fn wait_for_work(&mut self, number: PodNumber) {
        let life = &self.lives[number as usize];
        if let Stay::UntilIdle(length) = life.settings.stay {
            let turn = life.turn;
            self.agenda
                .put(self.now.after(length), Happening::IdleOver(number, turn));
        }
    }

    /// An idle agent asks what to do.
    pub(super) fn ping(&mut self, number: PodNumber) {
        let life = &self.lives[number as usize];
        let (Phase::Idle, Some(agent)) = (life.phase, life.agent.clone()) else {
            return;
        };
        match self.outside.buildkite.ping(self.now, &agent) {
            Ok(Ping::Assigned(assigned)) => self.begin_work(number, &agent, &assigned),
            Ok(Ping::Disconnect) => self.agent_leaves(number),
            Ok(Ping::Idle | Ping::Pause(_)) => {}
            Err(_) => self.pod_exited(number, false),
        }
    }

    fn begin_work(&mut self, number: PodNumber, agent: &AgentId, assigned: &BuildkiteJobId) {
        let buildkite = &mut self.outside.buildkite;
        let begun = buildkite
            .accept(self.now, agent, assigned)
            .and_then(|()| buildkite.start(self.now, agent, assigned));
        let Some(work) = buildkite.job_of(assigned).filter(|_| begun.is_ok()) else {
            return;
        };
        let length = work.spec.duration;
        let life = &mut self.lives[number as usize];
        life.enter(Phase::Busy, self.now);
        self.tally.agent_busy(&life.queue);
        self.agenda
            .put(self.now.after(length), Happening::CommandEnds(number, life.turn));
    }

    /// The command of a busy agent has ended by itself.
    pub(super) fn command_ends(&mut self, number: PodNumber) {
        let held = self.held(number);
        let exit_status = held.as_ref().map_or(0, |(_, status)| *status);
        self.end_work(number, Ending::exited(exit_status));
    }

    /// A busy agent sees that its job was cancelled.
    pub(super) fn cancel_seen(&mut self, number: PodNumber) {
        let canceled = Ending {
            exit_status: -1,
            signal_reason: Some("cancel".to_owned()),
            last: false,
        };
        self.end_work(number, canceled);
    }

    fn held(&self, number: PodNumber) -> Option<(BuildkiteJobId, i64)> {
        let agent = self.lives[number as usize].agent.as_ref()?;
        let held = self.outside.buildkite.held_by(agent)?;
        Some((held.id.clone(), held.spec.exit_status))
    }

    fn end_work(&mut self, number: PodNumber, mut ending: Ending) {
        let held = self.held(number);
        let life = &self.lives[number as usize];
        let Some(agent) = life.agent.clone() else { return };
        let last = life.settings.stay == Stay::OneJob;
        ending.last = last;
        if let Some((held, _)) = held {
            // A refusal would mean that the job is not its own any more.
            let _ = self.outside.buildkite.finish(self.now, &agent, &held, ending);
        }
        let life = &mut self.lives[number as usize];
        self.tally.agent_done(&life.queue, life.since, self.now);
        life.enter(Phase::Idle, self.now);
        life.idle_since = Some(self.now);
        if life.terminating || last {
            return self.agent_leaves(number);
        }
        self.wait_for_work(number);
        self.ping(number);
    }

    /// An agent was idle for long enough; a job that it was just given comes
    /// first.
    pub(super) fn idle_over(&mut self, number: PodNumber) {
        self.ping(number);
        let life = &self.lives[number as usize];
        let paused = life
            .agent
            .as_ref()
            .and_then(|agent| self.outside.buildkite.agent_of(agent));
        if life.phase == Phase::Idle && paused.is_none_or(|agent| agent.pause.is_none()) {
            self.story
                .line(self.now, || format!("agent {} leaves: idle for too long", life.alias));
            self.agent_leaves(number);
        }
    }

    /// An idle agent takes its leave, and its process ends.
    pub(super) fn agent_leaves(&mut self, number: PodNumber) {
        let life = &mut self.lives[number as usize];
        if let Some(agent) = &life.agent {
            // Whoever is unknown is gone already.
            let _ = self.outside.buildkite.disconnect(self.now, agent);
        }
        self.tally.agent_gone(&life.queue);
        life.enter(Phase::Leaving, self.now);
        let exit = self.now.after(life.fate.exit);
        self.agenda.put(exit, Happening::Exited(number, life.turn));
    }

    /// An agent ends without a word.
    pub(super) fn agent_dies(&mut self, number: PodNumber) {
        let life = &mut self.lives[number as usize];
        match life.phase {
            Phase::Busy => {
                self.tally.agent_done(&life.queue, life.since, self.now);
                self.tally.agent_gone(&life.queue);
            }
            Phase::Idle => self.tally.agent_gone(&life.queue),
            Phase::Pending | Phase::Pulling | Phase::Starting | Phase::Leaving | Phase::Ended => {}
        }
        if let (Phase::Busy | Phase::Idle, Some(agent)) = (life.phase, &life.agent) {
            let _ = self.outside.buildkite.silence(self.now, agent);
        }
        if matches!(life.phase, Phase::Busy | Phase::Idle) {
            life.enter(Phase::Leaving, self.now);
        }
    }

    /// Lets agents learn what Buildkite has for them, when they next ask.
    pub(super) fn follow_news(&mut self) {
        while self.outside.buildkite.has_news() {
            for news in self.outside.buildkite.take_news() {
                let (News::Assigned(agent) | News::Stopping(agent) | News::Canceling(agent)) = &news;
                let Some(number) = self.by_agent.get(agent).copied() else {
                    continue;
                };
                let life = &self.lives[number as usize];
                match (news, life.phase) {
                    (News::Assigned(_) | News::Stopping(_), Phase::Idle) => {
                        let at = life.next_ping(self.now);
                        self.agenda.put(at, Happening::Ping(number, life.turn));
                    }
                    (News::Canceling(_), Phase::Busy) => {
                        let interval = self.outside.buildkite.switches.job_status_interval;
                        let at = self.now.after(interval);
                        self.agenda.put(at, Happening::CancelSeen(number, life.turn));
                    }
                    (News::Assigned(_) | News::Stopping(_) | News::Canceling(_), _) => {}
                }
            }
        }
    }
}
