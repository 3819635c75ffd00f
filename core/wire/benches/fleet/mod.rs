//! A fleet as the two APIs would tell it, page by page.

use buildscaler_core::PodTemplate;
use serde_json::{Value, json};

/// The time of every step, in milliseconds: 2026-11-01T12:00:00Z.
pub(crate) const NOW: i64 = 1_793_534_400_000;
const PAGE: usize = 100;
const CHUNK: usize = 500;

/// How large a fleet is; there are as many agents as pods.
pub(crate) struct Fleet {
    pub(crate) pods: usize,
    pub(crate) jobs: usize,
    pub(crate) queues: usize,
}

/// The answers, ready to be decoded.
pub(crate) struct Pages {
    builds: Vec<Vec<u8>>,
    agents: Vec<Vec<u8>>,
    pods: Vec<Vec<u8>>,
    templates: Vec<Vec<u8>>,
}

impl Fleet {
    pub(crate) fn pages(&self) -> Pages {
        let builds: Vec<Value> = (0..self.jobs.div_ceil(10)).map(|build| self.build(build)).collect();
        let agents: Vec<Value> = (0..self.pods).map(|agent| self.agent(agent)).collect();
        let pods: Vec<Value> = (0..self.pods).map(|pod| self.pod(pod)).collect();
        let templates: Vec<Value> = (0..self.queues).map(|queue| self.template(queue)).collect();
        Pages {
            builds: builds
                .chunks(PAGE)
                .map(|page| json!(page).to_string().into_bytes())
                .collect(),
            agents: agents
                .chunks(PAGE)
                .map(|page| json!(page).to_string().into_bytes())
                .collect(),
            pods: chunks("PodList", "v1", &pods),
            templates: chunks("JobList", "batch/v1", &templates),
        }
    }

    fn build(&self, build: usize) -> Value {
        let jobs: Vec<Value> = (build * 10..(build * 10 + 10).min(self.jobs))
            .map(|number| self.job(number))
            .collect();
        json!({
            "id": id("b", build), "graphql_id": "QnVpbGQtLS0=", "number": build, "state": "running", "blocked": false,
            "branch": "main", "commit": "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00", "message": "Mend the thing",
            "web_url": format!("https://buildkite.com/acme/web/builds/{build}"), "source": "webhook",
            "created_at": "2026-11-01T11:50:00.000Z", "scheduled_at": "2026-11-01T11:50:00.000Z",
            "started_at": "2026-11-01T11:50:05.000Z", "finished_at": null, "meta_data": {}, "jobs": jobs
        })
    }

    fn job(&self, number: usize) -> Value {
        // Every third job runs on an agent, the rest wait.
        let running = number.is_multiple_of(3) && number / 3 < self.pods;
        let queue = number % self.queues;
        json!({
            "id": id("j", number), "graphql_id": "Sm9iLS0t", "type": "script", "name": ":rust: Test", "step_key": "test",
            "step": {"id": id("s", number), "signature": null}, "priority": {"number": 0},
            "agent_query_rules": [format!("queue=queue-{queue}")],
            "state": if running { "running" } else { "scheduled" },
            "build_url": "https://api.buildkite.com/v2/organizations/acme/pipelines/web/builds/1",
            "web_url": format!("https://buildkite.com/acme/web/builds/1#{}", id("j", number)),
            "log_url": "https://api.buildkite.com/v2/organizations/acme/pipelines/web/builds/1/jobs/1/log",
            "raw_log_url": "https://api.buildkite.com/v2/organizations/acme/pipelines/web/builds/1/jobs/1/log.txt",
            "artifacts_url": "https://api.buildkite.com/v2/organizations/acme/pipelines/web/builds/1/jobs/1/artifacts",
            "command": "cargo test --workspace", "soft_failed": false, "exit_status": null, "artifact_paths": null,
            "agent": null, "created_at": "2026-11-01T11:50:00.000Z", "scheduled_at": "2026-11-01T11:50:00.000Z",
            "runnable_at": "2026-11-01T11:50:01.000Z", "started_at": null, "finished_at": null, "expired_at": null,
            "retried": false, "retried_in_job_id": null, "retries_count": null, "retry_type": null,
            "parallel_group_index": null, "parallel_group_total": null, "matrix": null,
            "cluster_id": null, "cluster_url": null, "cluster_queue_id": null, "cluster_queue_url": null
        })
    }

    fn agent(&self, number: usize) -> Value {
        let busy = number * 3 < self.jobs;
        json!({
            "id": id("a", number), "graphql_id": "QWdlbnQtLS0=", "name": format!("agent-{number}-1"),
            "url": "https://api.buildkite.com/v2/organizations/acme/agents/1", "web_url": "https://buildkite.com/agents/1",
            "connection_state": "connected", "hostname": format!("agent-{number}"), "ip_address": "10.0.0.1",
            "user_agent": "buildkite-agent/3.137.2 (linux; amd64)", "version": "3.137.2", "creator": null,
            "created_at": "2026-11-01T11:40:00.000Z", "connected_at": "2026-11-01T11:40:01.000Z",
            "disconnected_at": null, "lost_at": null, "stopped_at": null,
            "job": busy.then(|| self.job(number * 3)), "last_job_finished_at": null, "priority": null,
            "meta_data": [format!("queue=queue-{}", number % self.queues), format!("pod-uid={}", id("p", number))]
        })
    }

