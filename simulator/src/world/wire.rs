//! The wire fidelity: what a runtime would send, to the fakes.

use std::collections::BTreeMap;
use std::time::Duration;

use buildscaler_core::{Action, ClusterView, Command, CommandId, Input, Queue, Reason, Timestamp, Uid, labels};
use buildscaler_wire::{Api, Exchange, Reply, Request, SendError, SendErrorKind, Surroundings};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Response, StatusCode};
use serde_json::{Value, json};

use super::container::AgentSettings;
use super::domain::api_server;
use super::faults::{DEADLINE, QUOTA_EXCEEDED};
use super::fidelity::{Effect, Fidelity, NAMESPACE, NO_IMAGE, Outside, Passage, PodRef, Told};
use super::manifest::job_manifest;
use crate::buildkite::FakeBuildkite;
use crate::fault::{self, Pages, Service};
use crate::kubernetes::{DeleteOptions, FakeKubernetes, Propagation, Resource};
use crate::scenario::{FaultKind, RequestKind, TemplateSpec};

/// Kubernetes as the fake of it.
#[derive(Debug)]
pub(crate) struct Wire {
    kubernetes: FakeKubernetes,
    surroundings: Surroundings,
    /// What reads were answered with, by their targets.
    last: BTreeMap<String, Response<Vec<u8>>>,
}

/// A conversation and the request that is under way.
#[derive(Debug)]
pub(crate) struct Talk {
    exchange: Exchange,
    request: Option<Request>,
    reply: Option<Reply>,
}

impl Fidelity for Wire {
    type Talk = Talk;

    fn new(seed: u64) -> Self {
        Self {
            kubernetes: api_server(seed),
            surroundings: Surroundings {
                organization: FakeBuildkite::ORGANIZATION.to_owned(),
                namespace: Some(NAMESPACE.to_owned()),
            },
            last: BTreeMap::new(),
        }
    }

    fn create_template(&mut self, now: Timestamp, spec: &TemplateSpec) {
        drop(
            self.kubernetes
                .create(now, Resource::Jobs, NAMESPACE, job_manifest(spec)),
        );
    }

    fn delete_template(&mut self, now: Timestamp, name: &str) {
        let options = DeleteOptions {
            propagation: Some(Propagation::Background),
            ..DeleteOptions::default()
        };
        drop(self.kubernetes.delete(now, Resource::Jobs, NAMESPACE, name, &options));
    }

    fn bind(&mut self, now: Timestamp, pod: PodRef<'_>, node: u32) {
        drop(self.kubernetes.bind(now, NAMESPACE, pod.name, &format!("node-{node}")));
        self.patch(now, pod, &json!({"phase": "Pending", "containerStatuses": statuses(&json!({"waiting": {"reason": "ContainerCreating"}}), false)}));
    }

    fn tell(&mut self, now: Timestamp, pod: PodRef<'_>, told: Told) {
        let status = match told {
            Told::Unschedulable => json!({"conditions": [{
                "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                "lastProbeTime": null, "lastTransitionTime": "2025-01-01T00:00:00Z",
            }]}),
            Told::Running => json!({
                "phase": "Running", "containerStatuses": statuses(&json!({"running": {}}), true),
            }),
            Told::NoImage => json!({"containerStatuses": statuses(
                &json!({"waiting": {"reason": "ErrImagePull", "message": NO_IMAGE}}), false,
            )}),
            Told::Succeeded => json!({
                "phase": "Succeeded", "containerStatuses": statuses(&ended(0), false),
            }),
            Told::Failed => json!({"phase": "Failed", "containerStatuses": statuses(&ended(1), false)}),
        };
        self.patch(now, pod, &status);
    }

    fn delete_pod(&mut self, now: Timestamp, pod: PodRef<'_>) -> bool {
        let options = DeleteOptions::default();
        drop(
            self.kubernetes
                .delete(now, Resource::Pods, NAMESPACE, pod.name, &options),
        );
        self.kubernetes.object(Resource::Pods, NAMESPACE, pod.name).is_none()
    }

    fn remove_pod(&mut self, now: Timestamp, pod: PodRef<'_>) {
        let options = DeleteOptions {
            grace: Some(0),
            uid: Some(pod.uid.to_string()),
            ..DeleteOptions::default()
        };
        drop(
            self.kubernetes
                .delete(now, Resource::Pods, NAMESPACE, pod.name, &options),
        );
    }

