//! Several controllers and one Lease: who commands, and when.
//!
//! Controllers stand in one world whose only server keeps the Lease, as the
//! API server does. Requests and answers are late or lost, processes are
//! paused, clocks differ and one is set forward. Each controller is judged by
//! what it was seen to send.

use std::sync::Arc;
use std::time::Duration;

use buildscaler_core::{
    Action, ClusterView, Command, Controller, Failure, FindingChange, FindingKind, Input, Lease, LeaseRecord, Look,
    LookEnd, Loss, Pod, PodStage, Refusal, Role, Spending, Timestamp, View,
};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::support::build::{START, jobs, pod, secs, template};
use crate::support::cases;

mod world;

use world::{Delay, Event, LEASE, RENEW, RETRY, TICK, World, config};

fn delays() -> impl Strategy<Value = Delay> {
    let span = |most: u64| (0..most).prop_map(Duration::from_millis);
    prop_oneof![
        8 => (span(80), span(80)).prop_map(|(there, back)| Delay::Late(there, back)),
        3 => (span(25_000), span(25_000)).prop_map(|(there, back)| Delay::Late(there, back)),
        1 => Just(Delay::Lost),
        1 => span(25_000).prop_map(Delay::AnswerLost),
    ]
}

fn events() -> impl Strategy<Value = Event> {
    let whose = || 0..3usize;
    let span = |most: u64| (0..most).prop_map(Duration::from_millis);
    prop_oneof![
        6 => span(8_000).prop_map(Event::Pass),
        2 => (whose(), span(60_000)).prop_map(|(whose, length)| Event::Pause(whose, length)),
        1 => whose().prop_map(Event::Crash),
        1 => Just(Event::Touch),
    ]
}

proptest! {
    #![proptest_config(cases(150))]

    /// Invariant 32: whatever is late, lost, paused or killed, no two command
    /// at once, by their own reckoning; and when things go well again and what
    /// was on its way has arrived (a dead leader's last renewal counts like any
    /// other), one does within the lease duration, the patience with one lost
    /// request and a few tries. Seen to fail when a claim never
    /// ran out, when it ran longer than the lease, when another's name in the
    /// Lease was not noticed, when followers commanded, and without the fence.
    #[test]
    fn no_two_command_at_once_and_soon_one_does(
        controllers in 2..4usize,
        delays in vec(delays(), 0..60),
        story in vec(events(), 1..25),
    ) {
        let mut world = World::new(controllers, delays);
        for (crashes, event) in story.into_iter().enumerate() {
            world.happen(event, crashes);
        }
        world.delays.clear();
        for process in &mut world.processes {
            process.paused_until = process.paused_until.min(world.now);
        }
        world.until_delivered();
        world.until_led(LEASE + RENEW / 2 + RETRY * 4);
    }

    /// A follower whose clock is set forward, by however much, does not take a
    /// living leader's place: what it did not watch does not count. Seen to fail
    /// when a gap between two looks counted whole.
    #[test]
    fn a_clock_set_forward_deposes_nobody(by in 0..10_000_000u64, after in 0..20_000u64, whose in 0..2usize) {
        let mut world = World::new(2, Vec::new());
        world.until_led(secs(2));
        world.pass(Duration::from_millis(after));
        let leader = world.leaders()[0];
        world.happen(Event::ClockForward(whose, Duration::from_millis(by)), 0);
        world.pass(secs(60));
        if whose != leader {
            prop_assert_eq!(world.leaders(), vec![leader]);
        }
        prop_assert_eq!(world.leaders().len(), 1);
    }

    /// A clean stop hands over within a retry period and a few round trips, in
    /// every phase of both. Seen to fail when the Lease was not given back.
    #[test]
    fn a_clean_stop_hands_over_within_a_retry_period(after in 0..6_000u64, late in 0..1_000u64) {
        let mut world = World::new(1, Vec::new());
        world.until_led(secs(2));
        world.pass(Duration::from_millis(late));
        let second = world.process("second");
        world.processes.push(second);
        world.pass(secs(3) + Duration::from_millis(after));
        prop_assert_eq!(world.leaders(), vec![0]);
        world.step(0, Input::Shutdown);
        // It may wait for the answer to a renewal first.
        let begun = world.now;
        while world.leaders() != [1] {
            world.pass(TICK);
            prop_assert!(world.now.since(begun) < secs(20), "nobody takes over");
        }
        let took = world.now.since(begun);
        prop_assert!(took <= RETRY + Duration::from_millis(300), "{took:?}");
    }

    /// A crash is followed within the lease duration and one try.
    #[test]
    fn a_crash_is_followed_within_the_lease_duration(after in 0..6_000u64) {
        let mut world = World::new(2, Vec::new());
        let (leader, _) = world.until_led(secs(2));
        world.pass(secs(3) + Duration::from_millis(after));
        world.processes[leader].is_gone = true;
        let (whose, took) = world.until_led(secs(30));
        prop_assert!(whose != leader);
        prop_assert!(took <= LEASE + RETRY, "{took:?}");
        prop_assert!(took >= LEASE - RETRY * 2, "{took:?}");
    }
}

