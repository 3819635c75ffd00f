use std::time::Duration;

use buildscaler_core::Queue;
use buildscaler_simulator::measure::Run;
use buildscaler_simulator::report::{comparison_page, run_page};

use crate::comparisons::comparison;
use crate::sample::{MORNING, SEASON, Size, run, scenario};

const EVIL: &str = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&";

#[test]
fn nothing_that_comes_from_a_scenario_becomes_markup() {
    let mut scenario = scenario(EVIL);
    scenario.description = EVIL.into();
    scenario.covers = vec![EVIL.into()];
    scenario.starts = Some(EVIL.into());
    let mut run = run(MORNING);
    run.unmet = vec![EVIL.into()];
    run.story = vec![format!("00:00:00.000 {EVIL}"), EVIL.into()];
    let queue = Queue::from(EVIL);
    let samples = run.series.queues.values().next().unwrap().clone();
    let figures = run.summary.queues.values().next().unwrap().clone();
    run.series.queues.insert(queue.clone(), samples);
    run.summary.queues.insert(queue, figures);
    let page = run_page(&scenario, EVIL, &run);
    assert!(!page.contains("<script>alert"));
    assert!(!page.contains("<img"));
    assert!(page.contains("&lt;script&gt;alert(1)"));
}

#[test]
fn nothing_of_a_comparison_becomes_markup() {
    let mut comparison = comparison(2, EVIL);
    for compared in &mut comparison.scenarios {
        compared.description = EVIL.into();
        compared.lines[0].contestant = EVIL.into();
        compared.lines[0].about = EVIL.into();
    }
    let page = comparison_page(&comparison);
    assert!(!page.contains("<script>alert"));
    assert!(!page.contains("<img"));
}

#[test]
fn the_page_of_very_many_scenarios_stays_small() {
    let page = comparison_page(&comparison(500, "scenario"));
    assert!(page.len() < 3_000_000, "{} bytes", page.len());
    assert!(page.contains("the first 60 of 500 scenarios"));
}

#[test]
fn a_comparison_of_nothing_has_a_page() {
    for scenarios in [0, 1] {
        let mut comparison = comparison(scenarios, "empty");
        comparison
            .scenarios
            .iter_mut()
            .for_each(|compared| compared.lines.clear());
        let page = comparison_page(&comparison);
        assert!(!page.contains("NaN") && !page.contains(">inf"));
    }
}

#[test]
fn the_page_of_43_days_and_17_000_jobs_stays_small() {
    let page = run_page(&scenario("season"), "ours", &run(SEASON));
    assert!(page.len() < 3_000_000, "{} bytes", page.len());
}

#[test]
fn the_page_of_very_many_queues_and_very_long_names_stays_small() {
    let mut scenario = scenario(&"n".repeat(100_000));
    scenario.description = "d".repeat(1_000_000);
    let size = Size {
        queues: 800,
        jobs: 8_000,
        length: Duration::from_secs(86_400),
        every: Duration::from_secs(30),
    };
    let mut run = run(size);
    run.unmet = vec!["u".repeat(10_000); 5_000];
    run.story = vec!["s".repeat(10_000); 5_000];
    let page = run_page(&scenario, "ours", &run);
    assert!(page.len() < 3_000_000, "{} bytes", page.len());
    assert!(page.contains("And 4,900 more."));
    assert!(page.contains("4,200 lines are left out"));
    assert!(page.contains("40 busiest of 800 queues"));
}

#[test]
fn unmet_expectations_stand_before_everything_else() {
    let mut run = run(MORNING);
    run.unmet = vec!["240 jobs should have ended, 238 did".into()];
    let page = run_page(&scenario("morning"), "ours", &run);
    let unmet = page.find("240 jobs should have ended").unwrap();
    assert!(unmet < page.find("Median wait").unwrap());
    assert!(page.contains("1 expectation unmet"));
    assert!(!page.contains("Every expectation is met"));
}

#[test]
fn a_run_in_which_nothing_happened_has_a_page() {
    let page = run_page(&scenario("nothing"), "ours", &Run::default());
    assert!(page.contains("No samples were taken."));
    assert!(page.contains("No job wanted an agent."));
    assert!(!page.contains("NaN"));
    assert!(!page.contains("inf"));
}

#[test]
fn nothing_is_fetched_from_anywhere() {
    let page = run_page(&scenario("morning"), "ours", &run(MORNING));
    for sign in ["http://", "https://", "@import", "src="] {
        assert!(!page.contains(sign), "{sign}");
    }
}

#[test]
fn equal_runs_have_equal_pages() {
    let page = || run_page(&scenario("morning"), "ours", &run(MORNING));
    assert_eq!(page(), page());
}
