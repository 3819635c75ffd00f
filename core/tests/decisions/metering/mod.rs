//! What AWS Marketplace is told, and when (Invariant 23).

mod aws;
mod promises;

use buildscaler_core::{Action, FindingKind};

use self::aws::{Fate, Metered};
use crate::support::build::{START, busy, secs, template};
use crate::support::world::World;

/// A world in which so many agents are at work.
pub(crate) fn at_work(agents: u32) -> World {
    let serving = template("template", "queue");
    let mut world = World {
        templates: vec![serving.clone()],
        ..World::default()
    };
    for number in 0..agents {
        let pod = crate::support::build::pod(&format!("pod-{number}"), &serving);
        world.agents.push(busy(&format!("agent-{number}"), &pod));
        world.pods.push(pod);
    }
    world
}

/// The quantities recorded, in the order of their hours from the start.
fn quantities(metered: &Metered) -> Vec<(i64, u32)> {
    let hour = |at: buildscaler_core::Timestamp| (at.as_millis() - START.as_millis()) / 3_600_000;
    metered
        .aws
        .records
        .iter()
        .map(|(at, (quantity, _))| (hour(*at), *quantity))
        .collect()
}

fn records_asked(metered: &Metered) -> usize {
    let is_record = |action: &Action| matches!(action, Action::MeterUsage { .. });
    metered.aws.asked.iter().filter(|(_, action)| is_record(action)).count()
}

#[test]
fn the_registration_is_the_first_command() {
    let metered = Metered::new(at_work(1));
    let first = &metered.driver.pending;
    assert!(
        first
            .iter()
            .any(|command| matches!(command.action, Action::RegisterUsage { .. })),
        "{first:?}"
    );
}

#[test]
fn each_hour_is_recorded_once_after_it_has_ended() {
    let mut metered = Metered::new(at_work(10));
    metered.live(59);
    assert_eq!(records_asked(&metered), 0);
    metered.live(3);
    assert_eq!(quantities(&metered), [(0, 10)]);
    metered.live(180);
    assert_eq!(quantities(&metered), [(0, 10), (1, 10), (2, 10), (3, 10)]);
    assert_eq!(records_asked(&metered), 4);
}

/// Fifty minutes of an agent are no agent-hour, and twice fifty are one.
#[test]
fn what_is_less_than_an_agent_hour_is_carried_over() {
    let mut metered = Metered::new(at_work(1));
    metered.live(50);
    metered.driver.world = at_work(0);
    metered.live(15);
    metered.driver.world = at_work(1);
    metered.live(57);
    assert_eq!(quantities(&metered), [(0, 0), (1, 1)]);
}

/// AWS advises a record each hour, so that it can tell that the product runs.
#[test]
fn an_hour_without_agents_is_recorded_as_zero() {
    let mut metered = Metered::new(at_work(0));
    metered.live(122);
    assert_eq!(quantities(&metered), [(0, 0), (1, 0)]);
}

/// Seen to fail when records were made before the hour had ended.
#[test]
fn what_nobody_saw_is_not_billed() {
    let mut metered = Metered::new(at_work(60));
    metered.live(60);
    metered.driver.world.blind.agents = Some(crate::support::build::unavailable());
    metered.live(120);
    metered.driver.world.blind.agents = None;
    metered.live(130);
    let seen = quantities(&metered);
    assert_eq!(
        seen.iter().map(|(hour, _)| *hour).collect::<Vec<_>>(),
        [0, 1, 3, 4],
        "{seen:?}"
    );
    assert!(metered.aws.billed() <= 60 * 3 + 10, "{seen:?}");
}

/// Agents on a queue of ours that belong to no pod of ours are not the
/// product's.
#[test]
fn agents_of_others_are_not_billed() {
    let mut world = at_work(2);
    let foreign = |number| crate::support::build::foreign_agent(&format!("foreign-{number}"), "queue");
    world.agents.extend((0..5).map(foreign));
    let mut metered = Metered::new(world);
    metered.live(62);
    assert_eq!(quantities(&metered), [(0, 2)]);
}

