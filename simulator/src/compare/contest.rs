//! Scenarios × contestants, on several threads.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use buildscaler_core::Queue;

use super::{Compared, Comparison, Contestant, Figures, Line, Role, UnknownContestant};
use crate::measure::Summary;
use crate::rivals::clairvoyant;
use crate::run::{self, Keeper, Options};
use crate::scenario::Scenario;

/// Lets each contestant keep each scenario.
///
/// The outcome does not depend on the number of threads. `progress` is told of
/// virtual time that has passed in any of the runs; each has
/// [`Scenario::lasts`] in all.
///
/// # Errors
/// If a scenario does not take a variant's settings.
pub fn compare(
    scenarios: &[Scenario],
    contestants: &[Contestant],
    threads: NonZero<usize>,
    progress: &(dyn Fn(Duration) + Sync),
) -> Result<Comparison, UnknownContestant> {
    let runs: Vec<(&Scenario, &Contestant)> = scenarios
        .iter()
        .flat_map(|scenario| contestants.iter().map(move |contestant| (scenario, contestant)))
        .collect();
    let next = AtomicUsize::new(0);
    let outcomes: Mutex<BTreeMap<usize, Result<Line, UnknownContestant>>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..threads.get().min(runs.len()) {
            scope.spawn(|| {
                while let Some((at, (scenario, contestant))) = {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    runs.get(at).map(|run| (at, *run))
                } {
                    let line = line(scenario, contestant, progress);
                    // Whoever holds the lock only inserts: it cannot be poisoned.
                    if let Ok(mut outcomes) = outcomes.lock() {
                        outcomes.insert(at, line);
                    }
                }
            });
        }
    });
    let mut lines = outcomes.into_inner().unwrap_or_default().into_values();
    let compared = scenarios.iter().map(|scenario| {
        let lines = lines.by_ref().take(contestants.len()).collect::<Result<_, _>>()?;
        Ok(Compared {
            scenario: scenario.name.clone(),
            description: scenario.description.clone(),
            lines: with_regret(lines),
        })
    });
    Ok(Comparison {
        scenarios: compared.collect::<Result<_, _>>()?,
    })
}

fn line(
    scenario: &Scenario,
    contestant: &Contestant,
    progress: &(dyn Fn(Duration) + Sync),
) -> Result<Line, UnknownContestant> {
    let simulate = |scenario: &Scenario, keeper: Keeper| {
        let mut told = Duration::ZERO;
        let options = Options {
            keeper,
            story: false,
            sample_every: Duration::ZERO,
            ..Options::default()
        };
        let run = run::run(scenario, options, &mut |passed| {
            progress(passed.saturating_sub(told));
            told = told.max(passed);
        });
        progress(scenario.lasts.0.saturating_sub(told));
        run.summary
    };
    let summary = match contestant {
        Contestant::Ours => simulate(scenario, Keeper::Ours),
        Contestant::Variant(variant) => simulate(&variant.apply(scenario)?, Keeper::Ours),
        Contestant::Rival(entry) => simulate(scenario, Keeper::Rival(entry)),
        Contestant::Bound => {
            let summary = clairvoyant::bound(scenario);
            progress(scenario.lasts.0);
            summary
        }
    };
    let minutes = summary.length.as_secs_f64() / 60.0;
    Ok(Line {
        contestant: contestant.name(),
        about: contestant.about(),
        role: contestant.role(),
        total: Figures::of(&summary.total),
        queues: figures_of_queues(&summary),
        requests_a_minute: match contestant.role() {
            Role::Ours if minutes > 0.0 => Some(requests(&summary) / minutes),
            Role::Ours | Role::Rival | Role::Bound => None,
        },
    })
}

#[expect(clippy::cast_precision_loss, reason = "a mean needs no more")]
const fn requests(summary: &Summary) -> f64 {
    summary.buildkite_requests as f64
}

fn figures_of_queues(summary: &Summary) -> BTreeMap<Queue, Figures> {
    let queues = summary.queues.iter();
    queues
        .map(|(queue, of_queue)| (queue.clone(), Figures::of(of_queue)))
        .collect()
}

/// Holds every line against the bound, if it takes part.
fn with_regret(mut lines: Vec<Line>) -> Vec<Line> {
    let Some(bound) = lines.iter().find(|line| line.role == Role::Bound).cloned() else {
        return lines;
    };
    for line in &mut lines {
        line.total = line.total.against(&bound.total);
        for (queue, figures) in &mut line.queues {
            if let Some(of_bound) = bound.queues.get(queue) {
                *figures = figures.against(of_bound);
            }
        }
    }
    lines
}