    fn watched(&mut self, now: Timestamp) -> Option<ClusterView> {
        let command = Command {
            id: CommandId(0),
            action: Action::ObserveCluster,
            reason: Reason::Interval,
            not_after: None,
        };
        let mut exchange = Exchange::begin(command, &self.surroundings, now);
        while let Some(request) = exchange.next_request(now) {
            let reply = Service::handle(&mut self.kubernetes, now, request.http);
            exchange.absorb(Ok(reply), now);
        }
        match exchange.finish(now) {
            Input::Cluster { view, .. } => Some(view),
            Input::Tick | Input::Buildkite { .. } | Input::Outcome { .. } | Input::Lease { .. } | Input::Shutdown => {
                None
            }
        }
    }

    fn begin(&mut self, command: Command, clock: Timestamp) -> Talk {
        Talk {
            exchange: Exchange::begin(command, &self.surroundings, clock),
            request: None,
            reply: None,
        }
    }

    fn send(&mut self, talk: &mut Talk, clock: Timestamp) -> Option<bool> {
        let request = talk.exchange.next_request(clock)?;
        let buildkite = request.api == Api::Buildkite;
        talk.request = Some(request);
        Some(buildkite)
    }

    fn serve(&mut self, talk: &mut Talk, outside: &mut Outside, now: Timestamp) -> Passage {
        let Some(request) = talk.request.take() else {
            return Passage {
                buildkite: false,
                late: Duration::ZERO,
            };
        };
        let buildkite = request.api == Api::Buildkite;
        if buildkite {
            outside.buildkite_requests += 1;
        } else {
            outside.kubernetes_requests += 1;
        }
        let fault = outside.faults.strike(kind_of(&request), now);
        let (reply, late) = self.answer(request, fault, outside, now);
        talk.reply = Some(reply);
        Passage { buildkite, late }
    }

    fn absorb(&mut self, talk: &mut Talk, clock: Timestamp) {
        if let Some(reply) = talk.reply.take() {
            talk.exchange.absorb(reply, clock);
        }
    }

    fn finish(talk: Talk, clock: Timestamp) -> Input {
        talk.exchange.finish(clock)
    }
}

impl Wire {
    /// What becomes of a request, and how late its answer is.
    fn answer(
        &mut self,
        request: Request,
        fault: Option<FaultKind>,
        outside: &mut Outside,
        now: Timestamp,
    ) -> (Reply, Duration) {
        let silence = || {
            Err(SendError {
                kind: SendErrorKind::TimedOut,
                sent: true,
                message: "timed out".to_owned(),
            })
        };
        let status = |code| (Ok(fault::refuse(code)), Duration::ZERO);
        match fault {
            Some(FaultKind::Drop) => return (silence(), DEADLINE),
            Some(FaultKind::TooManyRequests) => return status(StatusCode::TOO_MANY_REQUESTS),
            Some(FaultKind::ServerError) => return status(StatusCode::INTERNAL_SERVER_ERROR),
            Some(FaultKind::Unavailable) => return status(StatusCode::SERVICE_UNAVAILABLE),
            Some(FaultKind::QuotaExceeded) => return (Ok(over_quota()), Duration::ZERO),
            Some(
                FaultKind::LoseReply
                | FaultKind::Delay(_)
                | FaultKind::Garbled
                | FaultKind::Truncated
                | FaultKind::Stale,
            )
            | None => {}
        }
        let (is_read, target) = (request.http.method() == Method::GET, request.http.uri().to_string());
        let fresh = self.carry_out(request, outside, now);
        match fault {
            Some(FaultKind::LoseReply) => (silence(), DEADLINE),
            Some(FaultKind::Delay(span)) if span.0 >= DEADLINE => (silence(), DEADLINE),
            Some(FaultKind::Delay(span)) => (Ok(fresh), span.0),
            Some(FaultKind::Garbled) => (Ok(fault::garble(fresh)), Duration::ZERO),
            Some(FaultKind::Truncated) if is_read => (Ok(fault::truncate(fresh, Pages::Linked)), Duration::ZERO),
            Some(FaultKind::Stale) if is_read => (Ok(self.last.get(&target).cloned().unwrap_or(fresh)), Duration::ZERO),
            Some(_) => (Ok(fresh), Duration::ZERO),
            None => {
                if is_read && outside.faults.may_repeat && fresh.status().is_success() {
                    self.last.insert(target, fresh.clone());
                }
                (Ok(fresh), Duration::ZERO)
            }
        }
    }

