//! What happens: each event for itself, and then all in the order of time.

use std::collections::{BTreeMap, BTreeSet};

use super::{Complaints, MOST_JOBS, MOST_THINGS, workload};
use crate::scenario::outline::Place;
use crate::scenario::problem::Rule;
use crate::scenario::{Event, FaultKind, FaultSpec, Moment, RequestKind, Scenario, StepKind};

pub(super) fn check(scenario: &Scenario, place: &Place<'_>, complaints: &mut Complaints) {
    for (number, moment) in scenario.timeline.iter().enumerate() {
        let place = place.index(number);
        if moment.at > scenario.lasts {
            let message = format!("at {} it is over: the scenario lasts {}", moment.at, scenario.lasts);
            complaints.add(&place.key("at"), Rule::Time, message);
        }
        alone(&moment.event, &place, complaints);
    }
    let all = scenario.jobs();
    if all > MOST_JOBS {
        let message = format!("{all} jobs are too many: at most {MOST_JOBS} are simulated in one run");
        complaints.add(place, Rule::Size, message);
    }
    in_order(scenario, place, complaints);
}

/// What can be said of an event without the others.
fn alone(event: &Event, place: &Place<'_>, complaints: &mut Complaints) {
    let most = u64::from(MOST_THINGS);
    match event {
        Event::Build(build) => workload::build(build, &place.key("build"), complaints),
        Event::ApplyTemplate(spec) => workload::template(spec, &place.key("apply-template"), complaints),
        Event::AddNodes(count) => complaints.bounds(&place.key("add-nodes"), (*count).into(), 1, most),
        Event::KillPods(count) => complaints.bounds(&place.key("kill-pods"), (*count).into(), 1, most),
        Event::DeletePods(count) => complaints.bounds(&place.key("delete-pods"), (*count).into(), 1, most),
        Event::SpendRequests(count) => {
            complaints.bounds(&place.key("spend-requests"), (*count).into(), 1, 1_000_000);
        }
        Event::PauseController(span) => complaints.some_time(&place.key("pause-controller"), *span),
        Event::ClockForward(span) => complaints.some_time(&place.key("clock-forward"), *span),
        Event::ClockBack(span) => complaints.some_time(&place.key("clock-back"), *span),
        Event::Fault(fault) => fault_alone(fault, &place.key("fault"), complaints),
        Event::CancelBuild(_)
        | Event::Unblock(_)
        | Event::DeleteTemplate(_)
        | Event::PauseAgents(_)
        | Event::ResumeAgents(_)
        | Event::LoseNode(_)
        | Event::CrashController
        | Event::StopController
        | Event::StartController
        | Event::StartSecondController
        | Event::StopSecondController
        | Event::EndController
        | Event::FaultsEnd => {}
    }
}

fn fault_alone(fault: &FaultSpec, place: &Place<'_>, complaints: &mut Complaints) {
    if let Some(lasts) = fault.lasts {
        complaints.some_time(&place.key("for"), lasts);
    }
    if fault.times == Some(0) {
        complaints.add(
            &place.key("times"),
            Rule::Number,
            "it never strikes: write 1 or more, or leave it out",
        );
    }
    match fault.with {
        FaultKind::Delay(span) => complaints.some_time(&place.key("with").key("delay"), span),
        FaultKind::QuotaExceeded if fault.on != RequestKind::Creates => {
            complaints.add(&place.key("on"), Rule::Order, "a quota is for pods: write `creates`")
        }
        FaultKind::QuotaExceeded
        | FaultKind::Drop
        | FaultKind::LoseReply
        | FaultKind::TooManyRequests
        | FaultKind::ServerError
        | FaultKind::Unavailable
        | FaultKind::Garbled
        | FaultKind::Truncated
        | FaultKind::Stale => {}
    }
}

/// What has to be true of the events together.
fn in_order(scenario: &Scenario, place: &Place<'_>, complaints: &mut Complaints) {
    let mut order: Vec<(usize, &Moment)> = scenario.timeline.iter().enumerate().collect();
    order.sort_by_key(|(_, moment)| moment.at);
    let mut so_far = SoFar::new(scenario);
    for (number, moment) in order {
        if let Some((field, rule, message)) = so_far.then(&moment.event) {
            complaints.add(&place.index(number).key(field), rule, message);
        }
    }
}

