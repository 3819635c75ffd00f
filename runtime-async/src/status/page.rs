//! The page: the same that programs read, for people.
//!
//! Everything is in the HTML, so it can be read without JavaScript. A script of
//! its own keeps it up to date where there is one. Nothing is fetched from
//! anywhere else, and the browser sees to it ([`policy`]).

use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use ring::digest::{SHA256, digest};

use super::model::Status;
use super::when::{When, length};

mod chart;
mod dry_run;
mod explanation;
mod overview;
mod tables;

pub(crate) use explanation::{explanation, unknown};
pub(crate) use overview::overview;

const STYLE: &str = include_str!("page/style.css");
const SCRIPT: &str = include_str!("page/script.js");

/// What the browser may do with a page: use the style and the script that are
/// in it, and ask this server again.
pub(crate) fn policy() -> &'static str {
    static POLICY: OnceLock<String> = OnceLock::new();
    POLICY.get_or_init(|| {
        let hash = |text: &str| STANDARD.encode(digest(&SHA256, text.as_bytes()));
        format!(
            "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; connect-src 'self'; \
             img-src data:; style-src 'sha256-{}'; script-src 'sha256-{}'",
            hash(STYLE),
            hash(SCRIPT)
        )
    })
}

/// A whole page. Only `main` changes while it is watched.
fn whole(title: &str, heading: &Markup, main: &Markup) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                // An icon of its own spares the browser looking for one.
                link rel="icon" href="data:,";
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#content" { "Skip to the content" }
                (patterns())
                header {
                    (heading)
                    p.live #live role="status" {}
                    noscript { p.live { "This page stays as it is until you " a href="" { "load it again" } "." } }
                }
                main #content tabindex="-1" { (main) }
                footer {
                    p {
                        "Read-only. The same for programs: " a href="/status.json" { "status.json" }
                        ", " a href="/metrics" { "metrics" } ". All times are UTC."
                    }
                }
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

/// Asks for the name of something to explain.
fn ask(name: &str) -> Markup {
    html! {
        form.ask action="/why" method="get" role="search" {
            label for="name" { "Explain a job, agent or pod" }
            input #name name="name" type="text" value=(name) maxlength="300" required spellcheck="false"
                autocapitalize="off" autocomplete="off" placeholder="id, uid, or namespace/name";
            button type="submit" { "Why?" }
        }
    }
}

/// A time, and how long ago that was.
fn ago(at: When, now: When) -> Markup {
    html! { (at) " " span.note { "(" (length(at.age(now))) " ago)" } }
}

/// Where a name is explained.
fn why(name: &str) -> Markup {
    html! { a href=(address(name)) { (name) } }
}

/// The path of a name's explanation.
fn address(name: &str) -> String {
    let mut path = String::from("/why/");
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_./~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
    }
    path
}

/// The line below the heading: whose controller it is.
fn whose(status: &Status) -> Markup {
    let about = &status.controller;
    html! {
        "organization " strong { (about.organization) } ", "
        @match &about.namespace {
            Some(namespace) => { "namespace " strong { (namespace) } },
            None => { "all namespaces" },
        }
    }
}
