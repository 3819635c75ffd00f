//! From a world that shows something to a smaller one that still does.

use std::time::Duration;

use crate::scenario::{
    BuildEvent, BuildkiteSettings, Event, NodeSettings, PodSettings, Replies, Scenario, Span, WorldSettings,
};

/// The smallest world found in which `shows` is still true.
///
/// Moments, templates and steps are left out and settings put back to their
/// defaults, one at a time, until nothing more can go. Every candidate is a
/// valid scenario.
pub fn shrink(scenario: Scenario, shows: impl Fn(&Scenario) -> bool) -> Scenario {
    let mut smallest = scenario;
    loop {
        let candidates = candidates(&smallest);
        match candidates.into_iter().find(|candidate| shows(candidate)) {
            Some(smaller) => smallest = smaller,
            None => return smallest,
        }
    }
}

fn candidates(scenario: &Scenario) -> Vec<Scenario> {
    let mut candidates = Vec::new();
    let mut with = |change: &dyn Fn(&mut Scenario)| {
        let mut candidate = scenario.clone();
        change(&mut candidate);
        if candidate != *scenario {
            candidates.push(candidate);
        }
    };
    for at in 0..scenario.timeline.len() {
        // Trouble has to end for anything to be promised.
        if !matches!(scenario.timeline[at].event, Event::FaultsEnd) && !is_needed(scenario, at) {
            with(&|candidate| drop(candidate.timeline.remove(at)));
        }
    }
    for at in 0..scenario.timeline.len() {
        shrink_build(scenario, at, &mut with);
    }
    shrink_annotations(scenario, &mut with);
    with(&|candidate| candidate.controller.max_agent_lifetime = None);
    with(&|candidate| candidate.controller.max_pods = None);
    with(&|candidate| candidate.controller.max_active_builds = None);
    with(&|candidate| candidate.world.nodes = NodeSettings::default());
    with(&|candidate| candidate.world.pods = PodSettings::default());
    with(&|candidate| candidate.world.buildkite = BuildkiteSettings::default());
    with(&|candidate| candidate.world.replies = Replies::default());
    with(&|candidate| candidate.world = WorldSettings::default());
    candidates
}

/// Leaves out the annotations of one template, or one of them.
fn shrink_annotations(scenario: &Scenario, with: &mut With<'_>) {
    for (place, spec) in scenario.templates.iter().enumerate() {
        with(&|candidate| candidate.templates[place].annotations.clear());
        for name in spec.annotations.keys() {
            with(&|candidate| drop(candidate.templates[place].annotations.remove(name)));
        }
    }
    for (at, moment) in scenario.timeline.iter().enumerate() {
        let Event::ApplyTemplate(spec) = &moment.event else {
            continue;
        };
        for name in spec.annotations.keys() {
            with(&|candidate| {
                if let Event::ApplyTemplate(spec) = &mut candidate.timeline[at].event {
                    spec.annotations.remove(name);
                }
            });
        }
    }
}

/// Whether a later moment speaks of what this one makes.
fn is_needed(scenario: &Scenario, at: usize) -> bool {
    let Event::Build(build) = &scenario.timeline[at].event else {
        return false;
    };
    let id = build.id.as_deref();
    scenario.timeline.iter().any(|moment| {
        matches!(&moment.event, Event::CancelBuild(named) | Event::Unblock(named) if Some(named.as_str()) == id)
    })
}

/// Takes a change to a scenario and makes a candidate of it.
type With<'a> = dyn FnMut(&dyn Fn(&mut Scenario)) + 'a;

fn shrink_build(scenario: &Scenario, at: usize, with: &mut With<'_>) {
    let Event::Build(build) = &scenario.timeline[at].event else {
        return;
    };
    let change = |candidate: &mut Scenario, act: &dyn Fn(&mut BuildEvent)| {
        if let Event::Build(build) = &mut candidate.timeline[at].event {
            act(build);
        }
    };
    for step in 0..build.steps.len() {
        if build.steps.len() > 1 && build.steps.iter().all(|step| step.after.is_empty()) {
            with(&|candidate| change(candidate, &|build| drop(build.steps.remove(step))));
        }
        with(&|candidate| change(candidate, &|build| build.steps[step].parallelism = 1));
        with(&|candidate| change(candidate, &|build| build.steps[step].concurrency = None));
        with(&|candidate| change(candidate, &|build| build.steps[step].priority = 0));
        with(&|candidate| change(candidate, &|build| build.steps[step].exits = 0));
        with(&|candidate| {
            change(candidate, &|build| {
                let runs = build.steps[step].runs.0;
                if runs > Duration::from_secs(1) {
                    build.steps[step].runs = Span(runs / 2);
                }
            });
        });
    }
}
