//! What is learnt from a no, and from no answer at all.

use buildscaler_core::{
    Action, BudgetConfig, Command, Config, Failure, FindingKind, LimitReading, LimitScope, Outcome, Reason, Refusal,
    Spending,
};
use proptest::prelude::*;

use crate::support::build::{
    START, agent, already_exists, fate_unknown, forbidden, jobs, pod, rate_limited, secs, template, unavailable,
};
use crate::support::cases;
use crate::support::driver::{Driver, creates, deletes, is_write, only_writes, stops};
use crate::support::story::{events, tell};
use crate::support::world::World;
use crate::support::worlds::worlds;

fn burst(count: usize) -> Driver {
    let world = World {
        templates: vec![template("apple", "apple")],
        jobs: jobs(count, "apple"),
        ..World::default()
    };
    Driver::new(&Config::default(), world)
}

/// `count` agents in pods whose template is gone.
fn orphans(count: usize) -> World {
    let template = template("apple", "apple");
    let pods: Vec<_> = (0..count)
        .map(|number| pod(&format!("pod-{number:05}"), &template))
        .collect();
    World {
        agents: pods
            .iter()
            .map(|pod| agent(&format!("agent-{}", pod.uid), pod))
            .collect(),
        pods,
        ..World::default()
    }
}

fn name(command: &Command) -> String {
    let Action::CreatePod(create) = &command.action else {
        panic!("{command:?}")
    };
    create.name.clone()
}

/// Turns until `seconds` after the start; all writes.
fn until(driver: &mut Driver, seconds: u64) -> Vec<Command> {
    let mut commands = Vec::new();
    while driver.now < START.after(secs(seconds)) {
        commands.extend(driver.turn());
    }
    commands
}

/// Seen to fail when a conflict closed the lane like any failure.
#[test]
fn a_pod_that_is_there_already_is_done() {
    let mut driver = burst(2);
    driver.round();
    let create = driver.take(is_write).unwrap();
    driver.world.carry_out(&create.action, driver.now);
    let next = driver.answer(&create, Outcome::Failed(already_exists()));
    assert_eq!(creates(&next), 1, "the next pod is asked for at once");
    assert_eq!(driver.controller.findings().count(), 0);
    driver.carry_out();
    assert_eq!(driver.turn(), Vec::new());
    assert_eq!(driver.world.pods.len(), 2);
}

/// Seen to fail when a name that somebody else's object bears was tried
/// again and again.
#[test]
fn a_name_that_is_taken_by_something_unseen_is_avoided() {
    let mut driver = burst(1);
    driver.round();
    let create = driver.take(is_write).unwrap();
    driver.answer(&create, Outcome::Failed(already_exists()));
    let commands = until(&mut driver, 120);
    assert_eq!(creates(&commands), 1);
    assert_ne!(name(&create), name(&commands[0]));
}

/// Seen to fail when a create of unknown fate was repeated under another
/// name at once.
#[test]
fn a_create_of_unknown_fate_is_counted_until_a_view_settles_it() {
    let mut driver = burst(1);
    driver.round();
    let create = driver.take(is_write).unwrap();
    driver.answer(&create, Outcome::Failed(fate_unknown()));
    assert_eq!(creates(&driver.round()), 0, "it may have been done");
    let again = until(&mut driver, 90);
    assert_eq!(creates(&again), 1, "no view showed it for half a minute");
    assert_eq!(
        name(&again[0]),
        name(&create),
        "under the same name, so that it cannot be done twice"
    );
}

