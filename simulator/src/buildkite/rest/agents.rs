//! Agents in the REST API.

use std::time::Duration;

use buildscaler_core::{AgentId, Queue, Timestamp};
use http::Response;
use serde_json::Value;

use super::super::FakeBuildkite;
use super::super::accounts::User;
use super::super::agents::Stop;
use super::super::call::Call;
use super::super::model::{Agent, Shown};
use super::super::refusal::Refusal;
use super::super::reply;
use super::super::switches::AgentOrder;
use super::paging::Page;
use super::render::AgentRow;

impl FakeBuildkite {
    /// Connected and stopping agents, as they were `agent_list_lag` ago.
    pub(super) fn list_agents(&mut self, call: &Call<'_>, user: &User, now: Timestamp) -> Response<Vec<u8>> {
        self.forget_absent(now);
        let mut rows = self.listed(now);
        rows.retain(|(agent, _)| self.is_asked_for(agent, call));
        match self.switches.agent_order {
            AgentOrder::NewestFirst => rows.reverse(),
            AgentOrder::OldestFirst => {}
            AgentOrder::ById => rows.sort_by(|(a, _), (b, _)| a.id.cmp(&b.id)),
        }
        Page::of(call).answer(&rows, call, |(agent, shown)| {
            self.agent_row(agent, *shown, user, call).render()
        })
    }

    /// Forgets agents that the list shows neither now nor later.
    pub(crate) fn forget_absent(&mut self, now: Timestamp) {
        let seen_at = now.before(self.switches.agent_list_lag);
        let agents = &self.agents;
        self.present.retain(|sequence| {
            agents.get(sequence).is_some_and(|agent| {
                agent.state.is_listed() || agent.shown.at(seen_at).is_some_and(|shown| shown.state.is_listed())
            })
        });
    }

    /// The agents that the list shows and how it shows them, the oldest first.
    pub(crate) fn listed(&self, now: Timestamp) -> Vec<(&Agent, Shown)> {
        let seen_at = now.before(self.switches.agent_list_lag);
        let present = self.present.iter().filter_map(|sequence| self.agents.get(sequence));
        let shown = present.filter_map(|agent| Some((agent, *agent.shown.at(seen_at)?)));
        shown.filter(|(_, shown)| shown.state.is_listed()).collect()
    }

    pub(super) fn show_agent(&self, call: &Call<'_>, id: &str, user: &User) -> Response<Vec<u8>> {
        match self.agent(&AgentId::from(id)) {
            Ok(agent) => {
                let shown = Shown {
                    state: agent.state,
                    holds: agent.holds,
                };
                reply::ok(&self.agent_row(agent, shown, user, call).render())
            }
            Err(refusal) => reply::refused(refusal),
        }
    }

    fn agent_row<'a>(&'a self, agent: &'a Agent, shown: Shown, user: &User, call: &'a Call<'_>) -> AgentRow<'a> {
        AgentRow {
            fake: self,
            agent,
            shown,
            sees_job: user.sees_pipelines,
            call,
        }
    }

    fn is_asked_for(&self, agent: &Agent, call: &Call<'_>) -> bool {
        let is = |name: &str, value: &str| call.param(name).is_none_or(|wanted| wanted == value);
        let queue = call.param("cluster_queue_id").is_none_or(|wanted| {
            let id = |queue: Queue| self.queues.get(&queue).map(|record| record.id.as_str());
            self.switches.clustered && agent.queues().any(|queue| id(queue) == Some(wanted))
        });
        is("name", &agent.name) && is("hostname", &agent.hostname) && is("version", &agent.version) && queue
    }

    /// Without a word about force, the stop is forced.
    pub(super) fn stop_requested(&mut self, call: &Call<'_>, id: &str, now: Timestamp) -> Response<Vec<u8>> {
        let how = match call.json().get("force") {
            Some(Value::Bool(false)) => Stop::Graceful,
            Some(_) | None => Stop::Forced,
        };
        match self.stop(now, &id.into(), how) {
            Err(refusal @ Refusal::UnknownAgent) => reply::error(self.switches.stop_of_unknown, &refusal.to_string()),
            result => reply::done(result),
        }
    }

    pub(super) fn pause_requested(&mut self, call: &Call<'_>, id: &str, now: Timestamp) -> Response<Vec<u8>> {
        const DEFAULT_MINUTES: u64 = 5;
        let body = call.json();
        let note = body.get("note").and_then(Value::as_str).map(str::to_owned);
        let minutes = body
            .get("timeout_in_minutes")
            .and_then(Value::as_u64)
            .unwrap_or(DEFAULT_MINUTES);
        let length = Duration::from_secs(minutes.saturating_mul(60));
        reply::done(self.pause_agent(now, &id.into(), note, length))
    }
}
