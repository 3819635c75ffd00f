//! A look at Buildkite, page by page, without HTTP and JSON.

use std::collections::BTreeMap;
use std::time::Duration;

use buildscaler_core::{
    Agent, BuildkiteJob, CommandId, Cursor, Failure, Input, LimitReading, Look as Looked, LookEnd, Spending, Timestamp,
};

use super::strike::strike;
use super::talk::Answer;
use crate::buildkite::{Allowance, FakeBuildkite, Page};
use crate::scenario::{FaultKind, RequestKind};
use crate::world::fidelity::{Outside, Passage};

/// The pages that were shown the last time, where they may be shown again.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    last: BTreeMap<(bool, u32), (Rows, [Allowance; 2])>,
}

#[derive(Clone, Debug)]
enum Rows {
    Jobs(Page<BuildkiteJob>),
    Agents(Page<Agent>),
}

/// What an answer brings.
#[derive(Debug)]
enum Brought {
    Rows(Rows),
    Limited(Duration),
}

/// A look on its way.
#[derive(Debug)]
pub(crate) struct Look {
    id: CommandId,
    grant: u32,
    cursor: Cursor,
    begun_at: Timestamp,
    jobs: Vec<BuildkiteJob>,
    agents: Vec<Agent>,
    end: Option<LookEnd>,
    spending: Spending,
    answer: Option<Answer<Brought>>,
    allowances: Option<[Allowance; 2]>,
}

impl Look {
    pub(super) fn begin(id: CommandId, grant: u32, from: Cursor, clock: Timestamp) -> Self {
        Self {
            id,
            grant,
            cursor: from,
            begun_at: clock,
            jobs: Vec::new(),
            agents: Vec::new(),
            end: None,
            spending: Spending::default(),
            answer: None,
            allowances: None,
        }
    }

    /// Whether there is another request to send.
    pub(super) fn send(&mut self, clock: Timestamp) -> bool {
        if self.end.is_some() {
            return false;
        }
        if self.spending.requests >= self.grant {
            self.end = Some(LookEnd::More(self.cursor));
            return false;
        }
        if self.spending.requests == 0 {
            self.begun_at = clock;
        }
        self.spending.requests += 1;
        true
    }

    pub(super) fn serve(&mut self, shown: &mut super::Seen, outside: &mut Outside, now: Timestamp) -> Passage {
        outside.buildkite_requests += 1;
        let (kind, key) = match self.cursor {
            Cursor::Builds { page } => (RequestKind::Builds, (false, page)),
            Cursor::Agents { page } => (RequestKind::Agents, (true, page)),
        };
        let fault = outside.faults.strike(kind, now);
        let struck = strike(fault);
        if struck.carried_out {
            let (within, allowances) = outside.buildkite.spend_request(now);
            self.allowances = Some(allowances);
            self.answer = Some(Answer::Good(match within {
                Err(wait) => Brought::Limited(wait),
                Ok(()) => {
                    let fresh = read(&mut outside.buildkite, self.cursor, now);
                    let repeats = outside.faults.may_repeat;
                    let (rows, allowances) = page((fresh, allowances), fault, repeats, key, &mut shown.pages);
                    self.allowances = Some(allowances);
                    Brought::Rows(rows)
                }
            }));
        }
        if let Some(instead) = struck.instead {
            // What is no JSON still has its headers.
            if !matches!(instead, Answer::Garbled) {
                self.allowances = None;
            }
            self.answer = Some(instead);
        }
        Passage {
            buildkite: true,
            late: struck.late,
        }
    }

    pub(super) fn absorb(&mut self, clock: Timestamp) {
        let Some(answer) = self.answer.take() else { return };
        for allowance in self.allowances.take().into_iter().flatten() {
            let reading = allowance.reading(clock);
            self.spending.limits.retain(|known| known.scope != reading.scope);
            self.spending.limits.push(reading);
        }
        let rows = match answer.read(clock) {
            Ok(Brought::Rows(rows)) => rows,
            Ok(Brought::Limited(wait)) => return self.fail(limited(wait, &self.spending.limits, clock)),
            Err(failure) => return self.fail(failure),
        };
        match (self.cursor, rows) {
            (Cursor::Builds { page }, Rows::Jobs(read)) => {
                self.jobs.extend(read.rows);
                self.cursor = if read.more {
                    Cursor::Builds { page: page + 1 }
                } else {
                    Cursor::Agents { page: 1 }
                };
            }
            (Cursor::Agents { page }, Rows::Agents(read)) => {
                self.agents.extend(read.rows);
                if read.more {
                    self.cursor = Cursor::Agents { page: page + 1 };
                } else {
                    self.end = Some(LookEnd::Complete);
                }
            }
            (Cursor::Builds { .. } | Cursor::Agents { .. }, Rows::Jobs(_) | Rows::Agents(_)) => {}
        }
    }

    pub(super) fn finish(self) -> Input {
        Input::Buildkite {
            id: self.id,
            look: Looked {
                begun_at: self.begun_at,
                jobs: self.jobs,
                agents: self.agents,
                end: self.end.unwrap_or(LookEnd::More(self.cursor)),
                spending: self.spending,
            },
        }
    }

    fn fail(&mut self, failure: Failure) {
        self.end = Some(LookEnd::Failed(self.cursor, failure));
    }
}

fn read(buildkite: &mut FakeBuildkite, cursor: Cursor, now: Timestamp) -> Rows {
    match cursor {
        Cursor::Builds { page } => Rows::Jobs(buildkite.page_of_jobs(page)),
        Cursor::Agents { page } => Rows::Agents(buildkite.page_of_agents(now, page)),
    }
}

/// The page that is shown, and what is kept of it to be shown again.
fn page(
    fresh: (Rows, [Allowance; 2]),
    fault: Option<FaultKind>,
    repeats: bool,
    key: (bool, u32),
    shown: &mut Pages,
) -> (Rows, [Allowance; 2]) {
    match fault {
        Some(FaultKind::Stale) => shown.last.get(&key).cloned().unwrap_or(fresh),
        Some(FaultKind::Truncated) => (halve(fresh.0), fresh.1),
        Some(_) => fresh,
        None => {
            if repeats {
                shown.last.insert(key, fresh.clone());
            }
            fresh
        }
    }
}

fn halve(mut rows: Rows) -> Rows {
    match &mut rows {
        Rows::Jobs(page) => page.rows.truncate(page.half),
        Rows::Agents(page) => page.rows.truncate(page.half),
    }
    rows
}

fn limited(wait: Duration, limits: &[LimitReading], clock: Timestamp) -> Failure {
    let exhausted = limits.iter().filter(|limit| limit.remaining == 0);
    Failure::RateLimited {
        until: exhausted
            .map(|limit| limit.reset_at)
            .fold(clock.after(wait), Timestamp::max),
        message: "rate limited".into(),
    }
}
