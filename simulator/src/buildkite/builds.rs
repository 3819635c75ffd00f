//! The life of builds and of their jobs until an agent has them.

use buildscaler_core::{BuildkiteJobId, Timestamp};

use super::FakeBuildkite;
use super::direct::News;
use super::ids::{self, Kind};
use super::model::{Build, BuildState, BuildkiteJob, JobState};
use super::spec::{BuildSpec, JobKind, JobSpec};
use super::truth::{Happening, LifeEvent};

/// A build that was created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    /// Its number.
    pub number: u64,
    /// The ids of its jobs, in the order of the specification.
    pub jobs: Vec<BuildkiteJobId>,
}

impl FakeBuildkite {
    /// Creates a build; what has nothing to wait for is dispatchable at once.
    pub fn create_build(&mut self, now: Timestamp, spec: BuildSpec) -> Created {
        let now = self.advance(now);
        let number = self.builds.last_key_value().map_or(1, |(last, _)| last + 1);
        let mut jobs: Vec<u64> = Vec::new();
        let mut barrier = None;
        for step in spec.jobs {
            let kind = step.kind;
            let mut needs: Vec<u64> = step.depends_on.iter().filter_map(|at| jobs.get(*at).copied()).collect();
            match kind {
                JobKind::Script => needs.extend(barrier),
                JobKind::Waiter | JobKind::Manual => needs.extend(&jobs),
            }
            let sequence = self.add_job(number, step, needs, now);
            jobs.push(sequence);
            if kind != JobKind::Script {
                barrier = Some(sequence);
            }
        }
        self.builds.insert(
            number,
            Build {
                number,
                pipeline: spec.pipeline,
                branch: spec.branch,
                state: BuildState::Scheduled,
                blocked: false,
                created_at: now,
                started_at: None,
                failing_at: None,
                finished_at: None,
                canceled: false,
                jobs: jobs.clone(),
            },
        );
        self.settle_build(number, now);
        self.dispatch(now);
        let jobs = jobs
            .iter()
            .filter_map(|job| Some(self.jobs.get(job)?.id.clone()))
            .collect();
        Created { number, jobs }
    }

    /// Cancels a build on a user's behalf: waiting jobs end, agents are told
    /// to end theirs.
    pub fn cancel_build(&mut self, now: Timestamp, number: u64) {
        let now = self.advance(now);
        self.cancel_all(number, now);
        self.dispatch(now);
    }

    pub(crate) fn cancel_all(&mut self, number: u64, now: Timestamp) {
        let Some(build) = self.builds.get_mut(&number) else {
            return;
        };
        build.canceled = true;
        for sequence in self.job_sequences(number) {
            self.cancel_job(sequence, LifeEvent::Canceled, now);
        }
        self.restate_build(number, now);
    }

    /// Lets a build pass its block steps.
    pub fn unblock(&mut self, now: Timestamp, number: u64) {
        let now = self.advance(now);
        for sequence in self.job_sequences(number) {
            if self
                .jobs
                .get(&sequence)
                .is_some_and(|found| found.state == JobState::Blocked)
            {
                self.end_job(sequence, JobState::Passed, now);
            }
        }
        self.settle_build(number, now);
        self.dispatch(now);
    }

    /// Retries a job that has ended, as a user or a retry rule would.
    pub fn retry(&mut self, now: Timestamp, id: &BuildkiteJobId) -> Option<BuildkiteJobId> {
        let now = self.advance(now);
        let old = self.job_by_id(id.as_str()).filter(|found| found.state.is_over())?;
        let (number, sequence, spec) = (old.build, old.sequence, old.spec.clone());
        let new = self.add_job(number, spec, Vec::new(), now);
        self.jobs.get_mut(&sequence)?.retried_in = Some(new);
        self.builds.get_mut(&number)?.jobs.push(new);
        self.settle_build(number, now);
        self.dispatch(now);
        self.jobs.get(&new).map(|found| found.id.clone())
    }

