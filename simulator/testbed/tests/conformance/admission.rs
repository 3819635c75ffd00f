//! The walls that a new pod can run into: A7 to A10.

use serde_json::json;

use crate::client::eventually;
use crate::objects::pod;
use crate::suite::Check;
use crate::target::Target;

pub(crate) fn checks() -> Vec<Check> {
    vec![
        Check::new(
            "a7_a_full_quota_refuses_until_a_pod_ends",
            a7_a_full_quota_refuses_until_a_pod_ends,
        ),
        Check::new("a8_a_limit_range_sets_a_maximum", a8_a_limit_range_sets_a_maximum),
        Check::new("a9_pod_security_enforces_or_warns", a9_pod_security_enforces_or_warns),
        Check::new(
            "a10_a_terminating_namespace_takes_nothing_new",
            a10_a_terminating_namespace_takes_nothing_new,
        ),
        Check::new(
            "a10_a_missing_namespace_is_not_found",
            a10_a_missing_namespace_is_not_found,
        ),
    ]
}

async fn a7_a_full_quota_refuses_until_a_pod_ends(target: Target) {
    let quota = json!({ "metadata": { "name": "few" }, "spec": { "hard": { "pods": "1" } } });
    target.admin.post(&target.core("resourcequotas"), &quota).await.object();
    let path = format!("{}/few", target.core("resourcequotas"));
    eventually("the quota is in force", async || {
        target.admin.get(&path).await.object()["status"]["hard"]["pods"]
            .is_string()
            .then_some(())
    })
    .await;
    target
        .admin
        .post(&target.pods(), &pod("one", &json!({})))
        .await
        .object();
    let status = target
        .admin
        .post(&target.pods(), &pod("two", &json!({})))
        .await
        .refused(403, "Forbidden");
    let why = "exceeded quota: few, requested: pods=1, used: pods=1, limited: pods=1";
    assert_eq!(status["message"], format!("pods \"two\" is forbidden: {why}"));
    assert_eq!(status["details"], json!({ "name": "two", "kind": "pods" }));
    let done = json!({ "status": { "phase": "Succeeded" } });
    target
        .admin
        .patch(&format!("{}/status", target.pod("one")), &done)
        .await
        .object();
    eventually("a finished pod frees its place", async || {
        (target.admin.post(&target.pods(), &pod("two", &json!({}))).await.code == 201).then_some(())
    })
    .await;
}

async fn a8_a_limit_range_sets_a_maximum(target: Target) {
    let range = json!({ "metadata": { "name": "small" }, "spec": { "limits": [{ "type": "Container", "max": { "cpu": "500m" } }] } });
    target.admin.post(&target.core("limitranges"), &range).await.object();
    let mut large = pod("large", &json!({}));
    large["spec"]["containers"][0]["resources"] = json!({ "limits": { "cpu": "2" } });
    let answer = eventually("the limit is in force", async || {
        let answer = target.admin.post(&target.pods(), &large).await;
        target.admin.delete(&target.pod("large"), &json!({})).await;
        (answer.code == 403).then_some(answer)
    })
    .await;
    assert_eq!(
        answer.message(),
        "pods \"large\" is forbidden: maximum cpu usage per Container is 500m, but limit is 2"
    );
    let plain = target
        .admin
        .post(&target.pods(), &pod("plain", &json!({})))
        .await
        .object();
    let resources = &plain["spec"]["containers"][0]["resources"];
    assert_eq!(
        resources,
        &json!({ "limits": { "cpu": "500m" }, "requests": { "cpu": "500m" } })
    );
}

async fn a9_pod_security_enforces_or_warns(target: Target) {
    let (strict, soft) = (target.own("strict"), target.own("soft"));
    target
        .create_namespace(&strict, &json!({ "pod-security.kubernetes.io/enforce": "restricted" }))
        .await;
    target
        .create_namespace(&soft, &json!({ "pod-security.kubernetes.io/warn": "restricted" }))
        .await;
    let pods = |namespace: &str| format!("/api/v1/namespaces/{namespace}/pods");
    let violations = "allowPrivilegeEscalation != false (container \"agent\" must set \
        securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container \"agent\" must set \
        securityContext.capabilities.drop=[\"ALL\"]), runAsNonRoot != true (pod or container \"agent\" must set \
        securityContext.runAsNonRoot=true), seccompProfile (pod or container \"agent\" must set \
        securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\")";
    let status = target
        .admin
        .post(&pods(&strict), &pod("p", &json!({})))
        .await
        .refused(403, "Forbidden");
    assert_eq!(
        status["message"],
        format!("pods \"p\" is forbidden: violates PodSecurity \"restricted:latest\": {violations}")
    );
    let warned = target.admin.post(&pods(&soft), &pod("p", &json!({}))).await;
    assert_eq!(warned.code, 201);
    let warning = warned
        .headers
        .get("warning")
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    assert!(
        warning.starts_with("299 - \"would violate PodSecurity \\\"restricted:latest\\\": "),
        "{warning}"
    );
    let mut harmless = pod("harmless", &json!({}));
    harmless["spec"]["securityContext"] =
        json!({ "runAsNonRoot": true, "seccompProfile": { "type": "RuntimeDefault" } });
    harmless["spec"]["containers"][0]["securityContext"] =
        json!({ "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] } });
    target.admin.post(&pods(&strict), &harmless).await.object();
}

async fn a10_a_terminating_namespace_takes_nothing_new(target: Target) {
    let name = target.own("leaving");
    target.create_namespace(&name, &json!({})).await;
    let pods = format!("/api/v1/namespaces/{name}/pods");
    let mut holdout = pod("holdout", &json!({}));
    holdout["metadata"]["finalizers"] = json!(["example.com/not-yet"]);
    target.admin.post(&pods, &holdout).await.object();
    let namespace = target
        .admin
        .delete(&format!("/api/v1/namespaces/{name}"), &json!({}))
        .await
        .object();
    assert_eq!(namespace["status"]["phase"], "Terminating");
    let answer = eventually("nothing new is taken", async || {
        let answer = target.admin.post(&pods, &pod("new", &json!({}))).await;
        target.admin.delete(&format!("{pods}/new"), &json!({})).await;
        (answer.code == 403).then_some(answer)
    })
    .await;
    let why = format!("unable to create new content in namespace {name} because it is being terminated");
    assert_eq!(answer.message(), format!("pods \"new\" is forbidden: {why}"));
    let cause = &answer.body["details"]["causes"][0];
    assert_eq!(cause["reason"], "NamespaceTerminating");
    assert_eq!(cause["message"], format!("namespace {name} is being terminated"));
    assert_eq!(cause["field"], "metadata.namespace");
    target
        .admin
        .patch(
            &format!("{pods}/holdout"),
            &json!({ "metadata": { "finalizers": null } }),
        )
        .await;
    target.gone(&format!("/api/v1/namespaces/{name}")).await;
}

async fn a10_a_missing_namespace_is_not_found(target: Target) {
    let status = target
        .admin
        .post("/api/v1/namespaces/nowhere/pods", &pod("p", &json!({})))
        .await
        .refused(404, "NotFound");
    assert_eq!(status["message"], "namespaces \"nowhere\" not found");
    assert_eq!(status["details"], json!({ "name": "nowhere", "kind": "namespaces" }));
    let list = target.admin.get("/api/v1/namespaces/nowhere/pods").await.object();
    assert_eq!(list["items"], json!([]), "a list of nothing is no error");
}