    fn carry_out(&mut self, request: Request, outside: &mut Outside, now: Timestamp) -> Response<Vec<u8>> {
        let mut http = request.http;
        match request.api {
            Api::Buildkite => {
                let bearer = format!("Bearer {}", FakeBuildkite::ACCESS_TOKEN);
                if let Ok(bearer) = HeaderValue::try_from(bearer) {
                    http.headers_mut().insert(AUTHORIZATION, bearer);
                }
                outside.buildkite.handle(now, http)
            }
            Api::Kubernetes => {
                let (method, path) = (http.method().clone(), http.uri().path().to_owned());
                let response = Service::handle(&mut self.kubernetes, now, http);
                if response.status().is_success() && !path.contains("/leases") {
                    outside.effects.extend(self.effect(&method, &path, &response));
                }
                response
            }
        }
    }

    /// What a successful write did to a pod.
    fn effect(&self, method: &Method, path: &str, response: &Response<Vec<u8>>) -> Option<Effect> {
        let object: Value = serde_json::from_slice(response.body()).ok()?;
        let uid = Uid::from(object["metadata"]["uid"].as_str()?);
        if method == Method::POST {
            return Some(Effect::Created {
                uid,
                name: object["metadata"]["name"].as_str()?.to_owned(),
                queue: Queue::from(object["metadata"]["labels"][labels::QUEUE].as_str()?),
                agent: AgentSettings::read(&object["spec"]),
            });
        }
        if method == Method::DELETE {
            let name = path.rsplit('/').next()?;
            let seconds = object["metadata"]["deletionGracePeriodSeconds"].as_u64().unwrap_or(0);
            return Some(Effect::Deleted {
                uid,
                gone: self.kubernetes.object(Resource::Pods, NAMESPACE, name).is_none(),
                grace: Duration::from_secs(seconds),
            });
        }
        None
    }

    /// Writes a pod's status, as a kubelet does.
    fn patch(&mut self, now: Timestamp, pod: PodRef<'_>, status: &Value) {
        let body = json!({"metadata": {"uid": pod.uid.as_str()}, "status": status}).to_string();
        let request = http::Request::builder()
            .method(Method::PATCH)
            .uri(format!("/api/v1/namespaces/{NAMESPACE}/pods/{}/status", pod.name))
            .header(CONTENT_TYPE, "application/merge-patch+json")
            .body(body.into_bytes());
        if let Ok(request) = request {
            drop(Service::handle(&mut self.kubernetes, now, request));
        }
    }
}

/// The API server's refusal when a quota is used up.
fn over_quota() -> Response<Vec<u8>> {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "reason": "Forbidden", "code": 403, "message": QUOTA_EXCEEDED,
    });
    let mut response = Response::new(status.to_string().into_bytes());
    *response.status_mut() = StatusCode::FORBIDDEN;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

fn statuses(state: &Value, started: bool) -> Value {
    json!([{
        "name": "agent", "state": state, "started": started, "ready": started, "restartCount": 0,
        "image": "", "imageID": "",
    }])
}

fn ended(exit_code: u8) -> Value {
    json!({"terminated": {"exitCode": exit_code}})
}

/// Which of the controller's requests this is.
fn kind_of(request: &Request) -> RequestKind {
    let (method, path) = (request.http.method(), request.http.uri().path());
    match request.api {
        Api::Buildkite if path.ends_with("/builds") => RequestKind::Builds,
        Api::Buildkite if path.ends_with("/agents") => RequestKind::Agents,
        Api::Buildkite => RequestKind::Stops,
        Api::Kubernetes if path.contains("/leases") => RequestKind::Leases,
        Api::Kubernetes if method == Method::POST => RequestKind::Creates,
        Api::Kubernetes if method == Method::DELETE => RequestKind::Deletes,
        Api::Kubernetes if path.contains("/jobs") => RequestKind::Templates,
        Api::Kubernetes => RequestKind::Pods,
    }
}
