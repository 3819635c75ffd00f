//! Invariants 26 to 30: what happens once trouble has ended.

use std::collections::BTreeMap;
use std::time::Duration;

use buildscaler_simulator::generate::Trouble;
use buildscaler_simulator::scenario::{Event, Range, Scenario, TemplateSpec};

use crate::support::{in_every_world, interval, look_at, trouble_ends};

fn longest(range: Range) -> Duration {
    match range {
        Range::Fixed(span) => span.0,
        Range::Between { to, .. } => to.0,
    }
}

/// How long the way from a decision to an agent that works may take.
fn from_create_to_start(scenario: &Scenario) -> Duration {
    let world = &scenario.world;
    let pods = &world.pods;
    longest(world.replies.kubernetes) * 4
        + longest(pods.scheduling)
        + longest(pods.image_pull)
        + longest(pods.agent_start)
        + world.buildkite.ping_interval.0 * 2
}

/// How long looks may take, and what is left of waiting after failures.
fn slack(scenario: &Scenario) -> Duration {
    longest(scenario.world.replies.buildkite) * 8 + Duration::from_secs(61)
}

fn has_ceiling(scenario: &Scenario) -> bool {
    let controller = &scenario.controller;
    controller.max_pods.is_some()
        || controller.max_active_builds.is_some()
        || annotations(scenario).any(|(name, _)| name == "max-active-builds")
        || scenario.world.nodes.pods_each < 1000
        || scenario
            .timeline
            .iter()
            .any(|moment| format!("{:?}", moment.event).contains("concurrency: Some"))
}

/// All annotations of a scenario's templates, of whatever time.
fn annotations(scenario: &Scenario) -> impl Iterator<Item = (&str, &str)> {
    let later = scenario.timeline.iter().filter_map(|moment| applied(&moment.event));
    let all = scenario.templates.iter().chain(later);
    all.flat_map(|spec| {
        spec.annotations
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    })
}

fn applied(event: &Event) -> Option<&TemplateSpec> {
    if let Event::ApplyTemplate(spec) = event {
        Some(spec)
    } else {
        None
    }
}

/// The agents that templates ask to be kept at the end.
fn kept_at_the_end(scenario: &Scenario) -> u64 {
    let mut last: BTreeMap<&str, &TemplateSpec> = scenario
        .templates
        .iter()
        .map(|spec| (spec.name.as_str(), spec))
        .collect();
    let mut timeline: Vec<_> = scenario.timeline.iter().collect();
    timeline.sort_by_key(|moment| moment.at.0);
    for moment in timeline {
        if let Some(spec) = applied(&moment.event) {
            last.insert(&spec.name, spec);
        }
        if let Event::DeleteTemplate(name) = &moment.event {
            last.remove(name.as_str());
        }
    }
    let number = |spec: &TemplateSpec| spec.annotations.get("min-idle")?.parse::<u64>().ok();
    last.values().filter_map(|spec| number(spec)).sum()
}

/// Invariant 26, over effects: a job that no ceiling holds back begins within
/// two intervals, and what it takes to create a pod and start its agent.
#[test]
fn jobs_get_an_agent_soon_after_trouble() {
    in_every_world(Trouble::Requests, |scenario| {
        if has_ceiling(scenario) {
            return Ok(());
        }
        let seen = look_at(scenario);
        let calm = seen.began.after(trouble_ends(scenario));
        let bound = interval(scenario) * 2 + from_create_to_start(scenario) + slack(scenario);
        for work in &seen.run.jobs {
            let due = work.runnable_at.max(calm).after(bound);
            let begun = work.started_at.or(work.over_at);
            if begun.is_none_or(|begun| begun > due) {
                return Err(format!("{work:?} was to begin by {due} (within {bound:?})"));
            }
        }
        Ok(())
    });
}

/// Whatever trouble there was, everything is run in the end.
#[test]
fn every_job_is_run_in_the_end() {
    in_every_world(Trouble::Anything, |scenario| {
        let seen = look_at(scenario);
        match seen.run.jobs.iter().find(|work| work.over_at.is_none()) {
            None => Ok(()),
            Some(work) => Err(format!("{work:?} is not over at the end")),
        }
    });
}

