//! What is looked at.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::checks::{WEAK_TEXT, sound};
use crate::driver::Browser;
use crate::world::World;

type Look = fn(&Browser, &World, &Runtime);

/// Whose page is looked at.
#[derive(Clone, Copy)]
pub(crate) enum Controller {
    Acting,
    DryRun,
}

/// Every look, by name.
pub(crate) const ALL: &[(&str, Controller, Look)] = &[
    ("the_page_stays_up_to_date_by_itself", Controller::Acting, live),
    ("the_page_is_readable_on_a_phone", Controller::Acting, phone),
    (
        "light_and_dark_differ_and_both_have_contrast",
        Controller::Acting,
        light_and_dark,
    ),
    (
        "those_who_do_not_see_it_are_told_tables_and_landmarks",
        Controller::Acting,
        roles,
    ),
    ("the_keyboard_gets_everywhere", Controller::Acting, keyboard),
    ("an_explanation_is_found_from_the_page", Controller::Acting, explanation),
    ("a_dry_run_is_told_before_all_else", Controller::DryRun, dry_run),
];

/// The width of a small phone.
const PHONE: (u32, u32) = (360, 800);

/// How long the page may take to show what has changed.
const PATIENCE: Duration = Duration::from_secs(30);

impl Controller {
    /// A controller with a queue that has a pod, or would have one, and one that
    /// no template serves.
    pub(crate) async fn prepare(self) -> World {
        let (arguments, shown): (&[&str], &str) = match self {
            Self::Acting => (&[], "Create pod"),
            Self::DryRun => (&["--dry-run"], "create 1 pod"),
        };
        let world = World::start_with(arguments).await;
        world.add_template("linux");
        world.add_build("linux");
        world.add_build("nobody");
        world.until_answers("/", 200, &["linux", "nobody", shown]).await;
        world
    }
}

/// Seen to fail when the page's policy named another script.
fn live(browser: &Browser, world: &World, runtime: &Runtime) {
    show(browser, world, runtime, "/");
    sound(browser);
    keep(browser, "light");
    until(
        browser,
        "it says that it is live",
        "return document.getElementById('live').textContent === 'Live'",
    );
    browser.evaluate("window.sameDocument = true; document.getElementById('name').value = 'half a na'");
    world.add_template("windows");
    world.add_build("windows");
    until(
        browser,
        "the new queue is there",
        "return document.body.innerText.includes('windows')",
    );
    assert_eq!(
        browser.evaluate("return window.sameDocument"),
        true,
        "it was loaded again"
    );
    let typed = browser.evaluate("return document.getElementById('name').value");
    assert_eq!(typed, "half a na", "what was typed is lost");
    let elsewhere = "return performance.getEntriesByType('resource').map((entry) => entry.name)
        .filter((name) => !name.startsWith(location.origin))";
    assert_eq!(browser.evaluate(elsewhere), Value::Array(Vec::new()), "asked of others");
    sound(browser);
}

/// Seen to fail on tables that kept their columns, and on charts that began
/// with the oldest hour.
fn phone(browser: &Browser, world: &World, runtime: &Runtime) {
    show(browser, world, runtime, "/");
    browser.resize(PHONE.0, PHONE.1);
    sound(browser);
    let hidden = browser.evaluate(BEYOND_THE_EDGE);
    assert_eq!(
        hidden,
        Value::Array(Vec::new()),
        "to be read only by scrolling sideways"
    );
    let now = browser.evaluate(NOW_IS_SEEN);
    assert_eq!(now, true, "the chart shows the past only");
    keep(browser, "phone");
}

/// Whether a chart shows its newest end before anybody has scrolled it.
const NOW_IS_SEEN: &str = "return [...document.querySelectorAll('svg[role=img] text')]
    .filter((label) => label.textContent === 'now')
    .some((label) => label.getBoundingClientRect().right <= innerWidth)";

/// Cells of tables that a reader does not see without scrolling sideways.
const BEYOND_THE_EDGE: &str = "return [...document.querySelectorAll('th, td')]
    .filter((cell) => cell.checkVisibility() && cell.getBoundingClientRect().right > innerWidth + 1)
    .map((cell) => cell.textContent)";

fn light_and_dark(browser: &Browser, world: &World, runtime: &Runtime) {
    show(browser, world, runtime, "/");
    let mut backs = Vec::new();
    for scheme in ["light", "dark"] {
        browser.prefer(scheme);
        backs.push(browser.evaluate("return getComputedStyle(document.body).backgroundColor"));
        let weak = browser.evaluate(WEAK_TEXT);
        assert_eq!(weak, Value::Array(Vec::new()), "{scheme}");
    }
    assert_ne!(backs[0], backs[1]);
    keep(browser, "dark");
}

