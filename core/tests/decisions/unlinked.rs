//! Agents that no tag and no hostname links to a pod: their tags were
//! overridden, and their host is called otherwise.

use buildscaler_core::{Config, FindingKind, Reason};
use serde_json::json;

use crate::support::build::{START, foreign_agent, pod, secs, template};
use crate::support::driver::{Driver, deletes};
use crate::support::world::World;

/// A queue with one pod whose agent, as far as can be told, never came, and an
/// agent that belongs to nobody.
fn unlinked(busy: bool) -> World {
    let template = template("apple", "apple");
    let mut agent = foreign_agent("agent", "apple");
    agent.running = busy.then(|| "work".into());
    World {
        pods: vec![pod("pod", &template)],
        agents: vec![agent],
        templates: vec![template],
        ..World::default()
    }
}

/// Everything that is deleted within twelve minutes.
fn deleted(world: World) -> Vec<(String, Option<u32>, Reason)> {
    let mut driver = Driver::new(&Config::default(), world);
    let mut commands = Vec::new();
    while driver.now < START.after(secs(720)) {
        commands.extend(driver.turn());
    }
    deletes(&commands)
}

/// Invariant 25: the build may be running in this very pod.
///
/// Seen to fail when agents without a pod had no say in who is overdue.
#[test]
fn a_pod_is_kept_while_a_busy_agent_may_be_its_own() {
    assert_eq!(deleted(unlinked(true)), []);
}

/// An idle agent may be given a job at any moment: on SIGTERM it ends that and
/// leaves, if it is given the time.
///
/// Seen to fail like the one above.
#[test]
fn a_pod_is_deleted_gently_while_an_idle_agent_may_be_its_own() {
    let deleted = deleted(unlinked(false));
    assert_eq!(deleted.len(), 1);
    assert_eq!(deleted[0].2, Reason::AgentMissing);
    assert!(deleted[0].1.is_some_and(|grace| grace >= 3600), "{deleted:?}");
}

/// Seen to fail without the finding.
#[test]
fn tags_on_the_command_line_are_reported() {
    let mut template = template("apple", "apple");
    template.pod_template.0["spec"]["containers"][0]["args"] = json!(["start", "--tags", "queue=apple"]);
    let mut driver = Driver::new(
        &Config::default(),
        World {
            templates: vec![template],
            ..World::default()
        },
    );
    driver.round();
    assert!(driver.stands(FindingKind::UnlinkedAgents));
}
