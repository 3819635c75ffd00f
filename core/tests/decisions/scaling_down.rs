//! Agents that nobody needs leave, and no build is cut.

use buildscaler_core::{
    Action, Agent, Command, CommandId, Config, ConnectionState, FindingKind, Outcome, Pod, PodStage, Reason, Refusal,
    Template, Timestamp,
};
use serde_json::json;

use crate::support::build::{
    START, TEN_MINUTES, agent, busy, forbidden, foreign_agent, jobs, pod, secs, template, unavailable,
};
use crate::support::driver::{Driver, creates, deletes, is_write, stops};
use crate::support::world::World;

/// A queue with one pod and its idle agent.
fn idle_worker() -> World {
    let template = template("apple", "apple");
    let made = pod("pod", &template);
    World {
        agents: vec![agent("agent", &made)],
        pods: vec![made],
        templates: vec![template],
        ..World::default()
    }
}

fn busy_worker() -> World {
    let mut world = idle_worker();
    world.agents[0].running = Some("work".into());
    world
}

/// Turns until `secs` seconds after the start; all writes.
fn until(driver: &mut Driver, seconds: u64) -> Vec<Command> {
    let mut commands = Vec::new();
    while driver.now < START.after(secs(seconds)) {
        commands.extend(driver.turn());
    }
    commands
}

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
        [("pod".into(), None, Reason::AgentMissing)],
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

/// Seen to fail when an agent that was lost counted as one that never came.
#[test]
fn a_lost_agents_pod_is_left_alone_for_ten_minutes_even_as_an_orphan() {
    let mut world = busy_worker();
    world.templates.clear();
    let mut driver = Driver::new(&Config::default(), world);
    driver.turn();
    driver.world.agents.clear();
    assert_eq!(until(&mut driver, 600), Vec::new());
    assert_eq!(
        deletes(&until(&mut driver, 700)),
        [("pod".into(), None, Reason::AgentMissing)]
    );
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
    assert_eq!(deletes(&until(&mut driver, 1_260)).len(), 1);
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
        assert_eq!(
            deletes(&commands),
            [("dead".into(), None, Reason::AgentMissing)],
            "{cost} pages"
        );
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
    assert_eq!(deletes(&until(&mut driver, 1_900)).len(), 1);
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
