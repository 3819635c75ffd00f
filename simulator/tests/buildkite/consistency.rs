//! Whatever is done to the fake, its books are right.

use std::collections::BTreeSet;
use std::time::Duration;

use buildscaler_core::AgentId;
use buildscaler_simulator::buildkite::{
    AgentState, BuildSpec, Dispatch, Ending, JobSpec, JobState, LifeEvent, Ping, Stop, Switches, Unaccepted,
};
use proptest::prelude::*;

use crate::world::World;

/// Something that may happen; numbers choose among what there is.
#[derive(Clone, Debug)]
enum Happens {
    Build { queue: bool, limited: bool, wait: bool },
    Agent { queue: bool },
    Ping(usize),
    Finish(usize, bool),
    Stop(usize, bool),
    Disconnect(usize),
    Heartbeat(usize),
    Cancel(u64),
    Pause(usize),
    PauseQueue(bool),
    Pass(u64),
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        3 => any::<(bool, bool, bool)>().prop_map(|(queue, limited, wait)| Happens::Build { queue, limited, wait }),
        3 => any::<bool>().prop_map(|queue| Happens::Agent { queue }),
        6 => (0..8_usize).prop_map(Happens::Ping),
        4 => (0..8_usize, any::<bool>()).prop_map(|(agent, well)| Happens::Finish(agent, well)),
        1 => (0..8_usize, any::<bool>()).prop_map(|(agent, forced)| Happens::Stop(agent, forced)),
        1 => (0..8_usize).prop_map(Happens::Disconnect),
        2 => (0..8_usize).prop_map(Happens::Heartbeat),
        1 => (1..5_u64).prop_map(Happens::Cancel),
        1 => (0..8_usize).prop_map(Happens::Pause),
        1 => any::<bool>().prop_map(Happens::PauseQueue),
        2 => (1..150_u64).prop_map(Happens::Pass),
    ]
}

fn queue(name: bool) -> &'static str {
    if name { "linux" } else { "windows" }
}

fn happen(world: &mut World, happens: &Happens) {
    let chosen = |world: &World, number: usize| -> Option<AgentId> {
        let agents: Vec<AgentId> = world.fake.agents().map(|agent| agent.id.clone()).collect();
        agents.get(number % agents.len().max(1)).cloned()
    };
    let now = world.now;
    match *happens {
        Happens::Build {
            queue: name,
            limited,
            wait,
        } => {
            let script = JobSpec::script(queue(name), Duration::from_secs(1));
            let script = if limited {
                script.concurrency("deploy", 1)
            } else {
                script
            };
            let second = if wait { JobSpec::wait() } else { script.clone().after(0) };
            world
                .fake
                .create_build(now, BuildSpec::new("app", [script.clone(), second, script]));
        }
        Happens::Agent { queue: name } => {
            world.agent(&[&format!("queue={}", queue(name))]);
        }
        Happens::Ping(number) => {
            let Some(id) = chosen(world, number) else { return };
            if let Ok(Ping::Assigned(assigned)) = world.fake.ping(now, &id) {
                world.fake.accept(now, &id, &assigned).unwrap();
                world.fake.start(now, &id, &assigned).unwrap();
            }
        }
        Happens::Finish(number, well) => {
            let Some(id) = chosen(world, number) else { return };
            let Some(held) = world.fake.held_by(&id).map(|held| held.id.clone()) else {
                return;
            };
            // Refused where the agent has not accepted it.
            let _ = world.fake.finish(now, &id, &held, Ending::exited(i64::from(!well)));
        }
        Happens::Stop(number, forced) => {
            let Some(id) = chosen(world, number) else { return };
            let _ = world
                .fake
                .stop(now, &id, if forced { Stop::Forced } else { Stop::Graceful });
        }
        Happens::Disconnect(number) => {
            let Some(id) = chosen(world, number) else { return };
            world.fake.disconnect(now, &id).unwrap();
        }
        Happens::Heartbeat(number) => {
            let Some(id) = chosen(world, number) else { return };
            let _ = world.fake.heartbeat(now, &id);
        }
        Happens::Cancel(number) => world.fake.cancel_build(now, number),
        Happens::Pause(number) => {
            let Some(id) = chosen(world, number) else { return };
            let _ = world.fake.pause_agent(now, &id, None, Duration::from_secs(100));
        }
        Happens::PauseQueue(paused) if paused => world.fake.pause_queue(now, &"linux".into()),
        Happens::PauseQueue(_) => world.fake.resume_queue(now, &"linux".into()),
        Happens::Pass(seconds) => world.pass(seconds),
    }
}

