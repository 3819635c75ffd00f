//! A story: everything that will happen, drawn from a seed.

use std::time::Duration;

use buildscaler_simulator::buildkite::{AgentOrder, BuildSpec, Dispatch, JobSpec, ShownLimited, Switches, Unaccepted};

use crate::dice::Dice;
use crate::faults::{Call, Fault};

/// A tag that all agents carry.
pub(crate) const TAG: &str = "os=linux";
/// A rule that no agent satisfies.
pub(crate) const UNMATCHABLE: &str = "gpu=h100";

#[derive(Clone, Debug)]
pub(crate) struct Story {
    pub(crate) seed: u64,
    pub(crate) switches: Switches,
    /// How long a pod takes to start.
    pub(crate) start_up: Duration,
    pub(crate) sync_interval: u64,
    pub(crate) idle_timeout: u64,
    pub(crate) startup_timeout: u64,
    /// The grace period of all pods.
    pub(crate) grace: u64,
    /// Whether templates let agents stay idle for ever.
    pub(crate) agents_stay: bool,
    /// Requests that Buildkite allows in 60 seconds.
    pub(crate) limit: u32,
    pub(crate) events: Vec<(Duration, Event)>,
    pub(crate) faults: Vec<Fault>,
    /// When the faults end.
    pub(crate) span: Duration,
}

#[derive(Clone, Debug)]
pub(crate) enum Event {
    Build(BuildSpec),
    /// Cancels the newest build.
    CancelBuild,
    AddTemplate(String),
    DeleteTemplates(String),
    ReplaceTemplate(String),
    /// Another template claims the queue.
    Contest(String),
    /// The template of one queue is for another from now on.
    Relabel(String, String),
    Parallelism(String, u32),
    PauseQueue(String),
    ResumeQueue(String),
    KillController,
    EndController,
    StartController,
    CutWatches,
    Compact,
    /// A user deletes one of the pods without an agent.
    LoseAgentlessPod,
}

impl Story {
    pub(crate) fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let queues: Vec<String> = (0..dice.within(1, 4)).map(|number| format!("q{number}")).collect();
        let span = dice.millis(8000, 16_000);
        let startup_timeout = dice.within(8, 12);
        let mut events = events(&mut dice, &queues, span);
        events.sort_by_key(|(at, _)| *at);
        let faults = faults(&mut dice, span, startup_timeout);
        let limit = dice.one(&[50, 600, 600, 600]);
        Self {
            seed,
            switches: switches(&mut dice),
            start_up: dice.millis(10, 1500),
            sync_interval: if limit == 50 { 3 } else { 1 },
            idle_timeout: dice.within(2, 4),
            startup_timeout,
            grace: dice.within(1, 3),
            agents_stay: dice.percent(25),
            limit,
            events,
            faults,
            span,
        }
    }
}

fn switches(dice: &mut Dice) -> Switches {
    Switches {
        ping_interval: Duration::from_secs(1),
        heartbeat_interval: Duration::from_secs(2),
        job_status_interval: Duration::from_secs(1),
        agent_list_lag: dice.one(&[Duration::ZERO, Duration::from_millis(700)]),
        dispatch: dice.one(&[Dispatch::Ahead, Dispatch::AtPing]),
        unaccepted_at_stop: dice.one(&[Unaccepted::Kept, Unaccepted::Rescheduled]),
        agent_order: dice.one(&[AgentOrder::NewestFirst, AgentOrder::OldestFirst, AgentOrder::ById]),
        limited: dice.one(&[ShownLimited::Scheduled, ShownLimited::Limited]),
        stop_of_stopping: dice.one(&[http::StatusCode::NO_CONTENT, http::StatusCode::BAD_REQUEST]),
        ..Switches::default()
    }
}

fn events(dice: &mut Dice, queues: &[String], span: Duration) -> Vec<(Duration, Event)> {
    let span = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    let mut events = vec![(Duration::ZERO, Event::StartController)];
    for queue in queues {
        if dice.percent(80) {
            events.push((Duration::ZERO, Event::AddTemplate(queue.clone())));
        }
    }
    for _ in 0..dice.within(2, 14) {
        events.push((dice.millis(0, span), Event::Build(build(dice, queues))));
    }
    for _ in 0..dice.within(0, 5) {
        events.push((dice.millis(0, span), change(dice, queues)));
    }
    for _ in 0..dice.within(0, 3) {
        let at = dice.millis(500, span);
        let ending = if dice.percent(70) {
            Event::KillController
        } else {
            Event::EndController
        };
        events.push((at, ending));
        events.push((at + dice.millis(0, 2500), Event::StartController));
    }
    if dice.percent(30) {
        let at = dice.millis(0, span);
        events.push((at, Event::StartController));
        events.push((at + dice.millis(1000, 6000), Event::KillController));
    }
    events
}

fn change(dice: &mut Dice, queues: &[String]) -> Event {
    let mut queue = || queues[usize::try_from(dice.within(0, queues.len() as u64 - 1)).unwrap_or(0)].clone();
    let (one, other) = (queue(), queue());
    match dice.within(0, 13) {
        0 => Event::AddTemplate(one),
        1 => Event::DeleteTemplates(one),
        2 | 3 => Event::ReplaceTemplate(one),
        4 => Event::Contest(one),
        5 => Event::Relabel(one, other),
        6 => Event::Parallelism(one, 1),
        7 => Event::Parallelism(one, 0),
        8 => Event::PauseQueue(one),
        9 => Event::ResumeQueue(one),
        10 => Event::CutWatches,
        11 => Event::Compact,
        12 => Event::LoseAgentlessPod,
        _ => Event::CancelBuild,
    }
}

fn build(dice: &mut Dice, queues: &[String]) -> BuildSpec {
    let many = dice.one(&[1, 1, 2, 3, 6]);
    let mut steps = Vec::new();
    for _ in 0..many {
        let queue = queues[usize::try_from(dice.within(0, queues.len() as u64 - 1)).unwrap_or(0)].clone();
        let mut step = JobSpec::script(queue.as_str(), dice.millis(200, 4000));
        match dice.within(0, 9) {
            0 => step = step.rule(TAG),
            1 => step = step.rule(UNMATCHABLE),
            2 | 3 => {
                step = step.concurrency(
                    format!("group-{queue}"),
                    usize::try_from(dice.within(1, 2)).unwrap_or(1),
                )
            }
            4 => step = step.priority(1),
            _ => {}
        }
        steps.push(step);
        if dice.percent(10) {
            steps.push(JobSpec::wait());
        }
    }
    BuildSpec::new("pipeline", steps)
}

/// Some faults; at most one of them lies about agents, and not for long: with
/// the time that agents need to start and to be listed, a lie must end before
/// the startup timeout does.
fn faults(dice: &mut Dice, span: Duration, startup_timeout: u64) -> Vec<Fault> {
    let patience = Duration::from_secs(startup_timeout - 6);
    let mut faults: Vec<Fault> = (0..dice.within(0, 14))
        .map(|_| Fault::draw(dice, span, patience))
        .collect();
    let mut lies = 0;
    faults.retain(|fault| {
        let lies_about_agents = fault.call == Call::Agents && fault.effect.is_lie();
        lies += usize::from(lies_about_agents);
        !lies_about_agents || lies < 2
    });
    faults
}
