//! A request arrives: what it does to the world, and how it is answered.

use std::sync::Arc;

use buildscaler_core::{
    Action, AgentId, Command, CreatePod, Failure, Input, Lease, Look, LookEnd, Outcome, Reason, Spending, Uid, View,
    WriteLease,
};

use super::bugs::Bug;
use super::outside::{Broken, SmallAgent, agent_id};
use super::replica::Condition;
use super::safety::{Invariant, name, outlasts_builds};
use super::sights::Sight;
use super::state::State;
use super::talk::Progress;

impl State {
    /// A request arrives. Among replicas its answer is heard at once, so that
    /// there is room for what befalls them; alone it takes its time.
    pub(super) fn arrive(&mut self, at: u8, bug: Option<Bug>) -> Result<(), Broken> {
        let place = usize::from(at);
        let talk = self.talks[place].clone();
        if !self.hands_out(&talk, bug)? {
            self.talks.remove(place);
            let unsent = Failure::Unavailable {
                message: "the request was not sent".into(),
            };
            return self.hear(talk.by, talk.failed(unsent), bug);
        }
        self.reach(at, bug)?;
        if !self.has_replicas() || !talk.heard {
            return Ok(());
        }
        if let Progress::JobsRead(_) = self.talks[place].progress {
            self.reach(at, bug)?;
        }
        match self.replica(talk.by).condition {
            Condition::Well => self.answer(at, bug),
            Condition::CutOff | Condition::Dead => {
                self.talks[place].progress = Progress::Lost;
                Ok(())
            }
            Condition::Paused => Ok(()),
        }
    }

    /// A request reaches whom it is for.
    pub(super) fn reach(&mut self, at: u8, bug: Option<Bug>) -> Result<(), Broken> {
        let at = usize::from(at);
        let talk = self.talks[at].clone();
        self.see_deposed(&talk);
        let answered = |input| Progress::Answered(Arc::new(input));
        let id = talk.command.id;
        let progress = match (&talk.command.action, &talk.progress) {
            (Action::ObserveBuildkite { .. }, Progress::JobsRead(jobs)) => {
                let look = Look {
                    begun_at: talk.sent_at,
                    jobs: jobs.to_vec(),
                    agents: self.outside.list_agents(),
                    end: LookEnd::Complete,
                    spending: Spending::default(),
                };
                answered(Input::Buildkite { id, look })
            }
            (Action::ObserveBuildkite { .. }, _) => Progress::JobsRead(Arc::new(self.outside.list_jobs())),
            (Action::ObserveCluster, _) => answered(Input::Cluster {
                id: Some(id),
                view: self.outside.cluster(talk.sent_at),
            }),
            (Action::ReadLease { .. }, _) => answered(Input::Lease {
                id,
                view: self.outside.lease.read(),
            }),
            (Action::WriteLease(write), _) => answered(Input::Lease {
                id,
                view: self.write_lease(write, bug),
            }),
            (Action::CreatePod(_) | Action::StopAgent { .. } | Action::DeletePod { .. }, _)
            | (Action::RegisterUsage { .. } | Action::MeterUsage { .. }, _) => {
                answered(talk.ends(self.carry_out(&talk.command, bug)?))
            }
        };
        if talk.heard {
            self.talks[at].progress = progress;
        } else {
            self.talks.remove(at);
        }
        Ok(())
    }

    fn write_lease(&mut self, write: &WriteLease, bug: Option<Bug>) -> View<Option<Lease>> {
        let view = self.outside.lease.write(write, Bug::forgets_versions(bug));
        if write.over.is_some() && view.failure().is_some() {
            self.see(Sight::StaleLease);
        }
        view
    }

    /// A write arrives.
    fn carry_out(&mut self, command: &Command, bug: Option<Bug>) -> Result<Outcome, Broken> {
        match &command.action {
            Action::CreatePod(create) => self.carry_out_create(create),
            Action::StopAgent { .. } if Bug::forgets_stops(bug) => Ok(Outcome::Done),
            Action::StopAgent { agent } => {
                self.see_stop(agent, command.reason);
                let is_done = self.outside.stop(agent, Bug::stops_by_force(bug))?;
                Ok(if is_done { Outcome::Done } else { gone() })
            }
            Action::DeletePod {
                name: pod_name,
                uid,
                grace_seconds,
                ..
            } => {
                let place = self.outside.pods.iter().position(|pod| pod.shown.name == *pod_name);
                let gently = grace_seconds.is_some_and(outlasts_builds);
                match place {
                    Some(place) => self.carry_out_delete(command, place, uid, gently, bug),
                    None => {
                        self.see(Sight::DeleteTooLate);
                        Ok(gone())
                    }
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

    fn carry_out_create(&mut self, create: &CreatePod) -> Result<Outcome, Broken> {
        if !self.outside.create(create, self.now) {
            return Ok(conflict());
        }
        self.see(Sight::Created);
        let alive = self.outside.pods.iter().filter(|pod| !pod.shown.stage.is_finished());
        if alive.count() > 1 {
            self.see(Sight::TwoPods);
        }
        let (coming, jobs) = (self.outside.coming(self.now), self.outside.jobs.len());
        if self.has_replicas() && coming > jobs {
            return Err(Broken {
                invariant: Invariant::NoMorePods,
                what: format!("{} makes {coming} pods for {jobs} jobs", create.name),
            });
        }
        Ok(Outcome::Done)
    }

    /// A delete arrives at the pod that bears the name.
    fn carry_out_delete(
        &mut self,
        command: &Command,
        place: usize,
        uid: &Uid,
        gently: bool,
        bug: Option<Bug>,
    ) -> Result<Outcome, Broken> {
        let is_meant = self.outside.pods[place].shown.uid == *uid;
        if !is_meant && !Bug::forgets_preconditions(bug) {
            self.see(Sight::PreconditionFails);
            return Ok(conflict());
        }
        self.see_delete(place, command.reason, gently);
        self.outside.delete(place, gently, &name(command))?;
        if is_meant {
            return Ok(Outcome::Done);
        }
        Err(Broken {
            invariant: Invariant::OnlyOurs,
            what: format!("{} hits another pod of this name", name(command)),
        })
    }

    fn see_stop(&mut self, agent: &AgentId, reason: Reason) {
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
}

fn conflict() -> Outcome {
    Outcome::Failed(Failure::AlreadyExists {
        message: "conflict".into(),
    })
}

fn gone() -> Outcome {
    Outcome::Failed(Failure::NotFound { message: "gone".into() })
}