    fn add_job(&mut self, build: u64, spec: JobSpec, needs: Vec<u64>, now: Timestamp) -> u64 {
        let sequence = self.jobs.last_key_value().map_or(1, |(last, _)| last + 1);
        self.queue_record(&spec.queue.clone().unwrap_or_else(|| "default".into()));
        self.jobs.insert(
            sequence,
            BuildkiteJob {
                sequence,
                id: ids::uuid(Kind::BuildkiteJob, sequence).into(),
                build,
                spec,
                state: JobState::Waiting,
                created_at: now,
                runnable_at: None,
                started_at: None,
                finished_at: None,
                exit_status: None,
                signal_reason: None,
                log_bytes: 0,
                agent: None,
                needs,
                retried_in: None,
            },
        );
        sequence
    }

    /// Moves on whatever in the build can move, then says how the build is.
    pub(crate) fn settle_build(&mut self, number: u64, now: Timestamp) {
        // Needs point backwards, so one pass in order reaches everything.
        for sequence in self.job_sequences(number) {
            self.settle_job(sequence, now);
        }
        self.restate_build(number, now);
    }

    fn settle_job(&mut self, sequence: u64, now: Timestamp) {
        let Some(found) = self.jobs.get(&sequence) else { return };
        if found.state != JobState::Waiting {
            return;
        }
        let kind = found.spec.kind;
        let needs: Vec<JobState> = found
            .needs
            .iter()
            .filter_map(|need| self.state_in_the_end(*need))
            .collect();
        if needs.iter().any(|state| state.is_over() && *state != JobState::Passed) {
            self.end_job(sequence, JobState::Broken, now);
        } else if needs.iter().all(|state| *state == JobState::Passed) {
            match kind {
                JobKind::Script => self.limit_or_schedule(sequence, now),
                JobKind::Waiter => self.end_job(sequence, JobState::Passed, now),
                JobKind::Manual => self.set_job_state(sequence, JobState::Blocked),
            }
        }
    }

    /// The state of the last retry of a job.
    fn state_in_the_end(&self, sequence: u64) -> Option<JobState> {
        let found = self.jobs.get(&sequence)?;
        match found.retried_in {
            Some(retry) => self.state_in_the_end(retry),
            None => Some(found.state),
        }
    }

    fn limit_or_schedule(&mut self, sequence: u64, now: Timestamp) {
        let Some(found) = self.jobs.get(&sequence) else { return };
        if let Some(concurrency) = found.spec.concurrency.clone() {
            self.groups
                .entry(concurrency.group.clone())
                .or_default()
                .insert(sequence);
            self.set_job_state(sequence, JobState::Limited);
            self.promote(&concurrency.group, now);
        } else {
            self.make_dispatchable(sequence, now);
        }
    }

    /// Gives free slots of a concurrency group to its oldest waiting jobs.
    fn promote(&mut self, group: &str, now: Timestamp) {
        let Some(members) = self.groups.get(group).cloned() else {
            return;
        };
        let mut taken = members
            .iter()
            .filter(|member| self.jobs.get(member).is_some_and(BuildkiteJob::takes_a_slot))
            .count();
        for member in members {
            let Some(found) = self.jobs.get(&member) else { continue };
            let limit = found
                .spec
                .concurrency
                .as_ref()
                .map_or(usize::MAX, |concurrency| concurrency.limit);
            if found.state == JobState::Limited && taken < limit {
                taken += 1;
                self.make_dispatchable(member, now);
            }
        }
    }

    pub(crate) fn make_dispatchable(&mut self, sequence: u64, now: Timestamp) {
        let Some(found) = self.jobs.get_mut(&sequence) else {
            return;
        };
        found.state = JobState::Scheduled;
        found.agent = None;
        found.runnable_at.get_or_insert(now);
        let (queue, priority) = (found.queue(), found.spec.priority);
        self.ready
            .entry(queue)
            .or_default()
            .insert((std::cmp::Reverse(priority), sequence));
        self.note(sequence, LifeEvent::Scheduled, now);
    }

