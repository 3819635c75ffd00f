//! The page at `/why`.

use maud::{Markup, html};

use super::dry_run::notice;
use super::overview::findings;
use super::tables::decisions;
use super::{ask, whole, why};
use crate::status::why::Explanation;

/// Explains what was asked for.
pub(crate) fn explanation(told: &Explanation) -> String {
    let main = html! {
        @if told.dry_run { (notice(&told.withheld, " about this")) }
        section aria-labelledby="what" {
            h2 #what { (told.summary) "." }
            @if let Some(verdict) = &told.verdict {
                p.lead { (verdict.what) ", because " (verdict.because) "." span.note { " (" (verdict.reason) ")" } }
            }
            @if !told.because.is_empty() {
                ul.because { @for sentence in &told.because { li { (sentence) "." } } }
            }
            dl.facts {
                @if let Some(queue) = &told.queue { div { dt { "Queue" } dd { (queue) } } }
                @for fact in &told.facts {
                    @if fact.name != "Queue" { div { dt { (fact.name) } dd { (fact.value) } } }
                }
                @for other in &told.related { div { dt { "Its " (other.kind) } dd { (why(&other.name)) } } }
            }
            p.note { "As of " (told.at) }
        }
        (findings(&told.findings, told.at))
        (decisions("Decisions about it", &told.decisions, told.at))
        (ask(""))
    };
    whole(&format!("{} · why", told.name), &heading(told.kind, &told.name), &main)
}

/// Says that nothing is known by that name.
pub(crate) fn unknown(name: &str) -> String {
    let main = html! {
        section aria-labelledby="what" {
            @if name.is_empty() {
                h2 #what { "What shall be explained?" }
            } @else {
                h2 #what { "Nothing is known by the name " q { (name) } "." }
                p { "It may have been gone for longer than the last two hundred decisions, or not have been seen yet." }
            }
            p { "Names that are known:" }
            ul.because {
                li { "a pod, by " code { "namespace/name" } ", its name or its uid;" }
                li { "an agent, by its id or by the name of its host;" }
                li { "a Buildkite job of an active build, by its id (the UUID at the end of its address)." }
            }
            p {
                "What happened long ago is in recordings: " code { "buildscalerctl why NAME --recording DIR" }
                " tells it, where the controller runs with " code { "--record" } "."
            }
        }
        (ask(name))
    };
    whole("Why?", &heading("", ""), &main)
}

fn heading(kind: &str, name: &str) -> Markup {
    html! {
        p.back { a href="/" { "Buildscaler" } }
        h1 { "Why? " @if !name.is_empty() { span.subject { (kind) " " (name) } } }
    }
}