/// Seen to fail when every pod of a plan was sent into the wall, and when a
/// refusal did not close the lane for a while.
#[test]
fn a_quota_wall_costs_one_request() {
    let mut driver = burst(50);
    let first = driver.round();
    assert_eq!(creates(&first), 1);
    let refused = Outcome::Failed(forbidden(Refusal::QuotaExceeded));
    let create = driver.take(is_write).unwrap();
    assert_eq!(driver.answer(&create, refused.clone()), Vec::new());
    assert!(driver.stands(FindingKind::CreateRefused));
    let mut requests = 0;
    while driver.now < START.after(secs(300)) {
        driver.round();
        while let Some(create) = driver.take(is_write) {
            requests += 1;
            driver.answer(&create, refused.clone());
        }
    }
    assert!((3..=10).contains(&requests), "{requests} requests in five minutes");
    let created = until(&mut driver, 500);
    assert_eq!(creates(&created), 50, "the quota was raised");
    assert_eq!(
        driver.changes(FindingKind::CreateRefused),
        (1, 1),
        "raised once, cleared once"
    );
}

/// Seen to fail when one refusal closed every lane.
#[test]
fn a_template_that_is_refused_does_not_hold_up_another() {
    let mut driver = burst(3);
    driver.world.templates.push(template("berry", "berry"));
    driver.world.jobs.extend(jobs(3, "berry"));
    driver.round();
    let mut done = 0;
    while let Some(command) = driver.take(is_write) {
        let Action::CreatePod(create) = &command.action else {
            panic!("{command:?}")
        };
        if create.queue.as_str() == "apple" {
            driver.answer(&command, Outcome::Failed(forbidden(Refusal::Admission)));
        } else {
            done += 1;
            driver.answer(&command, Outcome::Done);
        }
    }
    assert_eq!(done, 3);
}

/// Invariant 21: the witness objects to whatever is sent to Kubernetes too
/// early, looks included.
///
/// Seen to fail when only the lane of the refused create was closed.
#[test]
fn nothing_is_sent_to_kubernetes_before_its_limit_resets() {
    let mut driver = burst(3);
    driver.world.templates.push(template("berry", "berry"));
    driver.world.jobs.extend(jobs(2, "berry"));
    driver.round();
    let create = driver.take(is_write).unwrap();
    let until = driver.now.after(secs(100));
    driver.answer(&create, Outcome::Failed(rate_limited(until)));
    while driver.world.pods.len() < 5 {
        driver.turn();
        assert!(driver.now < until.after(secs(90)), "and then it goes on");
    }
    assert!(driver.now >= until);
}

/// Invariant 21: a list that was limited is not asked for again too early.
///
/// Seen to fail when only the limits of writes were heeded.
#[test]
fn kubernetes_is_not_listed_before_its_limit_resets() {
    let mut driver = burst(1);
    let until = driver.now.after(secs(100));
    driver.world.blind.pods = Some(rate_limited(until));
    driver.round();
    driver.world.blind.pods = None;
    while driver.world.pods.is_empty() {
        driver.turn();
        assert!(driver.now < until.after(secs(61)), "and then it goes on");
    }
    assert!(driver.now >= until);
}

/// Invariant 21: both uses of Buildkite heed what one of them is told.
///
/// Seen to fail when a refused stop did not keep looks away.
#[test]
fn a_limited_stop_keeps_looks_away_too() {
    let mut driver = Driver::new(&Config::default(), orphans(1));
    driver.round();
    let stop = driver.take(is_write).unwrap();
    let until = driver.now.after(secs(100));
    driver.answer(&stop, Outcome::Failed(rate_limited(until)));
    // The witness objects to a look before that time.
    driver.round();
    assert!(until <= driver.now && driver.now < until.after(secs(61)));
}

/// Seen to fail when a limited look was retried at the next interval.
#[test]
fn buildkite_is_not_asked_before_its_limit_resets() {
    let mut driver = Driver::new(&Config::default(), orphans(2));
    let until = driver.now.after(secs(100));
    driver.world.blind.jobs = Some(rate_limited(until));
    driver.round();
    driver.world.blind.jobs = None;
    // The witness objects to any look before that time.
    assert_eq!(stops(&driver.turn()).len(), 2);
    assert!(driver.now >= until);
    assert!(driver.now < until.after(secs(61)), "and then it goes on");
}

