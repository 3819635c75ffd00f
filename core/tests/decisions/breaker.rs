//! Templates that fail: after three failed starts in a row pods are made one
//! at a time, to try, until an agent connects.

use buildscaler_core::{Config, FindingKind, Pod, PodStage, StartFailure};
use proptest::prelude::*;

use crate::support::build::{START, agent, jobs, secs, template, waiting};
use crate::support::cases;
use crate::support::driver::{Driver, creates, until};
use crate::support::world::World;

/// What becomes of the pods that come next.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Crashes,
    NoImage,
    Hangs,
}

fn befall(pod: &mut Pod, fate: Fate) {
    match fate {
        Fate::Crashes => {
            pod.stage = PodStage::Failed;
            pod.trouble = Some("Error, exit code 1".into());
        }
        Fate::NoImage => {
            pod.stage = PodStage::Starting;
            pod.trouble = Some("ErrImagePull".into());
            pod.message = Some("manifest unknown".into());
        }
        Fate::Hangs => pod.stage = PodStage::Running,
    }
}

fn burst(count: usize) -> Driver {
    let world = World {
        templates: vec![template("apple", "apple")],
        jobs: jobs(count, "apple"),
        ..World::default()
    };
    Driver::new(&Config::default(), world)
}

/// Turns until `seconds` after the start, with this fate for each pod; how
/// many were asked for.
fn suffer(driver: &mut Driver, fate: Fate, seconds: u64) -> usize {
    let mut asked = 0;
    while driver.now < START.after(secs(seconds)) {
        asked += creates(&driver.turn());
        driver.world.pods.iter_mut().for_each(|pod| befall(pod, fate));
    }
    asked
}

fn finding(driver: &Driver, kind: FindingKind) -> String {
    let mut found = driver.controller.findings().filter(|finding| finding.kind == kind);
    found.next().expect("it stands").detail
}

/// Seen to fail when failed starts opened nothing, and when the pause between
/// trials did not grow.
#[test]
fn after_three_failed_starts_one_pod_at_a_time_is_tried_ever_more_rarely() {
    let mut driver = burst(50);
    assert_eq!(
        suffer(&mut driver, Fate::Crashes, 10),
        51,
        "the burst itself, and one to try"
    );
    let tried = suffer(&mut driver, Fate::Crashes, 3_600);
    assert!((12..=15).contains(&tried), "{tried} in an hour");
    let said = finding(&driver, FindingKind::TemplateFailing);
    assert!(
        said.contains("Error, exit code 1") && said.contains("the next in"),
        "{said}"
    );
    let failing: Vec<_> = driver.controller.failing_templates().collect();
    assert_eq!(failing.len(), 1);
    assert_eq!(
        (failing[0].template.as_str(), failing[0].failed as usize),
        ("builds/apple", 51 + tried)
    );
    assert_eq!(
        failing[0].last.as_ref().map(|last| last.cause),
        Some(StartFailure::Ended)
    );
}

/// Seen to fail when only the failing pods' end, and no agent, closed it.
#[test]
fn an_agent_that_connects_is_the_end_of_it() {
    let mut driver = burst(50);
    suffer(&mut driver, Fate::Crashes, 300);
    assert!(driver.stands(FindingKind::TemplateFailing));
    let mut asked = 0;
    while driver.now < START.after(secs(900)) && asked < 49 {
        asked += creates(&driver.turn());
        driver.world.connect_all();
    }
    assert!(asked >= 49, "{asked} of 49");
    assert!(!driver.stands(FindingKind::TemplateFailing));
    assert_eq!(driver.controller.failing_templates().count(), 0);
}

/// Seen to fail when every look made another one beside those that stand.
#[test]
fn pods_that_cannot_start_are_left_to_kubernetes_before_another_is_tried() {
    let mut driver = burst(20);
    assert_eq!(suffer(&mut driver, Fate::NoImage, 10), 20);
    assert_eq!(suffer(&mut driver, Fate::NoImage, 590), 0, "twenty stand");
    let said = finding(&driver, FindingKind::TemplateFailing);
    assert!(said.contains("ErrImagePull: manifest unknown"), "{said}");
    assert!(said.contains("none of the 20 is left"), "{said}");
    let tried = suffer(&mut driver, Fate::NoImage, 3_600);
    assert!((1..=6).contains(&tried), "{tried} in fifty minutes");
}

