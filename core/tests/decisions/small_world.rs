//! One pod in every state, with every kind of agent, under every kind of
//! template, for every time around ten minutes: no sampling.

use std::collections::BTreeSet;

use buildscaler_core::{Agent, Config, ConnectionState, Pod, PodStage, Reason, Timestamp, Uid};

use crate::support::build::{START, agent, busy, pod, secs, template, unavailable};
use crate::support::driver::Driver;
use crate::support::world::World;

const STAGES: [PodStage; 6] = [
    PodStage::Unscheduled,
    PodStage::Starting,
    PodStage::Running,
    PodStage::AgentEnded,
    PodStage::Succeeded,
    PodStage::Failed,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    Current,
    OtherJob,
    OtherHash,
    Orphan,
    Contested,
    NoQueue,
    Adopted,
    TemplatesUnknown,
}

const WHOSE: [Whose; 8] = [
    Whose::Current,
    Whose::OtherJob,
    Whose::OtherHash,
    Whose::Orphan,
    Whose::Contested,
    Whose::NoQueue,
    Whose::Adopted,
    Whose::TemplatesUnknown,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Nobody,
    Idle,
    Busy,
    Stopping,
    Elsewhere,
    Paused,
    ByHostname,
    BusyThenGone,
    AgentsUnknown,
}

const WHO: [Who; 9] = [
    Who::Nobody,
    Who::Idle,
    Who::Busy,
    Who::Stopping,
    Who::Elsewhere,
    Who::Paused,
    Who::ByHostname,
    Who::BusyThenGone,
    Who::AgentsUnknown,
];

/// When further looks are made, and how old the pod is when it is first seen,
/// in milliseconds, around ten minutes.
const TIMES: [(&[i64], i64); 9] = [
    (&[], 700_000),
    (&[1_000], 0),
    (&[1_000], 700_000),
    (&[600_000], 0),
    (&[600_000], 700_000),
    (&[600_001], -1),
    (&[600_001], 0),
    (&[600_001], 700_000),
    (&[300_000, 600_001], 0),
];

/// Invariants 1, 3, 4, 5 and 12, over every small world; the witness objects.
///
/// Seen to fail with each of these bugs: an agent linked by hostname is not
/// looked for (1); busy agents' pods are deleted (1); a pod that another
/// controller adopted is ours (3); unknown templates are read as none (4); one
/// complete listing is proof enough (5); at exactly ten minutes of absence the
/// pod is overdue, and at exactly ten minutes of age (5).
#[test]
fn no_small_world_makes_the_controller_break_a_rule() {
    let mut done = BTreeSet::new();
    for stage in STAGES {
        for deleting in [false, true] {
            for whose in WHOSE {
                for who in WHO {
                    for (looks, age) in TIMES {
                        done.extend(live(stage, deleting, whose, who, looks, age));
                    }
                }
            }
        }
    }
    let expected = BTreeSet::from([
        ("observe cluster", Reason::FirstLook),
        ("observe cluster", Reason::Interval),
        ("observe buildkite", Reason::FirstLook),
        ("observe buildkite", Reason::Interval),
        ("stop", Reason::Orphaned),
        ("stop", Reason::Replaced),
        ("stop", Reason::IdleTimeout),
        ("delete", Reason::Finished),
        ("delete", Reason::AgentEnded),
        ("delete gently", Reason::AgentMissing),
        ("delete gently", Reason::OrphanedWithoutAgent),
    ]);
    done.retain(|(_, reason)| *reason != Reason::Retry);
    assert_eq!(
        done, expected,
        "the small worlds lead to everything that can be done without jobs"
    );
}

fn live(
    stage: PodStage,
    deleting: bool,
    whose: Whose,
    who: Who,
    looks: &[i64],
    age: i64,
) -> BTreeSet<(&'static str, Reason)> {
    let config = Config {
        sync_interval: secs(300),
        ..Config::default()
    };
    let mut driver = Driver::new(&config, world(stage, deleting, whose, who, age));
    driver.round();
    if who == Who::BusyThenGone {
        driver.world.agents.clear();
    }
    for look in looks {
        let due = Timestamp::from_millis(START.as_millis() + look);
        driver.now = driver.now.max(due);
        driver.round();
    }
    driver.witness.done
}

fn world(stage: PodStage, deleting: bool, whose: Whose, who: Who, age: i64) -> World {
    let mut serving = template("apple", "apple");
    serving.created_at = START.before(secs(86_400));
    let mut only = Pod {
        stage,
        deleting,
        created_at: Timestamp::from_millis(START.as_millis() - age),
        ..pod("pod", &serving)
    };
    let mut world = World {
        templates: vec![serving],
        ..World::default()
    };
    match whose {
        Whose::Current => {}
        Whose::OtherJob => only.template_uid = Some(Uid::from("uid-of-old")),
        Whose::OtherHash => only.template_hash = Some("other".into()),
        Whose::Orphan => world.templates.clear(),
        Whose::Contested => world.templates.push(template("second", "apple")),
        Whose::NoQueue => only.queue = None,
        Whose::Adopted => only.adopted = true,
        Whose::TemplatesUnknown => world.blind.templates = Some(unavailable()),
    }
    world.agents = agents(who, &only);
    if who == Who::AgentsUnknown {
        world.blind.agents = Some(unavailable());
    }
    world.pods.push(only);
    world
}

fn agents(who: Who, pod: &Pod) -> Vec<Agent> {
    let idle = agent("agent", pod);
    vec![match who {
        Who::Nobody | Who::AgentsUnknown => return Vec::new(),
        Who::Idle => idle,
        Who::Busy | Who::BusyThenGone => busy("agent", pod),
        Who::Stopping => Agent {
            state: ConnectionState::Stopping,
            ..busy("agent", pod)
        },
        Who::Elsewhere => Agent {
            state: ConnectionState::Other,
            ..idle
        },
        Who::Paused => Agent { paused: true, ..idle },
        Who::ByHostname => Agent { pod_uid: None, ..idle },
    }]
}
