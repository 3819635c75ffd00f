//! The Agent API, `/v3`.

mod metrics;
mod route;
mod session;
mod work;

use buildscaler_core::{AgentId, Timestamp};
use http::{Response, StatusCode};
use serde_json::json;

use super::FakeBuildkite;
use super::call::Call;
use super::ids::{self, Kind};
use super::reply;
use route::{Introduction, Route};

/// What a session token begins with; the rest is the agent's id.
const SESSION_PREFIX: &str = "bkaa_";

/// What a job's token begins with; the rest is the job's id.
const JOB_PREFIX: &str = "bkaj_";

impl FakeBuildkite {
    pub(super) fn agent_api(&mut self, call: &Call<'_>, now: Timestamp) -> Response<Vec<u8>> {
        let route = Route::parse(call.method, &call.segments());
        self.observed.count(route.map_or("unknown", |route| route.name()));
        let Some(secret) = call.secret("token") else {
            return unauthorized();
        };
        match route {
            Some(Route::Introduction(_)) if !self.accounts.is_agent_token(secret) => unauthorized(),
            Some(Route::Introduction(introduction)) => match introduction {
                Introduction::Register => self.register_requested(call, now),
                Introduction::Token => self.token_of_agents(),
                Introduction::Metrics => self.metrics(None),
                Introduction::QueueMetrics => self.metrics(Some(call.param("name").unwrap_or("default"))),
            },
            Some(Route::Session(route)) => match self.session(secret) {
                Some(agent) => self.in_session(call, route, &agent, now),
                None => unauthorized(),
            },
            None => reply::not_found(),
        }
    }

    /// The agent behind a session token, or behind the token of its job.
    fn session(&self, secret: &str) -> Option<AgentId> {
        let agent = match (secret.strip_prefix(SESSION_PREFIX), secret.strip_prefix(JOB_PREFIX)) {
            (Some(id), _) => self.agents.get(&ids::sequence(Kind::Agent, id)?),
            (None, Some(id)) => self.agents.get(&self.job_by_id(id)?.agent?),
            (None, None) => None,
        };
        agent.map(|agent| agent.id.clone())
    }

    fn token_of_agents(&self) -> Response<Vec<u8>> {
        reply::ok(&json!({
            "uuid": ids::uuid(Kind::Token, 2), "description": "agents", "token_type": "agent",
            "organization_slug": self.organization, "organization_uuid": ids::uuid(Kind::Organization, 1),
            "cluster_uuid": self.switches.clustered.then(|| ids::uuid(Kind::Cluster, 1)),
            "cluster_name": self.switches.clustered.then_some("Default"),
            "organization_queue_uuid": null, "organization_queue_key": null,
        }))
    }
}

fn unauthorized() -> Response<Vec<u8>> {
    reply::error(StatusCode::UNAUTHORIZED, "Invalid access token")
}