    fn pod(&self, number: usize) -> Value {
        let queue = number % self.queues;
        let template = self.template(queue);
        let hash = PodTemplate(template["spec"]["template"].clone()).fingerprint();
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": format!("agent-{number}"), "namespace": "default", "uid": id("p", number),
                "resourceVersion": "1000", "creationTimestamp": "2026-11-01T11:39:00Z",
                "labels": {
                    "app.elotl.co": "buildscaler", "buildscaler.elotl.co/queue": format!("queue-{queue}"),
                    "buildscaler.elotl.co/job-uid": id("t", queue), "buildscaler.elotl.co/template-hash": hash.as_str()
                },
                "managedFields": [{"manager": "buildscaler", "operation": "Update", "apiVersion": "v1", "time":
                    "2026-11-01T11:39:00Z", "fieldsType": "FieldsV1", "fieldsV1": {"f:metadata": {"f:labels": {".": {}}}}}]
            },
            "spec": {
                "nodeName": format!("node-{}", number % 200), "restartPolicy": "Never", "schedulerName": "default-scheduler",
                "serviceAccountName": "default", "terminationGracePeriodSeconds": 3600, "dnsPolicy": "ClusterFirst",
                "containers": [{"name": "agent", "image": "buildkite/agent:3", "env": [
                    {"name": "BUILDSCALER_POD_UID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}},
                    {"name": "BUILDKITE_AGENT_TAGS", "value": "queue=q,pod-uid=$(BUILDSCALER_POD_UID)"}],
                    "resources": {"requests": {"cpu": "2", "memory": "4Gi"}}, "imagePullPolicy": "IfNotPresent"}],
                "tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}]
            },
            "status": {
                "phase": "Running", "podIP": "10.1.0.1", "hostIP": "10.0.0.1", "startTime": "2026-11-01T11:39:01Z",
                "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-01T11:39:30Z"},
                    {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-11-01T11:39:01Z"}],
                "containerStatuses": [{"name": "agent", "ready": true, "restartCount": 0, "started": true,
                    "image": "buildkite/agent:3", "state": {"running": {"startedAt": "2026-11-01T11:39:30Z"}}}]
            }
        })
    }

    fn template(&self, queue: usize) -> Value {
        json!({
            "apiVersion": "batch/v1", "kind": "Job",
            "metadata": {
                "name": format!("template-{queue}"), "namespace": "default", "uid": id("t", queue),
                "resourceVersion": "10", "creationTimestamp": "2026-11-01T10:00:00Z",
                "labels": {"app.elotl.co": "buildscaler", "buildscaler.elotl.co/queue": format!("queue-{queue}")}
            },
            "spec": {
                "parallelism": 0, "backoffLimit": 6,
                "selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": id("t", queue)}},
                "template": {
                    "metadata": {"labels": {"batch.kubernetes.io/controller-uid": id("t", queue)}},
                    "spec": {"restartPolicy": "Never", "containers": [{"name": "agent", "image": "buildkite/agent:3",
                        "envFrom": [{"secretRef": {"name": "buildkite-agent-token"}}],
                        "resources": {"requests": {"cpu": "2", "memory": "4Gi"}}}]}
                }
            },
            "status": {}
        })
    }
}

impl Pages {
    /// The answer to a request, as the APIs give it.
    pub(crate) fn answer(&self, request: &http::Request<Vec<u8>>) -> http::Response<Vec<u8>> {
        let path = request.uri().path();
        let parameter = |name: &str| {
            let pairs = request.uri().query().unwrap_or_default().split('&');
            pairs
                .filter_map(|pair| pair.split_once('='))
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value.to_owned())
        };
        if path.contains("/organizations/") {
            let pages = if path.ends_with("/builds") {
                &self.builds
            } else {
                &self.agents
            };
            let page: usize = parameter("page").and_then(|page| page.parse().ok()).unwrap_or(1);
            let mut answer = http::Response::builder();
            if page < pages.len() {
                answer = answer.header(
                    "link",
                    format!("<https://api.invalid{path}?page={}>; rel=\"next\"", page + 1),
                );
            }
            answer.body(pages[page - 1].clone()).unwrap()
        } else {
            let chunks = if path.ends_with("/jobs") {
                &self.templates
            } else {
                &self.pods
            };
            let chunk: usize = parameter("continue").and_then(|chunk| chunk.parse().ok()).unwrap_or(0);
            http::Response::new(chunks[chunk].clone())
        }
    }
}

fn chunks(kind: &str, version: &str, items: &[Value]) -> Vec<Vec<u8>> {
    let count = items.len().div_ceil(CHUNK);
    items
        .chunks(CHUNK)
        .enumerate()
        .map(|(place, items)| {
            let next = if place + 1 < count {
                (place + 1).to_string()
            } else {
                String::new()
            };
            json!({"kind": kind, "apiVersion": version, "metadata": {"resourceVersion": "1000", "continue": next},
                "items": items})
            .to_string()
            .into_bytes()
        })
        .collect()
}

/// A made-up UUID, the same for the same thing.
fn id(kind: &str, number: usize) -> String {
    let scrambled = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!("{:08x}-{kind:0>4}-4000-8000-{number:012x}", (scrambled >> 32) as u32)
}
