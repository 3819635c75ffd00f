//! Builds and jobs in the REST API.

use http::{Response, StatusCode};

use super::super::FakeBuildkite;
use super::super::call::Call;
use super::super::model::{Build, BuildState};
use super::super::refusal::Refusal;
use super::super::reply;
use super::paging::Page;
use super::render::{BuildRow, JobRow};

const TOO_DEEP: &str = "Listing builds this deep is not supported. Please narrow your query using filters such as \
                        branch or created_from.";

impl FakeBuildkite {
    /// Builds, the newest first.
    pub(super) fn list_builds(&self, call: &Call<'_>, pipeline: Option<&str>) -> Response<Vec<u8>> {
        let page = Page::of(call);
        if page.offset() >= self.switches.deepest_build {
            return reply::error(StatusCode::BAD_REQUEST, TOO_DEEP);
        }
        let filter = match Filter::of(call, pipeline) {
            Ok(filter) => filter,
            Err(message) => return reply::error(StatusCode::BAD_REQUEST, &message),
        };
        let include_paused = call.flag("include_paused", true);
        let candidates: Box<dyn Iterator<Item = &Build>> = if filter.wants_open_ones_only() {
            Box::new(self.open.iter().rev().filter_map(|number| self.builds.get(number)))
        } else {
            Box::new(self.builds.values().rev())
        };
        let rows: Vec<BuildRow<'_>> = candidates
            .filter(|build| filter.admits(build))
            .map(|build| BuildRow {
                fake: self,
                build,
                call,
                include_paused,
                include_retried: call.flag("include_retried_jobs", false),
            })
            .filter(|row| include_paused || !row.is_paused())
            .collect();
        page.answer(&rows, call, BuildRow::render)
    }

    pub(super) fn show_build(&self, call: &Call<'_>, pipeline: &str, number: u64) -> Response<Vec<u8>> {
        match self.builds.get(&number).filter(|build| build.pipeline == pipeline) {
            Some(build) => {
                let include_retried = call.flag("include_retried_jobs", false);
                reply::ok(
                    &BuildRow {
                        fake: self,
                        build,
                        call,
                        include_paused: true,
                        include_retried,
                    }
                    .render(),
                )
            }
            None => reply::error(StatusCode::NOT_FOUND, "No build found"),
        }
    }

    pub(super) fn show_job(&self, id: &str) -> Response<Vec<u8>> {
        match self.job_by_id(id) {
            Some(found) => reply::ok(
                &JobRow {
                    fake: self,
                    found,
                    with_agent: true,
                }
                .render(),
            ),
            None => reply::refused(Refusal::UnknownJob),
        }
    }
}

/// Which builds were asked for.
struct Filter<'a> {
    pipeline: Option<&'a str>,
    states: Vec<&'a str>,
    branches: Vec<&'a str>,
    created_from: Option<i64>,
    created_to: Option<i64>,
    finished_from: Option<i64>,
}

impl<'a> Filter<'a> {
    fn of(call: &'a Call<'_>, pipeline: Option<&'a str>) -> Result<Self, String> {
        let states: Vec<&str> = call.params("state").collect();
        if let Some(odd) = states.iter().find(|state| !STATES.contains(state)) {
            return Err(format!("state \"{odd}\" is not valid"));
        }
        let time = |name: &str| {
            call.param(name)
                .map(|text| millis(text).ok_or_else(|| format!("{name} is not a valid date")))
                .transpose()
        };
        Ok(Self {
            pipeline,
            states,
            branches: call.params("branch").collect(),
            created_from: time("created_from")?,
            created_to: time("created_to")?,
            finished_from: time("finished_from")?,
        })
    }

    /// Whether no build that is over can be meant: history grows long.
    fn wants_open_ones_only(&self) -> bool {
        !self.states.is_empty() && self.states.iter().all(|state| OPEN.contains(state))
    }

    fn admits(&self, build: &Build) -> bool {
        let created = build.created_at.as_millis();
        self.pipeline.is_none_or(|pipeline| pipeline == build.pipeline)
            && (self.states.is_empty() || self.states.iter().any(|state| is_in(build, state)))
            && (self.branches.is_empty() || self.branches.iter().any(|pattern| matches(pattern, &build.branch)))
            && self.created_from.is_none_or(|from| created >= from)
            && self.created_to.is_none_or(|to| created < to)
            && self
                .finished_from
                .is_none_or(|from| build.finished_at.is_some_and(|at| at.as_millis() >= from))
    }
}

const STATES: [&str; 12] = [
    "creating",
    "scheduled",
    "running",
    "passed",
    "failing",
    "failed",
    "blocked",
    "canceling",
    "canceled",
    "skipped",
    "not_run",
    "finished",
];

const OPEN: [&str; 5] = ["creating", "scheduled", "running", "failing", "canceling"];

fn is_in(build: &Build, state: &str) -> bool {
    match state {
        "finished" => build.state.is_over(),
        "blocked" => build.blocked,
        // A blocked build keeps its last state in the answer, but is not it.
        "passed" => build.state == BuildState::Passed && !build.blocked,
        _ => build.state.as_str() == state,
    }
}

/// Whether a branch fits a pattern with at most one `*`.
fn matches(pattern: &str, branch: &str) -> bool {
    match pattern.split_once('*') {
        Some((head, tail)) => {
            branch.len() >= head.len() + tail.len() && branch.starts_with(head) && branch.ends_with(tail)
        }
        None => pattern == branch,
    }
}

fn millis(text: &str) -> Option<i64> {
    text.parse::<jiff::Timestamp>()
        .ok()
        .map(jiff::Timestamp::as_millisecond)
}

impl BuildRow<'_> {
    /// Whether nothing is left of it without the jobs of paused queues.
    fn is_paused(&self) -> bool {
        let mut scripts = self.jobs_in_paused_queues().peekable();
        scripts.peek().is_some() && scripts.all(|paused| paused)
    }
}
