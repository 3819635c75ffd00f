//! What looks at Buildkite show: jobs that wait or have begun, and agents.

use std::collections::{BTreeMap, HashSet};

use buildscaler_core::{Agent, BuildkiteJob, JobState, Look, LookEnd, Queue, Timestamp};

use super::labels::Queues;
use super::waits::{Part, Waits};

/// What a complete look showed, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Shown {
    /// When it began.
    pub(super) begun_at: Timestamp,
    /// Agents on our queues.
    pub(super) agents: usize,
    /// Jobs on our queues that have an agent.
    pub(super) running: usize,
    /// Since when the longest waiting job of each queue has been runnable.
    pub(super) longest: BTreeMap<Queue, Timestamp>,
}

/// Joins looks that take several grants, and compares each with the one
/// before: what is in both was counted.
#[derive(Debug, Default)]
pub(super) struct Looks {
    /// The look under way.
    partial: Option<Partial>,
    /// What is remembered of the last complete one.
    last: Option<Last>,
}

#[derive(Debug)]
struct Last {
    /// The jobs that had begun. Ids are remembered by their fingerprints: one
    /// that is taken for another costs one observation.
    started: HashSet<u64>,
    /// The latest runnable time of any job up to then, by Buildkite's clock: a
    /// job with a later one was not there yet.
    newest: Timestamp,
}

#[derive(Debug, Default)]
struct Partial {
    begun_at: Timestamp,
    agents: HashSet<u64>,
    running: HashSet<u64>,
    started: HashSet<u64>,
    newest: Timestamp,
    longest: BTreeMap<Queue, Timestamp>,
    /// To be counted if this becomes a complete look.
    starts: Vec<(Queue, std::time::Duration)>,
    detections: Vec<(Queue, std::time::Duration)>,
}

impl Looks {
    /// Takes note of a look or a part of one. What it showed is returned, and
    /// what waits it showed are counted, once it is complete.
    pub(super) fn told(&mut self, look: &Look, queues: &Queues, waits: &Waits) -> Option<Shown> {
        let partial = self.partial.get_or_insert_with(|| Partial {
            begun_at: look.begun_at,
            newest: self.last.as_ref().map_or(Timestamp::default(), |last| last.newest),
            ..Partial::default()
        });
        for agent in look.agents.iter().filter(|agent| serves(agent, queues)) {
            partial.agents.insert(fingerprint(agent.id.as_str()));
        }
        for one in look.jobs.iter().filter(|one| queues.name(&one.queue).is_some()) {
            partial.see(one, self.last.as_ref());
        }
        match look.end {
            LookEnd::More(_) => return None,
            LookEnd::Failed(..) => {
                self.partial = None;
                return None;
            }
            LookEnd::Complete => {}
        }
        let whole = self.partial.take()?;
        whole.count(queues, waits);
        let shown = Shown {
            begun_at: whole.begun_at,
            agents: whole.agents.len(),
            running: whole.running.len(),
            longest: whole.longest,
        };
        self.last = Some(Last {
            started: whole.started,
            newest: whole.newest,
        });
        Some(shown)
    }
}

impl Partial {
    fn see(&mut self, one: &BuildkiteJob, last: Option<&Last>) {
        match one.state {
            JobState::Active => self.see_active(one, last),
            JobState::Scheduled => self.see_waiting(one, last),
            JobState::Limited | JobState::Other => {}
        }
        self.newest = self.newest.max(one.runnable_at.unwrap_or_default());
    }

    fn see_active(&mut self, one: &BuildkiteJob, last: Option<&Last>) {
        let id = fingerprint(one.id.as_str());
        self.running.insert(id);
        let (Some(runnable_at), Some(started_at)) = (one.runnable_at, one.started_at) else {
            return;
        };
        let is_new = self.started.insert(id);
        // What had begun before the first look was seen by nobody.
        if is_new && last.is_some_and(|last| !last.started.contains(&id)) {
            self.starts.push((one.queue.clone(), started_at.since(runnable_at)));
        }
    }

    fn see_waiting(&mut self, one: &BuildkiteJob, last: Option<&Last>) {
        let Some(runnable_at) = one.runnable_at else { return };
        match self.longest.get_mut(&one.queue) {
            Some(longest) => *longest = runnable_at.min(*longest),
            None => {
                self.longest.insert(one.queue.clone(), runnable_at);
            }
        }
        if last.is_some_and(|last| runnable_at > last.newest) {
            self.detections
                .push((one.queue.clone(), self.begun_at.since(runnable_at)));
        }
    }

    fn count(&self, queues: &Queues, waits: &Waits) {
        for (queue, waited) in &self.starts {
            if let Some(queue) = queues.name(queue) {
                waits.job(queue, *waited);
            }
        }
        for (queue, took) in &self.detections {
            if let Some(queue) = queues.name(queue) {
                waits.part(queue, Part::Detection, *took);
            }
        }
    }
}

