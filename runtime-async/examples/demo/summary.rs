//! What it came to.

use std::collections::BTreeSet;
use std::time::Duration;

use buildscaler_core::{Queue, Timestamp};
use buildscaler_simulator::buildkite::FakeBuildkite;

use crate::scenario::{QUEUES, Scenario};
use crate::survey::{Survey, busiest_minute};

/// The numbers at the end.
#[derive(Debug)]
pub(crate) struct Summary {
    lines: Vec<Line>,
    pods_created: usize,
    pods_left: usize,
    pod_seconds: f64,
    idle_percent: f64,
    starting_percent: f64,
    stops: usize,
    busiest_minute: usize,
    interrupted: usize,
    lasted: Duration,
}

/// One queue, or all of them.
#[derive(Debug)]
struct Line {
    name: String,
    jobs: usize,
    done: usize,
    waits: Vec<Duration>,
    pods: usize,
}

impl Summary {
    /// Counts, as of `now`.
    pub(crate) fn of(
        survey: &Survey,
        scenario: &Scenario,
        fake: &FakeBuildkite,
        now: Timestamp,
        lasted: Duration,
    ) -> Self {
        let mut lines: Vec<Line> = QUEUES.map(|queue| line(queue, survey, scenario, fake, now)).into();
        lines.push(Line {
            name: "all".to_owned(),
            jobs: lines.iter().map(|line| line.jobs).sum(),
            done: lines.iter().map(|line| line.done).sum(),
            waits: lines.iter().flat_map(|line| line.waits.clone()).collect(),
            pods: survey.pods_created(),
        });
        lines.iter_mut().for_each(|line| line.waits.sort());
        let cost = survey.cost;
        let percent = |part: Duration| 100.0 * part.as_secs_f64() / cost.pods.as_secs_f64().max(f64::MIN_POSITIVE);
        Self {
            lines,
            pods_created: survey.pods_created(),
            pods_left: survey.live(),
            pod_seconds: cost.pods.as_secs_f64(),
            idle_percent: percent(cost.pods.saturating_sub(cost.busy).saturating_sub(cost.starting)),
            starting_percent: percent(cost.starting),
            stops: fake.observed().stops().count(),
            busiest_minute: busiest_minute(fake),
            interrupted: fake.truth().interruptions().len(),
            lasted,
        }
    }

    /// Whether each job ran to its end and none was cut.
    pub(crate) fn is_good(&self) -> bool {
        self.interrupted == 0 && self.lines.iter().all(|line| line.done == line.jobs)
    }

    /// The table and what is to be said below it.
    pub(crate) fn say(&self) -> Vec<String> {
        let mut said = vec![
            format!("Summary after {:.1} s", self.lasted.as_secs_f64()),
            String::new(),
            "  queue     jobs   done   wait p50      p95      max   pods created".to_owned(),
        ];
        said.extend(self.lines.iter().map(Line::say));
        let fact = |name: &str, value: String| format!("  {name:<44} {value}");
        said.extend([
            String::new(),
            fact(
                "pod-seconds",
                format!(
                    "{:.0}, of which idle {:.0} %, starting {:.0} %",
                    self.pod_seconds, self.idle_percent, self.starting_percent
                ),
            ),
            fact(
                "pods created / left at the end",
                format!("{} / {}", self.pods_created, self.pods_left),
            ),
            fact("graceful stops", self.stops.to_string()),
            fact(
                "requests to Buildkite in the busiest minute",
                format!("{} of {}", self.busiest_minute, crate::picture::BUDGET),
            ),
            fact("builds interrupted by scaling", self.interrupted.to_string()),
        ]);
        said
    }
}

impl Line {
    fn say(&self) -> String {
        let wait = |percent| match at_percent(&self.waits, percent) {
            Some(wait) => format!("{:.1} s", wait.as_secs_f64()),
            None => "-".to_owned(),
        };
        format!(
            "  {:<8} {:>5}  {:>5} {:>10} {:>8} {:>8} {:>14}",
            self.name,
            self.jobs,
            self.done,
            wait(50),
            wait(95),
            wait(100),
            self.pods
        )
    }
}

fn line(queue: &str, survey: &Survey, scenario: &Scenario, fake: &FakeBuildkite, now: Timestamp) -> Line {
    let of = Queue::from(queue);
    let ran =
        |found: &&buildscaler_simulator::buildkite::BuildkiteJob| found.state.is_over() && found.started_at.is_some();
    Line {
        name: queue.to_owned(),
        jobs: scenario.jobs_of(queue),
        done: fake.jobs().filter(|found| found.queue() == of).filter(ran).count(),
        waits: fake
            .waits()
            .iter()
            .filter(|wait| wait.queue == of)
            .map(|wait| wait.length(now))
            .collect(),
        pods: survey.created.get(&of).map_or(0, BTreeSet::len),
    }
}

/// The wait that so many percent of the jobs did not exceed.
fn at_percent(sorted: &[Duration], percent: usize) -> Option<Duration> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied()
}
