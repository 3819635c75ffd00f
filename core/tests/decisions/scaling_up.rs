//! Jobs that wait get pods: as many as they need, and not one more.

use buildscaler_core::{Action, Agent, BuildkiteJob, Config, FindingKind, JobState, Outcome};
use proptest::prelude::*;

use crate::support::build::{START, TEN_MINUTES, agent, busy, foreign_agent, jobs, pod, secs, template, waiting};
use crate::support::cases;
use crate::support::driver::{Driver, asked_for, creates, deletes, is_write, only_writes, stops};
use crate::support::world::{World, one_queue};
use crate::support::worlds::worlds;

/// Seen to fail when the window of a lane never grew.
#[test]
fn a_burst_starts_slowly_and_doubles() {
    let mut driver = Driver::new(
        &Config::default(),
        World {
            jobs: jobs(12, "apple"),
            ..one_queue()
        },
    );
    let mut sizes = vec![creates(&driver.round())];
    loop {
        let wave: Vec<_> = driver
            .pending
            .iter()
            .filter(|command| is_write(&command.action))
            .cloned()
            .collect();
        let mut next = 0;
        for command in &wave {
            let outcome = driver.world.carry_out(&command.action, driver.now);
            next += creates(&driver.answer(command, outcome));
        }
        if next == 0 {
            break;
        }
        sizes.push(next);
    }
    assert_eq!(sizes, [1, 2, 4, 5]);
    assert_eq!(driver.world.pods.len(), 12);
}

/// Seen to fail when starting pods were not counted as alive.
#[test]
fn a_burst_is_answered_once() {
    let mut driver = Driver::new(
        &Config::default(),
        World {
            jobs: jobs(12, "apple"),
            ..one_queue()
        },
    );
    assert_eq!(creates(&driver.turn()), 12);
    assert_eq!(
        (0..5).map(|_| creates(&driver.turn())).sum::<usize>(),
        0,
        "while the pods start"
    );
    driver.world.connect_all();
    assert_eq!(creates(&driver.turn()), 0, "while the agents are idle");
}

/// Seen to fail when idle agents were not counted as alive.
#[test]
fn idle_agents_answer_jobs() {
    let mut world = World {
        jobs: jobs(3, "apple"),
        ..one_queue()
    };
    let made = pod("pod", &world.templates[0]);
    world.agents.push(agent("agent", &made));
    world.pods.push(made);
    assert_eq!(asked_for(world), 2);
}

/// Seen to fail when idle agents without a pod were ignored.
#[test]
fn idle_agents_of_others_answer_fresh_jobs() {
    let mut world = World {
        jobs: jobs(3, "apple"),
        ..one_queue()
    };
    world.agents.push(foreign_agent("foreign", "apple"));
    world.agents.push(foreign_agent("elsewhere", "berry"));
    assert_eq!(asked_for(world), 2);
}

/// Seen to fail when the faith in foreign agents had no end.
#[test]
fn idle_agents_of_others_are_not_trusted_for_ever() {
    let mut world = World {
        jobs: jobs(3, "apple"),
        ..one_queue()
    };
    world.agents.push(foreign_agent("foreign", "apple"));
    for job in &mut world.jobs {
        job.runnable_at = Some(START.before(secs(60)));
    }
    assert_eq!(asked_for(world), 3);
}

/// Seen to fail when jobs that agents run were not subtracted.
#[test]
fn a_job_that_an_agent_already_runs_wants_no_pod() {
    let mut world = World {
        jobs: jobs(1, "apple"),
        ..one_queue()
    };
    let made = pod("pod", &world.templates[0]);
    world.agents.push(Agent {
        running: Some(world.jobs[0].id.clone()),
        ..agent("agent", &made)
    });
    world.pods.push(made);
    assert_eq!(asked_for(world), 0);
}

/// Busy agents do not answer jobs.
///
/// Seen to fail when the policy forgot the busy ones, which it then took for
/// free.
#[test]
fn busy_agents_do_not_answer_jobs() {
    let mut world = World {
        jobs: jobs(2, "apple"),
        ..one_queue()
    };
    let made = pod("pod", &world.templates[0]);
    world.agents.push(busy("agent", &made));
    world.pods.push(made);
    assert_eq!(asked_for(world), 2);
}

/// Seen to fail when limited jobs counted as demand.
#[test]
fn limited_jobs_want_no_pods() {
    let mut world = World {
        jobs: jobs(4, "apple"),
        ..one_queue()
    };
    world.jobs[0].state = JobState::Limited;
    world.jobs[1].state = JobState::Active;
    world.jobs[2].state = JobState::Other;
    assert_eq!(asked_for(world), 1);
}

/// Seen to fail when a job without `runnable_at` counted as demand at once.
#[test]
fn a_scheduled_job_that_is_not_runnable_gets_one_pod_after_two_minutes() {
    let mut world = World {
        jobs: jobs(3, "apple"),
        ..one_queue()
    };
    for job in &mut world.jobs {
        job.runnable_at = None;
    }
    let mut driver = Driver::new(&Config::default(), world);
    assert_eq!(creates(&driver.rounds(6)), 0, "for 100 seconds");
    assert_eq!((0..4).map(|_| creates(&driver.turn())).sum::<usize>(), 1);
}

