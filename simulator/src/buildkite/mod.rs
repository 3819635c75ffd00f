//! A fake of Buildkite: the REST API that a scaler asks and the Agent API that
//! agents live by, on one state.
//!
//! [`FakeBuildkite`] does no IO and reads no clock. [`FakeBuildkite::handle`]
//! answers requests of both APIs; a simulated agent may also call the methods
//! behind them directly ([`FakeBuildkite::register`], [`FakeBuildkite::ping`]
//! and so on). What is not known of the real one is a field of [`Switches`].

mod accounts;
mod agent_api;
mod agents;
mod builds;
mod call;
mod contact;
mod direct;
mod dispatch;
mod ids;
mod lagging;
mod model;
mod observed;
mod rate_limit;
mod refusal;
mod reply;
mod rest;
mod spec;
mod switches;
mod truth;

use std::collections::{BTreeMap, BTreeSet};

use buildscaler_core::{AgentId, BuildkiteJobId, Queue, Timestamp};
use http::{Request, Response};

pub use accounts::{AccessToken, Accounts, Scope, User};
pub use agents::{Ending, Ping, Stop};
pub use builds::Created;
pub use direct::News;
pub(crate) use direct::{Allowance, Page};
pub use model::{Agent, AgentState, Build, BuildState, BuildkiteJob, JobState, Pause};
pub use observed::{Observations, Observed};
pub use rate_limit::Limits;
pub use refusal::Refusal;
pub use spec::{AgentSpec, BuildSpec, Concurrency, JobKind, JobSpec};
pub use switches::{AgentOrder, Dispatch, ShownLimited, Switches, Unaccepted};
pub use truth::{Happening, LifeEvent, TruthLog, Wait, Why};

use call::Call;
use dispatch::{QueueRecord, ReadyKey};
use model::IdleKey;
use rate_limit::RateLimits;

/// The environment variable of a job that says how long its command runs.
pub const DURATION_VARIABLE: &str = "BUILDSCALER_TEST_DURATION_SECONDS";

/// One organization of a fake Buildkite.
#[derive(Clone, Debug)]
pub struct FakeBuildkite {
    /// The slug of the organization.
    pub organization: String,
    /// What is assumed of the real one.
    pub switches: Switches,
    /// How much may be asked.
    pub limits: Limits,
    /// Who may call.
    pub accounts: Accounts,
    now: Timestamp,
    quiet_until: Timestamp,
    agents: BTreeMap<u64, Agent>,
    /// The agents that the list may show; the others are history.
    present: BTreeSet<u64>,
    jobs: BTreeMap<u64, BuildkiteJob>,
    builds: BTreeMap<u64, Build>,
    /// The builds that are not over.
    open: BTreeSet<u64>,
    queues: BTreeMap<Queue, QueueRecord>,
    groups: BTreeMap<String, BTreeSet<u64>>,
    ready: BTreeMap<Queue, BTreeSet<ReadyKey>>,
    idle: BTreeMap<Queue, BTreeSet<IdleKey>>,
    spent: RateLimits,
    truth: TruthLog,
    observed: Observations,
    /// What agents do not know yet, if somebody wants to be told.
    news: Option<Vec<News>>,
}

impl FakeBuildkite {
    /// The slug of the organization of a new fake.
    pub const ORGANIZATION: &str = "acme";
    /// The API access token of a new fake.
    pub const ACCESS_TOKEN: &str = "bkua_scaler";
    /// The agent token of a new fake.
    pub const AGENT_TOKEN: &str = "bkct_agents";

    /// An organization with a user, a token, an agent token and nothing else.
    pub fn new(switches: Switches) -> Self {
        Self {
            organization: Self::ORGANIZATION.to_owned(),
            switches,
            limits: Limits::default(),
            accounts: Accounts::new(Self::ACCESS_TOKEN, Self::AGENT_TOKEN),
            now: Timestamp::from_millis(0),
            quiet_until: contact::FAR,
            agents: BTreeMap::new(),
            present: BTreeSet::new(),
            jobs: BTreeMap::new(),
            builds: BTreeMap::new(),
            open: BTreeSet::new(),
            queues: BTreeMap::new(),
            groups: BTreeMap::new(),
            ready: BTreeMap::new(),
            idle: BTreeMap::new(),
            spent: RateLimits::default(),
            truth: TruthLog::default(),
            observed: Observations::default(),
            news: None,
        }
    }

    /// Answers a request of the REST API (`/v2`) or of the Agent API (`/v3`).
    pub fn handle(&mut self, now: Timestamp, request: Request<Vec<u8>>) -> Response<Vec<u8>> {
        let now = self.advance(now);
        let call = Call::new(&request);
        match call.path.trim_start_matches('/').split('/').next() {
            Some("v2") => self.rest(&call, request.uri(), now),
            Some("v3") => self.agent_api(&call, now),
            Some(_) | None => reply::not_found(),
        }
    }

    /// What really happened.
    pub const fn truth(&self) -> &TruthLog {
        &self.truth
    }

    /// What was asked.
    pub const fn observed(&self) -> &Observations {
        &self.observed
    }

    /// Spends requests of the organization's limit, as other tools would.
    pub fn spend_requests_of_others(&mut self, now: Timestamp, requests: u32) {
        let now = self.advance(now);
        self.spent.spend_others(requests, self.limits, now);
    }

    /// Every agent that ever registered, the oldest first.
    pub fn agents(&self) -> impl Iterator<Item = &Agent> {
        self.agents.values()
    }

    /// One agent.
    pub fn agent_of(&self, id: &AgentId) -> Option<&Agent> {
        self.agent(id).ok()
    }

    /// The job that an agent has.
    pub fn held_by(&self, id: &AgentId) -> Option<&BuildkiteJob> {
        self.jobs.get(&self.agent(id).ok()?.holds?)
    }

    /// Every job there ever was, the oldest first.
    pub fn jobs(&self) -> impl Iterator<Item = &BuildkiteJob> {
        self.jobs.values()
    }

    /// One job.
    pub fn job_of(&self, id: &BuildkiteJobId) -> Option<&BuildkiteJob> {
        self.job_by_id(id.as_str())
    }

    /// Every build there ever was, the oldest first.
    pub fn builds(&self) -> impl Iterator<Item = &Build> {
        self.builds.values()
    }

    /// How long every job that became dispatchable waited for an agent.
    pub fn waits(&self) -> Vec<Wait> {
        let dispatchable = self.jobs.values().filter(|found| found.spec.kind == JobKind::Script);
        dispatchable
            .filter_map(|found| {
                Some(Wait {
                    id: found.id.clone(),
                    queue: found.queue(),
                    runnable_at: found.runnable_at?,
                    started_at: found.started_at,
                    over_at: found.finished_at,
                })
            })
            .collect()
    }
}

impl Default for FakeBuildkite {
    fn default() -> Self {
        Self::new(Switches::default())
    }
}
