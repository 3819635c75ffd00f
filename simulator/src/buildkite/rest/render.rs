//! The objects of the REST API, with the fields that the real ones have.

use buildscaler_core::Queue;
use serde_json::{Map, Value, json};

use super::super::FakeBuildkite;
use super::super::call::Call;
use super::super::ids::{self, Kind};
use super::super::model::{Agent, Build, BuildkiteJob, JobState, Shown};
use super::super::reply::{old_time, time};
use super::super::spec::JobKind;
use super::super::switches::ShownLimited;

/// An agent as listed.
pub(super) struct AgentRow<'a> {
    pub(super) fake: &'a FakeBuildkite,
    pub(super) agent: &'a Agent,
    pub(super) shown: Shown,
    pub(super) sees_job: bool,
    pub(super) call: &'a Call<'a>,
}

impl AgentRow<'_> {
    pub(super) fn render(&self) -> Value {
        let (fake, agent) = (self.fake, self.agent);
        let path = format!("/v2/organizations/{}/agents/{}", fake.organization, agent.id);
        let held = self
            .shown
            .holds
            .filter(|_| self.sees_job)
            .and_then(|held| fake.jobs.get(&held));
        let held = held.map_or(Value::Null, |found| {
            JobRow {
                fake,
                found,
                with_agent: false,
            }
            .render()
        });
        let mut row = json!({
            "id": agent.id.as_str(), "graphql_id": format!("QWdlbnQtLS0{}", agent.id),
            "url": self.call.url(&path),
            "web_url": format!("https://buildkite.com/organizations/{}/agents/{}", fake.organization, agent.id),
            "name": agent.name, "connection_state": self.shown.state.as_str(),
            "hostname": agent.hostname, "ip_address": "127.0.0.1",
            "user_agent": format!("buildkite-agent/{} ({}; {})", agent.version, agent.os, agent.arch),
            "version": agent.version, "os_id": agent.os, "arch": agent.arch, "creator": null,
            "created_at": time(Some(agent.created_at)), "connected_at": time(agent.connected_at),
            "disconnected_at": time(agent.disconnected_at), "lost_at": time(agent.lost_at),
            "stopped_at": time(agent.stopped_at), "job": held,
            "last_job_finished_at": time(agent.last_finished_at), "priority": agent.priority,
            "meta_data": agent.tags, "paused": agent.pause.is_some(),
            "paused_at": time(agent.pause.as_ref().map(|pause| pause.since)), "paused_by": null,
            "paused_note": agent.pause.as_ref().and_then(|pause| pause.note.clone()),
            "paused_timeout_in_minutes":
                agent.pause.as_ref().map(|pause| pause.until.since(pause.since).as_secs() / 60),
        });
        if fake.switches.agent_queue_field {
            let queue = agent.queues().next();
            put(&mut row, "queue", json!(queue.as_ref().map(Queue::as_str)));
        }
        row
    }
}

/// A build as listed.
pub(super) struct BuildRow<'a> {
    pub(super) fake: &'a FakeBuildkite,
    pub(super) build: &'a Build,
    pub(super) call: &'a Call<'a>,
    pub(super) include_paused: bool,
    pub(super) include_retried: bool,
}

impl<'a> BuildRow<'a> {
    pub(super) fn render(&self) -> Value {
        let (fake, build) = (self.fake, self.build);
        let pipeline = format!("/v2/organizations/{}/pipelines/{}", fake.organization, build.pipeline);
        let mut row = json!({
            "id": ids::uuid(Kind::Build, build.number), "graphql_id": "QnVpbGQ=",
            "url": self.call.url(&format!("{pipeline}/builds/{}", build.number)),
            "web_url": format!("https://buildkite.com/{}/{}/builds/{}", fake.organization, build.pipeline, build.number),
            "number": build.number, "state": build.state.as_str(), "blocked": build.blocked, "cancel_reason": null,
            "message": "A build", "commit": "0123456789abcdef0123456789abcdef01234567", "branch": build.branch,
            "env": {}, "source": "api", "creator": null, "meta_data": {}, "pull_request": null, "rebuilt_from": null,
            "created_at": time(Some(build.created_at)), "scheduled_at": time(Some(build.created_at)),
            "started_at": time(build.started_at), "failing_at": time(build.failing_at),
            "finished_at": time(build.finished_at),
        });
        if !self.call.flag("exclude_pipeline", false) {
            put(
                &mut row,
                "pipeline",
                json!({
                    "id": ids::uuid(Kind::Pipeline, 1), "slug": build.pipeline, "name": build.pipeline,
                    "url": self.call.url(&pipeline), "created_at": old_time(Some(build.created_at)),
                }),
            );
        }
        if !self.call.flag("exclude_jobs", false) {
            let rows = self.jobs().map(|found| {
                JobRow {
                    fake,
                    found,
                    with_agent: true,
                }
                .render()
            });
            put(&mut row, "jobs", rows.collect());
        }
        row
    }

