//! The page of one run.

use std::collections::BTreeMap;

use buildscaler_core::Queue;
use maud::{Markup, html};

use super::timeline::{Scope, charts};
use super::waits::distribution;
use super::words::{clip, count, counted, hours, length, percent, short};
use super::{page, story, table};
use crate::measure::{QueueSummary, Run, Sample, Series, Summary};
use crate::scenario::Scenario;

/// Queues that get charts at most: the busiest.
const CHARTED: usize = 40;
/// Queues whose charts are unfolded, if there are no more.
const UNFOLDED: usize = 4;
/// Stretches of all lines of a page together; what bounds its size.
const STRETCHES: usize = 9_000;
/// Unmet expectations that are listed at most.
const LISTED: usize = 100;

/// The whole page.
pub(super) fn page(scenario: &Scenario, keeper: &str, run: &Run) -> String {
    let body = html! {
        (heading(scenario, keeper, &run.summary))
        (verdict(run))
        (tiles(&run.summary))
        (over_time(run))
        section aria-labelledby="figures" {
            h2 #figures { "Figures" }
            (table::summary(&run.summary))
            (effort(&run.summary))
        }
        (story::story(&run.story))
    };
    page::whole(&format!("{} · {keeper} · buildscaler-sim", scenario.name), &body)
}

fn heading(scenario: &Scenario, keeper: &str, summary: &Summary) -> Markup {
    html! {
        header {
            p.eyebrow { "buildscaler-sim · one run" }
            h1 { bdi { (clip(&scenario.name, 120)) } }
            @if !scenario.description.is_empty() {
                p.lead { (clip(&scenario.description, 2_000)) }
            }
            dl.facts {
                div { dt { "Fleet kept by" } dd { bdi { (clip(keeper, 80)) } } }
                div { dt { "Virtual time" } dd { (length(summary.length)) } }
                @if let Some(starts) = &scenario.starts {
                    div { dt { "From" } dd { (clip(starts, 40)) } }
                }
                div { dt { "Seed" } dd { (scenario.seed) } }
                @if !scenario.covers.is_empty() {
                    div { dt { "Covers" } dd { (clip(&scenario.covers.join(", "), 400)) } }
                }
            }
        }
    }
}

fn verdict(run: &Run) -> Markup {
    html! {
        @if run.unmet.is_empty() {
            section.verdict.met aria-label="Expectations" {
                p { span.sign aria-hidden="true" { "✓" } strong { "Every expectation is met." } }
            }
        } @else {
            section.verdict.unmet aria-labelledby="unmet" {
                h2 #unmet {
                    span.sign aria-hidden="true" { "✕" }
                    (counted(run.unmet.len() as u64, "expectation")) " unmet"
                }
                ul {
                    @for line in run.unmet.iter().take(LISTED) { li { (clip(line, 500)) } }
                }
                @if run.unmet.len() > LISTED {
                    p { "And " (count((run.unmet.len() - LISTED) as u64)) " more." }
                }
            }
        }
    }
}

/// The figures that one looks for first.
fn tiles(summary: &Summary) -> Markup {
    let total = &summary.total;
    let minutes = summary.length.as_secs_f64() / 60.0;
    let requests = if minutes > 0.0 {
        summary.buildkite_requests as f64 / minutes
    } else {
        0.0
    };
    html! {
        dl.tiles {
            (tile("Median wait", &length(total.wait(50)), "for an agent", false))
            (tile("p95 wait", &length(total.wait(95)), &format!("longest {}", length(total.wait(100))), false))
            (tile("Jobs ended", &count(total.finished), &format!("of {}", count(total.jobs)), false))
            (tile("Interrupted", &count(total.interrupted), "by whoever keeps the fleet", total.interrupted > 0))
            (tile("Pod-hours", &hours(total.pod_time), &counted(total.pods_created, "pod"), false))
            (tile("Idle", &percent(total.idle_share()), "of the pods’ time", false))
            (tile("Requests", &short(requests, 1), "to Buildkite a minute", false))
        }
    }
}

