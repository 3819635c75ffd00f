//! Every deliberate bug is found, and found by the invariant that forbids it.

use buildscaler_simulator::explore::{Bounds, Bug, Invariant, SmallWorld, explore};

/// Explores the world in which a bug shows, and returns what it breaks.
fn found(bug: Bug) -> (Invariant, usize) {
    found_in(bug, 0)
}

fn found_in(bug: Bug, calm_one_in: u64) -> (Invariant, usize) {
    let (_, world) = Bug::ALL.iter().find(|(known, _)| *known == bug).unwrap();
    let world = SmallWorld::named(world).unwrap();
    let bounds = Bounds {
        depth: 38,
        states: 12_000,
        calm_one_in,
    };
    let found = explore(world, bounds, Some(bug), &mut |_| {});
    let counterexample = found
        .counterexample
        .unwrap_or_else(|| panic!("{bug:?} is not found in {} states", found.states));
    (counterexample.broken.invariant, counterexample.choices.len())
}

#[test]
fn stops_by_force_are_found() {
    assert_eq!(found(Bug::ForcedStop), (Invariant::NoBuildInterrupted, 9));
}

#[test]
fn a_partial_list_taken_for_complete_is_found() {
    assert_eq!(found(Bug::PartialList), (Invariant::NoDeleteOfAgents, 15));
}

#[test]
fn copied_controller_labels_are_found() {
    assert_eq!(found(Bug::CopiedLabels), (Invariant::NoBuildInterrupted, 11));
}

#[test]
fn a_delete_without_precondition_is_found() {
    assert_eq!(found(Bug::NoPrecondition).0, Invariant::OnlyOurs);
}

#[test]
fn ignored_creates_in_flight_are_found() {
    assert_eq!(found(Bug::IgnoredCreates), (Invariant::OneAtATime, 11));
}

#[test]
fn no_grace_for_agents_that_start_is_found() {
    assert_eq!(found(Bug::NoGrace).0, Invariant::AbsenceIsProven);
}

/// What a replica had decided before it stood still is sent when it wakes, to
/// the world of another leader.
#[test]
fn commands_that_outlive_their_leader_are_found() {
    assert_eq!(found(Bug::NoFence), (Invariant::OneCommands, 14));
}

#[test]
fn writes_of_the_lease_that_name_no_version_are_found() {
    assert_eq!(found(Bug::BlindLease), (Invariant::OneCommands, 4));
}

/// The one that breaks no promise of safety: agents that nobody stops keep
/// their pods for ever.
#[test]
fn stops_that_are_never_carried_out_are_found() {
    assert_eq!(found_in(Bug::ForgottenStops, 1), (Invariant::PodsGo, 1));
}
