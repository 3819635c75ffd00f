//! The page of a comparison.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::words::{clip, count, counted, length, percent, short};
use super::{frontier, page};
use crate::compare::{Compared, Comparison, Figures, Line, Role};

/// Scenarios that are shown at most.
const SCENARIOS: usize = 60;
/// Scenarios that are unfolded, if there are no more.
const UNFOLDED: usize = 4;
/// Lines of a table at most.
const LINES: usize = 40;

/// The whole page.
pub(super) fn page(comparison: &Comparison) -> String {
    let scenarios = &comparison.scenarios[..comparison.scenarios.len().min(SCENARIOS)];
    let contestants = scenarios
        .iter()
        .map(|compared| compared.lines.len())
        .max()
        .unwrap_or_default();
    let body = html! {
        header {
            p.eyebrow { "buildscaler-sim · comparison" }
            h1 { (heading(scenarios, contestants)) }
            p.lead {
                "The same worlds, kept by different rules. Waits are what developers feel, pod-hours are what is paid for; "
                "a build that was interrupted is neither."
            }
        }
        @if scenarios.len() < comparison.scenarios.len() {
            p.note { "Shown are the first " (scenarios.len()) " of " (comparison.scenarios.len()) " scenarios." }
        }
        @if scenarios.len() > 1 { (overview(scenarios)) }
        @for (number, compared) in scenarios.iter().enumerate() {
            (scenario(number, compared, scenarios.len()))
        }
        (who_is_who(scenarios))
    };
    page::whole("Comparison · buildscaler-sim", &body)
}

fn heading(scenarios: &[Compared], contestants: usize) -> Markup {
    html! {
        (contestants) (if contestants == 1 { " policy" } else { " policies" })
        @if let [only] = scenarios {
            " in " bdi { (clip(&only.scenario, 120)) }
        } @else {
            " in " (counted(scenarios.len() as u64, "scenario"))
        }
    }
}

/// What a contestant came to over all scenarios.
#[derive(Default)]
struct Overall {
    on_frontier: u64,
    interrupted: u64,
    pod_hours: f64,
    finished: u64,
    jobs: u64,
}

