//! Stories: what happens outside, event by event, while a controller works.
//!
//! Every event can happen in every world: where it needs a pod or an agent it
//! picks one by number, and where there is none nothing happens.

use buildscaler_core::{Action, Command, ConnectionState, Failure, Outcome, PodStage, Queue, Refusal, Template};
use proptest::prelude::*;
use proptest::sample::select;

use super::build::{
    agent, already_exists, fate_unknown, forbidden, not_found, rate_limited, secs, template, unavailable, waiting,
};
use super::driver::{Driver, is_write};
use super::worlds::{Notes, QUEUES, notes};

/// Something that happens.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// Time passes and looks are made, but nothing that was asked for happens.
    Rounds(u8),
    /// Seconds pass, without a view.
    Wait(u16),
    /// Kubernetes pushes a view.
    Push,
    /// Every command reaches its goal.
    Obey,
    /// A command reaches its goal and the answer says so.
    Answer(usize),
    /// A command fails.
    Fail(usize, Woe),
    /// A command reaches its goal and no answer comes.
    LoseAnswer(usize),
    /// A job wants an agent.
    JobArrives(usize),
    /// A job is gone.
    JobGoes(usize),
    /// All containers of a pod end.
    PodFinishes(usize),
    /// A pod is removed, by whomever.
    PodVanishes(usize),
    /// A pod's agent connects.
    AgentConnects(usize),
    /// Something happens to an agent.
    Agent(usize, Turn),
    /// Something happens to the templates of a queue.
    Template(usize, Change),
    /// The annotations of a queue's templates are changed where they are.
    Annotate(usize, Notes),
    /// What cannot be seen from now on: templates, pods, jobs, agents.
    Blind(bool, bool, bool, bool),
    /// All can be seen again.
    See,
    /// A new controller takes over.
    Restart,
    /// A new controller takes over after so many seconds, and recalls what the
    /// old one saved. What was in flight may have been carried out.
    Resume(u16, bool),
}

/// What happens to an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    TakesWork,
    EndsWork,
    Leaves,
    Pauses,
}

/// What happens to the templates of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Replaced,
    Gone,
    Contested,
}

/// The ways in which a command fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woe {
    Exists,
    Gone,
    Quota,
    Admission,
    Credentials,
    Limited,
    Unavailable,
    FateUnknown,
}

pub(crate) fn events() -> impl Strategy<Value = Vec<Event>> {
    proptest::collection::vec(event(), 1..40)
}

fn event() -> impl Strategy<Value = Event> {
    let which = || 0..64usize;
    prop_oneof![
        6 => (1..4u8).prop_map(Event::Rounds),
        1 => (10..60u8).prop_map(Event::Rounds),
        2 => (0..700u16).prop_map(Event::Wait),
        3 => Just(Event::Push),
        4 => Just(Event::Obey),
        3 => which().prop_map(Event::Answer),
        3 => (which(), woe()).prop_map(|(which, woe)| Event::Fail(which, woe)),
        1 => which().prop_map(Event::LoseAnswer),
        3 => which().prop_map(Event::JobArrives),
        2 => which().prop_map(Event::JobGoes),
        1 => which().prop_map(Event::PodFinishes),
        1 => which().prop_map(Event::PodVanishes),
        3 => which().prop_map(Event::AgentConnects),
        7 => (which(), turn()).prop_map(|(which, turn)| Event::Agent(which, turn)),
        3 => (which(), change()).prop_map(|(which, change)| Event::Template(which, change)),
        2 => (which(), notes()).prop_map(|(which, notes)| Event::Annotate(which, notes)),
        1 => proptest::array::uniform4(any::<bool>()).prop_map(|[a, b, c, d]| Event::Blind(a, b, c, d)),
        2 => Just(Event::See),
        1 => Just(Event::Restart),
        1 => (0..90u16, any::<bool>()).prop_map(|(seconds, done)| Event::Resume(seconds, done)),
    ]
}

fn turn() -> impl Strategy<Value = Turn> {
    select(vec![Turn::TakesWork, Turn::EndsWork, Turn::Leaves, Turn::Pauses])
}

fn change() -> impl Strategy<Value = Change> {
    select(vec![Change::Replaced, Change::Gone, Change::Contested])
}

fn woe() -> impl Strategy<Value = Woe> {
    select(vec![
        Woe::Exists,
        Woe::Gone,
        Woe::Quota,
        Woe::Admission,
        Woe::Credentials,
        Woe::Limited,
        Woe::Unavailable,
        Woe::FateUnknown,
    ])
}

/// Lets a story happen.
pub(crate) fn tell(driver: &mut Driver, events: &[Event]) {
    for event in events {
        happen(driver, event);
    }
}

