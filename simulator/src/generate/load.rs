//! What users do: builds, and changes of templates.

use std::collections::BTreeMap;

use super::Draft;
use crate::scenario::{
    BuildEvent, ConcurrencyLimit, ControllerSettings, Event, Moment, Span, Step, StepKind, TemplateSpec,
};
use crate::world::Dice;

/// The longest command of a generated world.
const LONGEST: u64 = 25 * 60;

/// A version of a template.
pub(super) fn template(name: &str, version: u64, dice: &mut Dice) -> TemplateSpec {
    TemplateSpec {
        name: name.to_owned(),
        queue: None,
        image: format!("buildkite/agent:{version}"),
        parallelism: 0,
        annotations: BTreeMap::new(),
        tags: if dice.percent(20) {
            vec!["gpu=true".to_owned()]
        } else {
            Vec::new()
        },
        grace_seconds: None,
        image_pull: None,
        fails: None,
    }
}

impl Draft {
    pub(super) fn add_load(&mut self) {
        let builds = self.dice.below(5);
        for number in 0..builds {
            let at = self.some_time();
            let id = format!("build-{number}");
            let steps = (0..1 + self.dice.below(4)).map(|place| self.step(place)).collect();
            self.add(
                at,
                Event::Build(BuildEvent {
                    id: Some(id.clone()),
                    pipeline: "app".to_owned(),
                    steps,
                }),
            );
            if self.dice.percent(15) {
                let later = at + self.dice.below(600);
                if later < self.ends {
                    self.add(later, Event::CancelBuild(id));
                }
            }
        }
    }

    fn step(&mut self, place: u64) -> Step {
        let queues = self.templates.clone();
        let queue = queues.get(usize::try_from(self.dice.below(queues.len() as u64)).unwrap_or(0));
        let kind = if place > 0 && self.dice.percent(15) {
            StepKind::Wait
        } else {
            StepKind::Command
        };
        let is_command = kind == StepKind::Command;
        let long = self.dice.percent(20);
        let runs = if long {
            self.dice.below(LONGEST)
        } else {
            self.dice.below(120)
        };
        let limit = 1 + usize::try_from(self.dice.below(2)).unwrap_or(0);
        let limited = is_command && self.dice.percent(15);
        Step {
            kind,
            queue: queue.filter(|_| is_command).cloned(),
            runs: Span::secs(if is_command { runs } else { 0 }),
            parallelism: if is_command {
                1 + u32::try_from(self.dice.below(3)).unwrap_or(0)
            } else {
                1
            },
            rules: Vec::new(),
            priority: if is_command {
                i64::try_from(self.dice.below(3)).unwrap_or(0)
            } else {
                0
            },
            concurrency: limited.then(|| ConcurrencyLimit {
                group: "deploy".to_owned(),
                limit,
            }),
            after: Vec::new(),
            exits: i64::from(is_command && self.dice.percent(10)),
        }
    }

    /// Users replace templates, and delete them for a while: every queue is
    /// valid once trouble has ended.
    pub(super) fn change_templates(&mut self) {
        let mut times: Vec<u64> = (0..self.dice.below(4)).map(|_| self.some_time()).collect();
        times.sort_unstable();
        let names = self.templates.clone();
        let mut there: BTreeMap<&str, bool> = names.iter().map(|name| (name.as_str(), true)).collect();
        for (version, at) in (2..).zip(times) {
            let place = usize::try_from(self.dice.below(names.len() as u64)).unwrap_or(0);
            let Some(name) = names.get(place) else { return };
            let exists = there.get(name.as_str()).copied().unwrap_or(false);
            let deletes = exists && self.dice.percent(35);
            there.insert(name, !deletes);
            if deletes {
                self.add(at, Event::DeleteTemplate(name.clone()));
            } else {
                let spec = template(name, version, &mut self.dice);
                self.add(at, Event::ApplyTemplate(spec));
            }
        }
        for name in there.into_iter().filter_map(|(name, exists)| (!exists).then_some(name)) {
            let spec = template(name, 9, &mut self.dice);
            self.add(self.ends, Event::ApplyTemplate(spec));
        }
    }
}

/// How long a world has to be quiet for every promise to come true: what is
/// still to run, one job after the other, and then the longest wait there is.
pub(super) fn quiet_after(timeline: &[Moment], controller: &ControllerSettings) -> u64 {
    let builds = timeline.iter().filter_map(|moment| moment.event.build());
    let steps = builds.flat_map(|build| &build.steps);
    let work: u64 = steps
        .map(|step| (step.runs.0.as_secs() + 60) * u64::from(step.parallelism))
        .sum();
    let seconds = |span: Option<Span>| span.map_or(600, |span| span.0.as_secs());
    work + seconds(controller.agent_startup_timeout) + seconds(controller.idle_timeout) + 2400
}
