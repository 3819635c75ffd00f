//! What a choice does.

use std::sync::Arc;

use buildscaler_core::{Action, Failure, Input, LookEnd, Outcome, View};

use super::bugs::Bug;
use super::outside::{Broken, SmallJob};
use super::replica::{Condition, Replica};
use super::sights::{Sight, Sights};
use super::state::{Choice, State};
use super::talk::{Progress, Talk};
use super::worlds::template;

impl State {
    /// Lets a choice happen.
    pub(super) fn happen(&mut self, choice: Choice, bug: Option<Bug>) -> Result<(), Broken> {
        self.sights = Sights::default();
        self.said.clear();
        match choice {
            Choice::Wait => self.wait(bug)?,
            Choice::Arrive(at) => self.arrive(at, bug)?,
            Choice::Answer(at) => self.answer(at, bug)?,
            Choice::Refuse(at) => self.refuse(at, bug)?,
            Choice::Lose(at) => self.lose(at),
            Choice::LoseAnswer(at) => {
                self.reach(at, bug)?;
                self.lose(at);
            }
            Choice::Start(_)
            | Choice::Connect(_)
            | Choice::Dispatch(_)
            | Choice::Ping(_)
            | Choice::JobEnds(_)
            | Choice::IdleOver(_)
            | Choice::PodEnds(_) => self.live(choice),
            Choice::Remove(at) => {
                self.left.removals -= 1;
                self.outside.pods.remove(usize::from(at));
            }
            Choice::Hunt(at) => self.outside.delete(usize::from(at), false, "the Job controller")?,
            Choice::Build => {
                self.left.builds -= 1;
                self.outside.jobs.push(SmallJob::Waiting);
            }
            Choice::Replace => {
                self.left.replacements -= 1;
                self.outside.template = Some(template(2));
            }
            Choice::Withdraw => {
                self.left.withdrawals -= 1;
                self.outside.template = None;
            }
            Choice::Crash => self.crash(bug)?,
            Choice::Die(at) => self.befall(at, Condition::Dead),
            Choice::Pause(at) => self.befall(at, Condition::Paused),
            Choice::CutOff(at) => self.befall(at, Condition::CutOff),
            Choice::Recover(at) => self.replicas[usize::from(at)].condition = Condition::Well,
        }
        self.judge_command()
    }

    /// A request's answer, if not the request itself, is lost.
    fn lose(&mut self, at: u8) {
        self.left.failures -= 1;
        if let Some(talk) = self.talks.get_mut(usize::from(at)) {
            talk.progress = Progress::Lost;
        }
    }

    fn refuse(&mut self, at: u8, bug: Option<Bug>) -> Result<(), Broken> {
        self.left.failures -= 1;
        let talk = self.talks.remove(usize::from(at));
        let refused = Failure::Unavailable {
            message: "status 503".into(),
        };
        self.hear(talk.by, talk.failed(refused), bug)
    }

    /// Time passes to the next wake or deadline; whoever waits too long for an
    /// answer gives up, though the request may still arrive.
    fn wait(&mut self, bug: Option<Bug>) -> Result<(), Broken> {
        if self.is_talking() && !self.is_overdue() {
            self.left.delays = self.left.delays.saturating_sub(1);
        }
        let awake = self.replicas.iter().filter(|replica| replica.is_awake());
        let wakes = awake.map(|replica| replica.wake);
        let listens = |talk: &&Talk| talk.heard && self.replica(talk.by).is_awake();
        let deadlines = self.talks.iter().filter(listens).map(Talk::given_up_at);
        self.now = wakes.chain(deadlines).min().unwrap_or(self.now).max(self.now);
        let mut heard = Vec::new();
        for talk in std::mem::take(&mut self.talks) {
            if talk.given_up_at() > self.now || !talk.heard || !self.replica(talk.by).is_awake() {
                self.talks.push(talk);
                continue;
            }
            heard.push((talk.by, talk.failed(talk.silence())));
            if matches!(talk.progress, Progress::Sent) && !talk.held && !talk.is_look() {
                self.talks.push(Talk { heard: false, ..talk });
            }
        }
        let informed: Vec<u8> = heard.iter().map(|(by, _)| *by).collect();
        for (by, input) in heard {
            self.hear(by, input, bug)?;
        }
        self.tick(&informed, bug)
    }

    /// The controller learns how a command ended.
    pub(super) fn hear(&mut self, by: u8, input: Input, bug: Option<Bug>) -> Result<(), Broken> {
        match &input {
            Input::Cluster { view, .. } if view.pods.failure().is_some() => self.see(Sight::UnknownView),
            Input::Buildkite { look, .. } if look.end != LookEnd::Complete => self.see(Sight::UnknownView),
            Input::Outcome {
                outcome: Outcome::Failed(Failure::FateUnknown { .. }),
                ..
            }
            | Input::Lease {
                view: View::Unknown(Failure::FateUnknown { .. }),
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
        self.step(by, input, bug)
    }

    pub(super) fn answer(&mut self, at: u8, bug: Option<Bug>) -> Result<(), Broken> {
        let talk = self.talks.remove(usize::from(at));
        match talk.progress {
            Progress::Answered(input) => self.hear(talk.by, Arc::unwrap_or_clone(input), bug),
            Progress::Sent | Progress::JobsRead(_) | Progress::Lost => Ok(()),
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
        self.orphan(0);
        self.replicas[0] = Replica::new(0, 1, bug);
        self.step(0, Input::Tick, bug)
    }
}