    /// For each job that is not over and wants an agent, whether its queue is
    /// paused.
    pub(super) fn jobs_in_paused_queues(&self) -> impl Iterator<Item = bool> + '_ {
        let alive = self
            .all_jobs()
            .filter(|found| found.spec.kind == JobKind::Script && !found.state.is_over());
        alive.map(|found| self.fake.is_paused(&found.queue()))
    }

    fn jobs(&self) -> impl Iterator<Item = &'a BuildkiteJob> + '_ {
        self.all_jobs()
            .filter(|found| self.include_paused || found.state.is_held() || !self.fake.is_paused(&found.queue()))
    }

    fn all_jobs(&self) -> impl Iterator<Item = &'a BuildkiteJob> + '_ {
        let all = self
            .build
            .jobs
            .iter()
            .filter_map(|sequence| self.fake.jobs.get(sequence));
        all.filter(|found| self.include_retried || found.retried_in.is_none())
    }
}

/// A job, embedded or alone.
pub(super) struct JobRow<'a> {
    pub(super) fake: &'a FakeBuildkite,
    pub(super) found: &'a BuildkiteJob,
    pub(super) with_agent: bool,
}

impl JobRow<'_> {
    pub(super) fn render(&self) -> Value {
        let found = self.found;
        let mut row = json!({
            "id": found.id.as_str(), "graphql_id": "Sm9i", "type": found.spec.kind.as_str(), "state": self.state(),
        });
        match found.spec.kind {
            JobKind::Script => {
                put_all(&mut row, self.script());
                put_all(&mut row, self.script_times());
                put_all(&mut row, self.cluster());
            }
            JobKind::Waiter => {}
            JobKind::Manual => put_all(
                &mut row,
                json!({"label": "Continue?", "unblocked_by": null,
                "unblocked_at": time(found.finished_at), "unblockable": found.state == JobState::Blocked}),
            ),
        }
        row
    }

    fn state(&self) -> &'static str {
        match (self.found.state, self.fake.switches.limited) {
            (JobState::Limited, ShownLimited::Scheduled) => JobState::Scheduled.as_str(),
            (state, ShownLimited::Scheduled | ShownLimited::Limited) => state.as_str(),
        }
    }

    fn script(&self) -> Value {
        let found = self.found;
        let agent = found
            .agent
            .filter(|_| self.with_agent)
            .and_then(|agent| self.fake.agents.get(&agent));
        let agent = agent.map(|agent| json!({"id": agent.id.as_str(), "name": agent.name, "url": null}));
        let command = format!("sleep {}", found.spec.duration.as_secs_f64());
        json!({
            "name": format!("step {}", found.sequence), "step_key": null, "group_key": null,
            "step": {"id": ids::uuid(Kind::BuildkiteJob, found.sequence), "signature": null},
            "priority": {"number": found.spec.priority}, "agent_query_rules": found.rules(), "agent": agent,
            "web_url": null, "log_url": null, "raw_log_url": null, "artifacts_url": null, "command": command,
            "soft_failed": false, "exit_status": found.exit_status, "signal": null,
            "signal_reason": found.signal_reason, "artifact_paths": null, "matrix": null,
            "retried": found.retried_in.is_some(),
            "retried_in_job_id": found.retried_in.map(|retry| ids::uuid(Kind::BuildkiteJob, retry)),
            "retries_count": null, "retry_source": null, "retry_type": null,
            "parallel_group_index": null, "parallel_group_total": null,
        })
    }

    fn script_times(&self) -> Value {
        let found = self.found;
        json!({
            "created_at": time(Some(found.created_at)), "scheduled_at": time(Some(found.created_at)),
            "runnable_at": time(found.runnable_at), "started_at": time(found.started_at),
            "finished_at": time(found.finished_at), "expired_at": null,
        })
    }

    fn cluster(&self) -> Value {
        let queue = self
            .fake
            .queues
            .get(&self.found.queue())
            .filter(|_| self.fake.switches.clustered);
        let cluster = queue.map(|_| ids::uuid(Kind::Cluster, 1));
        json!({
            "cluster_id": cluster, "cluster_url": null,
            "cluster_queue_id": queue.map(|record| record.id.as_str()), "cluster_queue_url": null,
        })
    }
}

fn put(row: &mut Value, name: &str, value: Value) {
    put_all(row, Value::Object(Map::from_iter([(name.to_owned(), value)])));
}

fn put_all(row: &mut Value, more: Value) {
    if let (Value::Object(row), Value::Object(more)) = (row, more) {
        row.extend(more);
    }
}
