//! A command on its way, and how it ends if nobody answers.

use std::sync::Arc;
use std::time::Duration;

use buildscaler_core::{
    Action, BuildkiteJob, Command, Cursor, Failure, Input, Look, LookEnd, Outcome, Spending, Timestamp, View,
};

/// How long a client waits for an answer, as both runtimes do.
pub(super) const DEADLINE: Duration = Duration::from_secs(30);

/// A command on its way.
#[derive(Clone, Debug)]
pub(super) struct Talk {
    /// Whose it is.
    pub(super) by: u8,
    pub(super) command: Command,
    /// Whether anybody waits for its answer.
    pub(super) heard: bool,
    /// Whether its process may have been paused before it handed it out.
    pub(super) held: bool,
    pub(super) sent_at: Timestamp,
    pub(super) progress: Progress,
}

/// How far a command is.
#[derive(Clone, Debug)]
pub(super) enum Progress {
    Sent,
    /// The jobs are read, the agents are not.
    JobsRead(Arc<Vec<BuildkiteJob>>),
    /// It is answered.
    Answered(Arc<Input>),
    /// Nobody will answer.
    Lost,
}

impl Talk {
    /// When whoever waits for its answer gives up.
    pub(super) fn given_up_at(&self) -> Timestamp {
        self.sent_at.after(match &self.command.action {
            Action::ReadLease { within, .. } => *within,
            Action::WriteLease(write) => write.within,
            Action::ObserveCluster
            | Action::ObserveBuildkite { .. }
            | Action::CreatePod(_)
            | Action::StopAgent { .. }
            | Action::DeletePod { .. }
            | Action::RegisterUsage { .. }
            | Action::MeterUsage { .. } => DEADLINE,
        })
    }

    /// Whether it changes nothing.
    pub(super) fn is_look(&self) -> bool {
        match self.command.action {
            Action::ObserveCluster | Action::ObserveBuildkite { .. } | Action::ReadLease { .. } => true,
            Action::CreatePod(_)
            | Action::StopAgent { .. }
            | Action::DeletePod { .. }
            | Action::RegisterUsage { .. }
            | Action::MeterUsage { .. }
            | Action::WriteLease(_) => false,
        }
    }

    /// Whether it goes on for as long as there are controllers.
    pub(super) fn is_routine(&self) -> bool {
        self.is_look() || matches!(self.command.action, Action::WriteLease(_))
    }

    /// What a client makes of no answer.
    pub(super) fn silence(&self) -> Failure {
        let message = "timed out".to_owned();
        if self.is_look() {
            Failure::Unavailable { message }
        } else {
            Failure::FateUnknown { message }
        }
    }

    /// How it ends if it fails.
    pub(super) fn failed(&self, failure: Failure) -> Input {
        let id = self.command.id;
        match &self.command.action {
            Action::ObserveCluster => Input::Cluster {
                id: Some(id),
                view: buildscaler_core::ClusterView {
                    begun_at: self.sent_at,
                    templates: View::Unknown(failure.clone()),
                    pods: View::Unknown(failure),
                },
            },
            Action::ObserveBuildkite { .. } => {
                let (jobs, cursor) = match &self.progress {
                    Progress::JobsRead(jobs) => (jobs.to_vec(), Cursor::Agents { page: 1 }),
                    Progress::Sent | Progress::Answered(_) | Progress::Lost => (Vec::new(), Cursor::START),
                };
                let look = Look {
                    begun_at: self.sent_at,
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
            | Action::MeterUsage { .. } => self.ends(Outcome::Failed(failure)),
        }
    }

    /// How a write ends.
    pub(super) fn ends(&self, outcome: Outcome) -> Input {
        Input::Outcome {
            id: self.command.id,
            outcome,
            spending: Spending::default(),
        }
    }
}
