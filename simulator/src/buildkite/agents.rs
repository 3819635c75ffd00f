//! The life of agents, and of a job while an agent has it.
//!
//! These are the calls of the Agent API without their JSON: a simulated agent
//! may make them directly, a real one arrives through `agent_api`.

use std::time::Duration;

use buildscaler_core::{AgentId, BuildkiteJobId, Timestamp};

use super::FakeBuildkite;
use super::direct::News;
use super::ids::{self, Kind};
use super::lagging::Lagging;
use super::model::{Agent, AgentState, JobState, Pause};
use super::refusal::Refusal;
use super::spec::AgentSpec;
use super::switches::{Dispatch, Unaccepted};
use super::truth::{LifeEvent, Why};

/// What an agent is told when it pings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ping {
    /// Nothing to do.
    Idle,
    /// Accept this job.
    Assigned(BuildkiteJobId),
    /// Leave.
    Disconnect,
    /// Stay, and take no job.
    Pause(Option<String>),
}

/// How an agent says that a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// The exit status; -1 where the process was ended.
    pub exit_status: i64,
    /// `agent_stop`, `cancel` and the like.
    pub signal_reason: Option<String>,
    /// Whether the agent wants no other job (`--disconnect-after-job`).
    pub last: bool,
}

impl Ending {
    /// The ending of a command that exited by itself.
    pub const fn exited(exit_status: i64) -> Self {
        Self {
            exit_status,
            signal_reason: None,
            last: false,
        }
    }
}

/// How an agent is asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// After its job.
    Graceful,
    /// At once; its job is cancelled, and so is the build.
    Forced,
}

impl FakeBuildkite {
    /// Registers an agent; it is not listed before it connects.
    pub fn register(&mut self, now: Timestamp, spec: AgentSpec) -> AgentId {
        let now = self.advance(now);
        let sequence = self.agents.last_key_value().map_or(1, |(last, _)| last + 1);
        let id = AgentId::from(ids::uuid(Kind::Agent, sequence));
        let mut tags = spec.tags;
        if !tags.iter().any(|tag| tag.starts_with("queue=")) {
            tags.insert(0, "queue=default".to_owned());
        }
        let agent = Agent {
            sequence,
            id: id.clone(),
            name: spec.name,
            hostname: spec.hostname,
            version: spec.version,
            os: spec.os,
            arch: spec.arch,
            tags,
            priority: spec.priority,
            ignored_in_dispatches: spec.ignore_in_dispatches,
            state: AgentState::NeverConnected,
            created_at: now,
            connected_at: None,
            disconnected_at: None,
            lost_at: None,
            stopped_at: None,
            heartbeat_at: now,
            last_finished_at: None,
            pause: None,
            silent: false,
            holds: None,
            shown: Lagging::new(),
            idle_as: None,
        };
        for queue in agent.queues() {
            self.queue_record(&queue);
        }
        self.agents.insert(sequence, agent);
        id
    }

    /// Connects a registered agent: it is listed and takes jobs.
    pub fn connect(&mut self, now: Timestamp, id: &AgentId) -> Result<(), Refusal> {
        let now = self.advance(now);
        let agent = self.agent_mut(id)?;
        agent.state = AgentState::Connected;
        agent.connected_at = Some(now);
        agent.heartbeat_at = now;
        self.settle_agent(id, now);
        Ok(())
    }

    /// Takes a sign of life.
    pub fn heartbeat(&mut self, now: Timestamp, id: &AgentId) -> Result<(), Refusal> {
        let now = self.advance(now);
        self.alive(id, now)?.heartbeat_at = now;
        Ok(())
    }

    /// Tells an idle agent what to do next.
    pub fn ping(&mut self, now: Timestamp, id: &AgentId) -> Result<Ping, Refusal> {
        let now = self.advance(now);
        let sequence = self.alive(id, now)?.sequence;
        match self.switches.dispatch {
            Dispatch::AtPing => self.dispatch_to(sequence, now),
            Dispatch::Ahead => {}
        }
        let agent = self.agent(id)?;
        let assigned = agent.holds.and_then(|held| self.jobs.get(&held));
        let assigned = assigned.filter(|held| matches!(held.state, JobState::Assigned | JobState::Accepted));
        Ok(match (agent.state, &agent.pause, assigned) {
            (_, _, Some(assigned)) => Ping::Assigned(assigned.id.clone()),
            (AgentState::Stopping, _, None) => Ping::Disconnect,
            (_, Some(pause), None) => Ping::Pause(pause.note.clone()),
            (_, None, None) => Ping::Idle,
        })
    }

    /// Takes an assigned job.
    pub fn accept(&mut self, now: Timestamp, id: &AgentId, assigned: &BuildkiteJobId) -> Result<(), Refusal> {
        let now = self.advance(now);
        self.alive(id, now)?;
        let sequence = self.held(id, assigned, &[JobState::Assigned, JobState::Accepted])?;
        self.set_job_state(sequence, JobState::Accepted);
        Ok(())
    }

    /// Takes a particular job that nobody has yet.
    pub fn acquire(&mut self, now: Timestamp, id: &AgentId, wanted: &BuildkiteJobId) -> Result<(), Refusal> {
        let now = self.advance(now);
        let agent = self.alive(id, now)?;
        if agent.holds.is_some() {
            return Err(Refusal::Locked);
        }
        let agent = agent.sequence;
        let found = self.job_by_id(wanted.as_str()).ok_or(Refusal::UnknownJob)?;
        if found.state != JobState::Scheduled {
            return Err(Refusal::NotAcquirable);
        }
        let sequence = found.sequence;
        self.assign(sequence, agent, now);
        self.set_job_state(sequence, JobState::Accepted);
        Ok(())
    }

