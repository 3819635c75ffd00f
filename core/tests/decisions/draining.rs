//! Pods whose template was replaced or is gone leave, without a build cut.

use buildscaler_core::{
    Action, Agent, Config, ConnectionState, FindingKind, Outcome, PodStage, Reason, Refusal, Template,
};

use crate::support::build::{START, agent, busy, forbidden, foreign_agent, secs, template};
use crate::support::driver::{Driver, deletes, is_write, stops, until};
use crate::support::world::{World, busy_worker, idle_worker};

/// Seen to fail when a replaced pod's busy agent was left alone.
#[test]
fn an_agent_of_a_replaced_template_is_asked_to_leave_once_busy_or_not() {
    let new = Template {
        uid: "uid-new".into(),
        ..template("apple", "apple")
    };
    let edited = Template {
        hash: "edited".into(),
        ..template("apple", "apple")
    };
    for replacement in [new, edited] {
        for mut world in [idle_worker(), busy_worker()] {
            world.templates = vec![replacement.clone()];
            let mut driver = Driver::new(&Config::default(), world);
            assert_eq!(stops(&until(&mut driver, 400)), [("agent".into(), Reason::Replaced)]);
            assert_eq!(driver.world.pods.len(), 1, "the pod stays as long as its agent does");
            driver.world.agents.clear();
            driver.world.pods[0].stage = PodStage::Succeeded;
            assert_eq!(deletes(&driver.turn()), [("pod".into(), None, Reason::Finished)]);
        }
    }
}

/// Seen to fail when orphans were only looked for by uid.
#[test]
fn an_agent_whose_queue_lost_its_template_is_asked_to_leave() {
    for mut world in [idle_worker(), busy_worker()] {
        world.templates[0].queue = Some("renamed".into());
        let mut driver = Driver::new(&Config::default(), world);
        assert_eq!(stops(&driver.turn()), [("agent".into(), Reason::Orphaned)]);
        assert_eq!(driver.world.pods.len(), 1);
    }
}

/// Invariant 10. Seen to fail when contested queues were drained.
#[test]
fn no_pod_of_a_contested_queue_is_replaced() {
    let mut world = busy_worker();
    world.templates = vec![template("other", "apple"), template("another", "apple")];
    let mut driver = Driver::new(&Config::default(), world);
    assert_eq!(until(&mut driver, 2_000), Vec::new());
}

/// Seen to fail when only the first agent of a pod was stopped.
#[test]
fn every_agent_of_a_pod_is_asked_to_leave() {
    let mut world = idle_worker();
    world.agents.push(busy("second", &world.pods[0]));
    world.agents.push(Agent {
        state: ConnectionState::Stopping,
        ..agent("third", &world.pods[0])
    });
    world.templates.clear();
    let mut driver = Driver::new(&Config::default(), world);
    let mut asked = stops(&driver.turn());
    asked.sort();
    assert_eq!(
        asked,
        [("agent".into(), Reason::Orphaned), ("second".into(), Reason::Orphaned)]
    );
}

/// Invariant 3. Seen to fail when agents were taken by their queue.
#[test]
fn agents_that_are_not_ours_are_never_stopped() {
    let mut world = World {
        agents: vec![foreign_agent("foreign", "apple")],
        ..idle_worker()
    };
    world.templates.clear();
    let mut driver = Driver::new(&Config::default(), world);
    assert_eq!(stops(&until(&mut driver, 2_000)), []);
}

/// Seen to fail when orphans were deleted, busy ones included.
#[test]
fn a_forbidden_stop_never_leads_to_a_delete() {
    let mut world = busy_worker();
    world.templates.clear();
    let mut driver = Driver::new(&Config::default(), world);
    for _ in 0..60 {
        driver.round();
        while let Some(command) = driver.take(is_write) {
            assert!(matches!(command.action, Action::StopAgent { .. }), "{command:?}");
            driver.answer(&command, Outcome::Failed(forbidden(Refusal::Permission)));
        }
    }
    assert!(driver.stands(FindingKind::StopRefused));
    assert_eq!(driver.changes(FindingKind::StopRefused), (1, 0), "raised once");
    assert_eq!(stops(&until(&mut driver, 3_000)).len(), 1, "it is tried again");
    assert_eq!(driver.changes(FindingKind::StopRefused), (1, 1));
}

/// Seen to fail when an orphan without agent was deleted after one listing,
/// and when it was deleted at its own grace period.
#[test]
fn an_orphan_without_agent_is_removed_gently_after_two_listings() {
    let mut world = idle_worker();
    world.agents.clear();
    world.templates.clear();
    let mut driver = Driver::new(&Config::default(), world);
    assert_eq!(driver.turn(), Vec::new());
    let removed = deletes(&driver.turn());
    let [(uid, Some(grace), Reason::OrphanedWithoutAgent)] = removed.as_slice() else {
        panic!("{removed:?}")
    };
    assert_eq!(uid, "pod");
    assert!(*grace >= 3_600, "longer than builds take: {grace}");
    assert_eq!(until(&mut driver, 580), Vec::new(), "it is asked for once");
    assert_eq!(
        deletes(&until(&mut driver, 700)),
        [("pod".into(), Some(30), Reason::AgentMissing)],
        "ten minutes end it"
    );
}

/// A finalizer or a slow kubelet holds the pod.
///
/// Seen to fail when a pod that leaves was deleted whenever it was seen.
#[test]
fn a_delete_is_not_repeated_while_the_pod_leaves() {
    let mut world = idle_worker();
    world.agents.clear();
    world.templates.clear();
    let mut driver = Driver::new(&Config::default(), world);
    let mut removed = Vec::new();
    while driver.now < START.after(secs(1_800)) {
        driver.round();
        while let Some(command) = driver.take(is_write) {
            driver.world.pods[0].deleting = true;
            driver.answer(&command, Outcome::Done);
            removed.push(command);
        }
    }
    let reasons: Vec<Reason> = deletes(&removed).into_iter().map(|(_, _, reason)| reason).collect();
    assert_eq!(
        reasons,
        [Reason::OrphanedWithoutAgent, Reason::AgentMissing],
        "one gentle, one to end it"
    );
}

/// Seen to fail when adopted pods were ours.
#[test]
fn a_pod_that_another_controller_adopted_is_left_alone_and_reported() {
    let mut world = busy_worker();
    world.pods[0].adopted = true;
    world.templates.clear();
    let mut driver = Driver::new(&Config::default(), world);
    assert_eq!(until(&mut driver, 1_500), Vec::new());
    assert!(driver.stands(FindingKind::AdoptedPod));
}