/// Seen to fail when a second command was sent while one was in flight.
#[test]
fn a_record_of_unknown_fate_is_repeated_word_for_word() {
    let mut metered = Metered::new(at_work(3));
    metered.live(59);
    metered.fates = vec![Fate::Unanswered, Fate::Vanished, Fate::Throttled];
    metered.live(3);
    metered.live(3);
    let records: Vec<_> = metered
        .aws
        .asked
        .iter()
        .filter(|(_, action)| matches!(action, Action::MeterUsage { .. }))
        .collect();
    assert_eq!(records.len(), 4, "{records:?}");
    assert!(records.iter().all(|(_, action)| *action == records[0].1), "{records:?}");
    assert_eq!(quantities(&metered), [(0, 3)]);
}

/// Seen to fail when it was tried again as what has failed is.
#[test]
fn an_hour_that_another_controller_recorded_is_told_and_done() {
    let mut metered = Metered::new(at_work(3));
    metered.live(59);
    metered.fates = vec![Fate::Recorded];
    metered.live(3);
    assert!(metered.driver.stands(FindingKind::MeteringRefused));
    assert_eq!(records_asked(&metered), 1);
    metered.live(62);
    assert!(!metered.driver.stands(FindingKind::MeteringRefused));
    assert_eq!(records_asked(&metered), 2);
    assert_eq!(quantities(&metered), [(1, 3)]);
}

/// Who came or went between two looks is not billed for the time between. Seen
/// to fail when the greater number counted.
#[test]
fn between_two_looks_the_lesser_number_counts() {
    let mut metered = Metered::new(at_work(3));
    let all = metered.driver.world.agents.clone();
    for minute in 0..62 {
        let there = if minute % 2 == 0 { 1 } else { all.len() };
        metered.driver.world.agents = all[..there].to_vec();
        metered.live(1);
    }
    assert_eq!(quantities(&metered), [(0, 1)]);
}

#[test]
fn what_became_too_old_goes_into_a_later_hour() {
    let mut metered = Metered::new(at_work(2));
    metered.live(59);
    metered.otherwise = Fate::Unreachable;
    metered.live(8 * 60);
    assert!(metered.driver.stands(FindingKind::MeteringDelayed));
    metered.otherwise = Fate::Served;
    metered.live(62);
    assert!(!metered.driver.stands(FindingKind::MeteringDelayed));
    let recorded = quantities(&metered);
    // Hours 0 to 9 with two agents each, in fewer records.
    assert_eq!(metered.aws.billed(), 20, "{recorded:?}");
    assert!(recorded.len() < 10, "{recorded:?}");
}

/// A record that AWS may have is never added to another: the customer would pay
/// twice. Seen to fail when it was.
#[test]
fn what_is_in_doubt_is_never_billed_again() {
    let mut metered = Metered::new(at_work(2));
    metered.live(59);
    metered.fates = vec![Fate::Unanswered];
    metered.otherwise = Fate::Unreachable;
    metered.live(8 * 60);
    metered.otherwise = Fate::Served;
    metered.live(62);
    assert_eq!(quantities(&metered)[0], (0, 2));
    assert_eq!(metered.aws.billed(), 20);
}

#[test]
fn a_refusal_is_told_and_tried_again_hourly_while_scaling_goes_on() {
    let mut metered = Metered::new(at_work(1));
    metered.otherwise = Fate::NotEntitled;
    metered.live(1);
    assert!(metered.driver.stands(FindingKind::MeteringRefused));
    metered.driver.world.jobs = crate::support::build::jobs(5, "queue");
    metered.live(170);
    assert_eq!(metered.driver.world.pods.len(), 6, "scaling stopped");
    assert_eq!(metered.aws.asked.len(), 3);
    assert_eq!(records_asked(&metered), 0);
    metered.otherwise = Fate::Served;
    metered.live(65);
    assert!(!metered.driver.stands(FindingKind::MeteringRefused));
    assert_eq!(
        metered.aws.billed(),
        0,
        "what came before the registration is not billed"
    );
}