    /// Begins to run an accepted job.
    pub fn start(&mut self, now: Timestamp, id: &AgentId, accepted: &BuildkiteJobId) -> Result<(), Refusal> {
        let now = self.advance(now);
        let sequence = self.held(id, accepted, &[JobState::Accepted, JobState::Running])?;
        let Some(found) = self.jobs.get_mut(&sequence) else {
            return Err(Refusal::UnknownJob);
        };
        if found.state == JobState::Accepted {
            found.state = JobState::Running;
            found.started_at = Some(now);
            let build = found.build;
            self.note(sequence, LifeEvent::Started(id.clone()), now);
            self.settle_build(build, now);
        }
        Ok(())
    }

    /// Ends a job as its agent says it ended.
    pub fn finish(
        &mut self,
        now: Timestamp,
        id: &AgentId,
        running: &BuildkiteJobId,
        ending: Ending,
    ) -> Result<(), Refusal> {
        let now = self.advance(now);
        let holding = [JobState::Accepted, JobState::Running, JobState::Canceling];
        let sequence = self.held(id, running, &holding)?;
        if ending.last {
            self.agent_mut(id)?.ignored_in_dispatches = true;
        }
        let Some(found) = self.jobs.get_mut(&sequence) else {
            return Err(Refusal::UnknownJob);
        };
        let (canceling, build) = (found.state == JobState::Canceling, found.build);
        found.exit_status = Some(ending.exit_status);
        found.signal_reason = ending.signal_reason;
        let cut = ending.exit_status == -1 || found.signal_reason.as_deref() == Some("agent_stop");
        let state = match (canceling, ending.exit_status) {
            (true, _) => JobState::Canceled,
            (false, 0) => JobState::Passed,
            (false, _) => JobState::Failed,
        };
        if !canceling {
            let event = if cut {
                LifeEvent::Interrupted(Why::AgentStop)
            } else {
                LifeEvent::Finished(ending.exit_status)
            };
            self.note(sequence, event, now);
        }
        self.end_job(sequence, state, now);
        self.settle_build(build, now);
        self.dispatch(now);
        Ok(())
    }

    /// Takes leave of an agent.
    pub fn disconnect(&mut self, now: Timestamp, id: &AgentId) -> Result<(), Refusal> {
        let now = self.advance(now);
        let agent = self.agent_mut(id)?;
        if !agent.state.is_listed() {
            return Ok(());
        }
        agent.state = match agent.state {
            AgentState::Stopping => AgentState::Stopped,
            AgentState::NeverConnected
            | AgentState::Connected
            | AgentState::Stopped
            | AgentState::Disconnected
            | AgentState::Lost => AgentState::Disconnected,
        };
        agent.disconnected_at = Some(now);
        self.drop_held(id, Why::AgentDisconnected, now)?;
        self.settle_agent(id, now);
        Ok(())
    }

    /// Asks an agent to stop.
    pub fn stop(&mut self, now: Timestamp, id: &AgentId, how: Stop) -> Result<(), Refusal> {
        let now = self.advance(now);
        let again = self.switches.stop_of_stopping.is_success();
        let unaccepted = self.switches.unaccepted_at_stop;
        let agent = self.agent_mut(id)?;
        match (agent.state, how) {
            (AgentState::Connected, _) | (AgentState::Stopping, Stop::Forced) => {}
            (AgentState::Stopping, Stop::Graceful) if again => return Ok(()),
            (AgentState::Stopping, Stop::Graceful)
            | (AgentState::NeverConnected | AgentState::Stopped | AgentState::Disconnected | AgentState::Lost, _) => {
                return Err(Refusal::NotConnected);
            }
        }
        agent.state = AgentState::Stopping;
        agent.stopped_at.get_or_insert(now);
        self.tell(News::Stopping(id.clone()));
        let agent = self.agent(id)?;
        let held = agent.holds.and_then(|held| self.jobs.get(&held));
        if let Some((sequence, build, state)) = held.map(|held| (held.sequence, held.build, held.state)) {
            match how {
                Stop::Forced => {
                    self.cancel_job(sequence, LifeEvent::Interrupted(Why::ForceStop), now);
                    self.cancel_all(build, now);
                }
                Stop::Graceful if state == JobState::Assigned && unaccepted == Unaccepted::Rescheduled => {
                    self.take_back(id, sequence, now)?;
                }
                Stop::Graceful => {}
            }
        }
        self.settle_agent(id, now);
        Ok(())
    }

    /// Pauses an agent: it stays, and takes no job.
    pub fn pause_agent(
        &mut self,
        now: Timestamp,
        id: &AgentId,
        note: Option<String>,
        length: Duration,
    ) -> Result<(), Refusal> {
        let now = self.advance(now);
        let agent = self.agent_mut(id)?;
        if agent.pause.is_some() {
            return Err(Refusal::AlreadyPaused);
        }
        if agent.state != AgentState::Connected {
            return Err(Refusal::NotPausable);
        }
        agent.pause = Some(Pause {
            since: now,
            until: now.after(length),
            note,
        });
        self.settle_agent(id, now);
        Ok(())
    }

    /// Ends an agent's pause.
    pub fn resume_agent(&mut self, now: Timestamp, id: &AgentId) -> Result<(), Refusal> {
        let now = self.advance(now);
        self.agent_mut(id)?.pause.take().ok_or(Refusal::NotPaused)?;
        self.settle_agent(id, now);
        Ok(())
    }
}
