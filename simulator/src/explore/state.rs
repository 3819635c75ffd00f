//! One state of a small world: what is outside, what is on its way, and the
//! controller.

use std::sync::Arc;
use std::time::Duration;

use buildscaler_core::policy::Reactive;
use buildscaler_core::{Action, BuildkiteJob, Command, Controller, Input, PodStage, Timestamp};

use super::bugs::Bug;
use super::outside::{Broken, Outside, SmallAgent};
use super::safety::{Shown, kind, name};
use super::sights::{Sight, Sights};
use super::worlds::{Allowed, START, SmallWorld};

/// How long a client waits for an answer, as both runtimes do.
pub(super) const DEADLINE: Duration = Duration::from_secs(30);

/// Something that may happen next. Requests and pods go by their place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Time passes, to the next moment at which something is due.
    Wait,
    /// A request arrives, or the next one of a look.
    Arrive(u8),
    /// Its answer reaches the controller.
    Answer(u8),
    /// It is refused with 503, and the controller learns it.
    Refuse(u8),
    /// It is lost before it arrives.
    Lose(u8),
    /// It is carried out, and its answer is lost.
    LoseAnswer(u8),
    /// A pod is bound to a node, and its process starts.
    Start(u8),
    /// Its agent connects.
    Connect(u8),
    /// Buildkite gives its agent the oldest job that waits.
    Dispatch(u8),
    /// Its agent asks what to do: it takes its job, or leaves if told so.
    Ping(u8),
    /// Its agent's job ends.
    JobEnds(u8),
    /// Its agent leaves by itself, idle for long enough.
    IdleOver(u8),
    /// Its process ends.
    PodEnds(u8),
    /// Somebody removes the finished pod.
    Remove(u8),
    /// The Job controller takes the pod for its own and deletes it.
    Hunt(u8),
    /// A build with one job is created.
    Build,
    /// The template is deleted and made anew.
    Replace,
    /// The template is deleted.
    Withdraw,
    /// The controller is killed and starts again.
    Crash,
}

/// A command on its way.
#[derive(Clone, Debug)]
pub(super) struct Talk {
    pub(super) command: Command,
    /// Whether anybody waits for its answer.
    pub(super) heard: bool,
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

/// One state.
#[derive(Debug)]
pub(super) struct State {
    pub(super) now: Timestamp,
    pub(super) outside: Outside,
    pub(super) left: Allowed,
    pub(super) talks: Vec<Talk>,
    pub(super) controller: Controller,
    pub(super) wake: Timestamp,
    pub(super) shown: Shown,
    /// What was seen on the last choice.
    pub(super) sights: Sights,
    /// What was sent on the last choice.
    pub(super) said: Vec<String>,
}

impl Clone for State {
    fn clone(&self) -> Self {
        Self {
            now: self.now,
            outside: self.outside.clone(),
            left: self.left,
            talks: self.talks.clone(),
            controller: self.controller.fork(Box::new(Reactive)),
            wake: self.wake,
            shown: self.shown.clone(),
            sights: self.sights,
            said: self.said.clone(),
        }
    }
}

impl State {
    /// The beginning of a world: the controller has just started.
    pub(super) fn begin(world: &SmallWorld, bug: Option<Bug>) -> Result<Self, Broken> {
        let mut state = Self {
            now: START,
            outside: world.begin(),
            left: world.allowed,
            talks: Vec::new(),
            controller: Controller::new(Bug::config(bug)),
            wake: START,
            shown: Shown::default(),
            sights: Sights::default(),
            said: Vec::new(),
        };
        state.step(Input::Tick, bug)?;
        Ok(state)
    }

    /// One step of the controller.
    pub(super) fn step(&mut self, input: Input, bug: Option<Bug>) -> Result<(), Broken> {
        self.shown.learn(&input, self.now);
        let input = Bug::input(bug, input);
        let step = self.controller.step(self.now, input);
        self.wake = step.wake.at;
        let mut early = Vec::new();
        for command in step.commands {
            self.said
                .push(kind(&command).to_owned() + " (" + command.reason.as_str() + ")");
            let flying = self.talks.iter().filter(|talk| talk.heard);
            let flying = flying.map(|talk| &talk.command);
            self.shown.object(&command, &self.outside, flying, self.now)?;
            early.extend(Bug::answer(bug, &command));
            self.talks.push(Talk {
                command: Bug::command(bug, command),
                heard: true,
                sent_at: self.now,
                progress: Progress::Sent,
            });
        }
        for input in early {
            self.step(input, bug)?;
        }
        Ok(())
    }

    /// Whether a request is under way that the controller waits for.
    pub(super) fn is_talking(&self) -> bool {
        let under_way = |talk: &Talk| talk.heard && !matches!(talk.progress, Progress::Lost);
        self.talks.iter().any(under_way)
    }

