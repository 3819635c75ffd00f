//! What a choice does.

use std::sync::Arc;

use buildscaler_core::{
    Action, Command, Controller, Cursor, Failure, Input, Look, LookEnd, Outcome, PodStage, Reason, Spending, Timestamp,
    View,
};

use super::bugs::Bug;
use super::outside::{Broken, Outside, SmallAgent, SmallJob, agent_id};
use super::safety::{Invariant, Shown, name, outlasts_builds};
use super::sights::{Sight, Sights};
use super::state::{Choice, DEADLINE, Progress, State, Talk};
use super::worlds::{SmallWorld, template};

impl State {
    /// Lets a choice happen.
    pub(super) fn happen(&mut self, choice: Choice, bug: Option<Bug>) -> Result<(), Broken> {
        self.sights = Sights::default();
        self.said.clear();
        match choice {
            Choice::Wait => self.wait(bug),
            Choice::Arrive(at) => self.arrive(at, bug),
            Choice::Answer(at) => self.answer(at, bug),
            Choice::Refuse(at) => self.refuse(at, bug),
            Choice::Lose(at) => {
                self.left.failures -= 1;
                self.talks[usize::from(at)].progress = Progress::Lost;
                Ok(())
            }
            Choice::LoseAnswer(at) => {
                self.left.failures -= 1;
                self.arrive(at, bug)?;
                if let Some(talk) = self.talks.get_mut(usize::from(at)) {
                    talk.progress = Progress::Lost;
                }
                Ok(())
            }
            Choice::Start(_)
            | Choice::Connect(_)
            | Choice::Dispatch(_)
            | Choice::Ping(_)
            | Choice::JobEnds(_)
            | Choice::IdleOver(_)
            | Choice::PodEnds(_) => {
                self.live(choice);
                Ok(())
            }
            Choice::Remove(at) => {
                self.left.removals -= 1;
                self.outside.pods.remove(usize::from(at));
                Ok(())
            }
            Choice::Hunt(at) => self.outside.delete(usize::from(at), false, "the Job controller"),
            Choice::Build => {
                self.left.builds -= 1;
                self.outside.jobs.push(SmallJob::Waiting);
                Ok(())
            }
            Choice::Replace => {
                self.left.replacements -= 1;
                self.outside.template = Some(template(2));
                Ok(())
            }
            Choice::Withdraw => {
                self.left.withdrawals -= 1;
                self.outside.template = None;
                Ok(())
            }
            Choice::Crash => self.crash(bug),
        }
    }

    fn refuse(&mut self, at: u8, bug: Option<Bug>) -> Result<(), Broken> {
        self.left.failures -= 1;
        let talk = self.talks.remove(usize::from(at));
        let refused = Failure::Unavailable {
            message: "status 503".into(),
        };
        self.hear(failed(&talk, refused), bug)
    }

    /// Time passes to the next wake or deadline; whoever waits too long for an
    /// answer gives up, though the request may still arrive.
    fn wait(&mut self, bug: Option<Bug>) -> Result<(), Broken> {
        if self.is_talking() {
            self.left.delays = self.left.delays.saturating_sub(1);
        }
        let deadlines = self.talks.iter().filter(|talk| talk.heard);
        let deadlines = deadlines.map(|talk| talk.sent_at.after(DEADLINE));
        self.now = deadlines.fold(self.wake, Timestamp::min).max(self.now);
        let now = self.now;
        let is_late = |talk: &Talk| talk.heard && talk.sent_at.after(DEADLINE) <= now;
        let mut heard = Vec::new();
        for talk in std::mem::take(&mut self.talks) {
            if !is_late(&talk) {
                self.talks.push(talk);
                continue;
            }
            heard.push(failed(&talk, silence(&talk.command)));
            if matches!(talk.progress, Progress::Sent) && !is_look(&talk.command) {
                self.talks.push(Talk { heard: false, ..talk });
            }
        }
        if heard.is_empty() {
            return self.step(Input::Tick, bug);
        }
        for input in heard {
            self.hear(input, bug)?;
        }
        Ok(())
    }

    /// The controller learns how a command ended.
    fn hear(&mut self, input: Input, bug: Option<Bug>) -> Result<(), Broken> {
        match &input {
            Input::Cluster { view, .. } if view.pods.failure().is_some() => self.see(Sight::UnknownView),
            Input::Buildkite { look, .. } if look.end != LookEnd::Complete => self.see(Sight::UnknownView),
            Input::Outcome {
                outcome: Outcome::Failed(Failure::FateUnknown { .. }),
                ..
            } => self.see(Sight::FateUnknown),
            Input::Outcome {
                outcome: Outcome::Failed(Failure::AlreadyExists { .. }),
                ..
            } => self.see(Sight::Conflict),
            Input::Cluster { .. }
            | Input::Buildkite { .. }
            | Input::Outcome { .. }
            | Input::Lease { .. }
            | Input::Tick
            | Input::Shutdown => {}
        }
        self.step(input, bug)
    }

