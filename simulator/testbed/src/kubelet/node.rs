//! The Node objects of the stand-in, and the leases that keep them alive.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Node;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, Time};
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, Patch, PatchParams, PostParams};
use kube::{Client, Resource};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::requests::refusal;

/// How long the API may take to be ready for a node.
const PATIENCE: Duration = Duration::from_secs(60);

const LEASES: &str = "kube-node-lease";

/// The address of every node, as all of them are this machine.
pub(super) const ADDRESS: &str = "127.0.0.1";

/// Registers a node that is ready for pods at once.
pub(super) async fn register(client: &Client, name: &str, pods: u32) -> Result<(), kube::Error> {
    let nodes: Api<Node> = Api::all(client.clone());
    let node =
        json!({"metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}}});
    create(&nodes, &node).await?;
    let status = json!({"status": status(pods)});
    nodes
        .patch_status(name, &PatchParams::default(), &Patch::Merge(status))
        .await?;
    // A new node is tainted as not ready until a controller looks at it again.
    let untainted = json!({"spec": {"taints": null}});
    nodes
        .patch(name, &PatchParams::default(), &Patch::Merge(untainted))
        .await?;

    let leases: Api<Lease> = Api::namespaced(client.clone(), LEASES);
    let lease = json!({
        "metadata": {"name": name},
        "spec": {"holderIdentity": name, "leaseDurationSeconds": 40, "renewTime": MicroTime(Timestamp::now())},
    });
    create(&leases, &lease).await
}

/// Renews the leases of all nodes for ever.
///
/// A failure is not reported: a kubelet that cannot reach the API tries again
/// too, and Kubernetes notices the silence.
pub(super) async fn renew(client: Client, names: Vec<String>, every: Duration) {
    let leases: Api<Lease> = Api::namespaced(client, LEASES);
    loop {
        sleep(every).await;
        for name in &names {
            let renewal = json!({"spec": {"renewTime": MicroTime(Timestamp::now())}});
            let _ = leases
                .patch(name, &PatchParams::default(), &Patch::Merge(renewal))
                .await;
        }
    }
}

/// Creates an object, unless it is there; waits for its namespace.
async fn create<K>(api: &Api<K>, object: &Value) -> Result<(), kube::Error>
where
    K: Resource + Clone + std::fmt::Debug + serde::de::DeserializeOwned + serde::Serialize,
{
    let object: K = serde_json::from_value(object.clone()).map_err(kube::Error::SerdeError)?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        match api.create(&PostParams::default(), &object).await {
            Ok(_) => return Ok(()),
            Err(error) if refusal(&error) == Some(409) => return Ok(()),
            Err(error) if refusal(&error) == Some(404) && Instant::now() < deadline => {}
            Err(error) => return Err(error),
        }
        sleep(Duration::from_millis(50)).await;
    }
}

fn status(pods: u32) -> Value {
    let resources =
        json!({"cpu": "100000", "memory": "1000Ti", "ephemeral-storage": "1000Ti", "pods": pods.to_string()});
    let now = Time::from(Timestamp::now());
    let condition = |kind: &str, status: &str, reason: &str| {
        json!({
            "type": kind, "status": status, "reason": reason, "message": "kubelet stand-in of the test bed",
            "lastHeartbeatTime": now, "lastTransitionTime": now,
        })
    };
    json!({
        "capacity": resources,
        "allocatable": resources,
        "addresses": [{"type": "InternalIP", "address": ADDRESS}],
        "conditions": [
            condition("Ready", "True", "KubeletReady"),
            condition("MemoryPressure", "False", "KubeletHasSufficientMemory"),
            condition("DiskPressure", "False", "KubeletHasNoDiskPressure"),
            condition("PIDPressure", "False", "KubeletHasSufficientPID"),
        ],
    })
}
