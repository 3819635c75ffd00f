//! What is looked at.

use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use buildscaler_simulator::report::{comparison_page, run_page};
use serde_json::Value;

use crate::checks::{WEAK_TEXT, drawn, sound};
use crate::comparisons::comparison;
use crate::driver::Browser;
use crate::sample::{self, MORNING, SEASON};

type Look = fn(&Browser);

/// Every look, by name.
pub(crate) const ALL: &[(&str, Look)] = &[
    ("a_run_is_drawn_without_a_word_on_the_console", a_run_is_drawn),
    ("a_run_is_readable_on_a_phone", a_run_on_a_phone),
    ("a_long_run_is_drawn", a_long_run),
    ("unmet_expectations_are_seen_at_once", unmet_expectations),
    ("light_and_dark_differ_and_both_have_contrast", light_and_dark),
    ("those_who_do_not_see_it_are_told_tables_and_pictures", roles),
    ("a_comparison_is_drawn_and_its_labels_are_apart", a_comparison),
    ("many_scenarios_are_compared", many_scenarios),
    ("arrow_keys_tell_values", arrow_keys),
];

fn a_run_is_drawn(browser: &Browser) {
    let page = run_page(&sample::scenario("morning-rush"), "ours", &sample::run(MORNING));
    show(browser, "run", &page);
    drawn(browser);
    sound(browser);
    keep(browser, "run-light");
    browser.prefer("dark");
    keep(browser, "run-dark");
}

fn a_run_on_a_phone(browser: &Browser) {
    let page = run_page(
        &sample::scenario(&"long-name-".repeat(20)),
        "ours",
        &sample::run(MORNING),
    );
    show(browser, "phone", &page);
    browser.resize(390, 844);
    drawn(browser);
    sound(browser);
    keep(browser, "run-phone");
}

fn a_long_run(browser: &Browser) {
    let page = run_page(&sample::scenario("season"), "ours", &sample::run(SEASON));
    show(browser, "season", &page);
    browser.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true; })");
    drawn(browser);
    sound(browser);
    keep(browser, "season");
}

fn unmet_expectations(browser: &Browser) {
    let mut run = sample::run(MORNING);
    run.unmet = vec![
        "240 jobs should have ended, 238 did".into(),
        "no build may be interrupted, 1 was".into(),
    ];
    run.summary.total.interrupted = 1;
    let page = run_page(&sample::scenario("morning-rush"), "ours", &run);
    show(browser, "unmet", &page);
    drawn(browser);
    sound(browser);
    let top = browser.evaluate("return document.querySelector('.verdict.unmet').getBoundingClientRect().bottom");
    assert!(top.as_f64().unwrap() < 800.0, "below the fold: {top}");
    keep(browser, "run-unmet");
}

fn light_and_dark(browser: &Browser) {
    let page = run_page(&sample::scenario("morning-rush"), "ours", &sample::run(MORNING));
    show(browser, "schemes", &page);
    let mut backs = Vec::new();
    for scheme in ["light", "dark"] {
        browser.prefer(scheme);
        backs.push(browser.evaluate("return getComputedStyle(document.body).backgroundColor"));
        let weak = browser.evaluate(WEAK_TEXT);
        assert_eq!(weak, Value::Array(Vec::new()), "{scheme}");
    }
    assert_ne!(backs[0], backs[1]);
}

fn roles(browser: &Browser) {
    let page = run_page(&sample::scenario("morning-rush"), "ours", &sample::run(MORNING));
    show(browser, "roles", &page);
    browser.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true; })");
    let roles = browser.roles();
    let has = |role: &str, name: &str| {
        roles
            .iter()
            .any(|(its, called)| its == role && called.starts_with(name))
    };
    assert!(has("table", "What each queue came to"));
    assert!(has("columnheader", "p95"));
    assert!(has("rowheader", "linux-0"));
    assert!(has("rowheader", "All queues"));
    assert!(has("heading", "Over time"));
    let pictures: Vec<_> = roles
        .iter()
        .filter(|(role, _)| role == "image" || role == "img")
        .collect();
    assert_eq!(
        pictures.len(),
        15,
        "three charts and two of waits, for all and for both queues: {pictures:?}"
    );
    assert!(pictures.iter().all(|(_, name)| !name.is_empty()));
}

fn a_comparison(browser: &Browser) {
    show(browser, "comparison", &comparison_page(&comparison(1, "week")));
    drawn(browser);
    sound(browser);
    let drawn = browser.evaluate("return document.querySelectorAll('svg[role=img] .point').length");
    assert_eq!(drawn, 14);
    keep(browser, "comparison-light");
    browser.prefer("dark");
    assert_eq!(browser.evaluate(WEAK_TEXT), Value::Array(Vec::new()));
    keep(browser, "comparison-dark");
}

fn many_scenarios(browser: &Browser) {
    show(browser, "scenarios", &comparison_page(&comparison(6, "week")));
    browser.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true; })");
    drawn(browser);
    sound(browser);
    let roles = browser.roles();
    let tables = roles.iter().filter(|(role, name)| role == "table" && !name.is_empty());
    assert_eq!(tables.count(), 7, "one of all scenarios, and one of each");
    keep(browser, "scenarios");
}

fn arrow_keys(browser: &Browser) {
    let page = run_page(&sample::scenario("morning-rush"), "ours", &sample::run(MORNING));
    show(browser, "keys", &page);
    browser.evaluate("document.querySelector('.timeline').focus()");
    browser.press("End");
    browser.press("ArrowLeft");
    let told = browser.evaluate("return document.querySelector('.readout.shown').innerText");
    let told = told.as_str().unwrap();
    assert!(told.starts_with("03:59:20 to 03:59:40, at most"), "{told}");
    assert!(told.contains("\nwaiting 0\n"), "{told}");
}

/// Opens the page in a window of the usual size.
fn show(browser: &Browser, name: &str, page: &str) {
    let file = folder().join(format!("{name}.html"));
    std::fs::write(&file, page).unwrap();
    browser.resize(1200, 900);
    browser.open(&format!("file://{}", file.display()));
}

fn keep(browser: &Browser, name: &str) {
    let picture = STANDARD.decode(browser.picture()).unwrap();
    std::fs::write(folder().join(format!("{name}.png")), picture).unwrap();
}

fn folder() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("report");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}