/// Seen to fail when rules other than the queue were ignored.
#[test]
fn jobs_that_no_agent_can_take_get_no_pod_but_a_finding() {
    let mut spelt_out = template("apple", "apple");
    let container = spelt_out
        .pod_template
        .0
        .pointer_mut("/spec/containers/0")
        .unwrap()
        .as_object_mut()
        .unwrap();
    container.remove("envFrom");
    container.insert(
        "env".into(),
        serde_json::json!([
            {"name": "BUILDKITE_AGENT_TAGS", "value": "os=linux,arch=arm64"},
            {"name": "BUILDKITE_AGENT_TOKEN", "value": "x"}
        ]),
    );
    let with_rules = |rules: &[&str]| BuildkiteJob {
        rules: rules.iter().map(|rule| (*rule).into()).collect(),
        ..waiting("picky", "apple")
    };
    for (rules, expected) in [
        (&["os=linux"][..], 1),
        (&["os=*"], 1),
        (&["os=linux", "arch=arm64"], 1),
        (&["os=linux", "arch=amd64"], 0),
        (&["gpu=*"], 0),
    ] {
        let world = World {
            templates: vec![spelt_out.clone()],
            jobs: vec![with_rules(rules)],
            ..World::default()
        };
        let mut driver = Driver::new(&Config::default(), world);
        assert_eq!(creates(&driver.turn()), expected, "{rules:?}");
        assert_eq!(
            driver.stands(FindingKind::UnmatchableDemand),
            expected == 0,
            "{rules:?}"
        );
    }
}

/// A look at Kubernetes alone is no ground for pods: what waited may be
/// served meanwhile.
///
/// Seen to fail when every view led to creates.
#[test]
fn pods_are_only_created_after_a_look_at_buildkite() {
    let mut driver = Driver::new(
        &Config::default(),
        World {
            jobs: jobs(1, "apple"),
            ..one_queue()
        },
    );
    driver.turn();
    driver.world.pods.clear();
    driver.now = driver.now.after(TEN_MINUTES);
    assert_eq!(creates(&driver.push_cluster()), 0);
    assert_eq!(creates(&driver.round()), 1);
}

proptest! {
    #![proptest_config(cases(100))]

    /// Invariant 17: one more job never means fewer creates or more stops.
    ///
    /// Seen to fail when jobs counted against the ceiling as pods do.
    #[test]
    fn more_demand_never_means_fewer_pods(world in worlds(), queue in 0..3usize) {
        let mut more = world.clone();
        more.jobs.push(waiting("one-more", crate::support::worlds::QUEUES[queue]));
        let count = |world: World| {
            let mut driver = Driver::new(&Config { max_active_builds: Some(5), ..Config::default() }, world);
            let mut commands = driver.round();
            for _ in 0..40 {
                commands.extend(driver.carry_out());
                commands.extend(driver.round());
            }
            commands.sort_by_key(|command| command.id);
            commands.dedup_by_key(|command| command.id);
            (creates(&commands), stops(&commands).len())
        };
        let (creates_before, stops_before) = count(world);
        let (creates_after, stops_after) = count(more);
        prop_assert!(creates_after >= creates_before, "{creates_after} creates, {creates_before} with fewer jobs");
        prop_assert!(stops_after <= stops_before, "{stops_after} stops, {stops_before} with fewer jobs");
    }

    /// Invariant 18: without a ceiling of the fleet, what happens in one queue
    /// changes nothing in another.
    ///
    /// Seen to fail when headroom was shared without `--max-pods`, and when
    /// foreign agents counted for every queue.
    #[test]
    fn queues_do_not_influence_each_other(world in worlds()) {
        let of_apple = |queue: Option<&buildscaler_core::Queue>| queue.is_some_and(|queue| queue.as_str() == "apple");
        let mut alone = world.clone();
        alone.templates.retain(|template| of_apple(template.queue.as_ref()));
        alone.pods.retain(|pod| of_apple(pod.queue.as_ref()));
        alone.jobs.retain(|job| of_apple(Some(&job.queue)));
        let names: Vec<_> = alone.pods.iter().map(|pod| pod.hostname.clone()).collect();
        alone.agents.retain(|agent| names.contains(&agent.hostname) || of_apple(agent.queues.first()));
        let about_apple = |world: &World| {
            let mut driver = Driver::new(&Config::default(), world.clone());
            let agents = alone.agents.clone();
            let mut done: Vec<String> = (0..3)
                .flat_map(|_| driver.turn())
                .filter(|command| match &command.action {
                    Action::CreatePod(create) => create.queue.as_str() == "apple",
                    Action::StopAgent { agent } => agents.iter().any(|one| one.id == *agent),
                    Action::DeletePod { uid, .. } => {
                        alone.pods.iter().any(|pod| pod.uid == *uid)
                    }
                    Action::ObserveCluster
                    | Action::ObserveBuildkite { .. }
                    | Action::RegisterUsage { .. }
                    | Action::MeterUsage { .. }
                    | Action::ReadLease { .. }
                    | Action::WriteLease(_) => false,
                })
                .map(|command| serde_json::to_string(&command.action).unwrap())
                .collect();
            done.sort();
            done
        };
        prop_assert_eq!(about_apple(&alone), about_apple(&world));
    }
}

/// A create that was answered and is not seen yet is counted.
///
/// Seen to fail when holds ended with the answer.
#[test]
fn a_pod_that_no_view_shows_yet_is_counted() {
    let mut driver = Driver::new(
        &Config::default(),
        World {
            jobs: jobs(1, "apple"),
            ..one_queue()
        },
    );
    driver.round();
    let create = driver.take(is_write).unwrap();
    driver.answer(&create, Outcome::Done);
    let commands = driver.round();
    assert_eq!(creates(&only_writes(commands)), 0);
    assert!(deletes(&driver.carry_out()).is_empty());
}