/// Seen to fail when failures did not back off, and when they backed off for
/// longer than two intervals.
#[test]
fn a_token_that_is_refused_is_tried_rarely_and_recovers_soon() {
    let mut driver = burst(3);
    driver.world.blind.jobs = Some(forbidden(Refusal::Credentials));
    let mut tries = 0;
    while driver.now < START.after(secs(1_800)) {
        driver.round();
        tries += 1;
    }
    assert!(tries <= 50, "{tries} looks in half an hour");
    assert!(driver.stands(FindingKind::BuildkiteUnknown));
    driver.world.blind.jobs = None;
    let mended = driver.now;
    while driver.world.pods.is_empty() {
        driver.turn();
    }
    assert!(
        driver.now <= mended.after(secs(60)),
        "three intervals, {:?}",
        driver.now.since(mended)
    );
    assert_eq!(driver.changes(FindingKind::BuildkiteUnknown), (1, 1));
}

/// Seen to fail when a failed list of pods was taken for an empty one.
#[test]
fn nothing_but_looking_is_done_while_pods_are_unknown() {
    let mut driver = Driver::new(
        &Config::default(),
        World {
            jobs: jobs(3, "apple"),
            ..orphans(2)
        },
    );
    driver.world.templates.push(template("apple", "apple"));
    driver.world.blind.pods = Some(unavailable());
    assert_eq!(until(&mut driver, 300), Vec::new());
    assert!(driver.stands(FindingKind::ClusterUnknown));
}

/// A look that is larger than the budget of a minute goes on in the next.
///
/// Seen to fail when a look over its grant began anew.
#[test]
fn a_look_at_ten_thousand_agents_ends_with_fifty_requests_a_minute() {
    let mut world = orphans(50);
    let doomed = world.agents.len();
    world.templates.push(template("apple", "apple"));
    world.pods[0].template_uid = Some("uid-of-old".into());
    let mut driver = Driver::new(&Config::default(), world);
    driver.cost = 101;
    driver.round();
    assert!(driver.now <= START.after(secs(180)), "{:?}", driver.now.since(START));
    assert!(driver.changes(FindingKind::BudgetTight).0 > 0);
    let mut stopped = Vec::new();
    while stopped.is_empty() {
        stopped = stops(&driver.wait(secs(1)));
        assert!(driver.now <= START.after(secs(300)), "{doomed} agents");
    }
    assert_eq!(stopped, [("agent-pod-00000".into(), Reason::Replaced)]);
    driver.rounds(2);
    driver.witness.object_to_spending(50);
}

/// Seen to fail when what stops spent was not booked.
#[test]
fn many_stops_stay_within_the_budget_and_leave_room_to_look() {
    let mut driver = Driver::new(&Config::default(), orphans(300));
    let mut stopped = 0;
    while stopped < 300 {
        let begun = driver.now;
        stopped += stops(&driver.turn()).len();
        assert!(driver.now.since(begun) <= secs(90), "looks go on");
        assert!(driver.now < START.after(secs(1_200)), "{stopped} stopped");
    }
    driver.witness.object_to_spending(50);
}

/// Invariant 26 needs it: demand is seen while many agents are drained, though
/// answers trickle in one by one.
///
/// Seen to fail when looks had to find the stops' share untouched, and when
/// requests that were granted and not yet spent were forgotten.
#[test]
fn a_mass_of_stops_does_not_keep_the_controller_from_looking() {
    for cost in [2, 12, 30, 45] {
        let mut driver = Driver::new(&Config::default(), orphans(300));
        driver.cost = cost;
        driver.round();
        let mut looked = driver.now;
        while driver.now < START.after(secs(400)) {
            driver.wait(secs(1));
            if let Some(stop) = driver.take(is_write) {
                let outcome = driver.world.carry_out(&stop.action, driver.now);
                driver.answer(&stop, outcome);
            }
            while let Some(look) = driver.take(|action| !is_write(action)) {
                looked = driver.now;
                if matches!(look.action, Action::ObserveCluster) {
                    driver.show_cluster(&look);
                } else {
                    driver.show_buildkite(&look);
                }
            }
            let blind = driver.now.since(looked);
            assert!(
                blind <= secs(120),
                "no look for {blind:?}, with looks of {cost} requests"
            );
        }
        driver.witness.object_to_spending(50);
    }
}

