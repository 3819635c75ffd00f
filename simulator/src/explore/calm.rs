//! Whether all ends well from a state if nothing more goes wrong: requests and
//! pods go on at once, jobs end at once, time passes (Invariants 26 to 30).

use std::time::Duration;

use buildscaler_core::{PodStage, Timestamp};

use super::bugs::Bug;
use super::outside::{Broken, SmallAgent};
use super::replica::{Condition, Replica};
use super::safety::{Invariant, name};
use super::state::{Choice, State};
use super::talk::{Progress, Talk};
use super::worlds::SmallWorld;

/// More choices than any calm way takes.
const LONGEST: u32 = 2000;
/// What waking at whole milliseconds and creation times at whole seconds add.
const SLACK: Duration = Duration::from_secs(2);
/// In which replicas agree on a leader: the claim of one that is gone has to
/// run out, as seen by looks of which two may be wasted.
const SUCCESSION: Duration = Duration::from_secs(15 + 2 * 5 + 2);

/// Lets a state end in peace, once with agents that connect and once with
/// agents that never do; with the way taken if it does not end well.
pub(super) fn calm(state: &State, bug: Option<Bug>) -> Result<(), (Broken, Vec<String>)> {
    for connects in [true, false] {
        let mut peace = Peace::new(state.clone(), connects);
        if let Err(broken) = peace.run(bug) {
            return Err((broken, peace.way));
        }
    }
    Ok(())
}

struct Peace {
    state: State,
    connects: bool,
    /// When the last fault ends.
    since: Timestamp,
    /// The pods that were there then.
    first: Vec<u32>,
    way: Vec<String>,
}

impl Peace {
    fn new(mut state: State, connects: bool) -> Self {
        // What nobody waits for and has not arrived yet never will.
        state.talks.retain(|talk| talk.heard);
        for replica in &mut state.replicas {
            replica.condition = match replica.condition {
                Condition::Dead => Condition::Dead,
                Condition::Well | Condition::Paused | Condition::CutOff => Condition::Well,
            };
        }
        let lost = state
            .talks
            .iter()
            .filter(|talk| matches!(talk.progress, Progress::Lost));
        let mut since = lost.map(Talk::given_up_at).fold(state.now, Timestamp::max);
        if state.has_replicas() {
            since = since.after(SUCCESSION);
        }
        Self {
            first: state.outside.pods.iter().map(|pod| pod.number).collect(),
            since,
            state,
            connects,
            way: Vec::new(),
        }
    }

    fn run(&mut self, bug: Option<Bug>) -> Result<(), Broken> {
        let config = SmallWorld::config();
        let idle = config.idle_timeout + config.sync_interval * 3 + SLACK;
        let start = config.agent_startup_timeout + config.sync_interval * 3 + SLACK;
        let end = self.since.after(if self.connects { idle * 2 } else { start });
        for _ in 0..LONGEST {
            let Some(choice) = self.next() else { break };
            if choice == Choice::Wait {
                self.judge(idle)?;
                if self.state.now >= end {
                    break;
                }
            }
            self.way.push(self.state.tell(choice));
            self.state.happen(choice, bug)?;
        }
        self.judge_end(start)
    }

    /// The next choice that does no harm, time last of all.
    fn next(&self) -> Option<Choice> {
        self.state.choices().into_iter().find(|choice| match choice {
            Choice::Arrive(_)
            | Choice::Answer(_)
            | Choice::Start(_)
            | Choice::Dispatch(_)
            | Choice::Ping(_)
            | Choice::JobEnds(_)
            | Choice::PodEnds(_)
            | Choice::Wait => true,
            Choice::Connect(_) => self.connects,
            // Agents that leave by themselves would hide who does not ask them to.
            Choice::IdleOver(_)
            | Choice::Refuse(_)
            | Choice::Lose(_)
            | Choice::LoseAnswer(_)
            | Choice::Remove(_)
            | Choice::Hunt(_)
            | Choice::Build
            | Choice::Replace
            | Choice::Withdraw
            | Choice::Crash
            | Choice::Die(_)
            | Choice::Pause(_)
            | Choice::CutOff(_)
            | Choice::Recover(_) => false,
        })
    }

    /// What has to be true as time passes.
    fn judge(&self, idle: Duration) -> Result<(), Broken> {
        let state = &self.state;
        let interval = SmallWorld::config().sync_interval;
        let passed = state.now.since(self.since);
        let template = state.outside.template.as_ref();
        if state.has_replicas()
            && !passed.is_zero()
            && !state.replicas.iter().any(|replica| replica.commands(state.now))
        {
            return broken(
                Invariant::SomebodyCommands,
                format!("nobody commands {:?} after the last fault", passed + SUCCESSION),
            );
        }
        // Where starts fail, pods are made one at a time and ever more rarely.
        let fails = |replica: &Replica| replica.controller.failing_templates().next().is_some();
        let fails = state.replicas.iter().any(fails);
        if passed > interval * 2 + SLACK && template.is_some() && !fails {
            let coming = state.outside.pods.iter();
            let coming = coming.filter(|pod| {
                let current = pod.shown.template_uid.as_ref() == template.map(|template| &template.uid);
                current && !pod.shown.stage.is_finished() && pod.agent.job().is_none() && !pod.shown.deleting
            });
            let (waiting, coming) = (state.outside.waiting(), coming.count());
            if waiting > coming {
                return broken(
                    Invariant::JobsAreServed,
                    format!("{waiting} jobs wait for {passed:?} after the last fault, and {coming} pods come"),
                );
            }
        }
        if !self.connects {
            return Ok(());
        }
        if passed > interval * 3 + SLACK {
            let is_old = |pod: &&super::outside::SmallPod| {
                self.first.contains(&pod.number)
                    && pod.agent != SmallAgent::Gone
                    && template.is_none_or(|template| pod.shown.template_uid.as_ref() != Some(&template.uid))
            };
            if let Some(pod) = state.outside.pods.iter().find(is_old) {
                return broken(
                    Invariant::ReplacedPodsGo,
                    format!(
                        "pod@{} of an old template is there {passed:?} after the last fault",
                        pod.number
                    ),
                );
            }
        }
        if passed > idle && !state.outside.pods.is_empty() && state.outside.waiting() == 0 {
            return broken(
                Invariant::PodsGo,
                format!(
                    "{} pods are left {passed:?} after the last fault",
                    state.outside.pods.len()
                ),
            );
        }
        Ok(())
    }

    /// What has to be true in the end.
    fn judge_end(&self, start: Duration) -> Result<(), Broken> {
        let state = &self.state;
        let passed = state.now.since(self.since);
        if !self.connects && passed >= start {
            let late = state.outside.pods.iter().find(|pod| {
                self.first.contains(&pod.number)
                    && pod.agent == SmallAgent::Awaited
                    && pod.shown.stage == PodStage::Running
                    && !pod.shown.deleting
            });
            if let Some(pod) = late {
                return broken(
                    Invariant::NoShowsGo,
                    format!("pod@{} has no agent {passed:?} after the last fault", pod.number),
                );
            }
        }
        let busy = state.talks.iter().find(|talk| !talk.is_routine());
        match busy.filter(|_| self.connects) {
            Some(talk) => broken(
                Invariant::CommandsCease,
                format!("{} is sent {passed:?} after the last fault", name(&talk.command)),
            ),
            None => Ok(()),
        }
    }
}

fn broken(invariant: Invariant, what: String) -> Result<(), Broken> {
    Err(Broken { invariant, what })
}
