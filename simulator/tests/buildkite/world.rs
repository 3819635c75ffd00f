//! A fake and a hand-moved clock.

use std::time::Duration;

use buildscaler_core::{AgentId, BuildkiteJobId, Timestamp};
use buildscaler_simulator::buildkite::{
    AgentSpec, BuildSpec, Ending, FakeBuildkite, JobSpec, LifeEvent, Ping, Switches,
};
use http::{HeaderMap, Method, Request, StatusCode};
use serde_json::Value;

pub(crate) const ORGANIZATION: &str = "/v2/organizations/acme";

pub(crate) struct World {
    pub(crate) fake: FakeBuildkite,
    pub(crate) now: Timestamp,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }

    pub(crate) fn rows(&self) -> &[Value] {
        self.body.as_array().expect("a list")
    }
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(Switches::default())
    }

    pub(crate) fn with(switches: Switches) -> Self {
        // A minute after midnight, so that the look for lost agents is on time.
        Self {
            fake: FakeBuildkite::new(switches),
            now: Timestamp::from_millis(1_800_000_000_000),
        }
    }

    pub(crate) fn pass(&mut self, seconds: u64) {
        self.now = self.now.after(Duration::from_secs(seconds));
        self.fake.advance(self.now);
    }

    pub(crate) fn call(&mut self, method: Method, path: &str, authorization: &str, body: &str) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", authorization);
        let response = self
            .fake
            .handle(self.now, request.body(body.as_bytes().to_vec()).unwrap());
        let (head, body) = response.into_parts();
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        Answer {
            status: head.status,
            headers: head.headers,
            body,
        }
    }

    /// A REST call below the organization.
    pub(crate) fn get(&mut self, path: &str) -> Answer {
        let bearer = format!("Bearer {}", FakeBuildkite::ACCESS_TOKEN);
        self.call(Method::GET, &format!("{ORGANIZATION}{path}"), &bearer, "")
    }

    pub(crate) fn put(&mut self, path: &str, body: &str) -> Answer {
        let bearer = format!("Bearer {}", FakeBuildkite::ACCESS_TOKEN);
        self.call(Method::PUT, &format!("{ORGANIZATION}{path}"), &bearer, body)
    }

    pub(crate) fn stop(&mut self, agent: &AgentId, body: &str) -> Answer {
        self.put(&format!("/agents/{agent}/stop"), body)
    }

    pub(crate) fn agent(&mut self, tags: &[&str]) -> AgentId {
        let spec = AgentSpec {
            name: "agent".to_owned(),
            hostname: "host".to_owned(),
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            ..AgentSpec::default()
        };
        let id = self.fake.register(self.now, spec);
        self.fake.connect(self.now, &id).unwrap();
        id
    }

    /// An agent of the queue `linux` that runs a job.
    pub(crate) fn busy_agent(&mut self) -> (AgentId, BuildkiteJobId) {
        let agent = self.agent(&["queue=linux"]);
        let assigned = self.build(vec![linux()]).remove(0);
        self.run(&agent, &assigned);
        (agent, assigned)
    }

    pub(crate) fn build(&mut self, jobs: Vec<JobSpec>) -> Vec<BuildkiteJobId> {
        self.fake.create_build(self.now, BuildSpec::new("app", jobs)).jobs
    }

    pub(crate) fn ping(&mut self, agent: &AgentId) -> Ping {
        self.fake.ping(self.now, agent).unwrap()
    }

    pub(crate) fn run(&mut self, agent: &AgentId, assigned: &BuildkiteJobId) {
        assert_eq!(self.ping(agent), Ping::Assigned(assigned.clone()));
        self.fake.accept(self.now, agent, assigned).unwrap();
        self.fake.start(self.now, agent, assigned).unwrap();
    }

    pub(crate) fn finish(&mut self, agent: &AgentId, running: &BuildkiteJobId, exit_status: i64) {
        self.fake
            .finish(self.now, agent, running, Ending::exited(exit_status))
            .unwrap();
    }

    pub(crate) fn last_event(&self, id: &BuildkiteJobId) -> LifeEvent {
        self.fake.truth().of(id).last().unwrap().clone()
    }

    pub(crate) fn listed_agents(&mut self) -> Vec<String> {
        let rows = self.get("/agents?per_page=100");
        rows.rows()
            .iter()
            .map(|row| row["id"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// A job of the queue `linux`.
pub(crate) fn linux() -> JobSpec {
    JobSpec::script("linux", Duration::from_secs(60))
}