fn serves(agent: &Agent, queues: &Queues) -> bool {
    agent.queues.iter().any(|queue| queues.name(queue).is_some())
}

/// FNV-1a: quick, and good enough where nobody gains by a collision.
fn fingerprint(id: &str) -> u64 {
    id.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use buildscaler_core::{Cursor, Failure, QueueReport, Report, Spending};
    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::Registry;

    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn secs(seconds: u64) -> Timestamp {
        START.after(Duration::from_secs(seconds))
    }

    fn job(id: &str, state: JobState, runnable: u64, started: Option<u64>) -> BuildkiteJob {
        BuildkiteJob {
            id: id.into(),
            state,
            queue: Queue::from("linux".to_owned()),
            rules: Vec::new(),
            runnable_at: Some(secs(runnable)),
            started_at: started.map(secs),
        }
    }

    struct Bench {
        looks: Looks,
        queues: Queues,
        waits: Waits,
        registry: Registry,
    }

    impl Bench {
        fn new() -> Self {
            let mut registry = Registry::default();
            let mut queues = Queues::default();
            let there = (Queue::from("linux".to_owned()), QueueReport::default());
            queues.take_over(&Report {
                queues: [there].into(),
                ..Report::default()
            });
            Self {
                looks: Looks::default(),
                queues,
                waits: Waits::new(&mut registry),
                registry,
            }
        }

        fn look(&mut self, at: u64, jobs: Vec<BuildkiteJob>, end: LookEnd) -> Option<Shown> {
            let look = Look {
                begun_at: secs(at),
                jobs,
                agents: Vec::new(),
                end,
                spending: Spending::default(),
            };
            self.looks.told(&look, &self.queues, &self.waits)
        }

        /// How many jobs' waits were counted, and how many detections.
        fn counted(&self) -> [usize; 2] {
            let mut text = String::new();
            encode(&mut text, &self.registry).expect("text");
            ["buildscaler_job_wait_seconds_count", "part=\"detection\""].map(|mark| {
                let mut lines = text.lines().filter(|line| line.contains("_count{"));
                let line = lines.find(|line| line.contains(mark));
                line.map_or(0, |line| {
                    line.rsplit(' ').next().and_then(|n| n.parse().ok()).expect("a number")
                })
            })
        }
    }

    /// Seen to fail when the first look counted.
    #[test]
    fn what_had_begun_before_the_first_look_is_not_counted_and_what_comes_later_is_once() {
        let mut bench = Bench::new();
        let old = || {
            vec![
                job("old", JobState::Active, 0, Some(5)),
                job("waits", JobState::Scheduled, 1, None),
            ]
        };
        bench.look(10, old(), LookEnd::Complete);
        assert_eq!(bench.counted(), [0, 0]);
        let mut more = old();
        more.push(job("new", JobState::Active, 12, Some(15)));
        more.push(job("fresh", JobState::Scheduled, 14, None));
        bench.look(20, more.clone(), LookEnd::Complete);
        assert_eq!(bench.counted(), [1, 1]);
        bench.look(30, more, LookEnd::Complete);
        assert_eq!(bench.counted(), [1, 1]);
    }

    /// Seen to fail when the parts of a look that failed were kept.
    #[test]
    fn of_a_look_that_fails_nothing_is_left() {
        let mut bench = Bench::new();
        bench.look(10, Vec::new(), LookEnd::Complete);
        let busy = || vec![job("gone", JobState::Active, 12, Some(15))];
        assert_eq!(bench.look(20, busy(), LookEnd::More(Cursor::START)), None);
        let failure = Failure::Unavailable { message: "x".into() };
        assert_eq!(bench.look(21, busy(), LookEnd::Failed(Cursor::START, failure)), None);
        let shown = bench.look(30, Vec::new(), LookEnd::Complete).expect("a whole look");
        assert_eq!((shown.running, shown.begun_at), (0, secs(30)));
        assert_eq!(bench.counted(), [0, 0]);
        // The parts of one that succeeds are one.
        bench.look(40, busy(), LookEnd::More(Cursor::START));
        let shown = bench.look(41, Vec::new(), LookEnd::Complete).expect("a whole look");
        assert_eq!((shown.running, shown.begun_at), (1, secs(40)));
        assert_eq!(bench.counted(), [1, 0]);
    }

    #[test]
    fn the_longest_wait_is_that_of_the_job_that_came_first() {
        let mut bench = Bench::new();
        let jobs = [7, 3, 9].map(|at| job(&at.to_string(), JobState::Scheduled, at, None));
        let shown = bench.look(10, jobs.into(), LookEnd::Complete).expect("a whole look");
        assert_eq!(shown.longest, [(Queue::from("linux".to_owned()), secs(3))].into());
    }
}
