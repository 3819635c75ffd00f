//! All builds of a time, page by page, within the request budget.
//!
//! Buildkite lists the newest builds first and refuses to list deep. So it is
//! always asked for the newest builds before the oldest that is known, by
//! narrowing `created_to`; what comes twice that way counts once.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use buildscaler_core::{Failure, Timestamp};
use buildscaler_wire::{Api, Request, SendErrorKind, buildkite_failure, buildkite_limits};
use http::header::ACCEPT;
use http::{HeaderMap, Response};

use super::rows::{Build, Told};
use crate::clock::Clock;
use crate::transport::Buildkite;

/// The largest page that is read.
const BODY_LIMIT: usize = 64 << 20;
/// Builds per page: the most there can be. Fewer are asked for where builds
/// are so large that a page takes too long.
const MOST_PER_PAGE: u32 = 100;
/// How often a page is asked for that does not come.
const PATIENCE: u32 = 6;
/// Of what may be asked, the share that is left to others: the controller may
/// use a token of the same owner.
const LEFT_TO_OTHERS: u32 = 5;
const SECOND: i64 = 1_000;

/// A download on its way.
pub(super) struct Download<'a> {
    pub(super) buildkite: &'a Buildkite,
    pub(super) clock: &'a Clock,
    pub(super) organization: &'a str,
    /// The beginning of the time, in milliseconds since the Unix epoch.
    pub(super) from: i64,
    /// What is missing lies before this.
    pub(super) before: i64,
    pub(super) known: BTreeSet<String>,
    page: u32,
    per_page: u32,
}

/// One page: what is new on it, and whether it was the last.
pub(super) struct Page {
    pub(super) builds: Vec<Build>,
    pub(super) is_last: bool,
}

impl<'a> Download<'a> {
    pub(super) fn new(buildkite: &'a Buildkite, clock: &'a Clock, organization: &'a str, from: i64, to: i64) -> Self {
        Self {
            buildkite,
            clock,
            organization,
            from,
            before: to,
            known: BTreeSet::new(),
            page: 1,
            per_page: MOST_PER_PAGE,
        }
    }

    /// The next page. `say` is told when there is something to wait for.
    pub(super) fn next(&mut self, say: &mut dyn FnMut(String)) -> Result<Page, Failure> {
        let answer = self.ask(say)?;
        let told: Vec<Told> = serde_json::from_slice(answer.body()).map_err(|error| Failure::Malformed {
            message: format!(
                "a page of builds cannot be read: line {}, column {}",
                error.line(),
                error.column()
            ),
        })?;
        let count = told.len();
        let builds: Vec<Build> = told.into_iter().filter_map(Told::kept).collect();
        let oldest = builds.iter().map(|build| build.created_at).min();
        let builds = builds
            .into_iter()
            .filter(|build| self.known.insert(build.id.clone()))
            .collect();
        self.rest(answer.headers(), say);
        let is_last = count < usize::try_from(self.per_page).unwrap_or(usize::MAX);
        // Others of the same second may follow, and filters may know seconds only.
        match oldest.map(|oldest| (oldest.div_euclid(SECOND) + 1) * SECOND) {
            Some(before) if before < self.before => (self.before, self.page) = (before, 1),
            // A page full of builds of one second.
            Some(_) | None => self.page += 1,
        }
        Ok(Page { builds, is_last })
    }

    fn ask(&mut self, say: &mut dyn FnMut(String)) -> Result<Response<Vec<u8>>, Failure> {
        let mut failures = 0;
        loop {
            let failure = match self.buildkite.send(self.request()?) {
                Ok(answer) => match buildkite_failure(&answer, self.clock.now()) {
                    None => return Ok(answer),
                    Some(failure) => failure,
                },
                Err(error) => {
                    let heavy = matches!(error.kind, SendErrorKind::TooLarge | SendErrorKind::TimedOut);
                    if heavy && self.per_page > 1 {
                        self.per_page = self.per_page.div_ceil(2);
                        self.page = 1;
                        say(format!("{error}; now asking for {} builds at a time", self.per_page));
                        continue;
                    }
                    Failure::Unavailable {
                        message: error.to_string(),
                    }
                }
            };
            failures += 1;
            let wait = match &failure {
                Failure::RateLimited { until, .. } => until.since(self.clock.now()),
                Failure::Unavailable { .. } if failures < PATIENCE => Duration::from_secs(1 << failures),
                Failure::Unavailable { .. }
                | Failure::AlreadyExists { .. }
                | Failure::NotFound { .. }
                | Failure::Forbidden { .. }
                | Failure::Rejected { .. }
                | Failure::Malformed { .. }
                | Failure::FateUnknown { .. }
                | Failure::TimeRefused { .. }
                | Failure::OverBudget => return Err(failure),
            };
            say(format!("{failure}; waiting for {} s", wait.as_secs()));
            thread::sleep(wait);
        }
    }

    fn request(&self) -> Result<Request, Failure> {
        let uri = format!(
            "/v2/organizations/{}/builds?created_from={}&created_to={}&exclude_pipeline=true&include_retried_jobs=true\
             &per_page={}&page={}",
            self.organization,
            date(self.from),
            date(self.before),
            self.per_page,
            self.page
        );
        let http = http::Request::get(uri)
            .header(ACCEPT, "application/json")
            .body(Vec::new());
        Ok(Request {
            api: Api::Buildkite,
            http: http.map_err(|error| Failure::Malformed {
                message: error.to_string(),
            })?,
            body_limit: BODY_LIMIT,
            within: None,
        })
    }

    /// Waits for the next window where little is left of this one.
    fn rest(&self, headers: &HeaderMap, say: &mut dyn FnMut(String)) {
        let now = self.clock.now();
        let readings = buildkite_limits(headers, now);
        let scarce = readings
            .iter()
            .flatten()
            .filter(|reading| reading.remaining <= reading.limit / LEFT_TO_OTHERS);
        if let Some(until) = scarce.map(|reading| reading.reset_at).max() {
            let wait = until.since(now);
            say(format!(
                "leaving the rest of the request limit to others; waiting for {} s",
                wait.as_secs()
            ));
            thread::sleep(wait);
        }
    }
}

/// The time as Buildkite takes it in a query.
fn date(millis: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(millis).unwrap_or_default();
    time.to_string()
}

/// The time now, in milliseconds since the Unix epoch.
pub(super) fn now(clock: &Clock) -> i64 {
    Timestamp::as_millis(clock.now())
}
