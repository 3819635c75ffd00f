//! The table of what a run came to, queue by queue.

use maud::{Markup, html};

use super::words::{clip, count, counted, hours, length, percent};
use crate::measure::{QueueSummary, Summary};

/// Rows of queues at most; a page is for reading.
const ROWS: usize = 500;

/// The table: all queues together, and each by itself.
pub(super) fn summary(summary: &Summary) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-labelledby="summary-caption" {
            table {
                caption #summary-caption { "What each queue came to" }
                thead {
                    tr {
                        th scope="col" rowspan="2" { "Queue" }
                        th scope="colgroup" colspan="3" { "Jobs" }
                        th scope="colgroup" colspan="3" { "Wait for an agent" }
                        th scope="colgroup" colspan="4" { "Pods" }
                    }
                    tr {
                        th.number scope="col" { "all" }
                        th.number scope="col" { "ended" }
                        th.number scope="col" { "interrupted" }
                        th.number scope="col" { "median" }
                        th.number scope="col" { "p95" }
                        th.number scope="col" { "longest" }
                        th.number scope="col" { "created" }
                        th.number scope="col" { "most at once" }
                        th.number scope="col" { "pod-hours" }
                        th.number scope="col" { "idle" }
                    }
                }
                tbody {
                    @for (queue, figures) in summary.queues.iter().take(ROWS) {
                        (row(&queue.to_string(), figures))
                    }
                }
                @if summary.queues.len() != 1 {
                    tfoot { (row("All queues", &summary.total)) }
                }
            }
        }
        @if summary.queues.len() > ROWS {
            p.note { "Only the first " (count(ROWS as u64)) " of " (counted(summary.queues.len() as u64, "queue"))
                " are listed." }
        }
    }
}

fn row(name: &str, figures: &QueueSummary) -> Markup {
    html! {
        tr {
            th scope="row" { bdi { (clip(name, 80)) } }
            td.number { (count(figures.jobs)) }
            td.number { (count(figures.finished)) }
            td.number.bad[figures.interrupted > 0] { (interrupted(figures)) }
            td.number { (length(figures.wait(50))) }
            td.number { (length(figures.wait(95))) }
            td.number { (length(figures.wait(100))) }
            td.number { (count(figures.pods_created)) }
            td.number { (count(figures.pods_at_once)) }
            td.number { (hours(figures.pod_time)) }
            td.number { (percent(figures.idle_share())) }
        }
    }
}

/// By the keeper; and by the world, which nobody can help.
fn interrupted(figures: &QueueSummary) -> String {
    match figures.interrupted_by_the_world {
        0 => count(figures.interrupted),
        world => format!("{} (+{} by the world)", count(figures.interrupted), count(world)),
    }
}
