//! `ObserveBuildkite`: the jobs of active builds, then the agents.
//!
//! In that order a job that is picked up in between is seen with its agent,
//! and counts once.

use buildscaler_core::{Agent, BuildkiteJob, CommandId, Cursor, Failure, Input, Look, LookEnd, Spending, Timestamp};

use super::link::{self, Next};
use super::{agents, builds, limits, request, status};
use crate::answer::{Answer, unread};
use crate::transport::{Reply, Request};

/// The last page read of either list: a million builds are a server that goes
/// round in circles.
const LAST_PAGE: u32 = 10_000;

/// A look on its way.
#[derive(Debug)]
pub(crate) struct LookScript {
    id: CommandId,
    organization: String,
    grant: u32,
    cursor: Cursor,
    begun_at: Timestamp,
    awaiting: bool,
    jobs: Vec<BuildkiteJob>,
    agents: Vec<Agent>,
    end: Option<LookEnd>,
    spending: Spending,
}

impl LookScript {
    pub(crate) fn begin(id: CommandId, organization: &str, grant: u32, from: Cursor, now: Timestamp) -> Self {
        Self {
            id,
            organization: organization.to_owned(),
            grant,
            cursor: from,
            begun_at: now,
            awaiting: false,
            jobs: Vec::new(),
            agents: Vec::new(),
            end: None,
            spending: Spending::default(),
        }
    }

    pub(crate) fn next_request(&mut self, now: Timestamp) -> Option<Request> {
        if self.awaiting || self.end.is_some() {
            return None;
        }
        if self.spending.requests >= self.grant {
            self.end = Some(LookEnd::More(self.cursor));
            return None;
        }
        match request::page(&self.organization, self.cursor) {
            Ok(request) => {
                if self.spending.requests == 0 {
                    self.begun_at = now;
                }
                self.spending.requests += 1;
                self.awaiting = true;
                Some(request)
            }
            Err(message) => {
                self.fail(Failure::Malformed { message });
                None
            }
        }
    }

    pub(crate) fn absorb(&mut self, reply: Reply, now: Timestamp) {
        if !std::mem::take(&mut self.awaiting) {
            return;
        }
        match self.read(reply, now) {
            Ok(Some(cursor)) => self.cursor = cursor,
            Ok(None) => self.end = Some(LookEnd::Complete),
            Err(failure) => self.fail(failure),
        }
    }

    pub(crate) fn finish(self) -> Input {
        let cut_short = || Failure::Unavailable {
            message: "the look ended before its last answer".into(),
        };
        let end = match self.end {
            Some(end) => end,
            None if self.awaiting => LookEnd::Failed(self.cursor, cut_short()),
            None => LookEnd::More(self.cursor),
        };
        Input::Buildkite {
            id: self.id,
            look: Look {
                begun_at: self.begun_at,
                jobs: self.jobs,
                agents: self.agents,
                end,
                spending: self.spending,
            },
        }
    }

    fn fail(&mut self, failure: Failure) {
        self.end = Some(LookEnd::Failed(self.cursor, failure));
    }

    /// Reads a page; returns where the look goes on, if it does.
    fn read(&mut self, reply: Reply, now: Timestamp) -> Result<Option<Cursor>, Failure> {
        let answer = reply.map_err(|error| unread(&error))?;
        limits::note(&mut self.spending, &answer, now);
        if let Some(failure) = status::failure(&answer, now) {
            return Err(failure);
        }
        match self.cursor {
            Cursor::Builds { page } => {
                let next = next_page(page, &answer)?;
                builds::read(answer.body(), &mut self.jobs)?;
                Ok(Some(
                    next.map_or(Cursor::Agents { page: 1 }, |page| Cursor::Builds { page }),
                ))
            }
            Cursor::Agents { page } => {
                let next = next_page(page, &answer)?;
                agents::read(answer.body(), &mut self.agents)?;
                Ok(next.map(|page| Cursor::Agents { page }))
            }
        }
    }
}

/// The page after `page`, if there is one. Any other number than the next
/// would leave rows out or never end.
fn next_page(page: u32, answer: &Answer) -> Result<Option<u32>, Failure> {
    match link::next(answer.headers()) {
        Next::None => Ok(None),
        Next::Page(next) if page < LAST_PAGE && next == page + 1 => Ok(Some(next)),
        Next::Page(next) => Err(Failure::Malformed {
            message: format!("page {next} is said to follow page {page}"),
        }),
        Next::Unreadable => Err(Failure::Malformed {
            message: format!("the page after page {page} cannot be told"),
        }),
    }
}