    /// Ends a job for good and lets go of what it held.
    pub(crate) fn end_job(&mut self, sequence: u64, state: JobState, now: Timestamp) {
        self.unready(sequence);
        let Some(found) = self.jobs.get_mut(&sequence) else {
            return;
        };
        found.state = state;
        found.finished_at = Some(now);
        let group = found
            .spec
            .concurrency
            .as_ref()
            .map(|concurrency| concurrency.group.clone());
        if let Some(agent) = found.agent.and_then(|agent| self.agents.get_mut(&agent))
            && agent.holds == Some(sequence)
        {
            agent.holds = None;
            agent.last_finished_at = Some(now);
            let agent = agent.sequence;
            self.agent_changed(agent, now);
        }
        if let Some(group) = group {
            if let Some(members) = self.groups.get_mut(&group) {
                members.remove(&sequence);
            }
            self.promote(&group, now);
        }
    }

    /// Cancels a job: at once if no agent knows of it, else through its agent.
    pub(crate) fn cancel_job(&mut self, sequence: u64, event: LifeEvent, now: Timestamp) {
        let Some(found) = self.jobs.get(&sequence) else { return };
        match found.state {
            JobState::Waiting | JobState::Blocked | JobState::Limited | JobState::Scheduled | JobState::Assigned => {
                self.note(sequence, event, now);
                self.end_job(sequence, JobState::Canceled, now);
            }
            JobState::Accepted | JobState::Running => {
                if let Some(agent) = found.agent.and_then(|agent| self.agents.get(&agent)) {
                    let id = agent.id.clone();
                    self.tell(News::Canceling(id));
                }
                self.note(sequence, event, now);
                self.set_job_state(sequence, JobState::Canceling);
            }
            JobState::Canceling | JobState::Passed | JobState::Failed | JobState::Canceled | JobState::Broken => {}
        }
    }

    fn restate_build(&mut self, number: u64, now: Timestamp) {
        let Some(build) = self.builds.get(&number) else { return };
        let jobs = build.jobs.iter().filter_map(|sequence| self.jobs.get(sequence));
        let jobs: Vec<&BuildkiteJob> = jobs.filter(|found| found.retried_in.is_none()).collect();
        let failed = jobs
            .iter()
            .any(|found| matches!(found.state, JobState::Failed | JobState::Broken));
        let canceled = build.canceled;
        let over = jobs.iter().all(|found| found.state.is_over());
        let started_at = jobs.iter().filter_map(|found| found.started_at).min();
        let blocked = jobs.iter().any(|found| found.state == JobState::Blocked)
            && jobs
                .iter()
                .all(|found| found.state.is_over() || matches!(found.state, JobState::Blocked | JobState::Waiting));
        let state = match (over || blocked, canceled, failed) {
            (true, true, _) => BuildState::Canceled,
            (false, true, _) => BuildState::Canceling,
            (true, false, true) => BuildState::Failed,
            (true, false, false) => BuildState::Passed,
            (false, false, true) => BuildState::Failing,
            (false, false, false) if started_at.is_some() => BuildState::Running,
            (false, false, false) => BuildState::Scheduled,
        };
        if let Some(build) = self.builds.get_mut(&number) {
            build.state = state;
            build.blocked = blocked;
            build.started_at = build.started_at.or(started_at);
            build.failing_at = build.failing_at.or(failed.then_some(now));
            if state.is_over() && !blocked {
                self.open.remove(&number);
            } else {
                self.open.insert(number);
            }
            build.finished_at = if state.is_over() {
                build.finished_at.or(Some(now))
            } else {
                None
            };
        }
    }

    fn job_sequences(&self, number: u64) -> Vec<u64> {
        self.builds
            .get(&number)
            .map(|build| build.jobs.clone())
            .unwrap_or_default()
    }

    pub(crate) fn set_job_state(&mut self, sequence: u64, state: JobState) {
        if let Some(found) = self.jobs.get_mut(&sequence) {
            found.state = state;
        }
    }

    pub(crate) fn note(&mut self, sequence: u64, event: LifeEvent, at: Timestamp) {
        if let Some(found) = self.jobs.get(&sequence) {
            let (build, id) = (found.build, found.id.clone());
            self.truth.note(Happening { at, build, id, event });
        }
    }
}
