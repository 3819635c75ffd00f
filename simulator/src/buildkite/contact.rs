//! Who is still there: signs of life, silence, and what an exit leaves behind.

use buildscaler_core::{AgentId, BuildkiteJobId, Timestamp};

use super::FakeBuildkite;
use super::ids::{self, Kind};
use super::model::{Agent, AgentState, JobState};
use super::refusal::Refusal;
use super::switches::Unaccepted;
use super::truth::{LifeEvent, Why};

/// The end of time.
pub(crate) const FAR: Timestamp = Timestamp::from_millis(i64::MAX);

impl FakeBuildkite {
    /// Lets time pass up to `now`: silent agents are lost, pauses end.
    ///
    /// Every call does this first, so an explicit one is needed only where
    /// nobody calls. Returns the time by the fake's own clock, which never
    /// goes back.
    pub fn advance(&mut self, now: Timestamp) -> Timestamp {
        let now = now.max(self.now);
        self.now = now;
        while now >= self.quiet_until {
            match self.next_due() {
                Some((at, sequence)) if at <= now => self.fall_due(sequence, at),
                Some((at, _)) => self.quiet_until = at,
                None => self.quiet_until = FAR,
            }
        }
        now
    }

    /// Ends the implied heartbeats of an agent: its host is dead or cut off.
    pub fn silence(&mut self, now: Timestamp, id: &AgentId) -> Result<(), Refusal> {
        let now = self.advance(now);
        let agent = self.agent_mut(id)?;
        agent.silent = true;
        agent.heartbeat_at = now;
        self.settle_agent(id, now);
        Ok(())
    }

    /// Before when nothing happens by itself; none if nothing ever will.
    ///
    /// Advancing to it is worthwhile but need not show anything new: a sign of
    /// life may have come since it was reckoned.
    pub fn next_event(&self) -> Option<Timestamp> {
        (self.quiet_until < FAR).then_some(self.quiet_until)
    }

    /// The agent whose silence or pause ends first.
    fn next_due(&self) -> Option<(Timestamp, u64)> {
        let present = self.present.iter().filter_map(|sequence| self.agents.get(sequence));
        let listed = present.filter(|agent| agent.state.is_listed());
        listed.map(|agent| (self.due(agent), agent.sequence)).min()
    }

    fn due(&self, agent: &Agent) -> Timestamp {
        let lost = if self.switches.heartbeats_implied && !agent.silent {
            FAR
        } else {
            self.sweep_after(agent.heartbeat_at.after(self.switches.lost_after))
        };
        agent.pause.as_ref().map_or(lost, |pause| pause.until.min(lost))
    }

    /// The first look for lost agents that is not before `at`.
    fn sweep_after(&self, at: Timestamp) -> Timestamp {
        let period = i64::try_from(self.switches.lost_sweep.as_millis())
            .unwrap_or(i64::MAX)
            .max(1);
        let sweeps = at.as_millis().saturating_add(period - 1).div_euclid(period);
        Timestamp::from_millis(sweeps.saturating_mul(period))
    }

    fn fall_due(&mut self, sequence: u64, at: Timestamp) {
        let Some(agent) = self.agents.get_mut(&sequence) else {
            return;
        };
        let id = agent.id.clone();
        if agent.pause.as_ref().is_some_and(|pause| pause.until <= at) {
            agent.pause = None;
        } else {
            agent.state = AgentState::Lost;
            agent.lost_at = Some(at);
            // An agent that exists cannot be unknown, so there is nothing to refuse.
            let _ = self.drop_held(&id, Why::AgentLost, at);
        }
        self.settle_agent(&id, at);
    }

    /// Lets go of the job of an agent that is gone.
    pub(crate) fn drop_held(&mut self, id: &AgentId, why: Why, now: Timestamp) -> Result<(), Refusal> {
        let Some(sequence) = self.agent(id)?.holds else {
            return Ok(());
        };
        let Some(held) = self.jobs.get_mut(&sequence) else {
            return Ok(());
        };
        let build = held.build;
        if held.state == JobState::Assigned && self.switches.unaccepted_at_exit == Unaccepted::Rescheduled {
            return self.take_back(id, sequence, now);
        }
        held.exit_status = Some(-1);
        let state = match held.state {
            JobState::Canceling => JobState::Canceled,
            JobState::Waiting
            | JobState::Blocked
            | JobState::Limited
            | JobState::Scheduled
            | JobState::Assigned
            | JobState::Accepted
            | JobState::Running
            | JobState::Passed
            | JobState::Failed
            | JobState::Canceled
            | JobState::Broken => {
                self.note(sequence, LifeEvent::Interrupted(why), now);
                JobState::Failed
            }
        };
        self.end_job(sequence, state, now);
        self.settle_build(build, now);
        Ok(())
    }

    /// Takes an assigned job back from its agent, for any other.
    pub(crate) fn take_back(&mut self, id: &AgentId, sequence: u64, now: Timestamp) -> Result<(), Refusal> {
        let agent = self.agent_mut(id)?;
        agent.holds = None;
        let agent = agent.sequence;
        self.agent_changed(agent, now);
        self.make_dispatchable(sequence, now);
        Ok(())
    }

    /// Brings indexes up to date after an agent changed, and dispatches.
    pub(crate) fn settle_agent(&mut self, id: &AgentId, now: Timestamp) {
        if let Some(sequence) = ids::sequence(Kind::Agent, id.as_str()) {
            self.agent_changed(sequence, now);
            if let Some(agent) = self.agents.get(&sequence).filter(|agent| agent.state.is_listed()) {
                self.quiet_until = self.quiet_until.min(self.due(agent));
            }
        }
        self.dispatch(now);
    }

    /// The agent, if it may make calls; one that was lost is back with this.
    pub(crate) fn alive(&mut self, id: &AgentId, now: Timestamp) -> Result<&mut Agent, Refusal> {
        let may_return = self.switches.lost_may_return;
        let agent = self.agent_mut(id)?;
        match agent.state {
            AgentState::Connected | AgentState::Stopping => {}
            AgentState::Lost if may_return => {
                agent.state = AgentState::Connected;
                agent.lost_at = None;
                agent.heartbeat_at = now;
                self.settle_agent(id, now);
            }
            AgentState::NeverConnected | AgentState::Stopped | AgentState::Disconnected | AgentState::Lost => {
                return Err(Refusal::NotConnected);
            }
        }
        self.agent_mut(id)
    }

    /// The job, if this agent has it in one of these states.
    pub(crate) fn held(&self, id: &AgentId, wanted: &BuildkiteJobId, states: &[JobState]) -> Result<u64, Refusal> {
        let found = self.job_by_id(wanted.as_str()).ok_or(Refusal::UnknownJob)?;
        let mine = self.agent(id)?.holds == Some(found.sequence);
        if mine && states.contains(&found.state) {
            Ok(found.sequence)
        } else {
            Err(Refusal::NotYourJob)
        }
    }

    pub(crate) fn agent(&self, id: &AgentId) -> Result<&Agent, Refusal> {
        let sequence = ids::sequence(Kind::Agent, id.as_str());
        sequence
            .and_then(|sequence| self.agents.get(&sequence))
            .ok_or(Refusal::UnknownAgent)
    }

    pub(crate) fn agent_mut(&mut self, id: &AgentId) -> Result<&mut Agent, Refusal> {
        let sequence = ids::sequence(Kind::Agent, id.as_str());
        sequence
            .and_then(|sequence| self.agents.get_mut(&sequence))
            .ok_or(Refusal::UnknownAgent)
    }
}
