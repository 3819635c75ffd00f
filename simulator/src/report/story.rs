//! The story of a run: folded away, and cut in the middle when it is long.

use maud::{Markup, html};

use super::words::{clip, count, counted};

/// Lines kept from the beginning.
const FIRST: usize = 600;
/// Lines kept from the end.
const LAST: usize = 200;
const LINE: usize = 300;

/// The story, or that there is none.
pub(super) fn story(lines: &[String]) -> Markup {
    let all = u64::try_from(lines.len()).unwrap_or(u64::MAX);
    let (first, rest) = lines.split_at(lines.len().min(FIRST));
    let (left_out, last) = rest.split_at(rest.len().saturating_sub(LAST));
    html! {
        section aria-labelledby="story" {
            h2 #story { "Story" }
            @if lines.is_empty() {
                p.note { "No story was kept of this run." }
            } @else {
                details {
                    summary { "What happened, line by line (" (counted(all, "line")) ")" }
                    div.story tabindex="0" role="region" aria-label="Story of the run" {
                        @for line in first { (told(line)) }
                        @if !left_out.is_empty() {
                            p.left-out { (count(left_out.len() as u64)) " lines are left out here; "
                                code { "buildscaler-sim run" } " prints them all." }
                        }
                        @for line in last { (told(line)) }
                    }
                }
            }
        }
    }
}

/// A line begins with its time, up to the first blank.
fn told(line: &str) -> Markup {
    let line = clip(line, LINE);
    let (time, rest) = line.split_once(' ').unwrap_or(("", &line));
    html! { p { span.time { (time) } " " (rest) } }
}
