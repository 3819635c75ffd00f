//! The lives of pods and their agents.

use buildscaler_core::PodStage;

use super::outside::{Outside, SmallAgent, SmallJob};
use super::sights::Sight;
use super::state::{Choice, State};
use super::worlds::SmallWorld;

impl State {
    /// A pod or its agent goes on with its life.
    pub(super) fn live(&mut self, choice: Choice) {
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
