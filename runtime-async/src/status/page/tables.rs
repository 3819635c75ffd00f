//! Tables: queues, decisions, and what can be seen.

use std::time::Duration;

use maud::{Markup, html};

use super::{ago, why};
use crate::status::model::{DecisionStatus, QueueStatus, Status, ViewStatus};
use crate::status::when::{When, length};
use crate::status::words::count;

/// Rows that are shown; programs get all.
const MOST_QUEUES: usize = 500;
/// The columns of a queue's numbers.
const NUMBERS: [&str; 7] = ["Waiting", "Longest wait", "Wanted", "Pods", "Starting", "Idle", "Busy"];
/// Decisions that are shown at once.
const FEW: usize = 15;

/// The queues, those first where jobs wait longest.
pub(super) fn queues(status: &Status) -> Markup {
    let mut queues: Vec<&QueueStatus> = status.queues.iter().collect();
    queues.sort_by_key(|queue| {
        (
            queue.counts.waiting == 0,
            queue.counts.waiting_since,
            queue.counts.pods == 0,
        )
    });
    let more = queues.len().saturating_sub(MOST_QUEUES);
    queues.truncate(MOST_QUEUES);
    html! {
        section aria-labelledby="queues" {
            h2 #queues { "Queues" }
            @if queues.is_empty() {
                p.note { "No template and no pod has been seen." }
            } @else {
                div.scroll role="region" aria-labelledby="queues" tabindex="0" {
                    table.cards {
                        caption { "Demand, pods and agents of each queue; the longest wait first" }
                        thead { tr {
                            th scope="col" { "Queue" }
                            @for name in NUMBERS { th.number scope="col" { (name) } }
                        } }
                        tbody { @for queue in &queues { (row(queue)) } }
                    }
                }
                @if more > 0 { p.note { "And " (count(more, "more queue", "more queues")) ", which status.json lists." } }
            }
        }
    }
}

fn row(queue: &QueueStatus) -> Markup {
    let counts = &queue.counts;
    let wait = counts.longest_wait_seconds.filter(|_| counts.waiting > 0);
    let numbers = [
        counts.waiting.to_string(),
        wait.map_or("–".to_owned(), |wait| length(Duration::from_secs(wait))),
        counts.desired.to_string(),
        counts.pods.to_string(),
        counts.starting.to_string(),
        counts.idle.to_string(),
        counts.busy.to_string(),
    ];
    html! {
        tr {
            th scope="row" {
                (queue.queue)
                @match &queue.template {
                    Some(template) => span.note.under { (template) },
                    None => span.note.under { "no template serves it" },
                }
            }
            @for (name, number) in NUMBERS.iter().zip(numbers) {
                // Where there is no room for columns, each says what it is.
                td.number data-label=(name) { (number) }
            }
        }
    }
}

/// Decisions, newest first; the older ones folded away.
pub(super) fn decisions(title: &str, decisions: &[DecisionStatus], now: When) -> Markup {
    let (new, old) = decisions.split_at(decisions.len().min(FEW));
    html! {
        section aria-labelledby="decisions" {
            h2 #decisions { (title) }
            @if new.is_empty() {
                p.note { "Nothing has been created, stopped or deleted." }
            } @else {
                (decided("What was done and why, newest first", new, now))
            }
            @if !old.is_empty() {
                details #older {
                    summary { (count(old.len(), "older decision", "older decisions")) }
                    (decided("Older decisions, newest first", old, now))
                }
            }
        }
    }
}

fn decided(caption: &str, decisions: &[DecisionStatus], now: When) -> Markup {
    html! {
        div.scroll role="region" aria-label=(caption) tabindex="0" {
            table.cards.decisions {
                caption { (caption) }
                thead { tr {
                    th scope="col" { "When" }
                    th scope="col" { "What" }
                    th scope="col" { "Why" }
                    th scope="col" { "Queue" }
                    th scope="col" { "Outcome" }
                } }
                tbody { @for made in decisions {
                    tr {
                        td.when data-label="When" { (made.at) span.note.under { (length(made.at.age(now))) " ago" } }
                        td data-label="What" { (made.title) " " (why(&made.subject)) }
                        td data-label="Why" { (made.because) span.note.under { (made.reason) } }
                        td data-label="Queue" { (made.queue.as_deref().unwrap_or("–")) }
                        td data-label="Outcome" { (outcome(made)) }
                    }
                } }
            }
        }
    }
}

fn outcome(made: &DecisionStatus) -> Markup {
    match (made.outcome, made.ended_at) {
        ("done", Some(at)) => html! {
            "done"
            @let took = made.at.age(at);
            @if took >= Duration::from_secs(1) { span.note.under { "after " (length(took)) } }
        },
        ("failed", _) => {
            html! { strong.failed { "failed" } span.note.under { (made.failure.as_deref().unwrap_or_default()) } }
        }
        _ => html! { "on its way" },
    }
}

/// What can be seen, and what may still be asked.
pub(super) fn views(status: &Status) -> Markup {
    html! {
        section aria-labelledby="views" {
            h2 #views { "What can be seen" }
            div.scroll role="region" aria-labelledby="views" tabindex="0" {
                table.cards {
                    caption { "Each view: half a list counts as none" }
                    thead { tr {
                        th scope="col" { "View" }
                        th scope="col" { "State" }
                        th scope="col" { "Since" }
                        th scope="col" { "Last seen" }
                    } }
                    tbody { @for view in &status.views { (view_row(view, status.at)) } }
                }
            }
            @if !status.limits.is_empty() {
                dl.facts {
                    @for limit in &status.limits {
                        div {
                            dt { "Buildkite requests left, " (limit.scope) }
                            dd { (limit.remaining) " of " (limit.limit)
                                @if limit.reset_at > status.at { span.note { " until " (limit.reset_at) } } }
                        }
                    }
                }
            }
        }
    }
}

fn view_row(view: &ViewStatus, now: When) -> Markup {
    html! {
        tr {
            th scope="row" { (view.name) }
            td data-label="State" {
                @if view.state == "unknown" { strong.failed { (view.state) } } @else { (view.state) }
                @if let Some(why) = &view.why { span.note.under { (why) } }
            }
            td data-label="Since" { @if let Some(at) = view.since { (ago(at, now)) } @else { "–" } }
            td data-label="Last seen" { @if let Some(at) = view.seen_at { (ago(at, now)) } @else { "–" } }
        }
    }
}
