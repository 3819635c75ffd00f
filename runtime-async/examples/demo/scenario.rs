//! What happens in the outside world: builds arrive, and a template is replaced.

use std::time::Duration;

use buildscaler_simulator::buildkite::{BuildSpec, JobSpec};

/// The queues, each with a template of its own.
pub(crate) const QUEUES: [&str; 3] = ["linux", "lint", "arm"];

/// The queue whose template is replaced under way.
const REPLACED: &str = "linux";

/// Which queues the jobs ask for, in turn: linux is asked most.
const TURNS: [&str; 6] = ["linux", "lint", "arm", "linux", "lint", "linux"];

/// How many jobs a build has.
const JOBS_A_BUILD: usize = 3;

/// A burst, a template replaced while its pods are busy, a trickle, and a second burst.
pub(crate) struct Scenario {
    /// What is still to happen, the next last.
    ahead: Vec<Moment>,
    jobs: Vec<&'static str>,
}

struct Moment {
    at: Duration,
    event: Event,
}

/// Something that a user does.
pub(crate) enum Event {
    /// A build is created.
    Build(BuildSpec),
    /// The template of this queue is deleted and created anew with another image.
    ReplaceTemplate(&'static str),
}

impl Scenario {
    /// So many jobs; the fewer they are, the sooner the last one arrives.
    pub(crate) fn new(jobs: usize) -> Self {
        let length = Duration::from_millis(700).saturating_mul(u32::try_from(jobs).unwrap_or(u32::MAX));
        let length = length.clamp(Duration::from_secs(8), Duration::from_secs(34));
        let jobs: Vec<&'static str> = TURNS.into_iter().cycle().take(jobs).collect();
        let steps: Vec<JobSpec> = jobs.iter().enumerate().map(|(nth, queue)| step(queue, nth)).collect();
        let builds: Vec<&[JobSpec]> = steps.chunks(JOBS_A_BUILD).collect();
        let last = builds.len().saturating_sub(1).max(1);
        let mut ahead: Vec<Moment> = builds
            .iter()
            .enumerate()
            .map(|(nth, steps)| Moment {
                at: length.mul_f64(arrival(nth as f64 / last as f64)),
                event: Event::Build(BuildSpec::new("app", steps.iter().cloned())),
            })
            .collect();
        ahead.push(Moment {
            at: length.mul_f64(0.2).max(Duration::from_secs(5)),
            event: Event::ReplaceTemplate(REPLACED),
        });
        ahead.sort_by_key(|moment| std::cmp::Reverse(moment.at));
        Self { ahead, jobs }
    }

    /// Takes what happens until `now`, counted from the start.
    pub(crate) fn due(&mut self, now: Duration) -> Option<Event> {
        self.ahead.pop_if(|next| next.at <= now).map(|moment| moment.event)
    }

    /// Whether nothing more will happen.
    pub(crate) fn is_over(&self) -> bool {
        self.ahead.is_empty()
    }

    /// How many jobs a queue gets in all.
    pub(crate) fn jobs_of(&self, queue: &str) -> usize {
        self.jobs.iter().filter(|of| **of == queue).count()
    }
}

/// Lint is quick, the others take some seconds.
fn step(queue: &'static str, nth: usize) -> JobSpec {
    let nth = nth as u64;
    let seconds = match queue {
        "lint" => 1 + nth % 2,
        "arm" => 3 + nth * 5 % 4,
        _ => 2 + nth * 7 % 5,
    };
    JobSpec::script(queue, Duration::from_secs(seconds))
}

/// When a build arrives, as a share of the whole: the first third at once, the
/// last third at once too but late, and the others evenly between.
fn arrival(rank: f64) -> f64 {
    match rank {
        early if early < 0.35 => 0.03 * early,
        late if late > 0.7 => 0.8 + 0.1 * (late - 0.7),
        between => 0.1 + 0.6 * (between - 0.35) / 0.35,
    }
}