fn check(world: &mut World, dispatch: Dispatch) {
    let held: Vec<_> = world
        .fake
        .agents()
        .filter_map(|agent| Some(world.fake.held_by(&agent.id)?.id.clone()))
        .collect();
    assert_eq!(
        held.iter().collect::<BTreeSet<_>>().len(),
        held.len(),
        "a job with two agents"
    );
    for found in world.fake.jobs() {
        assert_eq!(found.state.is_held(), held.contains(&found.id), "{found:?}");
        let ends = world.fake.truth().of(&found.id).filter(|event| is_end(event)).count();
        assert!(ends <= 1, "{:?}", world.fake.truth().of(&found.id).collect::<Vec<_>>());
    }
    for build in world.fake.builds() {
        let over = world
            .fake
            .jobs()
            .filter(|found| found.build == build.number)
            .all(|found| found.state.is_over());
        assert_eq!(build.state.is_over(), over, "{build:?}");
    }
    let limited = world.fake.jobs().filter(|found| found.spec.concurrency.is_some());
    let slots = limited.filter(|found| found.state == JobState::Scheduled || found.state.is_held());
    assert!(slots.count() <= 1, "the concurrency group is exceeded");
    if dispatch == Dispatch::Ahead {
        let free = |agent: &&buildscaler_simulator::buildkite::Agent| {
            agent.state == AgentState::Connected && agent.pause.is_none() && world.fake.held_by(&agent.id).is_none()
        };
        let idle: BTreeSet<_> = world
            .fake
            .agents()
            .filter(free)
            .flat_map(buildscaler_simulator::buildkite::Agent::queues)
            .collect();
        let waiting = world.fake.jobs().filter(|found| found.state == JobState::Scheduled);
        assert!(
            waiting
                .map(|found| found.queue())
                .all(|queue| queue.as_str() == "linux" || !idle.contains(&queue))
        );
    }
    let listed: BTreeSet<String> = world.listed_agents().into_iter().collect();
    let there = world
        .fake
        .agents()
        .filter(|agent| agent.state.is_listed())
        .map(|agent| agent.id.to_string());
    assert_eq!(listed, there.collect());
}

fn is_end(event: &LifeEvent) -> bool {
    match event {
        LifeEvent::Finished(_) | LifeEvent::Canceled | LifeEvent::Interrupted(_) => true,
        LifeEvent::Scheduled | LifeEvent::Assigned(_) | LifeEvent::Started(_) => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(100) })]

    #[test]
    fn the_books_are_right_whatever_happens(
        story in prop::collection::vec(happens(), 1..60),
        ahead in any::<bool>(),
        kept in any::<bool>(),
    ) {
        let dispatch = if ahead { Dispatch::Ahead } else { Dispatch::AtPing };
        let unaccepted = if kept { Unaccepted::Kept } else { Unaccepted::Rescheduled };
        let switches =
            Switches { dispatch, unaccepted_at_stop: unaccepted, unaccepted_at_exit: unaccepted, ..Switches::default() };
        let mut world = World::with(switches);
        world.fake.limits.user = u32::MAX;
        world.fake.limits.organization = u32::MAX;
        for event in &story {
            happen(&mut world, event);
            check(&mut world, dispatch);
        }
    }
}
