//! Runs to draw: a toy fleet, near enough to a real one to look at.

use std::time::Duration;

use buildscaler_core::Queue;
use buildscaler_simulator::measure::{QueueSummary, Run, Sample};
use buildscaler_simulator::scenario::{Scenario, Span};

/// How much there is to draw.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    pub(crate) queues: usize,
    pub(crate) jobs: u64,
    pub(crate) length: Duration,
    pub(crate) every: Duration,
}

/// A morning of two queues.
pub(crate) const MORNING: Size = Size {
    queues: 2,
    jobs: 240,
    length: Duration::from_secs(4 * 3600),
    every: Duration::from_secs(10),
};

/// 43 days and 17,000 jobs, sampled every minute.
pub(crate) const SEASON: Size = Size {
    queues: 5,
    jobs: 17_000,
    length: Duration::from_secs(43 * 86_400),
    every: Duration::from_secs(60),
};

pub(crate) fn scenario(name: &str) -> Scenario {
    Scenario {
        version: 1,
        name: name.to_owned(),
        description: "Two teams share a cluster; the release train of one meets the morning rush of the other.".into(),
        covers: vec!["rule 7".into(), "invariant 26".into(), "pain 3".into()],
        seed: 7,
        starts: Some("2025-09-04T06:00:00Z".into()),
        lasts: Span::secs(4 * 3600),
        controller: Default::default(),
        world: Default::default(),
        templates: Vec::new(),
        timeline: Vec::new(),
        expect: Default::default(),
    }
}

pub(crate) fn run(size: Size) -> Run {
    let mut dice = Dice(42);
    let mut run = Run::default();
    run.series.every = size.every;
    run.summary.length = size.length;
    for number in 0..size.queues {
        let queue = Queue::from(format!("linux-{number}").as_str());
        let jobs = size.jobs / size.queues as u64;
        let (figures, samples) = one_queue(jobs, size, &mut dice);
        add(&mut run.summary.total, &figures);
        run.summary.queues.insert(queue.clone(), figures);
        run.series.queues.insert(queue, samples);
    }
    run.summary.total.waits.sort_unstable();
    run.summary.buildkite_requests = size.length.as_secs() / 5;
    run.summary.kubernetes_requests = size.jobs * 3;
    run.summary.events = size.jobs * 12;
    run.summary.steps = size.length.as_secs() / 4;
    run.story = (0..size.jobs)
        .map(|number| format!("00:{:02}:20.250 pod linux-{number} created (demand)", number % 60))
        .collect();
    run
}

/// Jobs come in builds; each gets a pod of its own a while later.
fn one_queue(jobs: u64, size: Size, dice: &mut Dice) -> (QueueSummary, Vec<Sample>) {
    let places = (size.length.as_secs() / size.every.as_secs()) as usize;
    let every = size.every.as_secs();
    let mut samples = vec![Sample::default(); places];
    let mut figures = QueueSummary::default();
    let mut left = jobs;
    while left > 0 {
        let build = (1 + dice.below(24)).min(left);
        left -= build;
        let created = dice.below(size.length.as_secs() * 9 / 10);
        for _ in 0..build {
            let wait = 12 + dice.below(40) + dice.below(8) * dice.below(8) * dice.below(8);
            let service = 60 + dice.below(900);
            let (start, end) = (created + wait, created + wait + service);
            let stretch = |from: u64, to: u64| (from / every) as usize..((to / every) as usize).min(places);
            for place in stretch(created, start) {
                samples[place].waiting += 1;
                let waited = (place as u64 * every).saturating_sub(created) * 1_000;
                samples[place].longest_wait_ms = samples[place].longest_wait_ms.max(waited);
            }
            stretch(start, end).for_each(|place| samples[place].running += 1);
            stretch(created + 5, end + 60).for_each(|place| samples[place].pods += 1);
            stretch(created + 12, end + 55).for_each(|place| samples[place].agents += 1);
            figures.waits.push(Duration::from_secs(wait));
            figures.pod_time += Duration::from_secs(service + wait + 55);
            figures.busy_time += Duration::from_secs(service);
        }
    }
    for sample in &mut samples {
        sample.idle = sample.agents.saturating_sub(sample.running);
    }
    figures.waits.sort_unstable();
    (figures.jobs, figures.finished, figures.pods_created) = (jobs, jobs, jobs);
    figures.pods_at_once = samples
        .iter()
        .map(|sample| sample.pods.into())
        .max()
        .unwrap_or_default();
    (figures, samples)
}

fn add(total: &mut QueueSummary, one: &QueueSummary) {
    total.jobs += one.jobs;
    total.finished += one.finished;
    total.waits.extend(&one.waits);
    total.pods_created += one.pods_created;
    total.pods_at_once += one.pods_at_once;
    total.pod_time += one.pod_time;
    total.busy_time += one.busy_time;
}

/// Random numbers that are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound.max(1)
    }
}
