//! Agents that nobody needs leave, and no build is cut.

use buildscaler_core::{Action, Agent, Command, CommandId, Config, ConnectionState, Pod, PodStage, Reason};
use serde_json::json;

use crate::support::build::{START, agent, busy, jobs, pod, secs, unavailable};
use crate::support::driver::{Driver, creates, deletes, stops, until};
use crate::support::world::{World, busy_worker, idle_worker};

/// Invariant 2: there is no field by which a stop could be forced.
///
/// A field for force does not compile here; seen to fail when the agent went
/// by another name.
#[test]
fn a_stop_names_the_agent_and_nothing_else() {
    let command = Command {
        id: CommandId(1),
        action: Action::StopAgent { agent: "agent".into() },
        reason: Reason::Orphaned,
        not_after: None,
    };
    assert_eq!(
        serde_json::to_value(&command).unwrap(),
        json!({"id": 1, "action": {"StopAgent": {"agent": "agent"}}, "reason": "Orphaned"})
    );
}

/// Seen to fail when the idle timeout was not waited for.
#[test]
fn an_idle_agent_is_stopped_after_the_idle_timeout_once() {
    let mut driver = Driver::new(&Config::default(), idle_worker());
    assert_eq!(
        until(&mut driver, 300),
        Vec::new(),
        "the agent leaves by itself at 300 seconds"
    );
    assert_eq!(stops(&until(&mut driver, 900)), [("agent".into(), Reason::IdleTimeout)]);
}

/// Seen to fail when jobs counted that no agent can take: where agents do not
/// leave by themselves, one pod for each of them stayed for ever.
#[test]
fn an_idle_agent_is_not_kept_for_a_job_that_it_cannot_take() {
    let mut wanting = jobs(1, "apple");
    wanting[0].rules = vec!["gpu=h100".into()];
    let mut world = World {
        jobs: wanting,
        ..idle_worker()
    };
    let mut driver = Driver::new(&Config::default(), world.clone());
    assert_eq!(stops(&until(&mut driver, 900)), [("agent".into(), Reason::IdleTimeout)]);

    world.agents[0].tags.push("gpu=h100".into());
    let mut driver = Driver::new(&Config::default(), world);
    assert_eq!(stops(&until(&mut driver, 900)), []);
}

/// Seen to fail when spare agents were not compared with demand.
#[test]
fn an_idle_agent_that_jobs_want_is_kept() {
    let mut driver = Driver::new(
        &Config::default(),
        World {
            jobs: jobs(1, "apple"),
            ..idle_worker()
        },
    );
    assert_eq!(until(&mut driver, 900), Vec::new());
}

/// Seen to fail when idleness was not forgotten over a job.
#[test]
fn an_agent_that_worked_meanwhile_begins_to_be_idle_anew() {
    let mut driver = Driver::new(&Config::default(), idle_worker());
    until(&mut driver, 240);
    driver.world.agents[0].running = Some("work".into());
    driver.turn();
    driver.world.agents[0].running = None;
    assert_eq!(until(&mut driver, 500), Vec::new());
}

/// Seen to fail when lifetime stopped busy agents too.
#[test]
fn an_idle_agent_beyond_its_lifetime_is_stopped_and_a_busy_one_is_not() {
    let config = Config {
        max_agent_lifetime: Some(secs(3_600)),
        ..Config::default()
    };
    let mut world = idle_worker();
    let mut working = pod("working", &world.templates[0]);
    working.created_at = START.before(secs(9_000));
    world.agents.push(busy("worker", &working));
    world.pods.push(working);
    world.pods[0].created_at = START.before(secs(3_590));
    let mut driver = Driver::new(&config, world);
    assert_eq!(driver.turn(), Vec::new(), "not yet");
    assert_eq!(stops(&until(&mut driver, 40)), [("agent".into(), Reason::Lifetime)]);
}

/// Seen to fail when paused agents counted as idle.
#[test]
fn a_paused_agent_is_left_alone() {
    let mut world = idle_worker();
    world.agents[0].paused = true;
    world.templates.clear();
    let mut driver = Driver::new(&Config::default(), world);
    assert_eq!(until(&mut driver, 2_000), Vec::new());
}

/// A pod with one busy and one idle agent is busy.
///
/// Seen to fail when one idle agent made a pod idle.
#[test]
fn a_pod_with_a_busy_agent_is_not_idle() {
    let mut world = idle_worker();
    world.pods[0].created_at = START.before(secs(9_000));
    world.agents.push(busy("second", &world.pods[0]));
    let config = Config {
        max_agent_lifetime: Some(secs(3_600)),
        ..Config::default()
    };
    let mut driver = Driver::new(&config, world);
    assert_eq!(until(&mut driver, 1_500), Vec::new());
}

/// Seen to fail when finished pods waited for a view of the agents.
#[test]
fn finished_pods_are_removed_even_when_agents_are_unknown() {
    for stage in [PodStage::Succeeded, PodStage::Failed] {
        let mut world = busy_worker();
        world.pods[0].stage = stage;
        world.blind.agents = Some(unavailable());
        let mut driver = Driver::new(&Config::default(), world);
        assert_eq!(deletes(&driver.turn()), [("pod".into(), None, Reason::Finished)]);
    }
}

/// A pod made for a queue counts as its capacity only once.
///
/// Seen to fail when a stopping agent counted as idle.
#[test]
fn a_stopping_agent_answers_no_job() {
    let mut world = World {
        jobs: jobs(1, "apple"),
        ..idle_worker()
    };
    world.agents[0].state = ConnectionState::Stopping;
    let extra: Pod = pod("other", &world.templates[0]);
    world.agents.push(Agent {
        paused: true,
        ..agent("paused", &extra)
    });
    world.pods.push(extra);
    let mut driver = Driver::new(&Config::default(), world);
    assert_eq!(creates(&driver.turn()), 1);
}
