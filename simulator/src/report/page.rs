//! The frame of every page.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::words::clip;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// Nothing is fetched from anywhere, and the browser sees to it.
const CONTENT_POLICY: &str = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'";

/// A whole page with that title.
pub(super) fn whole(title: &str, body: &Markup) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(CONTENT_POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (clip(title, 200)) }
                // An icon of its own spares the browser looking for one.
                link rel="icon" href="data:,";
                style { (PreEscaped(STYLE)) }
            }
            body {
                (patterns())
                main { (body) }
                footer { "Simulated by buildscaler-sim: virtual time, no cluster was touched." }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
    .into_string()
}

/// Hatching, which tells areas apart where colours do not.
fn patterns() -> Markup {
    html! {
        svg.patterns aria-hidden="true" focusable="false" width="0" height="0" {
            defs {
                pattern #hatch width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)" {
                    rect width="6" height="6" {}
                    line y2="6" {}
                }
            }
        }
    }
}