/// Invariant 27: without demand there are as many pods as templates ask to be
/// kept, and fewer only where a ceiling leaves no room for them.
#[test]
fn without_demand_no_pods_remain_but_those_that_are_kept() {
    in_every_world(Trouble::Anything, |scenario| {
        let seen = look_at(scenario);
        let kept = kept_at_the_end(scenario);
        // Those that are too old are replaced one after the other.
        let changing = u64::from(ages(scenario)) * scenario.templates.len() as u64;
        // Where pods fail, it may be a while until the next is tried.
        let pods = &scenario.world.pods;
        let may_lack = has_ceiling(scenario) || pods.failing_percent + pods.hanging_percent > 0;
        match seen.run.summary.total.pods_at_end {
            left if left > kept + changing => Err(format!("{left} pods remain of {kept}")),
            left if left + changing < kept && !may_lack => Err(format!("{left} pods are kept of {kept}")),
            _ => Ok(()),
        }
    });
}

/// Whether agents are replaced for their age.
fn ages(scenario: &Scenario) -> bool {
    scenario.controller.max_agent_lifetime.is_some()
        || annotations(scenario).any(|(name, _)| name == "max-agent-lifetime")
}

/// Invariant 28: a pod of a template that was replaced is gone three intervals
/// after its last job, or after trouble.
#[test]
fn replaced_pods_leave_after_their_job() {
    in_every_world(Trouble::Requests, |scenario| {
        let seen = look_at(scenario);
        let calm = seen.began.after(trouble_ends(scenario));
        let world = &scenario.world;
        let way_out = world.buildkite.ping_interval.0 * 2 + longest(world.pods.exit);
        let bound = interval(scenario) * 3 + way_out + slack(scenario) + from_create_to_start(scenario);
        for pod in &seen.run.pods {
            let newest = seen.run.pods.iter().rev().find(|other| other.queue == pod.queue);
            if newest.is_none_or(|newest| newest.image == pod.image) {
                continue;
            }
            let free = pod
                .idle_since
                .into_iter()
                .chain(pod.connected_at)
                .max()
                .unwrap_or(pod.created_at);
            let due = free.max(calm).after(bound);
            if pod.ended_at.is_none_or(|ended| ended > due) {
                return Err(format!("{pod:?} was to end by {due}"));
            }
        }
        Ok(())
    });
}

/// Invariant 29: a pod whose agent never connects is gone by the startup
/// timeout and three intervals.
#[test]
fn pods_without_an_agent_are_removed() {
    in_every_world(Trouble::Anything, |scenario| {
        let seen = look_at(scenario);
        let calm = seen.began.after(trouble_ends(scenario));
        let startup = scenario
            .controller
            .agent_startup_timeout
            .map_or(600, |span| span.0.as_secs());
        let annotated = annotations(scenario).filter(|(name, _)| *name == "agent-startup-timeout");
        let startup = annotated
            .filter_map(|(_, text)| text.parse().ok())
            .fold(startup, u64::max);
        let bound = interval(scenario) * 3 + slack(scenario) + longest(scenario.world.pods.exit);
        for pod in seen.run.pods.iter().filter(|pod| pod.connected_at.is_none()) {
            let due = pod
                .created_at
                .max(calm)
                .after(Duration::from_secs(startup))
                .after(bound);
            // One may have been made a moment ago, to be kept.
            let is_due = due < seen.began.after(scenario.lasts.0);
            if is_due && pod.ended_at.is_none_or(|ended| ended > due) {
                return Err(format!("{pod:?} was to end by {due}"));
            }
        }
        Ok(())
    });
}

/// Invariant 30: in the last ten minutes, in which nothing happens outside,
/// nothing is done.
#[test]
fn a_constant_world_is_left_alone() {
    in_every_world(Trouble::Anything, |scenario| {
        if kept_at_the_end(scenario) > 0 && ages(scenario) {
            return Ok(());
        }
        let seen = look_at(scenario);
        let quiet = seen.began.after(scenario.lasts.0).before(Duration::from_secs(600));
        match seen.steps.deeds.iter().rev().find(|(at, _)| *at > quiet) {
            None => Ok(()),
            Some((at, action)) => Err(format!("{action:?} at {at}, with nothing to do since {quiet}")),
        }
    });
}