fn overview(scenarios: &[Compared]) -> Markup {
    let mut names: Vec<&str> = Vec::new();
    let mut overall: BTreeMap<&str, Overall> = BTreeMap::new();
    for compared in scenarios {
        let frontier = compared.frontier();
        for line in &compared.lines {
            if !overall.contains_key(line.contestant.as_str()) {
                names.push(&line.contestant);
            }
            let sum = overall.entry(&line.contestant).or_default();
            sum.on_frontier += u64::from(frontier.iter().any(|other| std::ptr::eq(*other, line)));
            sum.interrupted += line.total.interrupted;
            sum.pod_hours += line.total.pod_hours;
            sum.finished += line.total.finished;
            sum.jobs += line.total.jobs;
        }
    }
    html! {
        section aria-labelledby="overview" {
            h2 #overview { "All scenarios together" }
            div.scroll tabindex="0" role="region" aria-labelledby="overview-caption" {
                table {
                    caption #overview-caption { "On the frontier: in how many scenarios nobody was at once cheaper and faster" }
                    thead {
                        tr {
                            th scope="col" { "Policy" }
                            @for heading in ["on the frontier", "interrupted builds", "jobs ended", "pod-hours"] {
                                th.number scope="col" { (heading) }
                            }
                        }
                    }
                    tbody {
                        @for name in names.into_iter().take(LINES) {
                            @if let Some(sum) = overall.get(name) {
                                tr {
                                    th scope="row" { bdi { (clip(name, 60)) } }
                                    td.number { (count(sum.on_frontier)) }
                                    td.number.bad[sum.interrupted > 0] { (count(sum.interrupted)) }
                                    td.number { (count(sum.finished)) " of " (count(sum.jobs)) }
                                    td.number { (short(sum.pod_hours, 1)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn scenario(number: usize, compared: &Compared, all: usize) -> Markup {
    let id = format!("scenario-{number}");
    let content = html! {
        @if !compared.description.is_empty() { p.lead { (clip(&compared.description, 1_000)) } }
        (frontier::chart(&format!("{id}-frontier"), compared))
        (table(&id, compared))
    };
    html! {
        @if all <= UNFOLDED {
            section aria-labelledby=(id) {
                h2 id=(id) { bdi { (clip(&compared.scenario, 120)) } }
                (content)
            }
        } @else {
            details.queue {
                summary { bdi.name { (clip(&compared.scenario, 120)) } span.note { (verdict(compared)) } }
                (content)
            }
        }
    }
}

/// How ours did, in a few words.
fn verdict(compared: &Compared) -> String {
    let Some(ours) = compared.lines.iter().find(|line| line.role == Role::Ours) else {
        return counted(compared.lines.len() as u64, "line");
    };
    let total = &ours.total;
    let hours = short(total.pod_hours, 2);
    format!(
        "{} · {}: p95 wait {}, {hours} pod-hours",
        counted(total.jobs, "job"),
        clip(&ours.contestant, 40),
        length(total.wait_p95)
    )
}

fn table(id: &str, compared: &Compared) -> Markup {
    let frontier = compared.frontier();
    let caption = format!("{id}-caption");
    html! {
        div.scroll tabindex="0" role="region" aria-labelledby=(caption) {
            table {
                caption id=(caption) { "What each policy came to; the last two columns are beyond the clairvoyant bound" }
                thead {
                    tr {
                        th scope="col" rowspan="2" { "Policy" }
                        th scope="colgroup" colspan="2" { "Jobs" }
                        th scope="colgroup" colspan="3" { "Wait for an agent" }
                        th scope="colgroup" colspan="3" { "Pods" }
                        th.number scope="col" rowspan="2" { "requests" br; "a minute" }
                        th scope="colgroup" colspan="2" { "Beyond the bound" }
                    }
                    tr {
                        @for heading in ["ended", "interrupted", "median", "p95", "longest", "pod-hours", "idle",
                            "created", "mean wait", "pod-hours"] {
                            th.number scope="col" { (heading) }
                        }
                    }
                }
                tbody {
                    @for line in compared.lines.iter().take(LINES) {
                        @let first = frontier.iter().any(|other| std::ptr::eq(*other, line));
                        (row(line, first))
                    }
                }
            }
        }
        @if compared.lines.len() > LINES {
            p.note { "Only the first " (LINES) " of " (compared.lines.len()) " policies are listed." }
        }
    }
}

fn row(line: &Line, on_frontier: bool) -> Markup {
    let figures = &line.total;
    let requests = line
        .requests_a_minute
        .map_or_else(|| "–".to_owned(), |requests| short(requests, 1));
    html! {
        tr.ours[line.role == Role::Ours] {
            th scope="row" {
                bdi { (clip(&line.contestant, 60)) }
                @if on_frontier { span.badge { "frontier" } }
            }
            td.number { (count(figures.finished)) }
            td.number.bad[figures.interrupted > 0] { (interrupted(figures)) }
            td.number { (length(figures.wait_p50)) }
            td.number { (length(figures.wait_p95)) }
            td.number { (length(figures.wait_max)) }
            td.number { (short(figures.pod_hours, 2)) }
            td.number { (percent(figures.idle_share)) }
            td.number { (count(figures.pods_created)) }
            td.number { (requests) }
            @if let Some(regret) = &figures.regret {
                td.number { (length(regret.wait_mean)) }
                td.number { (signed(regret.pod_hours)) }
            } @else {
                td.number { "–" }
                td.number { "–" }
            }
        }
    }
}

fn interrupted(figures: &Figures) -> String {
    match figures.interrupted_by_the_world {
        0 => count(figures.interrupted),
        world => format!("{} (+{} by the world)", count(figures.interrupted), count(world)),
    }
}

fn signed(number: f64) -> String {
    let text = short(number, 2);
    if number > 0.0 && text != "0" {
        format!("+{text}")
    } else {
        text.replace('-', "−")
    }
}

/// What the contestants are, once for all scenarios.
fn who_is_who(scenarios: &[Compared]) -> Markup {
    let mut told: Vec<&Line> = Vec::new();
    for line in scenarios.iter().flat_map(|compared| &compared.lines) {
        if told.len() < LINES && !told.iter().any(|other| other.contestant == line.contestant) {
            told.push(line);
        }
    }
    html! {
        section aria-labelledby="who" {
            h2 #who { "Who is who" }
            dl.who {
                @for line in told {
                    div { dt { bdi { (clip(&line.contestant, 60)) } } dd { (clip(&line.about, 400)) } }
                }
            }
        }
    }
}