fn happen(driver: &mut Driver, event: &Event) {
    match event {
        Event::Rounds(count) => {
            (0..*count).for_each(|_| drop(driver.attempt()));
        }
        Event::Wait(seconds) => {
            driver.wait(secs((*seconds).into()));
        }
        Event::Push => {
            driver.push_cluster();
        }
        Event::Obey => {
            driver.carry_out();
        }
        Event::Answer(which) => with_command(driver, *which, |driver, command| {
            let outcome = driver.world.carry_out(&command.action, driver.now);
            driver.answer(command, outcome);
        }),
        Event::LoseAnswer(which) => with_command(driver, *which, |driver, command| {
            driver.world.carry_out(&command.action, driver.now);
            driver.answer(command, Outcome::Failed(fate_unknown()));
        }),
        Event::Fail(which, woe) => with_command(driver, *which, |driver, command| {
            let failure = failure(*woe, driver, &command.action);
            driver.answer(command, Outcome::Failed(failure));
        }),
        Event::Restart => driver.restart(),
        Event::Resume(seconds, done) => driver.resume(secs((*seconds).into()), *done),
        Event::Blind(templates, pods, jobs, agents) => {
            let blind = &mut driver.world.blind;
            blind.templates = templates.then(unavailable);
            blind.pods = pods.then(unavailable);
            blind.jobs = jobs.then(unavailable);
            blind.agents = agents.then(unavailable);
        }
        Event::See => driver.world.blind = super::world::Blind::default(),
        Event::JobArrives(which) => {
            let name = driver.world.number("new");
            driver.world.jobs.push(waiting(&name, QUEUES[which % QUEUES.len()]));
        }
        Event::JobGoes(which) => {
            if let Some(place) = place(*which, driver.world.jobs.len()) {
                driver.world.jobs.remove(place);
            }
        }
        Event::PodFinishes(which) => end_pod(driver, *which, true),
        Event::PodVanishes(which) => end_pod(driver, *which, false),
        Event::AgentConnects(which) => connect(driver, *which),
        Event::Agent(which, turn) => happen_to_agent(driver, *which, *turn),
        Event::Template(which, change) => happen_to_templates(driver, *which, *change),
        Event::Annotate(which, notes) => {
            let name = QUEUES[which % QUEUES.len()];
            let serves = |template: &&mut Template| template.queue.as_ref().map(Queue::as_str) == Some(name);
            for template in driver.world.templates.iter_mut().filter(serves) {
                template.annotations.clone_from(notes);
            }
        }
    }
}

fn end_pod(driver: &mut Driver, which: usize, remains: bool) {
    let world = &mut driver.world;
    let Some(place) = place(which, world.pods.len()) else {
        return;
    };
    let uid = world.pods[place].uid.clone();
    world.agents.retain(|agent| agent.pod_uid.as_ref() != Some(&uid));
    if remains {
        world.pods[place].stage = PodStage::Succeeded;
    } else {
        world.pods.remove(place);
    }
}

fn connect(driver: &mut Driver, which: usize) {
    let world = &mut driver.world;
    let Some(place) = place(which, world.pods.len()) else {
        return;
    };
    if world.pods[place].stage.is_finished() {
        return;
    }
    let name = world.number("new");
    world.pods[place].stage = PodStage::Running;
    world.agents.push(agent(&name, &world.pods[place]));
}

fn happen_to_agent(driver: &mut Driver, which: usize, turn: Turn) {
    let world = &mut driver.world;
    let Some(place) = place(which, world.agents.len()) else {
        return;
    };
    let work = world.number("work");
    let agent = &mut world.agents[place];
    match turn {
        Turn::TakesWork => agent.running = (agent.state == ConnectionState::Connected).then(|| work.into()),
        Turn::EndsWork => agent.running = None,
        Turn::Pauses => agent.paused = !agent.paused,
        Turn::Leaves => drop(world.agents.remove(place)),
    }
}

fn happen_to_templates(driver: &mut Driver, which: usize, change: Change) {
    let now = driver.now;
    let world = &mut driver.world;
    let name = QUEUES[which % QUEUES.len()];
    if change != Change::Contested {
        let serves = |template: &Template| template.queue.as_ref().map(Queue::as_str) == Some(name);
        world.templates.retain(|template| !serves(template));
    }
    if change != Change::Gone {
        let mut new = template(&world.number(name), name);
        new.created_at = now;
        world.templates.push(new);
    }
}

fn place(which: usize, of: usize) -> Option<usize> {
    which.checked_rem(of)
}

/// One of the writes that wait for an answer, if there is one.
fn with_command(driver: &mut Driver, which: usize, then: impl Fn(&mut Driver, &Command)) {
    let writes: Vec<_> = driver
        .pending
        .iter()
        .filter(|command| is_write(&command.action))
        .cloned()
        .collect();
    if !writes.is_empty() {
        then(driver, &writes[which % writes.len()]);
    }
}

fn failure(woe: Woe, driver: &Driver, action: &Action) -> Failure {
    match woe {
        Woe::Exists if matches!(action, Action::StopAgent { .. }) => not_found(),
        Woe::Exists => already_exists(),
        Woe::Gone => not_found(),
        Woe::Quota => forbidden(Refusal::QuotaExceeded),
        Woe::Admission => forbidden(Refusal::Admission),
        Woe::Credentials => forbidden(Refusal::Credentials),
        Woe::Limited => rate_limited(driver.now.after(secs(45))),
        Woe::Unavailable => unavailable(),
        Woe::FateUnknown => fate_unknown(),
    }
}