/// Seen to fail when the headers' readings were not believed.
#[test]
fn what_the_answers_say_is_left_counts() {
    let mut driver = Driver::new(&Config::default(), orphans(5));
    driver.round();
    let stop = driver.take(is_write).unwrap();
    let reset_at = driver.now.after(secs(40));
    driver.pending.clear();
    let step = driver.step(buildscaler_core::Input::Outcome {
        id: stop.id,
        outcome: Outcome::Done,
        spending: Spending {
            requests: 1,
            limits: vec![LimitReading {
                scope: LimitScope::Organization,
                limit: 200,
                remaining: 1,
                reset_at,
            }],
        },
    });
    assert_eq!(only_writes(step.commands), Vec::new());
    let sent = driver.wait(secs(39));
    assert_eq!(only_writes(sent), Vec::new());
}

/// A delete that fails is tried again, and only if it is still right.
///
/// Seen to fail when a failed delete was remembered as one that was sent.
#[test]
fn a_delete_that_fails_is_tried_again() {
    let mut world = orphans(1);
    world.agents.clear();
    world.pods[0].stage = buildscaler_core::PodStage::Failed;
    let mut driver = Driver::new(&Config::default(), world);
    driver.round();
    let delete = driver.take(is_write).unwrap();
    driver.answer(&delete, Outcome::Failed(forbidden(Refusal::Permission)));
    assert!(driver.stands(FindingKind::DeleteRefused));
    assert_eq!(deletes(&until(&mut driver, 120)).len(), 1);
    assert_eq!(driver.changes(FindingKind::DeleteRefused), (1, 1));
}

proptest! {
    #![proptest_config(cases(60))]

    /// Invariant 21: in no minute more requests than the budget, whatever a
    /// look costs.
    ///
    /// Seen to fail when the window was 50 seconds.
    #[test]
    fn the_budget_holds(world in worlds(), story in events(), cost in 2..70u32, user in 10..60u32) {
        let config = Config { budget: BudgetConfig { user, ..BudgetConfig::default() }, ..Config::default() };
        let mut driver = Driver::new(&config, world);
        driver.cost = cost;
        tell(&mut driver, &story.into_iter().filter(|event| {
            // A new controller cannot know what the last one spent.
            !matches!(event, crate::support::story::Event::Restart)
        }).collect::<Vec<_>>());
        driver.witness.object_to_spending(user);
    }
}

/// Seen to fail when a rejected create closed its lane for good.
#[test]
fn every_failure_of_a_create_is_survived() {
    let failures = [
        already_exists(),
        forbidden(Refusal::Credentials),
        forbidden(Refusal::Permission),
        forbidden(Refusal::QuotaExceeded),
        forbidden(Refusal::Admission),
        forbidden(Refusal::NamespaceTerminating),
        forbidden(Refusal::Webhook),
        forbidden(Refusal::Other),
        rate_limited(START.after(secs(50))),
        unavailable(),
        fate_unknown(),
        Failure::Rejected {
            status: 422,
            message: "no".into(),
        },
        Failure::Malformed { message: "what".into() },
        Failure::OverBudget,
    ];
    for failure in failures {
        let mut driver = burst(3);
        driver.round();
        let create = driver.take(is_write).unwrap();
        driver.answer(&create, Outcome::Failed(failure.clone()));
        until(&mut driver, 400);
        assert_eq!(driver.world.pods.len(), 3, "{failure:?}");
    }
}
