//! What a kubelet writes into a pod's status, as patches.

use k8s_openapi::api::core::v1::{Container, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::environment::Addresses;
use super::workload::ExitStatus;

/// Why a container does not run yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) reason: &'static str,
    pub(super) message: String,
}

impl Waiting {
    pub(super) fn creating() -> Self {
        Self {
            reason: "ContainerCreating",
            message: String::new(),
        }
    }
}

/// Builds the patches of one pod, which has the same times and addresses all its life.
pub(super) struct Statuses {
    uid: String,
    containers: Vec<Container>,
    addresses: Addresses,
    started: Time,
    running_since: Time,
}

impl Statuses {
    /// Begins the pod's time on its node.
    pub(super) fn new(pod: &Pod, addresses: Addresses) -> Self {
        let containers = pod.spec.iter().flat_map(|spec| spec.containers.clone()).collect();
        let uid = pod.metadata.uid.clone().unwrap_or_default();
        Self {
            uid,
            containers,
            addresses,
            started: now(),
            running_since: now(),
        }
    }

    /// No container runs yet.
    pub(super) fn pending(&self, waiting: &Waiting) -> Value {
        let mut state = json!({"reason": waiting.reason});
        if !waiting.message.is_empty() {
            state["message"] = json!(waiting.message);
        }
        let each = |_: usize| (json!({"waiting": state}), false);
        self.patch("Pending", Readiness::NotYet, each)
    }

    /// All containers run from now on.
    pub(super) fn running(&mut self) -> Value {
        self.running_since = now();
        let state = json!({"running": {"startedAt": self.running_since}});
        self.patch("Running", Readiness::Ready, |_| (state.clone(), true))
    }

    /// The first container has ended, and the others keep the pod running.
    pub(super) fn half_ended(&self, first: ExitStatus) -> Value {
        let running = json!({"running": {"startedAt": self.running_since}});
        let ended = self.terminated(first);
        let each = |index: usize| {
            if index == 0 {
                (ended.clone(), false)
            } else {
                (running.clone(), true)
            }
        };
        self.patch("Running", Readiness::NotYet, each)
    }

    /// All containers have ended; those beside the first one always end well.
    pub(super) fn ended(&self, first: ExitStatus) -> Value {
        let phase = if first.is_success() { "Succeeded" } else { "Failed" };
        let each = |index: usize| {
            let status = if index == 0 { first } else { ExitStatus::SUCCESS };
            (self.terminated(status), false)
        };
        self.patch(phase, Readiness::Over, each)
    }

    /// The pod was deleted before a container ran.
    pub(super) fn never_ran(&self) -> Value {
        let state = json!({"terminated": {
            "exitCode": ExitStatus::KILLED.code,
            "reason": "ContainerStatusUnknown",
            "message": "The container could not be located when the pod was terminated",
        }});
        self.patch("Failed", Readiness::Over, |_| (state.clone(), false))
    }

    fn terminated(&self, status: ExitStatus) -> Value {
        json!({"terminated": {
            "exitCode": status.code,
            "reason": if status.is_success() { "Completed" } else { "Error" },
            "startedAt": self.running_since,
            "finishedAt": now(),
        }})
    }

    fn patch(&self, phase: &str, readiness: Readiness, each: impl Fn(usize) -> (Value, bool)) -> Value {
        let containers = self.containers.iter().enumerate().map(|(index, container)| {
            let (state, ready) = each(index);
            self.container(container, state, ready)
        });
        let mut status = json!({
            "phase": phase,
            "startTime": self.started,
            "hostIP": self.addresses.node,
            "conditions": readiness.conditions(),
            "containerStatuses": containers.collect::<Vec<_>>(),
        });
        if phase != "Pending" {
            status["podIP"] = json!(self.addresses.pod);
            status["podIPs"] = json!([{"ip": self.addresses.pod}]);
        }
        // The API refuses the patch if the name now belongs to another pod.
        json!({"metadata": {"uid": self.uid}, "status": status})
    }

    fn container(&self, container: &Container, state: Value, ready: bool) -> Value {
        let ran = state.get("waiting").is_none();
        let image = container.image.clone().unwrap_or_default();
        let mut status = json!({
            "name": container.name,
            "image": image,
            "imageID": if ran { format!("testbed://{image}") } else { String::new() },
            "ready": ready,
            "started": ready,
            "restartCount": 0,
            "state": state,
        });
        if ran {
            status["containerID"] = json!(format!("testbed://{}/{}", self.uid, container.name));
        }
        status
    }
}

/// How far a pod has come, which its conditions tell.
#[derive(Clone, Copy)]
enum Readiness {
    NotYet,
    Ready,
    Over,
}

impl Readiness {
    /// The patch merges conditions by their type, so those of others stay.
    fn conditions(self) -> Value {
        let (ready, why) = match self {
            Self::NotYet => ("False", "ContainersNotReady"),
            Self::Ready => ("True", ""),
            Self::Over => ("False", "PodCompleted"),
        };
        let condition = |kind: &str, status: &str, reason: &str| json!({"type": kind, "status": status, "reason": reason, "lastTransitionTime": now()});
        json!([
            condition("Initialized", "True", ""),
            condition("Ready", ready, why),
            condition("ContainersReady", ready, why),
        ])
    }
}

fn now() -> Time {
    Time::from(Timestamp::now())
}
