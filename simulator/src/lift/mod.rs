//! Recordings become scenarios: what the outside world did while a controller
//! was recorded, so that other settings and policies can be tried on it.
//!
//! A recording knows what the controller saw, look by look, and no more:
//!
//! - A job's beginning and end lie between two looks; half way is taken. A job
//!   that no look saw running ran somewhere between two looks.
//! - Jobs are not tied to builds, and nothing says what they waited for or how
//!   they exited: each comes when it could run. One that was cancelled is taken
//!   for one that ran, one that still runs at the end for one that ends there.
//! - Pods' lives become medians, the image pull included in the start of the
//!   agent. Images are no part of a recording; the hash of a template stands in
//!   their place, so that each version is told from the others.
//! - Values of tags and rules are no part of a recording either; the same
//!   stand-in is written wherever the same value was.
//! - Nodes, faults, replies and the lag of lists are not in it: these are the
//!   defaults.

mod jobs;
mod lives;
mod templates;

use std::sync::Arc;

use buildscaler_core::{Config, Input, LookEnd, Timestamp};
use buildscaler_recording::{Header, Moment as Recorded, ReadError};

use crate::scenario::{
    BuildkiteSettings, ControllerSettings, Event, Expectations, Moment, Problem, Rule, Scenario, Span, VERSION,
    WorldSettings,
};
use jobs::Jobs;
use lives::Lives;
use templates::Templates;

/// A recording as a scenario, and what is to be known of it.
#[derive(Debug)]
pub struct Lifted {
    /// The scenario.
    pub scenario: Scenario,
    /// What the recording could not tell exactly, in sentences.
    pub notes: Vec<String>,
}

/// Makes a scenario of a recording's moments, in the order in which they are
/// written. `file` is how messages call it.
pub fn lift(
    file: &str,
    name: &str,
    moments: impl IntoIterator<Item = Result<(Arc<Header>, Recorded), ReadError>>,
) -> Result<Lifted, Vec<Problem>> {
    let mut seen: Option<Seen> = None;
    for moment in moments {
        let (header, moment) = moment.map_err(|error| vec![unreadable(file, &error)])?;
        seen.get_or_insert_with(|| Seen::new(&header, moment.at))
            .take(&header, moment);
    }
    let Some(seen) = seen else {
        let message = "nothing is recorded in it".to_owned();
        return Err(vec![problem(file, None, Rule::Size, message)]);
    };
    let lifted = seen.lifted(name);
    match lifted.scenario.complaints().into_iter().next() {
        None => Ok(lifted),
        Some(complaint) => {
            let message = format!("it makes no scenario: {complaint}");
            Err(vec![problem(file, None, Rule::Size, message)])
        }
    }
}

/// What was seen so far.
struct Seen {
    config: Config,
    run: String,
    begins: Timestamp,
    ends: Timestamp,
    restarts: Vec<Timestamp>,
    templates: Templates,
    lives: Lives,
    jobs: Jobs,
}

impl Seen {
    fn new(header: &Header, at: Timestamp) -> Self {
        Self {
            config: header.config.clone(),
            run: header.run.clone(),
            begins: at,
            ends: at,
            restarts: Vec::new(),
            templates: Templates::default(),
            lives: Lives::default(),
            jobs: Jobs::default(),
        }
    }

    fn take(&mut self, header: &Header, moment: Recorded) {
        let at = moment.at.max(self.ends);
        self.ends = at;
        if header.run != self.run {
            self.run.clone_from(&header.run);
            self.restarts.push(at);
            // The looks that were under way went with the process.
            self.jobs.broken_off();
        }
        match moment.input {
            Input::Cluster { view, .. } => {
                if let Some(templates) = view.templates.complete() {
                    self.templates.seen(templates, at);
                }
                if let Some(pods) = view.pods.complete() {
                    self.lives.pods(pods, at);
                }
            }
            Input::Buildkite { look, .. } => {
                self.lives.agents(&look.agents, at);
                self.jobs.part(look.jobs, look.agents);
                match look.end {
                    LookEnd::Complete => self.jobs.complete(look.begun_at),
                    LookEnd::More(_) => {}
                    LookEnd::Failed(..) => self.jobs.broken_off(),
                }
            }
            Input::Tick | Input::Outcome { .. } | Input::Lease { .. } | Input::Shutdown => {}
        }
    }

    fn lifted(self, name: &str) -> Lifted {
        let (first, mut timeline) = self.templates.lifted(self.begins);
        let (builds, notes) = self.jobs.lifted(self.begins, self.ends);
        let crash = |at: &Timestamp| Moment {
            at: span(self.begins, *at),
            event: Event::CrashController,
        };
        timeline.extend(builds);
        timeline.extend(self.restarts.iter().map(crash));
        timeline.sort_by_key(|moment| moment.at);
        let starts = jiff::Timestamp::from_millisecond(self.begins.as_millis()).ok();
        let scenario = Scenario {
            version: VERSION,
            name: name.to_owned(),
            description: "Lifted from a recording.".to_owned(),
            covers: Vec::new(),
            seed: 0,
            starts: starts.map(|starts| starts.to_string()),
            // Longer by an idle timeout, for what comes last.
            lasts: span(self.begins, self.ends.after(self.config.idle_timeout)),
            controller: controller(&self.config),
            world: WorldSettings {
                pods: self.lives.medians(),
                buildkite: BuildkiteSettings {
                    requests_a_minute: self.config.budget.user,
                    organization_requests_a_minute: self.config.budget.organization,
                    ..BuildkiteSettings::default()
                },
                ..WorldSettings::default()
            },
            templates: first,
            timeline,
            expect: Expectations::default(),
        };
        Lifted { scenario, notes }
    }
}

fn controller(config: &Config) -> ControllerSettings {
    ControllerSettings {
        sync_interval: Some(Span(config.sync_interval)),
        idle_timeout: Some(Span(config.idle_timeout)),
        agent_startup_timeout: Some(Span(config.agent_startup_timeout)),
        max_active_builds: config.max_active_builds,
        max_agent_lifetime: config.max_agent_lifetime.map(Span),
        max_pods: config.max_pods,
        leader_elect: false,
    }
}

/// From the beginning until a time; no time at all if that was before.
fn span(begins: Timestamp, at: Timestamp) -> Span {
    Span(at.since(begins))
}

fn unreadable(file: &str, error: &ReadError) -> Problem {
    match error {
        ReadError::Line {
            path,
            line,
            problem: found,
        } => {
            let path = path.display().to_string();
            problem(&path, Some(*line as u64), Rule::Syntax, found.to_string())
        }
        ReadError::Unreadable { .. } | ReadError::Empty(_) => problem(file, None, Rule::Syntax, error.to_string()),
    }
}

fn problem(file: &str, line: Option<u64>, rule: Rule, message: String) -> Problem {
    Problem {
        file: file.to_owned(),
        line,
        column: None,
        rule,
        message,
    }
}