/// Seen to fail when pods given up at the startup timeout did not count.
#[test]
fn pods_whose_agent_never_connects_count_when_they_are_given_up() {
    let mut driver = burst(10);
    assert_eq!(suffer(&mut driver, Fate::Hangs, 10), 10);
    assert_eq!(suffer(&mut driver, Fate::Hangs, 590), 0);
    assert!(!driver.stands(FindingKind::TemplateFailing), "they have their time");
    let tried = suffer(&mut driver, Fate::Hangs, 3_600);
    assert!((1..=6).contains(&tried), "{tried} in fifty minutes");
    assert!(finding(&driver, FindingKind::TemplateFailing).contains("no agent connected"));
}

/// Seen to fail when what waited in the lane was not cut.
#[test]
fn what_is_not_sent_yet_is_not_sent_when_pods_begin_to_fail() {
    let mut driver = burst(500);
    driver.round();
    for _ in 0..10 {
        let create = driver.pending.first().cloned().unwrap();
        let outcome = driver.world.carry_out(&create.action, driver.now);
        driver.answer(&create, outcome);
    }
    driver.world.pods.iter_mut().for_each(|pod| befall(pod, Fate::NoImage));
    driver.push_cluster();
    let rest = creates(&driver.carry_out());
    assert!(rest <= 11, "{rest} were on their way, and no others follow");
}

/// Seen to fail when failures were remembered by the template's uid alone.
#[test]
fn a_changed_template_starts_afresh() {
    let mut driver = burst(30);
    suffer(&mut driver, Fate::Crashes, 600);
    driver.world.templates[0].hash = "mended".into();
    assert_eq!(creates(&driver.turn()), 30);
    assert!(!driver.stands(FindingKind::TemplateFailing));
}

/// Invariant 18. Seen to fail when failed starts were counted together.
#[test]
fn other_templates_are_not_held_up() {
    let mut driver = burst(10);
    suffer(&mut driver, Fate::Crashes, 300);
    driver.world.templates.push(template("pear", "pear"));
    driver.world.jobs.extend(jobs(25, "pear"));
    let asked = until(&mut driver, 345);
    assert!(creates(&asked) >= 25, "{}", creates(&asked));
}

/// Seen to fail when every pod without its container running counted.
#[test]
fn a_slow_pull_is_told_apart_from_a_failed_one() {
    let mut driver = burst(5);
    driver.turn();
    driver
        .world
        .pods
        .iter_mut()
        .for_each(|pod| pod.stage = PodStage::Starting);
    until(&mut driver, 380);
    assert!(!driver.stands(FindingKind::SlowStart), "it has most of its time yet");
    until(&mut driver, 480);
    let said = finding(&driver, FindingKind::SlowStart);
    assert!(
        said.starts_with("5 pods") && said.contains("--agent-startup-timeout"),
        "{said}"
    );
    assert!(!driver.stands(FindingKind::TemplateFailing));
    driver.world.connect_all();
    driver.turn();
    driver.turn();
    assert!(!driver.stands(FindingKind::SlowStart));
}

/// A cluster autoscaler may be on its way. Seen to fail when pods without a
/// node counted.
#[test]
fn pods_that_find_no_node_are_no_failed_starts() {
    let mut driver = burst(5);
    driver.turn();
    let unplaced = |pod: &mut Pod| pod.trouble = Some("Unschedulable".into());
    driver.world.pods.iter_mut().for_each(unplaced);
    until(&mut driver, 1_300);
    assert!(!driver.stands(FindingKind::TemplateFailing));
}

/// With `--disconnect-after-job` an agent may come, work and leave between two
/// looks. Seen to fail when every pod without a listed agent counted.
#[test]
fn pods_that_end_well_are_no_failed_starts_and_end_a_failing() {
    let mut driver = burst(10);
    suffer(&mut driver, Fate::Crashes, 300);
    assert!(driver.stands(FindingKind::TemplateFailing));
    let mut asked = 0;
    while driver.now < START.after(secs(900)) {
        asked += creates(&driver.turn());
        driver
            .world
            .pods
            .iter_mut()
            .for_each(|pod| pod.stage = PodStage::Succeeded);
    }
    assert!(asked > 20, "{asked}");
    assert!(!driver.stands(FindingKind::TemplateFailing));
}

/// Invariant 20. Seen to fail when what stood at the first look did not count.
#[test]
fn pods_that_stand_and_fail_count_again_after_a_restart() {
    let mut driver = burst(20);
    suffer(&mut driver, Fate::NoImage, 60);
    driver.world.jobs.extend(jobs(200, "apple").into_iter().skip(20));
    driver.restart();
    assert_eq!(creates(&until(&mut driver, 500)), 0);
    assert!(driver.stands(FindingKind::TemplateFailing));
}

