//! A world in which everything comes and goes: random worlds one after the
//! other, each with queues of its own, a few at a time.

use std::time::Duration;

use buildscaler_simulator::generate::{self, Trouble};
use buildscaler_simulator::scenario::{
    BuildEvent, Event, FaultKind, FaultSpec, Moment, RequestKind, Scenario, Span, Step, StepKind, TemplateSpec,
};

/// How long each world has, its quiet time included.
const SLOT: Duration = Duration::from_secs(2 * 3600);
/// How many worlds there are at a time.
const WORLDS: u64 = 3;
/// How long nothing happens at the end of a period.
const REST: Duration = Duration::from_secs(4 * 3600);

/// So many periods of this length. The templates of a world are deleted with
/// its slot; a controller is never restarted, since it is to remember.
pub(crate) fn scenario(periods: u32, length: Duration) -> Scenario {
    let mut whole = generate::scenario(1, Trouble::None);
    whole.name = "soak".into();
    whole.lasts = Span(length * periods);
    whole.templates.clear();
    whole.timeline.clear();
    whole.controller.max_active_builds = Some(6);
    whole.controller.max_agent_lifetime = Some(Span::secs(1800));
    let mut seed = 0;
    for period in 0..periods {
        let begins = length * period;
        let slots = (length.saturating_sub(REST)).as_secs() / SLOT.as_secs();
        for slot in 0..slots {
            for _ in 0..WORLDS {
                seed += 1;
                let at = begins + SLOT * u32::try_from(slot).unwrap_or(u32::MAX);
                add(&mut whole.timeline, seed, at);
            }
        }
    }
    whole.timeline.sort_by_key(|moment| moment.at.0);
    whole
}

/// Adds a random world that begins `at`.
fn add(timeline: &mut Vec<Moment>, seed: u64, at: Duration) {
    let world = generate::scenario(seed, Trouble::Anything);
    let named = |name: &str| format!("{name}-{seed}");
    let mut there = |second: Duration, event| {
        timeline.push(Moment {
            at: Span(at + second),
            event,
        });
    };
    for spec in world.templates {
        let name = named(&spec.name);
        there(
            Duration::ZERO,
            Event::ApplyTemplate(TemplateSpec {
                name: name.clone(),
                ..spec
            }),
        );
        if seed.is_multiple_of(5) {
            refused_to_the_end(&mut there, &name);
        }
        there(SLOT - Duration::from_secs(60), Event::DeleteTemplate(name));
    }
    for moment in world.timeline {
        let event = match moment.event {
            Event::Build(build) => Event::Build(renamed(build, seed)),
            Event::CancelBuild(id) => Event::CancelBuild(named(&id)),
            Event::Unblock(id) => Event::Unblock(named(&id)),
            Event::ApplyTemplate(spec) => Event::ApplyTemplate(TemplateSpec {
                name: named(&spec.name),
                ..spec
            }),
            Event::DeleteTemplate(name) => Event::DeleteTemplate(named(&name)),
            Event::PauseAgents(queue) => Event::PauseAgents(named(&queue)),
            Event::ResumeAgents(queue) => Event::ResumeAgents(named(&queue)),
            // It would forget.
            Event::CrashController
            | Event::StopController
            | Event::StartController
            | Event::EndController
            | Event::PauseController(_)
            | Event::StartSecondController
            | Event::StopSecondController => continue,
            event @ (Event::LoseNode(_)
            | Event::AddNodes(_)
            | Event::KillPods(_)
            | Event::DeletePods(_)
            | Event::ClockForward(_)
            | Event::ClockBack(_)
            | Event::Fault(_)
            | Event::SpendRequests(_)
            | Event::FaultsEnd) => event,
        };
        there(moment.at.0, event);
    }
}

/// Work for a queue whose pods are refused until its template is deleted.
fn refused_to_the_end(there: &mut impl FnMut(Duration, Event), queue: &str) {
    let before = |seconds| SLOT - Duration::from_secs(seconds);
    let step = Step {
        queue: Some(queue.to_owned()),
        runs: Span::secs(30),
        ..Step::of(StepKind::Command)
    };
    let build = BuildEvent {
        id: Some(format!("late-{queue}")),
        pipeline: "app".into(),
        steps: vec![step],
    };
    let fault = FaultSpec {
        on: RequestKind::Creates,
        with: FaultKind::Unavailable,
        lasts: Some(Span::secs(250)),
        skip: 0,
        times: None,
    };
    there(before(305), Event::Fault(fault));
    there(before(300), Event::Build(build));
    there(before(30), Event::CancelBuild(format!("late-{queue}")));
}

fn renamed(mut build: BuildEvent, seed: u64) -> BuildEvent {
    build.id = build.id.map(|id| format!("{id}-{seed}"));
    for step in &mut build.steps {
        step.queue = step.queue.take().map(|queue| format!("{queue}-{seed}"));
    }
    build
}
