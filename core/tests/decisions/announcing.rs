//! What of the findings becomes a Kubernetes Event.

use std::collections::BTreeSet;
use std::time::Duration;

use buildscaler_core::{
    Action, Announcement, Announcer, Config, EventTrouble, Failure, FindingKind, ObjectKind, Outcome, Refusal,
    Timestamp,
};
use proptest::prelude::*;

use crate::support::build::{START, pod, rate_limited, secs, template, waiting};
use crate::support::driver::Driver;
use crate::support::world::{Blind, World, one_queue};

const HALF_AN_HOUR: Duration = Duration::from_secs(1800);

/// A controller with one finding for each of so many templates.
fn with_findings(count: usize) -> Driver {
    let mut world = one_queue();
    world.templates = (0..count)
        .map(|number| {
            let mut bad = template(&format!("bad-{number}"), &format!("queue-{number}"));
            bad.parallelism = 1;
            bad
        })
        .collect();
    let mut driver = Driver::new(&Config::default(), world);
    driver.turn();
    driver
}

/// All that the announcer says at this moment, every Event written at once.
fn say_all(announcer: &mut Announcer, driver: &Driver, changed: bool, now: Timestamp) -> Vec<Announcement> {
    let mut said = Vec::new();
    while let Some(announcement) = announcer.next(&driver.controller, changed, now) {
        assert!(announcer.next(&driver.controller, true, now).is_none(), "one at a time");
        assert_eq!(announcer.settle(&Outcome::Done, now), None);
        said.push(announcement);
    }
    said
}

fn forbidden() -> Outcome {
    Outcome::Failed(Failure::Forbidden {
        kind: Refusal::Permission,
        message: "no".into(),
    })
}

/// Seen to fail when what was said was not remembered.
#[test]
fn a_finding_is_said_once_of_its_template() {
    let driver = with_findings(1);
    let mut announcer = Announcer::default();
    let said = say_all(&mut announcer, &driver, true, START);
    assert_eq!(said.len(), 1);
    assert_eq!(said[0].kind, FindingKind::Parallelism);
    assert_eq!(said[0].regarding.kind, ObjectKind::Job);
    assert_eq!(said[0].regarding.name, "bad-0");
    assert_eq!(said[0].regarding.uid, driver.world.templates[0].uid);
    assert!(said[0].note.contains("spec.parallelism is 1"));
    assert!(say_all(&mut announcer, &driver, true, START.after(secs(1))).is_empty());
}

/// A server that is asked for less does not get words instead. Seen to fail when only its answers to
/// Events counted.
#[test]
fn nothing_is_said_while_kubernetes_asks_for_patience() {
    let mut world = one_queue();
    world.jobs = vec![waiting("a", "apple")];
    let mut bad = template("bad", "other");
    bad.parallelism = 1;
    world.templates.push(bad);
    let mut driver = Driver::new(&Config::default(), world);
    driver.round();
    let create = driver
        .take(|action| matches!(action, Action::CreatePod(_)))
        .expect("a create");
    let until = driver.now.after(secs(9));
    driver.answer(&create, Outcome::Failed(rate_limited(until)));
    let mut announcer = Announcer::default();
    assert!(say_all(&mut announcer, &driver, true, until.before(secs(1))).is_empty());
    assert!(!say_all(&mut announcer, &driver, false, until).is_empty());
}

/// Kubernetes forgets Events after an hour. Seen to fail with a period of a day.
#[test]
fn what_stands_for_hours_is_said_again_before_it_is_forgotten() {
    let driver = with_findings(1);
    let mut announcer = Announcer::default();
    let mut times = Vec::new();
    for minute in 0..360_u64 {
        let now = START.after(secs(60 * minute));
        times.extend(say_all(&mut announcer, &driver, false, now).iter().map(|said| said.at));
    }
    assert!((12..=13).contains(&times.len()), "{}", times.len());
    assert!(times.windows(2).all(|pair| pair[1].since(pair[0]) <= HALF_AN_HOUR));
}

/// Seen to fail when a cleared finding was forgotten at once.
#[test]
fn what_comes_and_goes_is_said_once() {
    let mut driver = with_findings(1);
    let mut announcer = Announcer::default();
    let mut said = 0;
    for _ in 0..20 {
        for parallelism in [1, 0] {
            driver.world.templates[0].parallelism = parallelism;
            driver.turn();
            said += say_all(&mut announcer, &driver, true, driver.now).len();
        }
    }
    assert!(driver.now.since(START) < HALF_AN_HOUR);
    assert!((1..=2).contains(&said), "{said}");
}

/// Two replicas, and one before and after a restart, find the same names taken.
/// Seen to fail when the name held the time.
#[test]
fn two_announcers_use_the_same_name_for_the_same_thing() {
    let driver = with_findings(3);
    let names = |delay| {
        let said = say_all(&mut Announcer::default(), &driver, true, START.after(secs(delay)));
        said.into_iter().map(|said| said.name).collect::<BTreeSet<_>>()
    };
    assert_eq!(names(0).len(), 3);
    assert_eq!(names(0), names(1));
    assert!(names(0).is_disjoint(&names(1801)));
}