    /// What may happen next, in an order in which the likely comes first.
    pub(super) fn choices(&self) -> Vec<Choice> {
        let mut choices = Vec::new();
        for (talk, at) in self.talks.iter().zip(0_u8..) {
            self.choices_of_talk(talk, at, &mut choices);
        }
        for (pod, at) in self.outside.pods.iter().zip(0_u8..) {
            self.choices_of_pod(pod, at, &mut choices);
        }
        let users = [
            (self.left.builds > 0, Choice::Build),
            (self.left.replacements > 0, Choice::Replace),
            (
                self.left.withdrawals > 0 && self.outside.template.is_some(),
                Choice::Withdraw,
            ),
            (self.left.crashes > 0, Choice::Crash),
            (!self.is_talking() || self.left.delays > 0, Choice::Wait),
        ];
        choices.extend(users.iter().filter(|(may, _)| *may).map(|(_, choice)| *choice));
        choices
    }

    fn choices_of_talk(&self, talk: &Talk, at: u8, choices: &mut Vec<Choice>) {
        let writes = !matches!(
            talk.command.action,
            Action::ObserveCluster | Action::ObserveBuildkite { .. }
        );
        match talk.progress {
            Progress::Sent | Progress::JobsRead(_) => {
                choices.push(Choice::Arrive(at));
                if talk.heard && self.left.failures > 0 {
                    choices.push(Choice::Refuse(at));
                    if writes {
                        choices.extend([Choice::Lose(at), Choice::LoseAnswer(at)]);
                    }
                }
            }
            Progress::Answered(_) => choices.push(Choice::Answer(at)),
            Progress::Lost => {}
        }
    }

    fn choices_of_pod(&self, pod: &super::outside::SmallPod, at: u8, choices: &mut Vec<Choice>) {
        let (stage, deleting) = (pod.shown.stage, pod.shown.deleting);
        if pod.hunted {
            choices.push(Choice::Hunt(at));
        }
        match (stage, pod.agent) {
            (PodStage::Unscheduled, _) => choices.push(Choice::Start(at)),
            (PodStage::Succeeded | PodStage::Failed, _) => {
                if self.left.removals > 0 {
                    choices.push(Choice::Remove(at));
                }
            }
            (_, SmallAgent::Awaited) if !deleting => choices.push(Choice::Connect(at)),
            (_, SmallAgent::Idle { stopping: true } | SmallAgent::Given { .. }) => choices.push(Choice::Ping(at)),
            (_, SmallAgent::Idle { stopping: false }) => {
                if self.outside.waiting() > 0 {
                    choices.push(Choice::Dispatch(at));
                }
                if self.now.since(pod.idle_since) >= SmallWorld::config().idle_timeout {
                    choices.push(Choice::IdleOver(at));
                }
            }
            (_, SmallAgent::Busy { .. }) => choices.push(Choice::JobEnds(at)),
            (_, SmallAgent::Gone) => choices.push(Choice::PodEnds(at)),
            (_, SmallAgent::Awaited) => {}
        }
    }

    /// A choice in words, before it is made.
    pub(super) fn describe(&self, choice: Choice) -> String {
        let talk = |at: u8| {
            let talk = self.talks.get(usize::from(at));
            talk.map_or_else(String::new, |talk| name(&talk.command))
        };
        let pod = |at: u8| {
            let pod = self.outside.pods.get(usize::from(at));
            pod.map_or_else(String::new, |pod| format!("pod@{}", pod.number))
        };
        match choice {
            Choice::Wait => "time passes".to_owned(),
            Choice::Arrive(at) => format!("{} arrives", talk(at)),
            Choice::Answer(at) => format!("{} is answered", talk(at)),
            Choice::Refuse(at) => format!("{} is refused with 503", talk(at)),
            Choice::Lose(at) => format!("{} is lost on its way", talk(at)),
            Choice::LoseAnswer(at) => format!("{} is carried out, its answer is lost", talk(at)),
            Choice::Start(at) => format!("{} starts", pod(at)),
            Choice::Connect(at) => format!("the agent of {} connects", pod(at)),
            Choice::Dispatch(at) => format!("Buildkite gives a job to the agent of {}", pod(at)),
            Choice::Ping(at) => format!("the agent of {} pings", pod(at)),
            Choice::JobEnds(at) => format!("the job on {} ends", pod(at)),
            Choice::IdleOver(at) => format!("the agent of {} leaves, idle for too long", pod(at)),
            Choice::PodEnds(at) => format!("{} ends", pod(at)),
            Choice::Remove(at) => format!("somebody removes {}", pod(at)),
            Choice::Hunt(at) => format!("the Job controller deletes {}", pod(at)),
            Choice::Build => "a build is created".to_owned(),
            Choice::Replace => "the template is replaced".to_owned(),
            Choice::Withdraw => "the template is deleted".to_owned(),
            Choice::Crash => "the controller is killed and starts again".to_owned(),
        }
    }

    pub(super) fn see(&mut self, sight: Sight) {
        self.sights.add(sight);
    }

    /// The same with the time.
    pub(super) fn tell(&self, choice: Choice) -> String {
        let passed = self.now.since(START);
        format!("{:>6.1} s  {}", passed.as_secs_f64(), self.describe(choice))
    }
}
