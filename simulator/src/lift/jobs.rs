//! Jobs: when each could run, and for how long it did.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use buildscaler_core::{Agent, BuildkiteJob, BuildkiteJobId, JobState, Queue, Timestamp};

use super::{lives, span};
use crate::import::names;
use crate::scenario::{BuildEvent, Event, Moment, Span, Step};

/// What is known of jobs so far.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    known: BTreeMap<BuildkiteJobId, History>,
    /// The look that is under way.
    rows: Vec<BuildkiteJob>,
    running: BTreeSet<BuildkiteJobId>,
    /// Jobs that ran on agents that are in no pod of ours.
    foreign: BTreeSet<BuildkiteJobId>,
    /// When the last complete look began.
    looked: Option<Timestamp>,
}

#[derive(Debug)]
struct History {
    queue: Queue,
    rules: Vec<String>,
    runnable: Option<Timestamp>,
    begins: Option<Timestamp>,
    ends: Option<Timestamp>,
}

impl Jobs {
    /// Takes in a part of a look.
    pub(super) fn part(&mut self, jobs: Vec<BuildkiteJob>, agents: Vec<Agent>) {
        self.rows.extend(jobs);
        for agent in agents {
            if let Some(running) = agent.running {
                if agent.pod_uid.is_none() {
                    self.foreign.insert(running.clone());
                }
                self.running.insert(running);
            }
        }
    }

    /// The look that was under way will not be ended.
    pub(super) fn broken_off(&mut self) {
        self.rows.clear();
        self.running.clear();
    }

    /// The look is complete: what it does not show is over.
    pub(super) fn complete(&mut self, begun_at: Timestamp) {
        let between = self.looked.map_or(begun_at, |before| middle(before, begun_at));
        let running = std::mem::take(&mut self.running);
        let mut over: BTreeSet<BuildkiteJobId> = self.known.keys().cloned().collect();
        for row in std::mem::take(&mut self.rows) {
            let runs = row.state == JobState::Active || running.contains(&row.id);
            let waits = matches!(row.state, JobState::Scheduled | JobState::Limited);
            if runs || waits {
                over.remove(&row.id);
                self.row(row, runs, between);
            }
        }
        for id in over.difference(&running) {
            if let Some(history) = self.known.get_mut(id).filter(|history| history.ends.is_none()) {
                let begins = history.begins.or(history.runnable).unwrap_or(between);
                history.ends = Some(between.max(begins));
            }
        }
        self.looked = Some(begun_at);
    }

    fn row(&mut self, row: BuildkiteJob, runs: bool, between: Timestamp) {
        let history = self.known.entry(row.id).or_insert_with(|| History {
            queue: row.queue,
            rules: row.rules,
            runnable: None,
            begins: None,
            ends: None,
        });
        history.runnable = history.runnable.or(row.runnable_at);
        history.ends = None;
        if runs && history.begins.is_none() {
            history.begins = Some(between.max(history.runnable.unwrap_or(between)));
        }
    }

    /// The builds that bring these jobs, and what is to be known of them.
    pub(super) fn lifted(self, begins: Timestamp, ends: Timestamp) -> (Vec<Moment>, Vec<String>) {
        let mut notes = Notes {
            foreign: self.foreign.len(),
            ..Notes::default()
        };
        let usual = usual(&self.known);
        let mut builds: BTreeMap<Timestamp, Vec<Step>> = BTreeMap::new();
        for history in self.known.into_values() {
            let Some(runnable) = history.runnable.or(history.begins) else {
                notes.never_runnable += 1;
                continue;
            };
            let usual = usual.get(&history.queue).copied().unwrap_or_default();
            let runs = notes.runs(&history, runnable, ends, usual);
            let mut step = Step::command(names::label(history.queue.as_str()), whole_millis(runs));
            step.rules = history.rules.into_iter().filter(|rule| names::is_tag(rule)).collect();
            builds.entry(runnable.max(begins)).or_default().push(step);
        }
        let moment = |(at, steps)| Moment {
            at: span(begins, at),
            event: Event::Build(BuildEvent {
                id: None,
                pipeline: "recorded".to_owned(),
                steps,
            }),
        };
        (builds.into_iter().map(moment).collect(), notes.sentences())
    }
}

/// Jobs of which the recording does not tell all.
#[derive(Default)]
struct Notes {
    never_runnable: usize,
    unfinished: usize,
    unseen: usize,
    waiting: usize,
    foreign: usize,
}

impl Notes {
    /// How long a job ran, as far as can be said.
    fn runs(&mut self, history: &History, runnable: Timestamp, ends: Timestamp, usual: Duration) -> Duration {
        match (history.begins, history.ends) {
            (Some(began), Some(ended)) => ended.since(began),
            (Some(began), None) => {
                self.unfinished += 1;
                ends.since(began)
            }
            (None, Some(missed)) => {
                self.unseen += 1;
                missed.since(runnable) / 2
            }
            (None, None) => {
                self.waiting += 1;
                usual
            }
        }
    }

    fn sentences(self) -> Vec<String> {
        let all = [
            (self.never_runnable, "could never run and are left out"),
            (self.unfinished, "still ran at the end and end there"),
            (
                self.unseen,
                "were not seen running, and run half as long as they were there",
            ),
            (
                self.waiting,
                "still waited at the end, and run as long as others of their queue",
            ),
            (
                self.foreign,
                "ran on agents that are in no pod of ours, and want a pod here",
            ),
        ];
        let told = all.into_iter().filter(|(count, _)| *count > 0);
        told.map(|(count, what)| format!("{count} jobs {what}")).collect()
    }
}

/// The median of what the jobs of each queue ran.
fn usual(known: &BTreeMap<BuildkiteJobId, History>) -> BTreeMap<Queue, Duration> {
    let mut runs: BTreeMap<Queue, Vec<Duration>> = BTreeMap::new();
    for history in known.values() {
        if let (Some(begins), Some(ends)) = (history.begins, history.ends) {
            runs.entry(history.queue.clone()).or_default().push(ends.since(begins));
        }
    }
    let median = |(queue, runs)| Some((queue, lives::median(runs)?));
    runs.into_iter().filter_map(median).collect()
}

fn middle(one: Timestamp, other: Timestamp) -> Timestamp {
    one.after(other.since(one) / 2)
}

fn whole_millis(length: Duration) -> Span {
    Span::millis(u64::try_from(length.as_millis()).unwrap_or(u64::MAX))
}
