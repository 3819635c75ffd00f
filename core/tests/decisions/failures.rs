//! What is learnt from a no, and from no answer at all.

use buildscaler_core::{Action, Command, Config, Failure, FindingKind, Outcome, Refusal};

use crate::support::build::{
    START, already_exists, fate_unknown, forbidden, jobs, rate_limited, secs, template, unavailable,
};
use crate::support::driver::{Driver, creates, deletes, is_write, until};
use crate::support::world::{World, orphans};

fn burst(count: usize) -> Driver {
    let world = World {
        templates: vec![template("apple", "apple")],
        jobs: jobs(count, "apple"),
        ..World::default()
    };
    Driver::new(&Config::default(), world)
}

fn name(command: &Command) -> String {
    let Action::CreatePod(create) = &command.action else {
        panic!("{command:?}")
    };
    create.name.clone()
}

/// Seen to fail when a conflict closed the lane like any failure.
#[test]
fn a_pod_that_is_there_already_is_done() {
    let mut driver = burst(2);
    driver.round();
    let create = driver.take(is_write).unwrap();
    driver.world.carry_out(&create.action, driver.now);
    let next = driver.answer(&create, Outcome::Failed(already_exists()));
    assert_eq!(creates(&next), 1, "the next pod is asked for at once");
    assert_eq!(driver.controller.findings().count(), 0);
    driver.carry_out();
    assert_eq!(driver.turn(), Vec::new());
    assert_eq!(driver.world.pods.len(), 2);
}

/// Seen to fail when a name that somebody else's object bears was tried
/// again and again.
#[test]
fn a_name_that_is_taken_by_something_unseen_is_avoided() {
    let mut driver = burst(1);
    driver.round();
    let create = driver.take(is_write).unwrap();
    driver.answer(&create, Outcome::Failed(already_exists()));
    let commands = until(&mut driver, 120);
    assert_eq!(creates(&commands), 1);
    assert_ne!(name(&create), name(&commands[0]));
}

/// Seen to fail when a create of unknown fate was repeated under another
/// name at once.
#[test]
fn a_create_of_unknown_fate_is_counted_until_a_view_settles_it() {
    let mut driver = burst(1);
    driver.round();
    let create = driver.take(is_write).unwrap();
    driver.answer(&create, Outcome::Failed(fate_unknown()));
    assert_eq!(creates(&driver.push_cluster()), 0, "the view may be older than the pod");
    let again = until(&mut driver, 90);
    assert_eq!(creates(&again), 1, "no later view showed it");
    assert_eq!(
        name(&again[0]),
        name(&create),
        "under the same name, so that it cannot be done twice"
    );
}

/// Seen to fail when every pod of a plan was sent into the wall, and when a
/// refusal did not close the lane for a while.
#[test]
fn a_quota_wall_costs_one_request() {
    let mut driver = burst(50);
    let first = driver.round();
    assert_eq!(creates(&first), 1);
    let refused = Outcome::Failed(forbidden(Refusal::QuotaExceeded));
    let create = driver.take(is_write).unwrap();
    assert_eq!(driver.answer(&create, refused.clone()), Vec::new());
    assert!(driver.stands(FindingKind::CreateRefused));
    let mut requests = 0;
    while driver.now < START.after(secs(300)) {
        driver.round();
        while let Some(create) = driver.take(is_write) {
            requests += 1;
            driver.answer(&create, refused.clone());
        }
    }
    assert!((3..=10).contains(&requests), "{requests} requests in five minutes");
    let created = until(&mut driver, 500);
    assert_eq!(creates(&created), 50, "the quota was raised");
    assert_eq!(
        driver.changes(FindingKind::CreateRefused),
        (1, 1),
        "raised once, cleared once"
    );
}

/// Seen to fail when one refusal closed every lane.
#[test]
fn a_template_that_is_refused_does_not_hold_up_another() {
    let mut driver = burst(3);
    driver.world.templates.push(template("berry", "berry"));
    driver.world.jobs.extend(jobs(3, "berry"));
    driver.round();
    let mut done = 0;
    while let Some(command) = driver.take(is_write) {
        let Action::CreatePod(create) = &command.action else {
            panic!("{command:?}")
        };
        if create.queue.as_str() == "apple" {
            driver.answer(&command, Outcome::Failed(forbidden(Refusal::Admission)));
        } else {
            done += 1;
            driver.answer(&command, Outcome::Done);
        }
    }
    assert_eq!(done, 3);
}