fn tile(name: &str, figure: &str, note: &str, bad: bool) -> Markup {
    html! {
        div.bad[bad] { dt { (name) } dd { span.figure { (figure) } span.note { (note) } } }
    }
}

fn over_time(run: &Run) -> Markup {
    let (series, summary) = (&run.series, &run.summary);
    let shown = busiest(summary, CHARTED);
    let scope = Scope {
        length: summary.length.max(series.every * longest(series)),
        every: series.every,
        stretches: (STRETCHES / (shown.len() + 1)).clamp(120, 720),
    };
    let only = if let [(queue, _)] = shown[..] {
        format!("queue {queue}")
    } else {
        "all queues".to_owned()
    };
    let only = clip(&only, 90);
    html! {
        section aria-labelledby="over-time" {
            h2 #over-time { "Over time, " bdi { (only) } }
            (charts("all", &only, &together(series), scope))
            (distribution("all-waits", &only, &summary.total))
        }
        @if shown.len() > 1 {
            section aria-labelledby="queues" {
                h2 #queues { "Queue by queue" }
                @if shown.len() < summary.queues.len() {
                    p.note { "Drawn are the " (shown.len()) " busiest of " (counted(summary.queues.len() as u64, "queue"))
                        "; the table below has the others." }
                }
                @for (number, (queue, figures)) in shown.iter().enumerate() {
                    @let samples = series.queues.get(*queue).map(Vec::as_slice).unwrap_or_default();
                    (one_queue(number, queue, figures, samples, scope, shown.len() <= UNFOLDED))
                }
            }
        }
    }
}

fn one_queue(
    number: usize,
    queue: &Queue,
    figures: &QueueSummary,
    samples: &[Sample],
    scope: Scope,
    unfolded: bool,
) -> Markup {
    let name = queue.to_string();
    let name = clip(&name, 80);
    html! {
        details.queue open[unfolded] {
            summary {
                bdi.name { (name) }
                span.note {
                    (counted(figures.jobs, "job")) " · p95 wait " (length(figures.wait(95)))
                    " · " (hours(figures.pod_time)) " pod-hours"
                }
            }
            (charts(&format!("queue-{number}"), &format!("queue {name}"), samples, scope))
            (distribution(&format!("queue-{number}-waits"), &format!("queue {name}"), figures))
        }
    }
}

/// What the run cost whoever keeps the fleet, and the simulator.
fn effort(summary: &Summary) -> Markup {
    html! {
        p.note {
            (counted(summary.buildkite_requests, "request")) " to Buildkite, "
            (counted(summary.kubernetes_requests, "request")) " to Kubernetes, "
            (counted(summary.steps, "step")) " of the controller, "
            (counted(summary.events, "event")) " of the simulated world."
        }
    }
}

/// The queues with the most jobs, in the order of their names.
fn busiest(summary: &Summary, most: usize) -> Vec<(&Queue, &QueueSummary)> {
    let mut queues: Vec<_> = summary.queues.iter().collect();
    queues.sort_by_key(|(_, figures)| std::cmp::Reverse(figures.jobs));
    queues.truncate(most);
    queues.into_iter().collect::<BTreeMap<_, _>>().into_iter().collect()
}

fn longest(series: &Series) -> u32 {
    let samples = series.queues.values().map(Vec::len).max().unwrap_or_default();
    u32::try_from(samples).unwrap_or(u32::MAX)
}

/// All queues as if they were one.
fn together(series: &Series) -> Vec<Sample> {
    let mut all = vec![Sample::default(); longest(series) as usize];
    for samples in series.queues.values() {
        for (sum, sample) in all.iter_mut().zip(samples) {
            *sum = Sample {
                waiting: sum.waiting.saturating_add(sample.waiting),
                running: sum.running.saturating_add(sample.running),
                pods: sum.pods.saturating_add(sample.pods),
                agents: sum.agents.saturating_add(sample.agents),
                idle: sum.idle.saturating_add(sample.idle),
                longest_wait_ms: sum.longest_wait_ms.max(sample.longest_wait_ms),
            };
        }
    }
    all
}