/// Seen to fail without the bound.
#[test]
fn many_findings_are_said_slowly_and_all_of_them() {
    let driver = with_findings(100);
    let mut announcer = Announcer::default();
    let first = say_all(&mut announcer, &driver, true, START).len();
    assert_eq!(first, 20);
    let mut all = first;
    for minute in 1..6 {
        all += say_all(&mut announcer, &driver, false, START.after(secs(60 * minute))).len();
    }
    assert!((100..=120).contains(&all), "{all}");
}

/// Seen to fail when every failure was told, and when nothing closed.
#[test]
fn a_missing_right_is_told_once_and_costs_few_requests() {
    let driver = with_findings(5);
    let mut announcer = Announcer::default();
    let (mut tried, mut told) = (0, Vec::new());
    for second in 0..3600 {
        let now = START.after(secs(second));
        if announcer.next(&driver.controller, false, now).is_some() {
            tried += 1;
            told.extend(announcer.settle(&forbidden(), now));
        }
    }
    assert!((5..20).contains(&tried), "{tried}");
    assert!(matches!(
        told.as_slice(),
        [EventTrouble::Began(Failure::Forbidden { .. })]
    ));
    let later = START.after(secs(4600));
    assert!(announcer.next(&driver.controller, false, later).is_some());
    assert_eq!(announcer.settle(&Outcome::Done, later), Some(EventTrouble::Ended));
    assert_eq!(say_all(&mut announcer, &driver, false, later).len(), 4);
}

/// Seen to fail when a refused Event was tried again and again.
#[test]
fn an_event_that_is_refused_does_not_hold_up_the_others() {
    let driver = with_findings(2);
    let mut announcer = Announcer::default();
    let refused = announcer.next(&driver.controller, true, START).expect("the first");
    let failure = Failure::Rejected {
        status: 422,
        message: "no".into(),
    };
    assert!(announcer.settle(&Outcome::Failed(failure), START).is_some());
    let later = START.after(secs(6));
    let other = announcer.next(&driver.controller, true, later).expect("the second");
    assert_ne!(refused.regarding.uid, other.regarding.uid);
}

/// Each finding is about what an operator would describe. Seen to fail when
/// contested queues named one template only.
#[test]
fn findings_of_queues_and_pods_are_said_of_what_they_concern() {
    let mut world = one_queue();
    world.templates.push(template("twin", "apple"));
    let mut adopted = pod("adopted", &world.templates[0]);
    adopted.adopted = true;
    world.pods.push(adopted);
    let mut driver = Driver::new(&Config::default(), world);
    driver.turn();
    let said = say_all(&mut Announcer::default(), &driver, true, driver.now);
    let of = |kind| {
        let matching = said.iter().filter(move |said| said.kind == kind);
        matching.map(|said| said.regarding.clone()).collect::<Vec<_>>()
    };
    assert_eq!(of(FindingKind::ContestedQueue).len(), 2);
    let pods = of(FindingKind::AdoptedPod);
    assert_eq!(pods.len(), 1);
    assert_eq!((pods[0].kind, pods[0].name.as_str()), (ObjectKind::Pod, "pod-adopted"));
}

/// Without a view of the cluster nobody can say what a finding is about.
#[test]
fn findings_of_apis_are_no_events() {
    let driver = Driver::new(
        &Config::default(),
        World {
            blind: Blind {
                templates: Some(Failure::Unavailable { message: "down".into() }),
                ..Blind::default()
            },
            ..one_queue()
        },
    );
    assert!(say_all(&mut Announcer::default(), &driver, true, START).is_empty());
}

proptest! {
    /// However servers answer and clocks jump: at most twenty Events in any
    /// minute of its own time, each within the API's bounds. Seen to fail
    /// when failures were not counted.
    #[test]
    fn the_rate_and_the_sizes_are_bounded(
        answers in proptest::collection::vec((0..4_u8, 0..90_u64), 1..200),
        findings in 1..40_usize,
    ) {
        let driver = with_findings(findings);
        let mut announcer = Announcer::default();
        let mut now = START;
        let mut sent: Vec<Timestamp> = Vec::new();
        for (answer, pause) in answers {
            now = now.after(secs(pause));
            let Some(announcement) = announcer.next(&driver.controller, pause % 2 == 0, now) else { continue };
            prop_assert!(announcement.note.len() <= 1024 && announcement.name.len() <= 253);
            sent.push(now);
            prop_assert!(sent.iter().filter(|at| now.since(**at) < secs(60)).count() <= 20);
            let outcome = match answer {
                0 => Outcome::Done,
                1 => forbidden(),
                2 => Outcome::Failed(Failure::FateUnknown { message: "?".into() }),
                _ => Outcome::Failed(Failure::RateLimited { until: now.after(secs(7)), message: "slow".into() }),
            };
            announcer.settle(&outcome, now);
        }
    }
}