/// What there is at a time.
struct SoFar<'a> {
    queues: BTreeSet<&'a str>,
    templates: BTreeSet<&'a str>,
    /// Whether each build has a block step.
    builds: BTreeMap<&'a str, bool>,
    nodes: u64,
    controller: bool,
    second: bool,
    faults_ended: bool,
}

/// What is wrong: the field below the moment, the rule, the message.
type Wrong = (&'static str, Rule, String);

impl<'a> SoFar<'a> {
    fn new(scenario: &'a Scenario) -> Self {
        let nodes = &scenario.world.nodes;
        Self {
            queues: scenario.queues(),
            templates: scenario
                .templates
                .iter()
                .map(|template| template.name.as_str())
                .collect(),
            builds: BTreeMap::new(),
            nodes: nodes.count.max(nodes.max).into(),
            controller: true,
            second: false,
            faults_ended: false,
        }
    }

    /// Takes the next event in.
    fn then(&mut self, event: &'a Event) -> Option<Wrong> {
        match event {
            Event::Build(build) => {
                let blocks = build.steps.iter().any(|step| step.kind == StepKind::Block);
                let known = self.builds.insert(build.id.as_deref()?, blocks).is_some();
                known.then(|| {
                    (
                        "build",
                        Rule::Unique,
                        "an earlier build has this id: give each its own".to_owned(),
                    )
                })
            }
            Event::CancelBuild(id) => self.build(id, "cancel-build"),
            Event::Unblock(id) => self.build(id, "unblock").or_else(|| {
                let blocked = self.builds.get(id.as_str()).copied().unwrap_or(false);
                (!blocked).then(|| {
                    (
                        "unblock",
                        Rule::Reference,
                        format!("the build {id:?} has no block step"),
                    )
                })
            }),
            Event::ApplyTemplate(spec) => {
                self.templates.insert(&spec.name);
                None
            }
            Event::DeleteTemplate(name) => {
                let known = self.templates.remove(name.as_str());
                let message = || format!("there is no template {name:?} by then");
                (!known).then(|| ("delete-template", Rule::Reference, message()))
            }
            Event::PauseAgents(queue) => self.queue(queue, "pause-agents"),
            Event::ResumeAgents(queue) => self.queue(queue, "resume-agents"),
            Event::LoseNode(number) => self.lose_node(*number),
            Event::AddNodes(count) => {
                self.nodes += u64::from(*count);
                None
            }
            Event::CrashController => (!self.controller).then(|| order("crash-controller", "it is away")),
            Event::StopController => switch(&mut self.controller, false, "stop-controller", "it is away already"),
            Event::EndController => switch(&mut self.controller, false, "end-controller", "it is away already"),
            Event::PauseController(_) => (!self.controller).then(|| order("pause-controller", "it is away")),
            Event::StartController => switch(&mut self.controller, true, "start-controller", "it was not stopped"),
            Event::StartSecondController => {
                switch(&mut self.second, true, "start-second-controller", "it runs already")
            }
            Event::StopSecondController => switch(&mut self.second, false, "stop-second-controller", "it does not run"),
            Event::FaultsEnd => switch(&mut self.faults_ended, true, "faults-end", "faults have ended before"),
            Event::Fault(_) => self
                .faults_ended
                .then(|| order("fault", "all faults have ended by then, move it before `faults-end`")),
            Event::KillPods(_)
            | Event::DeletePods(_)
            | Event::ClockForward(_)
            | Event::ClockBack(_)
            | Event::SpendRequests(_) => None,
        }
    }

    fn build(&self, id: &str, field: &'static str) -> Option<Wrong> {
        let message = || format!("no build has the id {id:?} by then");
        (!self.builds.contains_key(id)).then(|| (field, Rule::Reference, message()))
    }

    fn queue(&self, queue: &str, field: &'static str) -> Option<Wrong> {
        let message = || format!("no template and no job of this scenario has the queue {queue:?}");
        (!self.queues.contains(queue)).then(|| (field, Rule::Reference, message()))
    }

    fn lose_node(&self, number: u32) -> Option<Wrong> {
        let message = || format!("there are at most {} nodes by then", self.nodes);
        (u64::from(number) > self.nodes).then(|| ("lose-node", Rule::Reference, message()))
    }
}

fn switch(state: &mut bool, to: bool, field: &'static str, message: &str) -> Option<Wrong> {
    let wrong = *state == to;
    *state = to;
    wrong.then(|| order(field, message))
}

fn order(field: &'static str, message: &str) -> Wrong {
    (field, Rule::Order, message.to_owned())
}