/// Seen to fail when it was not saved.
#[test]
fn a_controller_that_is_run_once_in_a_while_remembers_what_failed() {
    let mut driver = burst(20);
    suffer(&mut driver, Fate::Crashes, 60);
    driver.resume(secs(20), true);
    let tried = suffer(&mut driver, Fate::Crashes, 300);
    assert!(tried <= 4, "{tried}");
    let failing = driver.controller.failing_templates().next().unwrap();
    assert_eq!(failing.template, "builds/apple");
}

/// The template takes variables from a Secret, so only its agents tell their
/// tags. Seen to fail when they were forgotten with the last agent: a pod was
/// made each time none was left.
#[test]
fn what_tags_agents_had_is_remembered_when_none_is_left() {
    let mut world = World {
        templates: vec![template("apple", "apple")],
        ..World::default()
    };
    world.jobs = (0..20)
        .map(|number| {
            let mut wanting = waiting(&format!("windows-{number}"), "apple");
            wanting.rules = vec!["os=windows".into()];
            wanting
        })
        .collect();
    let mut driver = Driver::new(&Config::default(), world);
    assert_eq!(creates(&driver.turn()), 20, "who knows");
    let come_and_go = |driver: &mut Driver| {
        for pod in driver.world.pods.clone() {
            let mut one = agent(&format!("agent-{}", pod.uid), &pod);
            one.tags.push("os=ubuntu".into());
            driver.world.agents.push(one);
        }
        driver.turn();
        driver.world.pods.clear();
        driver.world.agents.clear();
    };
    come_and_go(&mut driver);
    assert_eq!(creates(&until(&mut driver, 1_500)), 0);
    assert!(driver.stands(FindingKind::UnmatchableDemand));
    assert_eq!(
        creates(&until(&mut driver, 1_900)),
        1,
        "one, for the Secret may have been changed"
    );
    come_and_go(&mut driver);
    assert_eq!(creates(&until(&mut driver, 3_500)), 0);
    driver.world.templates[0].hash = "mended".into();
    assert_eq!(creates(&driver.turn()), 20, "another version may have other tags");
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let fate = prop_oneof![Just(Fate::Crashes), Just(Fate::NoImage), Just(Fate::Hangs)];
    proptest::collection::vec(fate, 1..8)
}

proptest! {
    #![proptest_config(cases(40))]

    /// Without an agent, creates are bounded in any window once three starts
    /// have failed, whatever the pods die of; and when pods start to work every
    /// job has one within the longest pause and two looks (Invariant 26, whose
    /// exception this is).
    ///
    /// Seen to fail when a pause was as long as it liked, and when there was none.
    #[test]
    fn a_failing_template_costs_little_and_recovers(fates in fates(), count in 4..60usize, minutes in 15..90u64) {
        let mut driver = burst(count);
        let mut asked = Vec::new();
        let mut turns = 0;
        let mends_at = START.after(secs(minutes * 60));
        while driver.now < mends_at {
            let was_failing = driver.controller.failing_templates().next().is_some();
            let made = creates(&driver.turn());
            let fails = driver.controller.failing_templates().next().is_some();
            if was_failing && fails {
                asked.extend(std::iter::repeat_n(driver.now, made));
            }
            let known: Vec<usize> = (0..driver.world.pods.len()).collect();
            for place in known {
                let pod = &mut driver.world.pods[place];
                if pod.stage == PodStage::Unscheduled {
                    befall(pod, fates[turns % fates.len()]);
                    turns += 1;
                }
            }
        }
        for (nth, at) in asked.iter().enumerate() {
            let later = asked[nth..].iter().filter(|later| later.since(*at) < secs(600)).count();
            prop_assert!(later <= 7, "{later} pods in ten minutes");
        }
        let interval = driver.config.sync_interval;
        let patience = secs(300) + interval * 3;
        while driver.world.agents.len() < count && driver.now.since(mends_at) <= patience {
            driver.turn();
            driver.world.pods.retain(|pod| !pod.stage.is_finished());
            let gone: Vec<_> = driver.world.pods.iter().filter(|pod| pod.deleting).map(|pod| pod.uid.clone()).collect();
            driver.world.pods.retain(|pod| !gone.contains(&pod.uid));
            for pod in &mut driver.world.pods {
                pod.trouble = None;
            }
            driver.world.connect_all();
        }
        prop_assert!(driver.world.agents.len() >= count, "{} of {count} agents", driver.world.agents.len());
    }
}