    fn answer(&mut self, at: u8, bug: Option<Bug>) -> Result<(), Broken> {
        let talk = self.talks.remove(usize::from(at));
        match talk.progress {
            Progress::Answered(input) => self.hear(Arc::unwrap_or_clone(input), bug),
            Progress::Sent | Progress::JobsRead(_) | Progress::Lost => Ok(()),
        }
    }

    fn arrive(&mut self, at: u8, bug: Option<Bug>) -> Result<(), Broken> {
        let at = usize::from(at);
        let talk = self.talks[at].clone();
        let progress = match (&talk.command.action, &talk.progress) {
            (Action::ObserveBuildkite { .. }, Progress::Sent) => Progress::JobsRead(Arc::new(self.outside.list_jobs())),
            (Action::ObserveBuildkite { .. }, Progress::JobsRead(jobs)) => {
                let look = Look {
                    begun_at: talk.sent_at,
                    jobs: jobs.to_vec(),
                    agents: self.outside.list_agents(),
                    end: LookEnd::Complete,
                    spending: Spending::default(),
                };
                Progress::Answered(Arc::new(Input::Buildkite {
                    id: talk.command.id,
                    look,
                }))
            }
            (Action::ObserveCluster, _) => Progress::Answered(Arc::new(Input::Cluster {
                id: Some(talk.command.id),
                view: self.outside.cluster(talk.sent_at),
            })),
            _ => Progress::Answered(Arc::new(Input::Outcome {
                id: talk.command.id,
                outcome: self.carry_out(&talk.command, bug)?,
                spending: Spending::default(),
            })),
        };
        if talk.heard {
            self.talks[at].progress = progress;
        } else {
            self.talks.remove(at);
        }
        Ok(())
    }

    /// A write arrives.
    fn carry_out(&mut self, command: &Command, bug: Option<Bug>) -> Result<Outcome, Broken> {
        let exists = || Failure::AlreadyExists {
            message: "conflict".into(),
        };
        let gone = || Failure::NotFound { message: "gone".into() };
        let done = |is_done: bool, otherwise: &dyn Fn() -> Failure| {
            if is_done {
                Outcome::Done
            } else {
                Outcome::Failed(otherwise())
            }
        };
        match &command.action {
            Action::CreatePod(create) => {
                let is_done = self.outside.create(create, self.now);
                if is_done {
                    self.see(Sight::Created);
                    let alive = self.outside.pods.iter().filter(|pod| !pod.shown.stage.is_finished());
                    if alive.count() > 1 {
                        self.see(Sight::TwoPods);
                    }
                }
                Ok(done(is_done, &exists))
            }
            Action::StopAgent { .. } if Bug::forgets_stops(bug) => Ok(Outcome::Done),
            Action::StopAgent { agent } => {
                self.see_stop(agent, command.reason);
                Ok(done(self.outside.stop(agent, Bug::stops_by_force(bug))?, &gone))
            }
            Action::DeletePod {
                name: pod_name,
                uid,
                grace_seconds,
                ..
            } => {
                let place = self.outside.pods.iter().position(|pod| pod.shown.name == *pod_name);
                let Some(place) = place else {
                    self.see(Sight::DeleteTooLate);
                    return Ok(Outcome::Failed(gone()));
                };
                let is_meant = self.outside.pods[place].shown.uid == *uid;
                if !is_meant && !Bug::forgets_preconditions(bug) {
                    self.see(Sight::PreconditionFails);
                    return Ok(Outcome::Failed(exists()));
                }
                let gently = grace_seconds.is_some_and(outlasts_builds);
                self.see_delete(place, command.reason, gently);
                self.outside.delete(place, gently, &name(command))?;
                if is_meant {
                    Ok(Outcome::Done)
                } else {
                    Err(Broken {
                        invariant: Invariant::OnlyOurs,
                        what: format!("{} hits another pod of this name", name(command)),
                    })
                }
            }
            Action::ObserveCluster
            | Action::ObserveBuildkite { .. }
            | Action::RegisterUsage { .. }
            | Action::MeterUsage { .. }
            | Action::ReadLease { .. }
            | Action::WriteLease(_) => Ok(Outcome::Done),
        }
    }

    fn see_stop(&mut self, agent: &buildscaler_core::AgentId, reason: Reason) {
        let pods = &self.outside.pods;
        let found = pods.iter().find(|pod| agent_id(pod.number) == *agent);
        let Some(met) = found.map(|pod| pod.agent) else { return };
        match met {
            SmallAgent::Given { .. } => self.see(Sight::StopMeetsJob),
            SmallAgent::Busy { .. } => self.see(Sight::RunsDuringStop),
            SmallAgent::Idle { .. } | SmallAgent::Awaited | SmallAgent::Gone => {}
        }
        let reasons = [
            (Reason::Replaced, Sight::StoppedReplaced),
            (Reason::Orphaned, Sight::StoppedOrphaned),
            (Reason::IdleTimeout, Sight::StoppedIdle),
        ];
        for (_, sight) in reasons.iter().filter(|(known, _)| *known == reason) {
            self.see(*sight);
        }
    }

