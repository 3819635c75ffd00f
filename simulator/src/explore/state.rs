//! One state of a small world: what is outside, what is on its way, and the
//! controller, or several.

use buildscaler_core::{Input, PodStage, Timestamp};

use super::bugs::Bug;
use super::outside::{Broken, Outside, SmallAgent};
use super::replica::{Condition, Replica};
use super::safety::{kind, name};
use super::sights::{Sight, Sights};
use super::talk::{Progress, Talk};
use super::worlds::{Allowed, START, SmallWorld};

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
    /// A replica is killed and does not come back.
    Die(u8),
    /// A replica's process stands still.
    Pause(u8),
    /// A replica hears no answers any more.
    CutOff(u8),
    /// A replica that stood still, or heard nothing, goes on.
    Recover(u8),
}

/// One state.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) now: Timestamp,
    pub(super) outside: Outside,
    pub(super) left: Allowed,
    pub(super) talks: Vec<Talk>,
    pub(super) replicas: Vec<Replica>,
    /// What was seen on the last choice.
    pub(super) sights: Sights,
    /// What was sent on the last choice.
    pub(super) said: Vec<String>,
}

impl State {
    /// The beginning of a world: the controller has just started.
    pub(super) fn begin(world: &SmallWorld, bug: Option<Bug>) -> Result<Self, Broken> {
        let mut state = Self {
            now: START,
            outside: world.begin(),
            left: world.allowed,
            talks: Vec::new(),
            replicas: (0..world.replicas)
                .map(|number| Replica::new(number, world.replicas, bug))
                .collect(),
            sights: Sights::default(),
            said: Vec::new(),
        };
        state.tick(&[], bug)?;
        Ok(state)
    }

    /// One step of a controller.
    pub(super) fn step(&mut self, by: u8, input: Input, bug: Option<Bug>) -> Result<(), Broken> {
        let now = self.now;
        let replica = &mut self.replicas[usize::from(by)];
        replica.learn(&input, now);
        let led = replica.leads();
        let step = replica.controller.step(now, Bug::input(bug, input));
        replica.wake = step.wake.at;
        if self.has_replicas() {
            self.see_command(by, led);
        }
        let mut early = Vec::new();
        for command in step.commands {
            self.said
                .push(kind(&command).to_owned() + " (" + command.reason.as_str() + ")");
            let replica = &self.replicas[usize::from(by)];
            let flying = self
                .talks
                .iter()
                .filter(|talk| talk.by == by && replica.awaits(talk, now));
            let flying = flying.map(|talk| &talk.command);
            replica.shown.object(&command, &self.outside, flying, now)?;
            early.extend(Bug::answer(bug, &command));
            let progress = match replica.condition {
                Condition::Well | Condition::Paused => Progress::Sent,
                Condition::CutOff | Condition::Dead => Progress::Lost,
            };
            self.talks.push(Talk {
                by,
                command: Bug::command(bug, command),
                heard: true,
                held: false,
                sent_at: now,
                progress,
            });
        }
        for input in early {
            self.step(by, input, bug)?;
        }
        Ok(())
    }

    /// Whether a request is under way for which a controller waits that has all
    /// it needs to hear of it.
    pub(super) fn is_talking(&self) -> bool {
        let under_way = |talk: &Talk| {
            let is_well = self.replica(talk.by).condition == Condition::Well;
            is_well && talk.heard && !matches!(talk.progress, Progress::Lost)
        };
        self.talks.iter().any(under_way)
    }

    /// Whether time may pass: it does not while a request is under way, unless
    /// that is slow, or the process has to catch up.
    fn may_wait(&self) -> bool {
        let is_anybody_awake = self.replicas.iter().any(Replica::is_awake);
        is_anybody_awake && (!self.is_talking() || self.left.delays > 0 || self.is_overdue())
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
            (self.may_wait(), Choice::Wait),
        ];
        choices.extend(users.iter().filter(|(may, _)| *may).map(|(_, choice)| *choice));
        for (replica, at) in self.replicas.iter().zip(0_u8..) {
            self.choices_of_replica(replica, at, &mut choices);
        }
        choices
    }

    fn choices_of_talk(&self, talk: &Talk, at: u8, choices: &mut Vec<Choice>) {
        let is_awake = self.replica(talk.by).is_awake();
        match talk.progress {
            Progress::Sent | Progress::JobsRead(_) => {
                choices.push(Choice::Arrive(at));
                if talk.heard && is_awake && !talk.held && self.left.failures > 0 {
                    choices.push(Choice::Refuse(at));
                    if !talk.is_look() {
                        choices.extend([Choice::Lose(at), Choice::LoseAnswer(at)]);
                    }
                }
            }
            Progress::Answered(_) if is_awake => choices.push(Choice::Answer(at)),
            Progress::Answered(_) | Progress::Lost => {}
        }
    }

    fn choices_of_replica(&self, replica: &Replica, at: u8, choices: &mut Vec<Choice>) {
        match replica.condition {
            Condition::Well if self.left.mishaps > 0 => {
                choices.extend([Choice::Die(at), Choice::Pause(at), Choice::CutOff(at)]);
            }
            Condition::Well | Condition::Dead => {}
            Condition::Paused | Condition::CutOff => choices.push(Choice::Recover(at)),
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
            talk.map_or_else(String::new, |talk| {
                let whose = if self.has_replicas() {
                    format!("replica {}'s ", talk.by)
                } else {
                    String::new()
                };
                whose + &name(&talk.command)
            })
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
            Choice::Die(at) => format!("replica {at} is killed"),
            Choice::Pause(at) => format!("replica {at} stands still"),
            Choice::CutOff(at) => format!("replica {at} hears no answers any more"),
            Choice::Recover(at) => format!("replica {at} goes on"),
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
