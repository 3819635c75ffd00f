//! An agent's life: register, connect, ping, disconnect.

use std::time::Duration;

use buildscaler_core::{AgentId, Timestamp};
use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::super::FakeBuildkite;
use super::super::agents::{Ping, Stop};
use super::super::call::Call;
use super::super::refusal::Refusal;
use super::super::reply;
use super::super::spec::AgentSpec;
use super::SESSION_PREFIX;
use super::route::Session;

impl FakeBuildkite {
    pub(super) fn register_requested(&mut self, call: &Call<'_>, now: Timestamp) -> Response<Vec<u8>> {
        let body = call.json();
        let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let tags = body.get("meta_data").and_then(Value::as_array).into_iter().flatten();
        let hostname = text("hostname");
        let name = self.named(&text("name"), &hostname);
        let priority = text("priority");
        let spec = AgentSpec {
            name,
            hostname,
            tags: tags.filter_map(Value::as_str).map(str::to_owned).collect(),
            version: text("version"),
            os: text("os"),
            arch: text("arch"),
            priority: priority.parse().unwrap_or(0),
            ignore_in_dispatches: body
                .get("ignore_in_dispatches")
                .and_then(Value::as_bool)
                .unwrap_or(false),
        };
        let id = self.register(now, spec);
        let agent = match self.agent(&id) {
            Ok(agent) => agent,
            Err(refusal) => return reply::refused(refusal),
        };
        reply::ok(&json!({
            "id": id.as_str(), "name": agent.name, "access_token": format!("{SESSION_PREFIX}{id}"),
            "endpoint": "", "request_headers": null, "meta_data": agent.tags, "tracing": null,
            "ping_interval": seconds(self.switches.ping_interval),
            "job_status_interval": seconds(self.switches.job_status_interval),
            "heartbeat_interval": seconds(self.switches.heartbeat_interval),
        }))
    }

    /// The name in full: the agent leaves most of that to the server, and must
    /// not be without one.
    fn named(&self, template: &str, hostname: &str) -> String {
        let template = if template.is_empty() { "%hostname-%n" } else { template };
        let number = self.agents.len() + 1;
        let name = template
            .replace("%hostname", hostname)
            .replace("%n", &number.to_string());
        name.replace("%random", &format!("{number:05x}"))
    }

    pub(super) fn in_session(
        &mut self,
        call: &Call<'_>,
        route: Session<'_>,
        id: &AgentId,
        now: Timestamp,
    ) -> Response<Vec<u8>> {
        match route {
            Session::Connect => answer(self.connect(now, id)),
            Session::Heartbeat => match self.heartbeat(now, id) {
                Ok(()) => {
                    let sent_at = call.json().get("sent_at").cloned().unwrap_or_default();
                    reply::ok(&json!({"sent_at": sent_at, "received_at": reply::time(Some(now))}))
                }
                Err(refusal) => refused(refusal),
            },
            Session::Ping => match self.ping(now, id) {
                Ok(ping) => reply::ok(&ping_body(&ping)),
                Err(refusal) => refused(refusal),
            },
            Session::Disconnect => answer(self.disconnect(now, id)),
            Session::Stop => {
                let forced = call.json().get("force").and_then(Value::as_bool).unwrap_or(false);
                answer(self.stop(now, id, if forced { Stop::Forced } else { Stop::Graceful }))
            }
            Session::Pause => {
                let note = call.json().get("note").and_then(Value::as_str).map(str::to_owned);
                answer(self.pause_agent(now, id, note, Duration::from_secs(300)))
            }
            Session::Resume => answer(self.resume_agent(now, id)),
            Session::Work(assigned, work) => self.work(call, id, assigned, work, now),
        }
    }
}

/// What the agent reads of an answer to a ping. Only the job's id counts.
fn ping_body(ping: &Ping) -> Value {
    match ping {
        Ping::Idle => json!({}),
        Ping::Assigned(id) => json!({"job": {"id": id.as_str(), "state": "assigned"}}),
        Ping::Disconnect => json!({"action": "disconnect", "message": "You have been asked to stop"}),
        Ping::Pause(note) => json!({"action": "pause", "message": note}),
    }
}

/// The answer to a call that was carried out or refused.
pub(super) fn answer(result: Result<(), Refusal>) -> Response<Vec<u8>> {
    match result {
        Ok(()) => reply::ok(&json!({})),
        Err(refusal) => refused(refusal),
    }
}

/// A refusal as the Agent API words it: a state conflict is 422 there.
pub(super) fn refused(refusal: Refusal) -> Response<Vec<u8>> {
    let status = match refusal.status() {
        StatusCode::BAD_REQUEST => StatusCode::UNPROCESSABLE_ENTITY,
        status => status,
    };
    reply::error(status, &refusal.to_string())
}

/// Whole seconds, rounded up: the agent reads integers and takes zero for a
/// default of its own.
fn seconds(length: Duration) -> u64 {
    length.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX)
}