/// Invariant 21: the witness objects to whatever is sent to Kubernetes too
/// early, looks included.
///
/// Seen to fail when only the lane of the refused create was closed.
#[test]
fn nothing_is_sent_to_kubernetes_before_its_limit_resets() {
    let mut driver = burst(3);
    driver.world.templates.push(template("berry", "berry"));
    driver.world.jobs.extend(jobs(2, "berry"));
    driver.round();
    let create = driver.take(is_write).unwrap();
    let until = driver.now.after(secs(100));
    driver.answer(&create, Outcome::Failed(rate_limited(until)));
    while driver.world.pods.len() < 5 {
        driver.turn();
        assert!(driver.now < until.after(secs(90)), "and then it goes on");
    }
    assert!(driver.now >= until);
}

/// Invariant 21: a list that was limited is not asked for again too early.
///
/// Seen to fail when only the limits of writes were heeded.
#[test]
fn kubernetes_is_not_listed_before_its_limit_resets() {
    let mut driver = burst(1);
    let until = driver.now.after(secs(100));
    driver.world.blind.pods = Some(rate_limited(until));
    driver.round();
    driver.world.blind.pods = None;
    while driver.world.pods.is_empty() {
        driver.turn();
        assert!(driver.now < until.after(secs(61)), "and then it goes on");
    }
    assert!(driver.now >= until);
}

/// Seen to fail when failures did not back off, and when they backed off for
/// longer than two intervals.
#[test]
fn a_token_that_is_refused_is_tried_rarely_and_recovers_soon() {
    let mut driver = burst(3);
    driver.world.blind.jobs = Some(forbidden(Refusal::Credentials));
    let mut tries = 0;
    while driver.now < START.after(secs(1_800)) {
        driver.round();
        tries += 1;
    }
    assert!(tries <= 50, "{tries} looks in half an hour");
    assert!(driver.stands(FindingKind::BuildkiteUnknown));
    driver.world.blind.jobs = None;
    let mended = driver.now;
    while driver.world.pods.is_empty() {
        driver.turn();
    }
    assert!(
        driver.now <= mended.after(secs(60)),
        "three intervals, {:?}",
        driver.now.since(mended)
    );
    assert_eq!(driver.changes(FindingKind::BuildkiteUnknown), (1, 1));
}

/// Seen to fail when a failed list of pods was taken for an empty one.
#[test]
fn nothing_but_looking_is_done_while_pods_are_unknown() {
    let mut driver = Driver::new(
        &Config::default(),
        World {
            jobs: jobs(3, "apple"),
            ..orphans(2)
        },
    );
    driver.world.templates.push(template("apple", "apple"));
    driver.world.blind.pods = Some(unavailable());
    assert_eq!(until(&mut driver, 300), Vec::new());
    assert!(driver.stands(FindingKind::ClusterUnknown));
}

/// A delete that fails is tried again, and only if it is still right.
///
/// Seen to fail when a failed delete was remembered as one that was sent.
#[test]
fn a_delete_that_fails_is_tried_again() {
    let mut world = orphans(1);
    world.agents.clear();
    world.pods[0].stage = buildscaler_core::PodStage::Failed;
    let mut driver = Driver::new(&Config::default(), world);
    driver.round();
    let delete = driver.take(is_write).unwrap();
    driver.answer(&delete, Outcome::Failed(forbidden(Refusal::Permission)));
    assert!(driver.stands(FindingKind::DeleteRefused));
    assert_eq!(deletes(&until(&mut driver, 120)).len(), 1);
    assert_eq!(driver.changes(FindingKind::DeleteRefused), (1, 1));
}

/// Seen to fail when a rejected create closed its lane for good.
#[test]
fn every_failure_of_a_create_is_survived() {
    let failures = [
        already_exists(),
        forbidden(Refusal::Credentials),
        forbidden(Refusal::Permission),
        forbidden(Refusal::QuotaExceeded),
        forbidden(Refusal::Admission),
        forbidden(Refusal::NamespaceTerminating),
        forbidden(Refusal::Webhook),
        forbidden(Refusal::NotEntitled),
        forbidden(Refusal::Other),
        rate_limited(START.after(secs(50))),
        unavailable(),
        fate_unknown(),
        Failure::Rejected {
            status: 422,
            message: "no".into(),
        },
        Failure::Malformed { message: "what".into() },
        Failure::OverBudget,
    ];
    for failure in failures {
        let mut driver = burst(3);
        driver.round();
        let create = driver.take(is_write).unwrap();
        driver.answer(&create, Outcome::Failed(failure.clone()));
        until(&mut driver, 400);
        assert_eq!(driver.world.pods.len(), 3, "{failure:?}");
    }
}
