//! Random worlds: scenarios that are valid by construction, from a seed.
//!
//! A generated world goes through trouble until `faults-end` and is quiet
//! afterwards, long enough for whatever is promised to have come true.

mod faults;
mod load;
mod notes;
mod shrink;

use crate::scenario::{
    BuildkiteSettings, ControllerSettings, Event, Expectations, Moment, NodeSettings, PodSettings, Range, Replies,
    Scenario, Span, TemplateSpec, VERSION, WorldSettings,
};
use crate::world::Dice;

pub use shrink::shrink;

/// How much may go wrong in a generated world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing: users and slow nodes only.
    None,
    /// Requests, controllers and clocks fail; the world itself is sound.
    Requests,
    /// Pods, nodes and users as well.
    Anything,
}

/// When trouble ends, at the latest.
const TROUBLE_ENDS: u64 = 40 * 60;

/// A random world; the same for the same seed.
pub fn scenario(seed: u64, trouble: Trouble) -> Scenario {
    let mut dice = Dice::new(seed ^ 0x5ca1_ab1e);
    let controller = controller(&mut dice);
    let world = world(&mut dice, trouble);
    let mut templates = templates(&mut dice);
    let ends = 60 + dice.below(TROUBLE_ENDS - 60);
    let mut draft = Draft {
        dice,
        ends,
        timeline: Vec::new(),
        templates: templates.iter().map(|spec| spec.name.clone()).collect(),
    };
    draft.add_load();
    draft.change_templates();
    match trouble {
        Trouble::None => {}
        Trouble::Requests => draft.add_request_trouble(),
        Trouble::Anything => {
            draft.add_request_trouble();
            draft.add_world_trouble();
        }
    }
    draft.annotate(&mut templates, seed);
    draft.add(ends, Event::FaultsEnd);
    let lasts = Span::secs(ends + load::quiet_after(&draft.timeline, &controller));
    Scenario {
        version: VERSION,
        name: format!("generated-{seed}"),
        description: format!("a random world with {trouble:?} trouble, seed {seed}"),
        covers: Vec::new(),
        seed,
        starts: None,
        lasts,
        controller,
        world,
        templates,
        timeline: draft.timeline,
        expect: Expectations::default(),
    }
}

/// A scenario under way.
struct Draft {
    dice: Dice,
    /// The second in which trouble ends.
    ends: u64,
    timeline: Vec<Moment>,
    /// The templates' names.
    templates: Vec<String>,
}

impl Draft {
    fn add(&mut self, second: u64, event: Event) {
        self.timeline.push(Moment {
            at: Span::secs(second),
            event,
        });
    }

    /// A time in trouble, in seconds.
    fn some_time(&mut self) -> u64 {
        self.dice.below(self.ends)
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> Option<T> {
        let place = self.dice.below(choices.len() as u64);
        choices.get(usize::try_from(place).unwrap_or(0)).copied()
    }
}

fn controller(dice: &mut Dice) -> ControllerSettings {
    let maybe = |dice: &mut Dice, of_hundred, least, spread| {
        let value = u32::try_from(least + dice.below(spread)).unwrap_or(1);
        dice.percent(of_hundred).then_some(value)
    };
    ControllerSettings {
        sync_interval: Some(Span::secs(5 + dice.below(26))),
        idle_timeout: Some(Span::secs(20 + dice.below(200))),
        agent_startup_timeout: Some(Span::secs(600)),
        max_active_builds: maybe(dice, 30, 1, 4),
        max_agent_lifetime: dice.percent(15).then(|| Span::secs(300 + dice.below(1500))),
        max_pods: maybe(dice, 20, 1, 5),
        leader_elect: false,
    }
}

fn world(dice: &mut Dice, trouble: Trouble) -> WorldSettings {
    let range = |dice: &mut Dice, least: u64, spread: u64| {
        let from = least + dice.below(spread);
        Range::Between {
            from: Span::millis(from),
            to: Span::millis(from + dice.below(spread)),
        }
    };
    let cramped = dice.percent(25);
    let count = 1 + u32::try_from(dice.below(3)).unwrap_or(0);
    let fails = trouble == Trouble::Anything && dice.percent(20);
    WorldSettings {
        nodes: NodeSettings {
            count,
            max: count + 3,
            pods_each: if cramped {
                1 + u32::try_from(dice.below(3)).unwrap_or(0)
            } else {
                u32::MAX
            },
            startup: range(dice, 20_000, 120_000),
        },
        pods: PodSettings {
            scheduling: range(dice, 10, 3_000),
            image_pull: range(dice, 100, 60_000),
            agent_start: range(dice, 500, 8_000),
            exit: range(dice, 100, 3_000),
            failing_percent: if fails { 20 } else { 0 },
            hanging_percent: if fails { 10 } else { 0 },
        },
        buildkite: BuildkiteSettings {
            ping_interval: Span::secs(1 + dice.below(10)),
            agent_list_lag: Span::millis(dice.below(3_000)),
            ..BuildkiteSettings::default()
        },
        replies: Replies {
            buildkite: range(dice, 20, 1_500),
            kubernetes: range(dice, 2, 300),
            watch: dice.percent(70).then(|| Span::millis(20 + dice.below(2_000))),
        },
    }
}

fn templates(dice: &mut Dice) -> Vec<TemplateSpec> {
    let names = ["linux", "arm"];
    let count = 1 + usize::try_from(dice.below(2)).unwrap_or(0);
    names
        .iter()
        .take(count)
        .map(|name| load::template(name, 1, dice))
        .collect()
}
