//! Whatever happens outside, no command breaks a rule.

use std::collections::BTreeSet;

use buildscaler_core::{ClusterView, Config, Controller, Input, Reason, View};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::support::build::START;
use crate::support::cases;
use crate::support::driver::Driver;
use crate::support::story::{events, tell};
use crate::support::worlds::worlds;

proptest! {
    #![proptest_config(cases(200))]

    /// Invariants 1, 3 to 8, 10, 11, 15 and 21: a witness who knows what was
    /// shown has nothing to object to.
    ///
    /// Seen to fail with each of these bugs: unknown agents are read as none
    /// (1, 4); unknown templates are read as none (4); one listing proves
    /// absence (5); agents are linked by queue (3); creates in flight are not
    /// counted (6); a template that is being deleted serves, or one with
    /// parallelism (8); the youngest template serves (10); what was asked for
    /// is forgotten (11); a limit's reset is not waited for (21).
    #[test]
    fn no_story_makes_the_controller_break_a_rule(world in worlds(), story in events()) {
        let mut driver = Driver::new(&Config::default(), world);
        tell(&mut driver, &story);
    }
}

/// The stories above lead to everything that a controller can do: a test in
/// which nothing happens would pass as well.
///
/// Seen to fail when no story lasted for ten minutes.
#[test]
fn stories_lead_to_every_kind_of_command() {
    let config = Config {
        max_agent_lifetime: Some(std::time::Duration::from_secs(3_600)),
        ..Config::default()
    };
    let mut runner = TestRunner::deterministic();
    let mut done = BTreeSet::new();
    for _ in 0..300 {
        let (world, story) = (worlds(), events()).new_tree(&mut runner).unwrap().current();
        let mut driver = Driver::new(&config, world);
        tell(&mut driver, &story);
        done.extend(driver.witness.done);
    }
    for expected in [
        ("create", Reason::Demand),
        ("create", Reason::MinIdle),
        ("stop", Reason::Orphaned),
        ("stop", Reason::Replaced),
        ("stop", Reason::IdleTimeout),
        ("stop", Reason::Lifetime),
        ("delete", Reason::Finished),
        ("delete", Reason::AgentEnded),
        ("delete gently", Reason::AgentMissing),
        ("delete", Reason::AgentMissing),
        ("delete gently", Reason::OrphanedWithoutAgent),
        ("observe cluster", Reason::Retry),
        ("observe cluster", Reason::TemplateChanged),
        ("observe buildkite", Reason::Interval),
    ] {
        assert!(done.contains(&expected), "{expected:?} is not among {done:?}");
    }
}

/// Seen to fail when a controller that is ending went on looking.
#[test]
fn a_controller_that_is_ending_decides_nothing_and_says_when_it_is_done() {
    let mut controller = Controller::new(Config::default());
    let first = controller.step(START, Input::Tick);
    let ending = controller.step(START, Input::Shutdown);
    assert!(ending.commands.is_empty() && !ending.finished);
    let view = ClusterView {
        begun_at: START,
        templates: View::Complete(Vec::new()),
        pods: View::Complete(Vec::new()),
    };
    let last = controller.step(
        START,
        Input::Cluster {
            id: Some(first.commands[0].id),
            view,
        },
    );
    assert!(last.commands.is_empty() && last.finished);
}
