//! A job in the hands of its agent.

use buildscaler_core::{AgentId, BuildkiteJobId, Timestamp};
use http::header::CONTENT_ENCODING;
use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::super::agents::Ending;
use super::super::call::Call;
use super::super::ids::{self, Kind};
use super::super::model::{Agent, BuildkiteJob};
use super::super::refusal::Refusal;
use super::super::reply;
use super::super::{DURATION_VARIABLE, FakeBuildkite};
use super::JOB_PREFIX;
use super::route::Work;
use super::session::{answer, refused};

impl FakeBuildkite {
    pub(super) fn work(
        &mut self,
        call: &Call<'_>,
        agent: &AgentId,
        assigned: &str,
        work: Work,
        now: Timestamp,
    ) -> Response<Vec<u8>> {
        let id = BuildkiteJobId::from(assigned);
        match work {
            Work::Show => match self.job_of(&id) {
                Some(found) => reply::ok(&json!({"id": assigned, "state": found.state.as_str()})),
                None => refused(Refusal::UnknownJob),
            },
            Work::Accept => {
                let result = self.accept(now, agent, &id);
                self.taken(agent, &id, result)
            }
            Work::Acquire => {
                let result = self.acquire(now, agent, &id);
                self.taken(agent, &id, result)
            }
            Work::Start => answer(self.start(now, agent, &id)),
            Work::Chunks => self.log(call, &id),
            Work::HeaderTimes => reply::ok(&json!({})),
            Work::Finish => match ending(&call.json()) {
                Some(ending) => answer(self.finish(now, agent, &id, ending)),
                None => reply::error(StatusCode::BAD_REQUEST, "exit_status must be a string"),
            },
        }
    }

    fn taken(&self, agent: &AgentId, id: &BuildkiteJobId, result: Result<(), Refusal>) -> Response<Vec<u8>> {
        let found = self.job_of(id).ok_or(Refusal::UnknownJob);
        match result.and_then(|()| Ok((found?, self.agent(agent)?))) {
            Ok((found, agent)) => reply::ok(&self.whole_job(found, agent)),
            Err(refusal) => refused(refusal),
        }
    }

    /// The job as its agent needs it; without a chunk size it would not start.
    fn whole_job(&self, found: &BuildkiteJob, agent: &Agent) -> Value {
        json!({
            "id": found.id.as_str(), "state": found.state.as_str(), "token": format!("{JOB_PREFIX}{}", found.id),
            "env": self.environment(found, agent), "step": {}, "chunks_max_size_bytes": 102_400,
            "chunks_interval_seconds": 1, "log_max_size_bytes": 1_048_576,
            "runnable_at": reply::time(found.runnable_at), "priority": found.spec.priority,
        })
    }

    /// What the real agent's bootstrap insists on, and how long to run.
    fn environment(&self, found: &BuildkiteJob, agent: &Agent) -> Value {
        let build = self.builds.get(&found.build);
        let pipeline = build.map_or("pipeline", |build| build.pipeline.as_str());
        let duration = found.spec.duration.as_secs_f64();
        let mut environment = json!({
            "CI": "true", "BUILDKITE": "true",
            "BUILDKITE_JOB_ID": found.id.as_str(),
            "BUILDKITE_BUILD_ID": ids::uuid(Kind::Build, found.build),
            "BUILDKITE_BUILD_NUMBER": found.build.to_string(),
            "BUILDKITE_BUILD_URL":
                format!("https://buildkite.com/{}/{pipeline}/builds/{}", self.organization, found.build),
            "BUILDKITE_ORGANIZATION_SLUG": self.organization,
            "BUILDKITE_PIPELINE_SLUG": pipeline,
            "BUILDKITE_PIPELINE_PROVIDER": "custom",
            "BUILDKITE_REPO": "https://example.com/none.git",
            "BUILDKITE_COMMIT": "0123456789abcdef0123456789abcdef01234567",
            "BUILDKITE_BRANCH": build.map_or("main", |build| build.branch.as_str()),
            "BUILDKITE_AGENT_ID": agent.id.as_str(),
            "BUILDKITE_AGENT_NAME": agent.name,
            "BUILDKITE_SKIP_CHECKOUT": "true",
            "BUILDKITE_COMMAND": format!("sleep {duration}; exit {}", found.spec.exit_status),
            "BUILDSCALER_TEST_EXIT_STATUS": found.spec.exit_status.to_string(),
        });
        if let Value::Object(variables) = &mut environment {
            variables.insert(DURATION_VARIABLE.to_owned(), Value::String(duration.to_string()));
        }
        environment
    }

    /// Takes a piece of log, which has to be compressed.
    fn log(&mut self, call: &Call<'_>, id: &BuildkiteJobId) -> Response<Vec<u8>> {
        const GZIP: [u8; 2] = [0x1f, 0x8b];
        let claimed = call
            .headers
            .get(CONTENT_ENCODING)
            .is_some_and(|encoding| encoding == "gzip");
        if !claimed || !call.body.starts_with(&GZIP) {
            return reply::error(StatusCode::BAD_REQUEST, "Log chunks must be gzip");
        }
        let size = call
            .param("size")
            .and_then(|size| size.parse().ok())
            .unwrap_or(call.body.len());
        let found = ids::sequence(Kind::BuildkiteJob, id.as_str()).and_then(|sequence| self.jobs.get_mut(&sequence));
        match found {
            Some(found) => {
                found.log_bytes = found.log_bytes.saturating_add(size);
                reply::ok(&json!({}))
            }
            None => refused(Refusal::UnknownJob),
        }
    }
}

fn ending(body: &Value) -> Option<Ending> {
    let text = |name: &str| body.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    Some(Ending {
        exit_status: text("exit_status")?.parse().ok()?,
        signal_reason: text("signal_reason").map(str::to_owned),
        last: body
            .get("ignore_agent_in_dispatches")
            .and_then(Value::as_bool)
            .unwrap_or(false),
    })
}
