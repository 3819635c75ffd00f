//! The REST API without HTTP and JSON: the same rows, pages and limits for
//! simulations that cannot afford text.
//!
//! Tests hold it against the API itself: a look through either shows the same.

use std::collections::BTreeMap;
use std::time::Duration;

use buildscaler_core::{
    Agent as SeenAgent, AgentId, BuildkiteJob as SeenJob, ConnectionState, JobState as SeenState, LimitReading,
    LimitScope, Queue, Timestamp, Uid, labels,
};

use super::FakeBuildkite;
use super::accounts::OWNER;
use super::model::{Agent, AgentState, Build, BuildState, BuildkiteJob, JobState, Shown};
use super::spec::JobKind;
use super::switches::{AgentOrder, ShownLimited};

/// Rows on a page, as the controller asks for them.
const PER_PAGE: usize = 100;

/// Something that an agent will learn the next time it asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// It was given a job.
    Assigned(AgentId),
    /// It is to stop.
    Stopping(AgentId),
    /// Its job is to end.
    Canceling(AgentId),
}

/// One limit as an answer's headers tell it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance {
    scope: LimitScope,
    limit: u32,
    remaining: u32,
    reset: Duration,
}

impl Allowance {
    /// The limit as whoever receives the answer at `now` reads it.
    pub(crate) fn reading(self, now: Timestamp) -> LimitReading {
        LimitReading {
            scope: self.scope,
            limit: self.limit,
            remaining: self.remaining,
            reset_at: now.after(self.reset),
        }
    }
}

/// A page of rows, and whether there is another one.
#[derive(Clone, Debug)]
pub(crate) struct Page<T> {
    pub(crate) rows: Vec<T>,
    /// How many of the rows are in the first half of the page: a page of
    /// builds is cut between builds.
    pub(crate) half: usize,
    pub(crate) more: bool,
}

impl FakeBuildkite {
    /// Collects news from now on, for somebody who plays the agents and does
    /// not want to ask for each of them at every ping.
    pub fn follow(&mut self) {
        self.news.get_or_insert_default();
    }

