//! The notice that this is a dry run, and what it would do.

use maud::{Markup, html};

use super::why;
use crate::status::model::WithheldStatus;
use crate::status::words::count;

/// Lines that are shown; programs get all.
const MOST: usize = 20;

/// The notice, above everything that it puts in another light. `about` says
/// what of, unless it is of everything.
pub(super) fn notice(withheld: &[WithheldStatus], about: &str) -> Markup {
    let more = withheld.len().saturating_sub(MOST);
    html! {
        section.banner.dry aria-labelledby="dry-run" {
            h2 #dry-run { span.sign aria-hidden="true" { "◌" } "Dry run: nothing is sent" }
            p { "Everything is decided and shown, and no pod is created or deleted, no agent stopped." }
            @if withheld.is_empty() {
                p { "There is nothing" (about) " that it would do now." }
            } @else {
                p { "If it acted, it would now" }
                ul.because { @for one in withheld.iter().take(MOST) { (line(one)) } }
                @if more > 0 { p.note { "and " (count(more, "thing", "things")) " more, which status.json lists" } }
            }
        }
    }
}

fn line(one: &WithheldStatus) -> Markup {
    html! {
        li {
            strong { (one.title) }
            @if let Some(queue) = &one.queue { " of queue " strong { (queue) } }
            ", because " (one.because) span.note { " (" (one.reason) ")" } ": "
            @for (place, subject) in one.subjects.iter().enumerate() {
                @if place > 0 { ", " }
                (why(subject))
            }
            @if one.count > one.subjects.len() { ", …" }
        }
    }
}