#[test]
fn a_follower_neither_looks_nor_commands() {
    let mut world = World::new(2, Vec::new());
    let (leader, _) = world.until_led(secs(2));
    world.pass(secs(120));
    assert!(world.sent.iter().any(|(_, whose)| *whose == leader));
    assert!(world.sent.iter().all(|(_, whose)| *whose == leader), "{:?}", world.sent);
}

#[test]
fn commands_of_a_leader_say_when_they_are_out_of_date() {
    let mut controller = Controller::new(config("me"));
    let asked = controller.step(START, Input::Tick).commands;
    let read = controller.step(
        START,
        Input::Lease {
            id: asked[0].id,
            view: View::Complete(None),
        },
    );
    assert_eq!(read.commands.len(), 1, "it claims at once: {read:?}");
    let led = controller.step(START.after(secs(2)), won(&read.commands[0], "1"));
    let told = controller.leadership().expect("it is one of several");
    assert_eq!((told.role, told.valid_until), (Role::Leader, Some(START.after(RENEW))));
    assert!(led.wake.at <= START.after(RENEW), "it looks in time: {:?}", led.wake);
    let step = controller.step(START.after(RENEW), Input::Tick);
    let told = controller.leadership().expect("it is one of several");
    assert_eq!((told.role, told.lost), (Role::Follower, Some(Loss::Expired)));
    let looks = |command: &Command| !matches!(command.action, Action::ReadLease { .. } | Action::WriteLease(_));
    assert!(!step.commands.iter().any(looks), "{step:?}");
}

/// A record that names another is believed at once. Seen to fail when it was
/// believed at the next renewal.
#[test]
fn who_is_replaced_by_hand_steps_down_at_once() {
    let mut world = World::new(1, Vec::new());
    world.until_led(secs(2));
    world.server.writes += 1;
    world.server.lease = Some(Lease {
        version: world.server.writes.to_string(),
        record: LeaseRecord {
            holder: Some("somebody".into()),
            duration_seconds: 15,
            ..LeaseRecord::default()
        },
    });
    world.pass(RETRY + Duration::from_millis(300));
    assert_eq!(world.leaders(), Vec::<usize>::new());
    let told = world.processes[0]
        .controller
        .leadership()
        .expect("it is one of several");
    assert_eq!(
        (told.holder.as_deref(), told.lost),
        (Some("somebody"), Some(Loss::Taken))
    );
    // Somebody who never renews is followed like one who crashed.
    world.until_led(LEASE + RETRY * 2);
}

/// A Lease deleted by hand is made anew by its holder; who saw it waits. Seen
/// to fail when what is deleted was free.
#[test]
fn a_lease_that_is_deleted_deposes_nobody() {
    let mut world = World::new(2, Vec::new());
    let (leader, _) = world.until_led(secs(2));
    world.pass(secs(5));
    // The leader's own next write waits, and the follower looks first.
    world.processes[leader].paused_until = world.now.after(secs(3));
    world.server.lease = None;
    world.pass(secs(30));
    assert_eq!(world.leaders(), vec![leader]);
}

