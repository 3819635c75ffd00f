//! Stories: what happens outside, event by event, while a controller works.
//!
//! Every event can happen in every world: where it needs a pod or an agent it
//! picks one by number, and where there is none nothing happens.

use buildscaler_core::{Action, ConnectionState, Failure, Outcome, PodStage, Refusal};
use proptest::prelude::*;
use proptest::sample::select;

use super::build::{
    agent, already_exists, fate_unknown, forbidden, not_found, rate_limited, secs, template, unavailable, waiting,
};
use super::driver::{Driver, is_write};
use super::worlds::QUEUES;

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
    JobArrives(usize),
    JobGoes(usize),
    PodFinishes(usize),
    PodVanishes(usize),
    AgentConnects(usize),
    AgentTakesWork(usize),
    AgentEndsWork(usize),
    AgentLeaves(usize),
    AgentPauses(usize),
    TemplateReplaced(usize),
    TemplateGone(usize),
    TemplateContested(usize),
    /// What cannot be seen from now on: templates, pods, jobs, agents.
    Blind(bool, bool, bool, bool),
    /// All can be seen again.
    See,
    /// A new controller takes over.
    Restart,
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
        2 => which().prop_map(Event::AgentTakesWork),
        2 => which().prop_map(Event::AgentEndsWork),
        2 => which().prop_map(Event::AgentLeaves),
        1 => which().prop_map(Event::AgentPauses),
        1 => which().prop_map(Event::TemplateReplaced),
        1 => which().prop_map(Event::TemplateGone),
        1 => which().prop_map(Event::TemplateContested),
        1 => proptest::array::uniform4(any::<bool>()).prop_map(|[a, b, c, d]| Event::Blind(a, b, c, d)),
        2 => Just(Event::See),
        1 => Just(Event::Restart),
    ]
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
        Event::Blind(templates, pods, jobs, agents) => {
            let blind = &mut driver.world.blind;
            blind.templates = templates.then(unavailable);
            blind.pods = pods.then(unavailable);
            blind.jobs = jobs.then(unavailable);
            blind.agents = agents.then(unavailable);
        }
        Event::See => driver.world.blind = super::world::Blind::default(),
        Event::JobArrives(_) | Event::JobGoes(_) => happen_in_buildkite(driver, event),
        Event::PodFinishes(_) | Event::PodVanishes(_) => happen_to_pods(driver, event),
        Event::AgentConnects(_)
        | Event::AgentTakesWork(_)
        | Event::AgentEndsWork(_)
        | Event::AgentLeaves(_)
        | Event::AgentPauses(_) => happen_to_agents(driver, event),
        Event::TemplateReplaced(_) | Event::TemplateGone(_) | Event::TemplateContested(_) => {
            happen_to_templates(driver, event);
        }
    }
}

fn happen_in_buildkite(driver: &mut Driver, event: &Event) {
    let world = &mut driver.world;
    world.made += 1;
    if let Event::JobArrives(which) = event {
        let name = format!("new-{}", world.made);
        world.jobs.push(waiting(&name, QUEUES[which % QUEUES.len()]));
    } else if let Event::JobGoes(which) = event
        && !world.jobs.is_empty()
    {
        let which = which % world.jobs.len();
        world.jobs.remove(which);
    }
}

fn happen_to_pods(driver: &mut Driver, event: &Event) {
    let world = &mut driver.world;
    let (Event::PodFinishes(which) | Event::PodVanishes(which)) = event else {
        return;
    };
    if world.pods.is_empty() {
        return;
    }
    let which = which % world.pods.len();
    let pod = &mut world.pods[which];
    let uid = pod.uid.clone();
    world.agents.retain(|agent| agent.pod_uid.as_ref() != Some(&uid));
    if matches!(event, Event::PodFinishes(_)) {
        pod.stage = PodStage::Succeeded;
    } else {
        world.pods.remove(which);
    }
}

fn happen_to_agents(driver: &mut Driver, event: &Event) {
    let world = &mut driver.world;
    world.made += 1;
    if let Event::AgentConnects(which) = event {
        let place = which % world.pods.len().max(1);
        if let Some(pod) = world.pods.get_mut(place) {
            pod.stage = PodStage::Running;
            let name = format!("new-{}", world.made);
            world.agents.push(agent(&name, pod));
        }
        return;
    }
    let (Event::AgentTakesWork(which)
    | Event::AgentEndsWork(which)
    | Event::AgentLeaves(which)
    | Event::AgentPauses(which)) = event
    else {
        return;
    };
    if world.agents.is_empty() {
        return;
    }
    let which = which % world.agents.len();
    let agent = &mut world.agents[which];
    match event {
        Event::AgentTakesWork(_) if agent.state == ConnectionState::Connected => {
            agent.running = Some(format!("work-{}", world.made).into());
        }
        Event::AgentEndsWork(_) => agent.running = None,
        Event::AgentPauses(_) => agent.paused = !agent.paused,
        _ => {
            world.agents.remove(which);
        }
    }
}

fn happen_to_templates(driver: &mut Driver, event: &Event) {
    let now = driver.now;
    let world = &mut driver.world;
    world.made += 1;
    let (Event::TemplateReplaced(which) | Event::TemplateGone(which) | Event::TemplateContested(which)) = event else {
        return;
    };
    let name = QUEUES[which % QUEUES.len()];
    if !matches!(event, Event::TemplateContested(_)) {
        world
            .templates
            .retain(|template| template.queue.as_ref().map(buildscaler_core::Queue::as_str) != Some(name));
    }
    if !matches!(event, Event::TemplateGone(_)) {
        let mut new = template(&format!("{name}-{}", world.made), name);
        new.created_at = now;
        world.templates.push(new);
    }
}

/// One of the writes that wait for an answer, if there is one.
fn with_command(driver: &mut Driver, which: usize, then: impl Fn(&mut Driver, &buildscaler_core::Command)) {
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
