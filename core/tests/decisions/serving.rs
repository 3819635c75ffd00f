//! Which template makes pods, and how many at most.

use buildscaler_core::{Action, Config, FindingKind, Template};

use crate::support::build::{START, agent, jobs, pod, secs, template};
use crate::support::driver::{Driver, asked_for, creates, stops};
use crate::support::world::{World, one_queue};

/// Seen to fail when the finding was not raised.
#[test]
fn jobs_of_a_queue_without_template_get_no_pod_but_a_finding() {
    let mut driver = Driver::new(
        &Config::default(),
        World {
            jobs: jobs(2, "nobody"),
            ..one_queue()
        },
    );
    assert_eq!(creates(&driver.turn()), 0);
    assert!(driver.stands(FindingKind::NoTemplate));
    driver.world.jobs.clear();
    driver.turn();
    assert_eq!(
        driver.changes(FindingKind::NoTemplate),
        (1, 1),
        "raised once and cleared"
    );
}

/// Invariant 8. Seen to fail when `serving` did not look at parallelism.
#[test]
fn a_template_with_parallelism_makes_no_pods_but_a_finding() {
    let mut world = World {
        jobs: jobs(2, "apple"),
        ..one_queue()
    };
    world.templates[0].parallelism = 1;
    let mut driver = Driver::new(&Config::default(), world);
    assert_eq!(creates(&driver.turn()), 0);
    assert!(driver.stands(FindingKind::Parallelism));
    driver.world.templates[0].parallelism = 0;
    assert_eq!(driver.turn().len(), 2);
    assert_eq!(driver.changes(FindingKind::Parallelism), (1, 1));
}

/// Invariant 10. Seen to fail when the youngest template served.
#[test]
fn a_contested_queue_is_served_by_the_oldest_template() {
    let young = Template {
        created_at: START,
        ..template("aaa", "apple")
    };
    let mut world = World {
        jobs: jobs(3, "apple"),
        ..one_queue()
    };
    let of_young = pod("pod", &young);
    world.agents.push(agent("agent", &of_young));
    world.pods.push(of_young);
    world.templates.insert(0, young);
    let mut driver = Driver::new(&Config::default(), world);
    let commands = driver.turn();
    assert_eq!(creates(&commands), 2);
    for command in &commands {
        let Action::CreatePod(create) = &command.action else {
            panic!("{command:?}")
        };
        assert_eq!(create.template.as_str(), "uid-apple");
    }
    let findings: Vec<_> = driver
        .controller
        .findings()
        .filter(|one| one.kind == FindingKind::ContestedQueue)
        .collect();
    assert_eq!(findings.len(), 1);
    assert!(
        findings[0].detail.contains("builds/apple") && findings[0].detail.contains("builds/aaa"),
        "{findings:?}"
    );
    driver.world.templates.remove(0);
    assert_eq!(
        stops(&driver.turn()).len(),
        1,
        "once the queue is not contested, the other's pod is replaced"
    );
    assert_eq!(driver.changes(FindingKind::ContestedQueue), (1, 1));
}

/// Seen to fail when a template being deleted still served.
#[test]
fn a_template_that_is_being_deleted_does_not_serve() {
    let mut world = World {
        jobs: jobs(3, "apple"),
        ..one_queue()
    };
    world.templates[0].deleting = true;
    assert_eq!(asked_for(world), 0);
}

/// Invariant 7. Seen to fail when the option was not read.
#[test]
fn the_ceiling_of_a_queue_holds() {
    let config = Config {
        max_active_builds: Some(3),
        ..Config::default()
    };
    let mut driver = Driver::new(
        &config,
        World {
            jobs: jobs(9, "apple"),
            ..one_queue()
        },
    );
    assert_eq!(creates(&driver.turn()), 3);
    driver.world.connect_all();
    for agent in &mut driver.world.agents {
        agent.running = Some("other".into());
    }
    assert_eq!(creates(&driver.turn()), 0);
    assert!(driver.stands(FindingKind::CeilingReached));
    driver.world.jobs.clear();
    driver.turn();
    assert_eq!(driver.changes(FindingKind::CeilingReached), (1, 1));
}

/// Seen to fail when the annotation was not read, and when a bad one meant
/// that there is no ceiling.
#[test]
fn the_annotation_of_a_template_overrides_the_ceiling() {
    let config = Config {
        max_active_builds: Some(3),
        ..Config::default()
    };
    for (text, expected, is_bad) in [
        ("5", 5, false),
        (" 2 ", 2, false),
        ("0", 0, false),
        ("many", 3, true),
        ("-1", 3, true),
    ] {
        let mut world = World {
            jobs: jobs(9, "apple"),
            ..one_queue()
        };
        world.templates[0]
            .annotations
            .insert("max-active-builds".into(), text.into());
        let mut driver = Driver::new(&config, world);
        assert_eq!(creates(&driver.turn()), expected, "{text:?}");
        assert_eq!(driver.stands(FindingKind::BadAnnotation), is_bad, "{text:?}");
    }
}

/// Seen to fail when the fleet's headroom went to queues in the order of
/// their names.
#[test]
fn the_ceiling_of_the_fleet_goes_to_the_oldest_jobs_first() {
    let mut world = World {
        templates: vec![template("apple", "apple"), template("berry", "berry")],
        jobs: [jobs(4, "apple"), jobs(4, "berry")].concat(),
        ..World::default()
    };
    for (nth, job) in world.jobs.iter_mut().enumerate() {
        // Three of the berries are the oldest, the fourth is the youngest.
        let ages = [10, 11, 12, 13, 300, 301, 302, 1];
        job.runnable_at = Some(START.before(secs(ages[nth])));
    }
    let config = Config {
        max_pods: Some(4),
        ..Config::default()
    };
    let mut driver = Driver::new(&config, world);
    driver.turn();
    let of = |name: &str| {
        driver
            .world
            .pods
            .iter()
            .filter(|pod| pod.queue.as_ref().unwrap().as_str() == name)
            .count()
    };
    assert_eq!((of("apple"), of("berry")), (1, 3));
}
