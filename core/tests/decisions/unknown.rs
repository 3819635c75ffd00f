//! Unknown is inert: what cannot be seen is no reason to do anything.

use buildscaler_core::{Agent, Config, ConnectionState, FindingKind, PodStage, Template};

use crate::support::build::{agent, busy, jobs, pod, secs, template, unavailable};
use crate::support::driver::{Driver, creates};
use crate::support::world::{Blind, World};

/// What happens outside while some of it cannot be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Nothing,
    TemplateGone,
    TemplateReplaced,
    AgentGone,
    AgentEnds,
    PodFinishes,
    JobsArrive,
    JobsGo,
}

const CHANGES: [Change; 8] = [
    Change::Nothing,
    Change::TemplateGone,
    Change::TemplateReplaced,
    Change::AgentGone,
    Change::AgentEnds,
    Change::PodFinishes,
    Change::JobsArrive,
    Change::JobsGo,
];

/// Pods of every kind: idle, busy, stopping, without agent.
fn world() -> World {
    let template = template("apple", "apple");
    let pods: Vec<_> = ["idle", "busy", "stopping", "alone"]
        .iter()
        .map(|uid| pod(uid, &template))
        .collect();
    World {
        agents: vec![
            agent("idle", &pods[0]),
            busy("busy", &pods[1]),
            Agent {
                state: ConnectionState::Stopping,
                ..agent("stopping", &pods[2])
            },
        ],
        pods,
        templates: vec![template],
        jobs: jobs(1, "apple"),
        ..World::default()
    }
}

fn happen(world: &mut World, change: Change) {
    match change {
        Change::Nothing => {}
        Change::TemplateGone => world.templates.clear(),
        Change::TemplateReplaced => {
            let uid = "uid-new".into();
            world.templates = vec![Template {
                uid,
                ..template("apple", "apple")
            }];
        }
        Change::AgentGone => world.agents.clear(),
        Change::AgentEnds => world.pods[3].stage = PodStage::AgentEnded,
        Change::PodFinishes => world.pods[3].stage = PodStage::Failed,
        Change::JobsArrive => world.jobs = jobs(9, "apple"),
        Change::JobsGo => world.jobs.clear(),
    }
}

/// Invariant 4, for every set of things that cannot be seen and every change:
/// the witness objects to what is done on account of what is not known.
///
/// Seen to fail with each of these bugs: unknown agents are read as none;
/// unknown templates are read as none; pods that were decided on are created
/// though jobs are unknown by now.
#[test]
fn nothing_is_done_on_account_of_what_cannot_be_seen() {
    for change in CHANGES {
        for blind in 0..16u8 {
            let mut driver = Driver::new(
                &Config {
                    idle_timeout: secs(60),
                    ..Config::default()
                },
                world(),
            );
            driver.rounds(4);
            driver.carry_out();
            // More is decided on than is sent yet.
            driver.world.jobs = jobs(8, "apple");
            driver.round();
            happen(&mut driver.world, change);
            let hidden = |bit: u8| (blind & (1 << bit) != 0).then(unavailable);
            driver.world.blind = Blind {
                templates: hidden(0),
                pods: hidden(1),
                jobs: hidden(2),
                agents: hidden(3),
            };
            for _ in 0..40 {
                driver.turn();
            }
            driver.world.blind = Blind::default();
            driver.turn();
        }
    }
}

/// Invariant 4: a list that failed on a later page is no list.
///
/// Seen to fail when the rows of a failed look were used.
#[test]
fn half_a_list_of_agents_is_no_list() {
    let mut driver = Driver::new(
        &Config::default(),
        World {
            jobs: jobs(5, "apple"),
            ..world()
        },
    );
    driver.world.blind.agents = Some(unavailable());
    for _ in 0..60 {
        assert_eq!(driver.turn(), Vec::new());
    }
    assert!(driver.stands(FindingKind::BuildkiteUnknown));
    driver.world.blind.agents = None;
    assert_eq!(
        creates(&driver.turn()),
        3,
        "five jobs, one idle agent and one pod on its way"
    );
    assert_eq!(
        driver.changes(FindingKind::BuildkiteUnknown),
        (1, 1),
        "raised once, cleared once"
    );
}
