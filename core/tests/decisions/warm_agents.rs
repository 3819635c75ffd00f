//! `min-idle`: agents that are kept although no job waits for them.

use buildscaler_core::{Action, Command, Config, FindingKind, Pod, Reason, Template};

use crate::annotations::noted;
use crate::support::build::{agent, jobs, pod, secs, template};
use crate::support::driver::{Driver, creates, stops, until};
use crate::support::world::World;

fn keeping(count: &str) -> Template {
    noted(template("apple", "apple"), &[("min-idle", count)])
}

fn one_template(template: Template) -> World {
    World {
        templates: vec![template],
        ..World::default()
    }
}

/// A world with `count` idle agents of its first template, made long ago.
fn with_idle(mut world: World, count: usize) -> World {
    for number in 0..count {
        let made = Pod {
            created_at: pod("any", &world.templates[0]).created_at.before(secs(number as u64)),
            ..pod(&format!("pod-{number}"), &world.templates[0])
        };
        world.agents.push(agent(&format!("agent-{number}"), &made));
        world.pods.push(made);
    }
    world
}

/// Turns until `seconds` after the start; each agent that is asked to go goes,
/// each pod that is made gets its agent. How many were idle after each turn.
fn live(driver: &mut Driver, seconds: u64) -> Vec<usize> {
    let mut idle = Vec::new();
    while driver.now < crate::support::build::START.after(secs(seconds)) {
        driver.turn();
        driver.world.connect_all();
        let gone: Vec<_> = driver
            .world
            .agents
            .iter()
            .filter(|agent| !agent.is_idle())
            .cloned()
            .collect();
        for agent in gone {
            driver.world.agents.retain(|one| one.id != agent.id);
            driver.world.pods.retain(|pod| Some(&pod.uid) != agent.pod_uid.as_ref());
        }
        idle.push(driver.world.agents.len());
    }
    idle
}

#[test]
fn agents_are_made_without_a_job_and_kept_all_night() {
    let mut driver = Driver::new(&Config::default(), one_template(keeping("3")));
    let made = driver.turn();
    assert_eq!(creates(&made), 3);
    assert!(made.iter().all(|command| command.reason == Reason::MinIdle));
    driver.world.connect_all();
    assert_eq!(until(&mut driver, 8 * 3_600), Vec::new());
}

#[test]
fn they_are_kept_beyond_what_jobs_want_and_come_after_it() {
    let mut world = with_idle(one_template(keeping("2")), 1);
    world.jobs = jobs(4, "apple");
    let mut driver = Driver::new(&Config::default(), world);
    let made = driver.turn();
    let reasons: Vec<Reason> = made.iter().map(|command| command.reason).collect();
    assert_eq!(
        reasons,
        [
            Reason::Demand,
            Reason::Demand,
            Reason::Demand,
            Reason::MinIdle,
            Reason::MinIdle
        ]
    );
}

#[test]
fn the_surplus_is_stopped_by_the_controller() {
    let world = with_idle(one_template(keeping("2")), 5);
    let mut driver = Driver::new(&Config::default(), world);
    assert_eq!(stops(&until(&mut driver, 900)).len(), 3);
}

/// Invariant 7. A ceiling that leaves no room for them keeps no job waiting,
/// which is what that finding is about.
#[test]
fn no_ceiling_is_passed_for_them() {
    let both = noted(
        template("apple", "apple"),
        &[("min-idle", "5"), ("max-active-builds", "3")],
    );
    let mut driver = Driver::new(&Config::default(), one_template(both));
    assert_eq!(creates(&driver.turn()), 3);
    assert!(driver.stands(FindingKind::BadAnnotation), "that cannot be had together");
    assert!(!driver.stands(FindingKind::CeilingReached), "no job waits");
    let config = Config {
        max_pods: Some(2),
        ..Config::default()
    };
    let mut driver = Driver::new(&config, one_template(keeping("5")));
    assert_eq!(creates(&driver.turn()), 2);
    assert!(!driver.stands(FindingKind::CeilingReached), "no job waits");
}

#[test]
fn they_give_way_to_jobs_of_other_queues_that_the_fleets_ceiling_holds_up() {
    let config = Config {
        max_pods: Some(2),
        ..Config::default()
    };
    let mut world = one_template(keeping("2"));
    world.templates.push(template("berry", "berry"));
    world.jobs = jobs(1, "berry");
    let mut driver = Driver::new(&config, world.clone());
    let queues = |commands: &[Command]| {
        let made = commands.iter().filter_map(|command| {
            let Action::CreatePod(create) = &command.action else {
                return None;
            };
            Some(create.queue.to_string())
        });
        made.collect::<Vec<_>>()
    };
    let mut made = queues(&driver.turn());
    made.sort();
    assert_eq!(
        made,
        ["apple", "berry"],
        "the job's pod comes before the second warm one"
    );

    let mut driver = Driver::new(&config, with_idle(world, 2));
    driver.turn();
    assert!(driver.stands(FindingKind::CeilingReached));
    assert_eq!(
        stops(&until(&mut driver, 400)).len(),
        2,
        "neither is kept while a job waits"
    );
}

#[test]
fn nothing_is_kept_of_a_template_that_is_gone() {
    let mut driver = Driver::new(&Config::default(), with_idle(one_template(keeping("2")), 2));
    assert_eq!(until(&mut driver, 900), Vec::new());
    driver.world.templates.clear();
    assert_eq!(stops(&until(&mut driver, 1_000)).len(), 2);
}

/// Invariant 28 holds for them too: new ones are made at once, within the
/// ceiling, and the old ones do not stay until then.
#[test]
fn when_their_template_is_replaced_the_old_ones_leave_and_new_ones_come() {
    let mut driver = Driver::new(&Config::default(), with_idle(one_template(keeping("2")), 2));
    driver.turn();
    driver.world.templates[0] = Template {
        uid: "uid-new".into(),
        ..driver.world.templates[0].clone()
    };
    let commands = until(&mut driver, 60);
    assert_eq!(stops(&commands).len(), 2);
    assert_eq!(creates(&commands), 2);
}

#[test]
fn those_that_grow_old_together_are_replaced_one_by_one() {
    let notes = [("min-idle", "3"), ("max-agent-lifetime", "600")];
    let world = with_idle(one_template(noted(template("apple", "apple"), &notes)), 3);
    let mut driver = Driver::new(&Config::default(), world);
    let idle = live(&mut driver, 1_000);
    assert!(idle.iter().all(|count| *count >= 2), "{idle:?}");
    let left = driver
        .world
        .pods
        .iter()
        .filter(|pod| pod.uid.as_str().starts_with("pod-"));
    assert_eq!(left.count(), 0, "all have been replaced");
}

#[test]
fn an_annotation_that_is_removed_lets_them_go() {
    let mut driver = Driver::new(&Config::default(), with_idle(one_template(keeping("2")), 2));
    assert_eq!(until(&mut driver, 900), Vec::new());
    driver.world.templates[0].annotations.clear();
    assert_eq!(stops(&until(&mut driver, 1_000)).len(), 2);
}