/// Seen to fail when their records waited for a subscription.
#[test]
fn hours_without_a_subscription_are_never_billed() {
    let mut metered = Metered::new(at_work(4));
    metered.live(62);
    metered.otherwise = Fate::NotEntitled;
    metered.live(3 * 60);
    metered.otherwise = Fate::Served;
    metered.live(61);
    let recorded = quantities(&metered);
    assert_eq!(
        recorded.iter().map(|(_, quantity)| *quantity).collect::<Vec<_>>(),
        [4, 4],
        "{recorded:?}"
    );
}

#[test]
fn a_refused_time_is_told_and_its_usage_goes_into_the_next_hour() {
    let mut metered = Metered::new(at_work(4));
    metered.live(59);
    metered.fates = vec![Fate::Skewed];
    metered.live(3);
    let told: Vec<_> = metered
        .driver
        .controller
        .findings()
        .filter(|one| one.kind == FindingKind::MeteringRefused)
        .collect();
    assert!(told.iter().any(|finding| finding.detail.contains("clock")), "{told:?}");
    metered.live(60);
    assert_eq!(quantities(&metered), [(1, 8)]);
}

#[test]
fn an_outage_at_the_start_is_over_within_five_minutes_of_its_end() {
    let mut metered = Metered::new(at_work(1));
    metered.otherwise = Fate::NoCredentials;
    metered.live(47);
    let tried = metered.aws.asked.len();
    assert!((10..30).contains(&tried), "{tried} requests in 47 minutes");
    metered.otherwise = Fate::Served;
    metered.live(6);
    assert_eq!(metered.aws.registered.len(), 1);
}

/// Each registration has a nonce of its own. Seen to fail when tries were not
/// counted.
#[test]
fn no_nonce_is_used_twice() {
    let mut metered = Metered::new(at_work(0));
    metered.fates = vec![Fate::Vanished, Fate::Unanswered, Fate::Throttled];
    metered.live(5);
    metered.restart();
    metered.live(5);
    let nonces: Vec<_> = metered
        .aws
        .asked
        .iter()
        .filter_map(|(_, action)| match action {
            Action::RegisterUsage { nonce, .. } => Some(nonce.clone()),
            Action::ObserveCluster
            | Action::ObserveBuildkite { .. }
            | Action::CreatePod(_)
            | Action::StopAgent { .. }
            | Action::DeletePod { .. }
            | Action::MeterUsage { .. }
            | Action::ReadLease { .. }
            | Action::WriteLease(_) => None,
        })
        .collect();
    let distinct: std::collections::BTreeSet<_> = nonces.iter().collect();
    assert_eq!((nonces.len(), distinct.len()), (5, 5), "{nonces:?}");
}

#[test]
fn without_a_look_there_is_no_record() {
    let mut metered = Metered::new(at_work(1));
    metered.driver.world.blind.agents = Some(crate::support::build::unavailable());
    metered.live(200);
    assert_eq!(records_asked(&metered), 0);
}

/// A process that is replaced within an hour loses its share of it, and the
/// next one records the rest.
#[test]
fn a_restart_loses_at_most_the_hour_that_runs() {
    let mut metered = Metered::new(at_work(6));
    metered.live(90);
    metered.restart();
    metered.live(92);
    let [first, second, third] = quantities(&metered)[..] else {
        panic!("{:?}", quantities(&metered));
    };
    assert_eq!((first, third), ((0, 6), (2, 6)));
    assert!((2..=3).contains(&second.1), "{second:?}");
    assert_eq!(records_asked(&metered), 3);
}

/// Without a product code nothing is ever told.
#[test]
fn without_a_product_code_nothing_is_metered() {
    let mut driver = crate::support::driver::Driver::new(&buildscaler_core::Config::default(), at_work(3));
    while driver.now < START.after(secs(7300)) {
        let commands = driver.turn();
        assert!(commands.is_empty(), "{commands:?}");
    }
}