    /// The news since the last call, the oldest first.
    pub fn take_news(&mut self) -> Vec<News> {
        self.news.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Whether there is any news.
    pub(crate) fn has_news(&self) -> bool {
        self.news.as_ref().is_some_and(|news| !news.is_empty())
    }

    /// The agents that were asked to stop since news was last taken.
    pub(crate) fn just_stopped(&self) -> Vec<AgentId> {
        let news = self.news.iter().flatten();
        news.filter_map(|news| match news {
            News::Stopping(agent) => Some(agent.clone()),
            News::Assigned(_) | News::Canceling(_) => None,
        })
        .collect()
    }

    pub(super) fn tell(&mut self, news: News) {
        if let Some(known) = &mut self.news {
            known.push(news);
        }
    }

    /// Counts one request of the scaler's token.
    ///
    /// # Errors
    /// The time to wait if a limit is exceeded.
    pub(crate) fn spend_request(&mut self, now: Timestamp) -> (Result<(), Duration>, [Allowance; 2]) {
        let now = self.advance(now);
        let standings = self.spent.spend(OWNER, self.limits, now);
        let allowance = |scope, (limit, remaining, reset): (u32, u32, u64)| Allowance {
            scope,
            limit,
            remaining,
            reset: Duration::from_secs(reset),
        };
        let (user, organization) = standings.read();
        let allowances = [
            allowance(LimitScope::User, user),
            allowance(LimitScope::Organization, organization),
        ];
        let wait = standings.wait().map(Duration::from_secs);
        (wait.map_or(Ok(()), Err), allowances)
    }

    /// A page of the active builds' jobs, counted from 1.
    pub(crate) fn page_of_jobs(&self, page: u32) -> Page<SeenJob> {
        let first = (page as usize).saturating_sub(1) * PER_PAGE;
        let active = self.open.iter().rev().filter_map(|number| self.builds.get(number));
        let mut active = active.filter(|build| is_active(build) && !self.waits_for_paused_queues(build));
        let builds: Vec<&Build> = active.by_ref().skip(first).take(PER_PAGE).collect();
        let more = active.next().is_some();
        let (early, late) = builds.split_at(builds.len() / 2);
        let mut rows: Vec<SeenJob> = early.iter().flat_map(|build| self.jobs_of(build)).collect();
        let half = rows.len();
        rows.extend(late.iter().flat_map(|build| self.jobs_of(build)));
        Page { rows, half, more }
    }

    /// A page of the agents, counted from 1.
    pub(crate) fn page_of_agents(&mut self, now: Timestamp, page: u32) -> Page<SeenAgent> {
        let first = (page as usize).saturating_sub(1) * PER_PAGE;
        self.forget_absent(now);
        let mut listed = self.listed(now);
        let total = listed.len();
        match self.switches.agent_order {
            AgentOrder::NewestFirst => listed.reverse(),
            AgentOrder::OldestFirst => {}
            AgentOrder::ById => listed.sort_by(|(a, _), (b, _)| a.id.cmp(&b.id)),
        }
        let rows = listed.into_iter().skip(first).take(PER_PAGE);
        let rows: Vec<SeenAgent> = rows.map(|(agent, shown)| self.seen_agent(agent, shown)).collect();
        Page {
            half: rows.len() / 2,
            rows,
            more: total > first + PER_PAGE,
        }
    }

    /// Whether nothing is left of a build without the jobs of paused queues.
    fn waits_for_paused_queues(&self, build: &Build) -> bool {
        if !self.has_paused_queues() {
            return false;
        }
        let jobs = build.jobs.iter().filter_map(|sequence| self.jobs.get(sequence));
        let mut alive = jobs
            .filter(|found| found.retried_in.is_none() && found.spec.kind == JobKind::Script && !found.state.is_over());
        let mut any = false;
        alive.all(|found| {
            any = true;
            self.is_paused(&found.queue())
        }) && any
    }

    fn jobs_of<'a>(&'a self, build: &'a Build) -> impl Iterator<Item = SeenJob> + 'a {
        let jobs = build.jobs.iter().filter_map(|sequence| self.jobs.get(sequence));
        jobs.filter_map(|found| self.seen_job(found))
    }

    fn seen_job(&self, found: &BuildkiteJob) -> Option<SeenJob> {
        if found.spec.kind != JobKind::Script || found.retried_in.is_some() {
            return None;
        }
        let state = match (found.state, self.switches.limited) {
            (JobState::Limited, ShownLimited::Scheduled) | (JobState::Scheduled, _) => SeenState::Scheduled,
            (JobState::Limited, ShownLimited::Limited) => SeenState::Limited,
            (JobState::Assigned | JobState::Accepted | JobState::Running | JobState::Canceling, _) => SeenState::Active,
            (
                JobState::Waiting
                | JobState::Blocked
                | JobState::Passed
                | JobState::Failed
                | JobState::Canceled
                | JobState::Broken,
                _,
            ) => return None,
        };
        let queue = found.queue();
        if !found.state.is_held() && self.is_paused(&queue) {
            return None;
        }
        Some(SeenJob {
            id: found.id.clone(),
            state,
            queue,
            rules: found.spec.rules.clone(),
            runnable_at: found.runnable_at,
            started_at: found.started_at,
        })
    }

    fn seen_agent(&self, agent: &Agent, shown: Shown) -> SeenAgent {
        let mut queues: Vec<_> = agent.queues().collect();
        queues.sort_unstable();
        queues.dedup();
        let value = |tag: &str, key: &str| Some(tag.split_once('=').filter(|(name, _)| *name == key)?.1.to_owned());
        let pod_uid = agent.tags.iter().find_map(|tag| value(tag, labels::POD_UID_TAG));
        let told = [labels::QUEUE_TAG, labels::POD_UID_TAG];
        let is_told = |tag: &String| tag.split_once('=').is_some_and(|(key, _)| told.contains(&key));
        SeenAgent {
            id: agent.id.clone(),
            hostname: Some(agent.hostname.clone()).filter(|_| pod_uid.is_none()),
            state: match shown.state {
                AgentState::Connected => ConnectionState::Connected,
                AgentState::Stopping => ConnectionState::Stopping,
                AgentState::NeverConnected | AgentState::Stopped | AgentState::Disconnected | AgentState::Lost => {
                    ConnectionState::Other
                }
            },
            running: shown.holds.and_then(|held| Some(self.jobs.get(&held)?.id.clone())),
            paused: agent.pause.is_some(),
            queues,
            pod_uid: pod_uid.map(Uid::from),
            tags: agent.tags.iter().filter(|tag| !is_told(tag)).cloned().collect(),
            connected_at: agent.connected_at,
        }
    }
}

/// Whether the controller asks for builds in this state.
fn is_active(build: &Build) -> bool {
    matches!(
        build.state,
        BuildState::Scheduled | BuildState::Running | BuildState::Failing
    )
}

/// How many jobs a queue has, by what they mean to a scaler.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Demand {
    pub(crate) scheduled: u32,
    pub(crate) running: u32,
    /// Behind steps, dependencies and limits.
    pub(crate) waiting: u32,
    /// Since when the oldest scheduled one wants an agent.
    pub(crate) oldest: Option<Timestamp>,
}

impl FakeBuildkite {
    /// The jobs of builds that are not over, counted by queue.
    pub(crate) fn demand(&self) -> BTreeMap<Queue, Demand> {
        let mut demand: BTreeMap<Queue, Demand> = BTreeMap::new();
        let open = self.open.iter().filter_map(|number| self.builds.get(number));
        let jobs = open
            .flat_map(|build| &build.jobs)
            .filter_map(|sequence| self.jobs.get(sequence));
        for found in jobs.filter(|found| found.spec.kind == JobKind::Script) {
            let queue = demand.entry(found.queue()).or_default();
            match found.state {
                JobState::Waiting | JobState::Blocked | JobState::Limited => queue.waiting += 1,
                JobState::Scheduled => {
                    queue.scheduled += 1;
                    let since = found.runnable_at.unwrap_or(found.created_at);
                    queue.oldest = Some(queue.oldest.map_or(since, |oldest| oldest.min(since)));
                }
                JobState::Assigned | JobState::Accepted | JobState::Running | JobState::Canceling => queue.running += 1,
                JobState::Passed | JobState::Failed | JobState::Canceled | JobState::Broken => {}
            }
        }
        demand
    }

    /// How many jobs of each queue have ended on an agent.
    pub(crate) fn finished_jobs(&self) -> BTreeMap<Queue, u64> {
        let mut finished: BTreeMap<Queue, u64> = BTreeMap::new();
        for found in self.jobs.values() {
            if found.started_at.is_some() && found.finished_at.is_some() {
                *finished.entry(found.queue()).or_default() += 1;
            }
        }
        finished
    }
}
