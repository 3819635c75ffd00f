//! The page that tells all.

use std::time::Duration;

use maud::{Markup, html};

use super::chart;
use super::dry_run::notice;
use super::tables::{decisions, queues, views};
use super::{ago, ask, whole, whose};
use crate::status::model::{FindingStatus, Status, ViewStatus};
use crate::status::when::{When, length};
use crate::status::words::count;

/// The page at `/`.
pub(crate) fn overview(status: &Status) -> String {
    let trouble = Trouble::of(status);
    let dry_run = status.controller.dry_run;
    let number = match trouble.count() {
        0 => String::new(),
        some => format!("({some}) "),
    };
    let dry = if dry_run { "Dry run · " } else { "" };
    let title = format!("{number}{dry}Buildscaler · {}", status.controller.organization);
    let heading = html! {
        h1 { "Buildscaler" }
        p.whose { (whose(status)) }
    };
    let main = html! {
        @if dry_run { (notice(&status.withheld, "")) }
        (banner(status, &trouble))
        (tiles(status))
        (findings(&status.findings, status.at))
        (queues(status))
        (chart::section(&status.history))
        (ask(""))
        (decisions("Last decisions", &status.decisions, status.at))
        (views(status))
        (controller(status))
    };
    whole(&title, &heading, &main)
}

/// What is wrong at this moment.
struct Trouble<'s> {
    state: Option<String>,
    blind: Vec<&'s ViewStatus>,
    findings: usize,
}

impl<'s> Trouble<'s> {
    fn of(status: &'s Status) -> Self {
        let last = status.controller.last_step_at;
        let stuck = (status.controller.state == "stuck").then(|| {
            let age = last.map_or_else(String::new, |at| format!(" for {}", length(at.age(status.at))));
            format!("The controller has not moved{age}")
        });
        // An API that is unknown is a finding as well; it is told once.
        let told = |view: &&ViewStatus| {
            let kind = if view.name == "buildkite" {
                "buildkite_unknown"
            } else {
                "cluster_unknown"
            };
            view.state == "unknown" && status.findings.iter().all(|finding| finding.kind != kind)
        };
        Self {
            state: stuck,
            blind: status.views.iter().filter(told).collect(),
            findings: status.findings.len(),
        }
    }

    fn count(&self) -> usize {
        usize::from(self.state.is_some()) + self.blind.len() + self.findings
    }
}

/// The verdict on everything, read first.
fn banner(status: &Status, trouble: &Trouble<'_>) -> Markup {
    let follows = status
        .controller
        .leadership
        .as_ref()
        .is_some_and(|part| part.role == "follower");
    let unseen = status.views.iter().any(|view| view.state == "unseen");
    let (class, sign, text) = match trouble.count() {
        0 if follows => ("banner new", "…", "Stands by: another controller commands".to_owned()),
        0 if unseen => ("banner new", "…", "Has not seen everything yet".to_owned()),
        0 if status.controller.state == "ending" => ("banner new", "…", "Is ending".to_owned()),
        0 => ("banner good", "✓", "Nothing to mend".to_owned()),
        some => ("banner bad", "!", count(some, "thing to mend", "things to mend")),
    };
    html! {
        section class=(class) aria-labelledby="verdict" {
            h2 #verdict aria-live="polite" { span.sign aria-hidden="true" { (sign) } (text) }
            @if trouble.findings > 0 {
                p { a href="#findings" { (count(trouble.findings, "finding", "findings")) } }
            }
            @if let Some(state) = &trouble.state { p { (state) "." } }
            @for view in &trouble.blind {
                p { (view.name) " cannot be seen: " (view.why.as_deref().unwrap_or_default()) }
            }
            p.note { "As of " (status.at) ", running for " (length(Duration::from_secs(status.controller.uptime_seconds))) }
        }
    }
}

fn tiles(status: &Status) -> Markup {
    let fleet = &status.fleet;
    let wait = fleet
        .longest_wait_seconds
        .map_or("none".to_owned(), |wait| length(Duration::from_secs(wait)));
    let tile = |name: &str, figure: &str, note: &str| {
        html! { div { dt { (name) } dd { span.figure { (figure) } span.note { (note) } } } }
    };
    html! {
        section aria-labelledby="now" {
            h2 #now { "Now" }
            dl.tiles {
                (tile("Jobs waiting", &fleet.waiting.to_string(), "want an agent, have none"))
                (tile("Longest wait", &wait, "of a job that waits now"))
                (tile("Pods", &fleet.pods.to_string(), &format!("{} wanted", fleet.desired)))
                (tile("Busy", &fleet.busy.to_string(), "run a job"))
                (tile("Idle", &fleet.idle.to_string(), "wait for one"))
                (tile("Starting", &fleet.starting.to_string(), "agent on its way"))
            }
        }
    }
}

/// Findings, each with what to do.
pub(super) fn findings(findings: &[FindingStatus], now: When) -> Markup {
    html! {
        @if !findings.is_empty() {
            section aria-labelledby="findings" {
                h2 #findings { "Findings" }
                ul.findings {
                    @for finding in findings {
                        li {
                            h3 { (finding.title) " " span.subject { (finding.subject) } }
                            p { (finding.detail) }
                            p.note { "Since " (ago(finding.since, now)) }
                        }
                    }
                }
            }
        }
    }
}

fn controller(status: &Status) -> Markup {
    let about = &status.controller;
    let lasts = |seconds| length(Duration::from_secs(seconds));
    let most = |most: Option<u32>| most.map_or("no ceiling".to_owned(), |most| most.to_string());
    let facts = [
        ("Version", about.program_version.to_owned()),
        ("State", about.state.to_owned()),
        ("Steps taken", about.steps.to_string()),
        ("Sync interval", lasts(about.sync_interval_seconds)),
        ("Idle timeout", lasts(about.idle_timeout_seconds)),
        ("Agent startup timeout", lasts(about.agent_startup_timeout_seconds)),
        ("Most pods of a queue", most(about.max_active_builds)),
        ("Most pods", most(about.max_pods)),
    ];
    html! {
        section aria-labelledby="controller" {
            h2 #controller { "Controller" }
            dl.facts {
                @for (name, value) in &facts { div { dt { (name) } dd { (value) } } }
                @if let Some(part) = &about.leadership {
                    div { dt { "Leadership" } dd { (part.role) " since " (ago(part.since, status.at)) } }
                    div { dt { "Lease held by" } dd { (part.holder.as_deref().unwrap_or("nobody")) } }
                }
                @if let Some(at) = about.started_at { div { dt { "Started" } dd { (ago(at, status.at)) } } }
                @if let Some(at) = about.last_step_at { div { dt { "Last step" } dd { (ago(at, status.at)) } } }
            }
        }
    }
}