    fn see_delete(&mut self, place: usize, reason: Reason, gently: bool) {
        let pod = &self.outside.pods[place];
        if pod.late && gently && matches!(pod.agent, SmallAgent::Busy { .. }) {
            self.see(Sight::MeetsLateAgent);
        }
        if self.outside.pods[place].shown.stage.is_finished() {
            self.see(Sight::DeletedFinished);
        } else if reason == Reason::OrphanedWithoutAgent {
            self.see(Sight::DeletedOrphan);
        } else if reason == Reason::AgentMissing {
            self.see(Sight::DeletedMissing);
        }
    }

    fn crash(&mut self, bug: Option<Bug>) -> Result<(), Broken> {
        self.left.crashes -= 1;
        let creates = |talk: &Talk| matches!(talk.command.action, Action::CreatePod(_));
        if self
            .talks
            .iter()
            .any(|talk| creates(talk) && matches!(talk.progress, Progress::Sent))
        {
            self.see(Sight::CrashedInFlight);
        }
        // What was sent arrives all the same, and nobody hears of it.
        self.talks
            .retain(|talk| matches!(talk.progress, Progress::Sent) && !is_look(&talk.command));
        for talk in &mut self.talks {
            talk.heard = false;
        }
        self.controller = Controller::new(Bug::config(bug));
        self.shown = Shown::default();
        self.step(Input::Tick, bug)
    }

    /// A pod or its agent goes on with its life.
    fn live(&mut self, choice: Choice) {
        let now = self.now;
        let Outside { pods, jobs, .. } = &mut self.outside;
        let (Choice::Start(at)
        | Choice::Connect(at)
        | Choice::Dispatch(at)
        | Choice::Ping(at)
        | Choice::JobEnds(at)
        | Choice::IdleOver(at)
        | Choice::PodEnds(at)) = choice
        else {
            return;
        };
        let pod = &mut pods[usize::from(at)];
        let idle = SmallAgent::Idle { stopping: false };
        match (choice, pod.agent) {
            (Choice::Start(_), _) => pod.enter(PodStage::Running),
            (Choice::Connect(_), _) => {
                (pod.agent, pod.idle_since) = (idle, now);
                pod.late = now.since(pod.shown.created_at) > SmallWorld::config().agent_startup_timeout;
            }
            (Choice::Dispatch(_), _) => {
                let oldest = jobs
                    .iter_mut()
                    .zip(0_u8..)
                    .find(|(state, _)| **state == SmallJob::Waiting);
                if let Some((state, job)) = oldest {
                    *state = SmallJob::Given;
                    pod.agent = SmallAgent::Given { job, stopping: false };
                }
            }
            (Choice::Ping(_), SmallAgent::Given { job, stopping }) => {
                jobs[usize::from(job)] = SmallJob::Running;
                pod.agent = SmallAgent::Busy { job, stopping };
                if stopping {
                    self.sights.add(Sight::RunsDuringStop);
                }
            }
            (Choice::JobEnds(_), SmallAgent::Busy { job, stopping }) => {
                jobs[usize::from(job)] = SmallJob::Ended;
                pod.agent = SmallAgent::Idle { stopping };
                pod.idle_since = now;
            }
            (Choice::PodEnds(_), _) if pod.shown.deleting => {
                pods.remove(usize::from(at));
            }
            (Choice::PodEnds(_), _) => pod.enter(PodStage::Succeeded),
            (_, _) => pod.agent = SmallAgent::Gone,
        }
    }
}

fn is_look(command: &Command) -> bool {
    matches!(command.action, Action::ObserveCluster | Action::ObserveBuildkite { .. })
}

/// What a client makes of no answer.
fn silence(command: &Command) -> Failure {
    let message = "timed out".to_owned();
    if is_look(command) {
        Failure::Unavailable { message }
    } else {
        Failure::FateUnknown { message }
    }
}

/// How a command ends that fails.
fn failed(talk: &Talk, failure: Failure) -> Input {
    let id = talk.command.id;
    match &talk.command.action {
        Action::ObserveCluster => Input::Cluster {
            id: Some(id),
            view: buildscaler_core::ClusterView {
                begun_at: talk.sent_at,
                templates: View::Unknown(failure.clone()),
                pods: View::Unknown(failure),
            },
        },
        Action::ObserveBuildkite { .. } => {
            let (jobs, cursor) = match &talk.progress {
                Progress::JobsRead(jobs) => (jobs.to_vec(), Cursor::Agents { page: 1 }),
                Progress::Sent | Progress::Answered(_) | Progress::Lost => (Vec::new(), Cursor::START),
            };
            let look = Look {
                begun_at: talk.sent_at,
                jobs,
                agents: Vec::new(),
                end: LookEnd::Failed(cursor, failure),
                spending: Spending::default(),
            };
            Input::Buildkite { id, look }
        }
        Action::ReadLease { .. } | Action::WriteLease(_) => Input::Lease {
            id,
            view: View::Unknown(failure),
        },
        Action::CreatePod(_)
        | Action::StopAgent { .. }
        | Action::DeletePod { .. }
        | Action::RegisterUsage { .. }
        | Action::MeterUsage { .. } => Input::Outcome {
            id,
            outcome: Outcome::Failed(failure),
            spending: Spending::default(),
        },
    }
}
