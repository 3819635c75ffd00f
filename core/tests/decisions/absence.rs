//! Absence is believed late: after two complete listings, and over ten
//! minutes of them.

use buildscaler_core::{Config, PodStage, Reason, Timestamp};

use crate::support::build::{START, TEN_MINUTES, pod, secs, unavailable};
use crate::support::driver::{Driver, deletes, gently_then_for_good, stops, until};
use crate::support::world::{busy_worker, idle_worker};

/// Seen to fail when agents were linked by tag alone.
#[test]
fn agents_without_the_tag_are_known_by_their_hostname() {
    let mut world = busy_worker();
    world.agents[0].pod_uid = None;
    let mut driver = Driver::new(&Config::default(), world.clone());
    assert_eq!(until(&mut driver, 1_500), Vec::new(), "the agent is there");
    world.templates.clear();
    let mut driver = Driver::new(&Config::default(), world);
    assert_eq!(stops(&driver.turn()), [("agent".into(), Reason::Orphaned)]);
}

/// Seen to fail when a sidecar held its pod for ten minutes.
#[test]
fn a_pod_whose_agent_has_ended_is_removed_though_a_sidecar_runs() {
    let mut world = idle_worker();
    world.agents.clear();
    world.pods[0].stage = PodStage::AgentEnded;
    let mut driver = Driver::new(&Config::default(), world);
    assert_eq!(driver.turn(), Vec::new(), "one listing is no proof");
    assert_eq!(
        deletes(&until(&mut driver, 100)),
        [("pod".into(), None, Reason::AgentEnded)]
    );
}

/// Seen to fail when an agent that was lost counted as one that never came.
#[test]
fn a_lost_agents_pod_is_left_alone_for_ten_minutes_even_as_an_orphan() {
    let mut world = busy_worker();
    world.templates.clear();
    let mut driver = Driver::new(&Config::default(), world);
    driver.turn();
    driver.world.agents.clear();
    assert_eq!(until(&mut driver, 600), Vec::new());
    assert_eq!(deletes(&until(&mut driver, 700)), gently_then_for_good("pod"));
}

/// Invariant 5: at exactly ten minutes not yet, neither by the pod's age nor
/// by the absence that this controller has seen.
///
/// Seen to fail when `>` became `>=`, in either place.
#[test]
fn a_pod_whose_agent_never_came_is_removed_after_over_ten_minutes() {
    let config = Config {
        sync_interval: secs(300),
        ..Config::default()
    };
    // Created so many milliseconds before it is first seen, by its own clock.
    for (age, last_look, expected) in [
        (0, 600_000, 0),
        (0, 600_001, 1),
        (3_600_000, 600_000, 0),
        (3_600_000, 600_001, 1),
        (-1, 600_001, 0),
        (-1, 600_002, 1),
    ] {
        let mut world = idle_worker();
        world.agents.clear();
        world.pods[0].created_at = Timestamp::from_millis(START.as_millis() - age);
        let mut driver = Driver::new(&config, world);
        let mut removed = driver.turn();
        for look in [300_000, last_look] {
            driver.now = Timestamp::from_millis(START.as_millis() + look);
            removed.extend(driver.turn());
        }
        assert_eq!(deletes(&removed).len(), expected, "{age} ms old, at {last_look} ms");
    }
}

/// Invariant 20. Seen to fail when a pod's age alone was counted.
#[test]
fn a_new_controller_waits_ten_minutes_of_its_own() {
    let mut world = idle_worker();
    world.agents.clear();
    world.pods[0].created_at = START.before(TEN_MINUTES * 10);
    let mut driver = Driver::new(&Config::default(), world);
    assert_eq!(until(&mut driver, 600), Vec::new());
    driver.restart();
    assert_eq!(until(&mut driver, 1_200), Vec::new());
    assert_eq!(deletes(&until(&mut driver, 1_260)), gently_then_for_good("pod"));
}

/// A look that takes up a whole window is no outage, however rare looks are.
///
/// Seen to fail when looks further apart than three sync intervals proved
/// nothing: with 19 pages of agents and builds no dead pod was ever deleted,
/// and no idle agent stopped.
#[test]
fn looks_that_are_rare_for_their_size_prove_as_much() {
    for cost in [19, 40, 45, 90, 200] {
        let mut world = idle_worker();
        let mut dead = pod("dead", &world.templates[0]);
        dead.stage = PodStage::Running;
        world.pods.push(dead);
        let mut driver = Driver::new(&Config::default(), world);
        driver.cost = cost;
        let commands = until(&mut driver, 3600);
        assert_eq!(
            stops(&commands),
            [("agent".into(), Reason::IdleTimeout)],
            "{cost} pages"
        );
        assert_eq!(deletes(&commands), gently_then_for_good("dead"), "{cost} pages");
    }
}

/// Agents cannot connect during an outage either.
///
/// Seen to fail when time without listings counted as absence.
#[test]
fn an_outage_of_buildkite_is_not_counted_as_absence() {
    let mut world = idle_worker();
    world.agents.clear();
    let mut driver = Driver::new(&Config::default(), world);
    until(&mut driver, 60);
    driver.world.blind.agents = Some(unavailable());
    until(&mut driver, 1_200);
    driver.world.blind.agents = None;
    assert_eq!(deletes(&until(&mut driver, 1_600)), Vec::new());
    assert_eq!(deletes(&until(&mut driver, 1_900)), gently_then_for_good("pod"));
}

/// The grace period of a gentle delete is cut short only once a listing that
/// began an interval after its answer shows that no agent is at work: one that
/// connected as the delete was under way ends its job in peace.
///
/// Seen to fail when any listing would do, and when the first delete was at
/// the pod's own grace period.
#[test]
fn an_agent_that_connects_as_its_pod_is_given_up_ends_its_job() {
    let mut world = busy_worker();
    let late = std::mem::take(&mut world.agents);
    let mut driver = Driver::new(&Config::default(), world);
    let mut deleted = Vec::new();
    while deleted.is_empty() {
        deleted = deletes(&driver.turn());
        driver.now = driver.now.after(secs(20));
    }
    assert_eq!(deleted, gently_then_for_good("pod")[..1]);
    driver.world.agents = late;
    let rest = until(&mut driver, 3_600);
    assert_eq!(deletes(&rest), Vec::new(), "it has a job");
}