/// Who lost command and has it again looks anew; what a look from before shows
/// is older than what others did meanwhile. Seen to fail when it was believed:
/// a second pod was made for the one job.
#[test]
fn a_look_from_an_earlier_time_in_command_is_not_believed() {
    let mut controller = Controller::new(config("me"));
    let asked = controller.step(START, Input::Tick).commands;
    let nobody = Input::Lease {
        id: asked[0].id,
        view: View::Complete(None),
    };
    let claims = controller.step(START, nobody).commands;
    let slow = led(&mut controller, &claims[0], "1", START);
    let lapsed = START.after(RENEW);
    let claims = controller.step(lapsed, Input::Tick).commands;
    let look = led(&mut controller, &claims[0], "2", lapsed);
    let template = template("builders", "default");
    let made_by_another = Pod {
        stage: PodStage::Unscheduled,
        created_at: START.after(secs(5)),
        ..pod("of-another", &template)
    };
    let view = |pods: Vec<Pod>, begun_at| ClusterView {
        begun_at,
        templates: View::Complete(vec![Arc::new(template.clone())]),
        pods: View::Complete(pods.into_iter().map(Arc::new).collect()),
    };
    let fresh = Input::Cluster {
        id: Some(look.id),
        view: view(vec![made_by_another], lapsed),
    };
    let mut asked = controller.step(lapsed, fresh).commands;
    let stale = Input::Cluster {
        id: Some(slow.id),
        view: view(Vec::new(), START),
    };
    controller.step(lapsed, stale);
    let step = controller.step(
        lapsed,
        Input::Buildkite {
            id: asked.remove(0).id,
            look: Look {
                begun_at: lapsed,
                jobs: jobs(1, "default"),
                agents: Vec::new(),
                end: LookEnd::Complete,
                spending: Spending::default(),
            },
        },
    );
    let creates = |command: &Command| matches!(command.action, Action::CreatePod(_));
    assert!(!step.commands.iter().any(creates), "{step:?}");
}

/// Lets a claim succeed, and returns the look with which command begins.
fn led(controller: &mut Controller, claim: &Command, version: &str, now: Timestamp) -> Command {
    let mut commands = controller.step(now, won(claim, version)).commands;
    commands.retain(|command| matches!(command.action, Action::ObserveCluster));
    assert_eq!(commands.len(), 1, "command begins with a look: {commands:?}");
    commands.remove(0)
}

#[test]
fn a_missing_right_is_a_finding_that_names_it() {
    let mut controller = Controller::new(config("me"));
    let asked = controller.step(START, Input::Tick).commands;
    let refused = View::Unknown(Failure::Forbidden {
        kind: Refusal::Permission,
        message: "User \"x\" cannot get resource \"leases\"".into(),
    });
    let step = controller.step(
        START,
        Input::Lease {
            id: asked[0].id,
            view: refused,
        },
    );
    let FindingChange::Raised(finding) = &step.findings[0] else {
        panic!("{step:?}");
    };
    assert_eq!(
        (finding.kind, finding.subject.as_str()),
        (FindingKind::LeaseTrouble, "builds/buildscaler")
    );
    assert!(
        finding
            .detail
            .contains("right to get leases (coordination.k8s.io) in the namespace builds"),
        "{}",
        finding.detail
    );
    let again = controller.step(START.after(RETRY), Input::Tick);
    let step = controller.step(
        START.after(RETRY),
        Input::Lease {
            id: again.commands[0].id,
            view: View::Complete(None),
        },
    );
    assert!(matches!(step.findings[..], [FindingChange::Cleared(_)]), "{step:?}");
}

/// The server's answer to a claim that succeeds.
fn won(command: &Command, version: &str) -> Input {
    let Action::WriteLease(write) = &command.action else {
        panic!("{command:?} is no claim");
    };
    let lease = Lease {
        version: version.into(),
        record: write.record.clone(),
    };
    Input::Lease {
        id: command.id,
        view: View::Complete(Some(lease)),
    }
}
