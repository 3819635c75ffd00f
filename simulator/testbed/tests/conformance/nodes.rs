//! Nodes that come and go, and the namespace that goes: B9 to B11, and the scheduler.

use std::time::Duration;

use serde_json::{Value, json};

use crate::client::eventually;
use crate::objects::{bound_pod, has_condition, node, pod};
use crate::suite::Check;
use crate::target::Target;

pub(crate) fn checks() -> Vec<Check> {
    vec![
        Check::new("b9_a_pod_ends_with_its_node", b9_a_pod_ends_with_its_node),
        Check::new(
            "b10_a_tainted_node_leaves_its_pods_terminating",
            b10_a_tainted_node_leaves_its_pods_terminating,
        ),
        Check::new(
            "b11_a_namespace_waits_for_its_busy_pods",
            b11_a_namespace_waits_for_its_busy_pods,
        ),
        Check::new("b14_a_pod_without_a_node_says_why", b14_a_pod_without_a_node_says_why),
    ]
}

async fn b9_a_pod_ends_with_its_node(target: Target) {
    let name = target.own("lost");
    target.admin.post("/api/v1/nodes", &node(&name)).await.object();
    target.admin.post(&target.pods(), &bound_pod("p", &name)).await.object();
    let created = target.admin.get(&target.pods()).await.object();
    let version = created["metadata"]["resourceVersion"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    target.pass(Duration::from_secs(1)).await;
    target
        .admin
        .delete(&format!("/api/v1/nodes/{name}"), &json!({}))
        .await
        .object();
    target.admin.get(&target.pod("p")).await.object();
    target.pass(Duration::from_secs(41)).await;
    target.gone(&target.pod("p")).await;
    let query = format!("watch=true&timeoutSeconds=2&resourceVersion={version}");
    let events = target.admin.watch(&format!("{}?{query}", target.pods())).await;
    let last = &events.last().expect("events")["object"];
    assert_eq!(last["status"]["phase"], "Failed");
    let conditions = last["status"]["conditions"].as_array().expect("conditions");
    assert!(
        conditions
            .iter()
            .any(|condition| condition["reason"] == "DeletionByPodGC"),
        "{conditions:?}"
    );
}

async fn b10_a_tainted_node_leaves_its_pods_terminating(target: Target) {
    let name = target.own("cut-off");
    target.admin.post("/api/v1/nodes", &node(&name)).await.object();
    let mut patient = bound_pod("patient", &name);
    patient["spec"]["tolerations"] =
        json!([{ "key": "example.com/away", "operator": "Exists", "effect": "NoExecute" }]);
    target.admin.post(&target.pods(), &patient).await.object();
    target.admin.post(&target.pods(), &bound_pod("p", &name)).await.object();
    let taint = json!({ "spec": { "taints": [{ "key": "example.com/away", "effect": "NoExecute" }] } });
    target
        .admin
        .patch(&format!("/api/v1/nodes/{name}"), &taint)
        .await
        .object();
    let pod = eventually("the pod is told to go", async || {
        let pod = target.admin.get(&target.pod("p")).await.object();
        pod["metadata"]["deletionTimestamp"].is_string().then_some(pod)
    })
    .await;
    assert!(has_condition(&pod, "DisruptionTarget", "True"));
    target.pass(Duration::from_secs(3)).await;
    // Nobody is there to end it, so it stays, and its agent may still work.
    target.admin.get(&target.pod("p")).await.object();
    let patient = target.admin.get(&target.pod("patient")).await.object();
    assert_eq!(patient["metadata"]["deletionTimestamp"], Value::Null);
    target
        .admin
        .delete(&format!("/api/v1/nodes/{name}"), &json!({}))
        .await
        .object();
}

async fn b11_a_namespace_waits_for_its_busy_pods(target: Target) {
    let namespace = target.own("leaving");
    target.create_namespace(&namespace, &json!({})).await;
    let pods = format!("/api/v1/namespaces/{namespace}/pods");
    let node = target.own("busy");
    target
        .admin
        .post("/api/v1/nodes", &crate::objects::node(&node))
        .await
        .object();
    target.admin.post(&pods, &bound_pod("busy", &node)).await.object();
    target.admin.post(&pods, &pod("idle", &json!({}))).await.object();
    target
        .admin
        .delete(&format!("/api/v1/namespaces/{namespace}"), &json!({}))
        .await
        .object();
    target.gone(&format!("{pods}/idle")).await;
    let busy = target.admin.get(&format!("{pods}/busy")).await.object();
    assert!(busy["metadata"]["deletionTimestamp"].is_string());
    assert_eq!(
        target
            .admin
            .get(&format!("/api/v1/namespaces/{namespace}"))
            .await
            .object()["status"]["phase"],
        "Terminating"
    );
    target
        .admin
        .delete(&format!("{pods}/busy"), &json!({ "gracePeriodSeconds": 0 }))
        .await
        .object();
    target.gone(&format!("/api/v1/namespaces/{namespace}")).await;
    target
        .admin
        .delete(&format!("/api/v1/nodes/{node}"), &json!({}))
        .await
        .object();
}

async fn b14_a_pod_without_a_node_says_why(target: Target) {
    let name = target.own("late");
    let mut picky = pod("p", &json!({}));
    picky["spec"]["schedulerName"] = json!("default-scheduler");
    picky["spec"]["nodeSelector"] = json!({ "kubernetes.io/hostname": name });
    target.admin.post(&target.pods(), &picky).await.object();
    let waiting = eventually("the scheduler says why", async || {
        let pod = target.admin.get(&target.pod("p")).await.object();
        has_condition(&pod, "PodScheduled", "False").then_some(pod)
    })
    .await;
    let conditions = waiting["status"]["conditions"].as_array().expect("conditions");
    assert!(
        conditions
            .iter()
            .any(|condition| condition["reason"] == "Unschedulable"),
        "{conditions:?}"
    );
    assert_eq!(waiting["status"]["phase"], "Pending");
    target.admin.post("/api/v1/nodes", &node(&name)).await.object();
    let bound = eventually("it is bound", async || {
        let pod = target.admin.get(&target.pod("p")).await.object();
        pod["spec"]["nodeName"].is_string().then_some(pod)
    })
    .await;
    assert_eq!(bound["spec"]["nodeName"], name.as_str());
    assert!(has_condition(&bound, "PodScheduled", "True"));
    target
        .admin
        .delete(&format!("/api/v1/nodes/{name}"), &json!({}))
        .await
        .object();
}