fn dry_run(browser: &Browser, world: &World, runtime: &Runtime) {
    show(browser, world, runtime, "/");
    let first = "return document.querySelector('main h2').textContent";
    let notice = browser.evaluate(first);
    assert!(
        notice.as_str().unwrap().ends_with("Dry run: nothing is sent"),
        "{notice}"
    );
    for scheme in ["light", "dark"] {
        browser.prefer(scheme);
        let weak = browser.evaluate(WEAK_TEXT);
        assert_eq!(weak, Value::Array(Vec::new()), "{scheme}");
        sound(browser);
        keep(browser, &format!("dry-run-{scheme}"));
    }
    let roles = browser.roles();
    let is_notice = |(role, name): &(String, String)| role == "region" && name.ends_with("Dry run: nothing is sent");
    assert!(roles.iter().any(is_notice), "{roles:?}");
    browser.resize(PHONE.0, PHONE.1);
    sound(browser);
    keep(browser, "dry-run-phone");
    browser.evaluate("document.querySelector('main a[href^=\"/why/\"]').click()");
    until(
        browser,
        "what would be is explained",
        "return location.pathname.startsWith('/why/') && document.body.innerText.includes('would be created')",
    );
    assert_eq!(browser.evaluate(first), notice);
    sound(browser);
    keep(browser, "dry-run-why");
}

fn roles(browser: &Browser, world: &World, runtime: &Runtime) {
    show(browser, world, runtime, "/");
    browser.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true; })");
    let roles = browser.roles();
    let has = |role: &str, name: &str| {
        let mut known = roles.iter();
        known.any(|(its, called)| its == role && called.starts_with(name))
    };
    for role in ["banner", "main", "contentinfo", "search", "status"] {
        assert!(has(role, ""), "no {role}: {roles:?}");
    }
    assert!(has("heading", "Buildscaler"), "{roles:?}");
    assert!(has("rowheader", "linux"), "{roles:?}");
    let tables = roles.iter().filter(|(role, _)| role == "table");
    assert!(tables.clone().count() > 1);
    assert!(
        tables.clone().all(|(_, name)| !name.is_empty()),
        "a table without a name"
    );
    let pictures = roles.iter().filter(|(role, _)| role == "image" || role == "img");
    assert!(pictures.clone().count() > 0);
    assert!(
        pictures.clone().all(|(_, name)| !name.is_empty()),
        "a picture without a name"
    );
}

fn keyboard(browser: &Browser, world: &World, runtime: &Runtime) {
    show(browser, world, runtime, "/");
    browser.press("Tab");
    let focused = "return document.activeElement.textContent || document.activeElement.id";
    assert_eq!(browser.evaluate(focused), "Skip to the content");
    let shown = "const box = document.activeElement.getBoundingClientRect(); return box.top >= 0 && box.height > 0";
    assert_eq!(
        browser.evaluate(shown),
        true,
        "the skip link is not seen when it has the focus"
    );
    let reachable = "return [...document.querySelectorAll('main a[href], main input, main button, main summary')]
        .filter((element) => element.checkVisibility() && element.tabIndex < 0).length";
    assert_eq!(browser.evaluate(reachable), 0, "something cannot be reached");
}

fn explanation(browser: &Browser, world: &World, runtime: &Runtime) {
    show(browser, world, runtime, "/");
    browser.evaluate("document.querySelector('main a[href^=\"/why/\"]').click()");
    until(
        browser,
        "the explanation is shown",
        "return location.pathname.startsWith('/why/')",
    );
    until(
        browser,
        "it is explained",
        "return document.body.innerText.includes('linux')",
    );
    sound(browser);
    keep(browser, "why");
}

/// Opens a page of the controller in a window of the usual size.
fn show(browser: &Browser, world: &World, runtime: &Runtime, path: &str) {
    let address = runtime.block_on(world.served_at());
    browser.resize(1200, 900);
    browser.open(&format!("http://{address}{path}"));
}

/// Waits until a script returns true.
#[track_caller]
fn until(browser: &Browser, what: &str, script: &str) {
    let end = Instant::now() + PATIENCE;
    while browser.evaluate(script) != true {
        assert!(Instant::now() < end, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn keep(browser: &Browser, name: &str) {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("status");
    std::fs::create_dir_all(&folder).unwrap();
    let picture = STANDARD.decode(browser.picture()).unwrap();
    std::fs::write(folder.join(format!("{name}.png")), picture).unwrap();
}
