//! Every small world keeps the invariants, shows what it is there to show, and
//! is held against the world in which scenarios are run.

use std::sync::LazyLock;

use buildscaler_core::{Input, Timestamp};
use buildscaler_simulator::explore::{
    Bounds, Bug, Choice, Exploration, Sight, SmallWorld, WORLDS, explore, retell, retrace,
};
use buildscaler_simulator::scenario::{Scenario, Span};
use buildscaler_simulator::{Options, Witness, run};

/// What a debug build explores of each world in some seconds.
static EXPLORED: LazyLock<Vec<(&SmallWorld, Exploration)>> = LazyLock::new(|| {
    let explored = WORLDS.iter().map(|world| {
        let bounds = Bounds {
            depth: world.depth,
            states: 6_000,
            calm_one_in: 100,
        };
        (world, explore(world, bounds, None, &mut |_| {}))
    });
    explored.collect()
});

#[test]
fn no_way_through_a_small_world_breaks_an_invariant() {
    for (world, found) in EXPLORED.iter() {
        if let Some(counterexample) = &found.counterexample {
            let way = retrace(world, None, &counterexample.choices).lines.join("\n");
            let then = counterexample.then.join("\n");
            panic!("{}: {:?}\n{way}\nthen\n{then}", world.name, counterexample.broken);
        }
        assert!(found.states > 1_000, "{}: {} states", world.name, found.states);
        assert!(found.calmed > 0, "{}: no state was asked how it ends", world.name);
    }
}

/// What so few states do not show; a whole exploration fails without it.
const LATER: [Sight; 2] = [Sight::DeletedOrphan, Sight::PreconditionFails];

#[test]
fn every_world_shows_what_it_is_there_to_show() {
    for (world, found) in EXPLORED.iter() {
        let missing = found.missing(world);
        let missing: Vec<_> = missing.iter().filter(|sight| !LATER.contains(sight)).collect();
        assert!(missing.is_empty(), "{}: {missing:?}", world.name);
    }
}

/// What a run's controllers send.
#[derive(Default)]
struct Sent {
    from: Timestamp,
    now: Timestamp,
    commands: Vec<String>,
}

impl Witness for Sent {
    fn input(&mut self, _controller: u8, clock: Timestamp, _input: &Input) {
        self.now = clock;
    }

    fn step(&mut self, _controller: u8, step: &buildscaler_core::Step) {
        if self.now < self.from {
            return;
        }
        for command in &step.commands {
            let kind = buildscaler_simulator::explore::kind(command);
            self.commands.push(format!("{kind} ({})", command.reason));
        }
    }
}

/// What the controller sends in a run of this scenario, from `begins` on.
fn commands(scenario: &Scenario, begins: Span) -> Vec<String> {
    let began = Timestamp::from_millis(1_735_689_600_000);
    let mut sent = Sent {
        from: began.after(begins.0),
        ..Sent::default()
    };
    let options = Options {
        witness: Some(&mut sent),
        ..Options::default()
    };
    run(scenario, options, &mut |_| {});
    sent.commands
}

/// How a way goes in a run: whether the same way, as far as a scenario can
/// tell it; and where it takes another one.
fn check(world: &SmallWorld, bug: Option<Bug>, what: &str, way: &[Choice]) -> Result<bool, String> {
    let retold = retell(world, bug, way, Span::secs(60));
    let text = retold.scenario.write();
    let read = Scenario::read(what, &text).unwrap_or_else(|problems| panic!("{what}: {problems:?}\n{text}"));
    assert_eq!(read, retold.scenario);
    if !retold.unsaid.is_empty() {
        return Ok(false);
    }
    let expected = retrace(world, bug, way).commands;
    let sent = commands(&read, retold.begins);
    if sent.starts_with(&expected) {
        return Ok(true);
    }
    let at = expected.iter().zip(&sent).take_while(|(a, b)| a == b).count();
    let (wanted, came) = (expected.get(at), sent.get(at));
    let way = retrace(world, bug, way).lines.join("\n");
    Err(format!(
        "{}: {what}: command {at} is {came:?} in a run, {wanted:?} was explored\n{way}",
        world.name
    ))
}

/// The small worlds are a model of their own: this holds them against the
/// world in which scenarios are run, command by command. Seen to fail when
/// pods that never start were retold as starting, and when it was not said that
/// an idle agent gets its job at once.
#[test]
fn ways_that_a_scenario_can_tell_go_the_same_way_in_a_run() {
    let mut same = 0;
    for (world, found) in EXPLORED.iter() {
        for (sight, way) in &found.sights {
            match check(world, None, sight.as_str(), way) {
                Ok(is_told) => same += u32::from(is_told),
                Err(difference) => panic!("{difference}"),
            }
        }
    }
    assert!(same > 20, "only {same} ways can be told");
}

#[test]
fn a_counterexample_breaks_the_same_in_a_run_where_the_bug_is_a_setting() {
    let world = SmallWorld::named("no-show").unwrap();
    let bounds = Bounds {
        depth: 38,
        states: 3_000,
        calm_one_in: 0,
    };
    let bug = Some(Bug::NoGrace);
    let found = explore(world, bounds, bug, &mut |_| {});
    let way = found.counterexample.unwrap().choices;
    let commands = retrace(world, bug, &way).commands;
    assert_eq!(commands.last().unwrap(), "gentle delete (agent_missing)");
    assert_eq!(check(world, bug, "no-grace", &way), Ok(true));
}
