//! What a user may do, and how much of it: A13, A15.

use buildscaler_simulator::kubernetes::Rule;
use futures::future::join_all;
use serde_json::json;

use crate::client::eventually;
use crate::objects::{pod, template};
use crate::suite::Check;
use crate::target::Target;

pub(crate) fn checks() -> Vec<Check> {
    vec![
        Check::new(
            "a13_a_user_may_do_what_its_role_says",
            a13_a_user_may_do_what_its_role_says,
        ),
        Check::new("a13_a_user_may_do_nothing_else", a13_a_user_may_do_nothing_else),
        Check::new(
            "a13_a_review_agrees_with_the_requests",
            a13_a_review_agrees_with_the_requests,
        ),
        Check::new(
            "a15_an_overloaded_server_says_when_to_come_back",
            a15_an_overloaded_server_says_when_to_come_back,
        ),
    ]
}

fn least_privilege() -> Vec<Rule> {
    vec![
        Rule::new(&["get", "list", "watch"], "batch", &["jobs"]),
        Rule::new(&["get", "list", "watch", "create", "delete"], "", &["pods"]),
        Rule::new(&["create"], "coordination.k8s.io", &["leases"]),
        Rule::new(&["get", "update"], "coordination.k8s.io", &["leases"]).named("leader"),
        Rule::new(&["create", "patch"], "events.k8s.io", &["events"]),
    ]
}

async fn a13_a_user_may_do_what_its_role_says(target: Target) {
    let user = target.user("a13-user", &least_privilege()).await;
    eventually("the role is in force", async || {
        (user.get(&target.pods()).await.code == 200).then_some(())
    })
    .await;
    user.get(&target.templates()).await.object();
    user.post(&target.pods(), &pod("p", &json!({}))).await.object();
    user.get(&target.pod("p")).await.object();
    user.delete(&target.pod("p"), &json!({})).await.object();
    for name in ["leader", "other"] {
        user.post(&target.leases(), &json!({ "metadata": { "name": name } }))
            .await
            .object();
    }
    let lease = user.get(&format!("{}/leader", target.leases())).await.object();
    user.put(&format!("{}/leader", target.leases()), &lease).await.object();
}

async fn a13_a_user_may_do_nothing_else(target: Target) {
    let user = target.user("a13-limited", &least_privilege()).await;
    eventually("the role is in force", async || {
        (user.get(&target.pods()).await.code == 200).then_some(())
    })
    .await;
    let forbidden = |what: &str, place: &str| format!("User \"a13-limited\" cannot {what} {place}");
    let here = format!("in the namespace \"{}\"", target.namespace);
    let refusals = [
        (
            user.get(&format!("{}/s", target.core("secrets"))).await,
            forbidden("get resource \"secrets\" in API group \"\"", &here),
        ),
        (
            user.get("/api/v1/nodes").await,
            forbidden("list resource \"nodes\" in API group \"\"", "at the cluster scope"),
        ),
        (
            user.get("/api/v1/pods").await,
            forbidden("list resource \"pods\" in API group \"\"", "at the cluster scope"),
        ),
        (
            user.get("/api/v1/namespaces/kube-system/pods").await,
            forbidden(
                "list resource \"pods\" in API group \"\"",
                "in the namespace \"kube-system\"",
            ),
        ),
        (
            user.post(&target.templates(), &template("q")).await,
            forbidden("create resource \"jobs\" in API group \"batch\"", &here),
        ),
        (
            user.post(&format!("{}/exec?command=sh", target.pod("p")), &json!({}))
                .await,
            forbidden("create resource \"pods/exec\" in API group \"\"", &here),
        ),
        (
            user.get(&format!("{}/other", target.leases())).await,
            forbidden("get resource \"leases\" in API group \"coordination.k8s.io\"", &here),
        ),
        (
            user.delete(&target.pods(), &json!({})).await,
            forbidden("deletecollection resource \"pods\" in API group \"\"", &here),
        ),
    ];
    for (answer, message) in refusals {
        assert!(
            answer.message().contains(&message),
            "{} does not contain {message}",
            answer.message()
        );
        answer.refused(403, "Forbidden");
    }
    let status = user
        .get(&format!("{}/s", target.core("secrets")))
        .await
        .refused(403, "Forbidden");
    assert_eq!(status["details"], json!({ "name": "s", "kind": "secrets" }));
    let message = status["message"].as_str().unwrap_or_default();
    assert!(message.starts_with("secrets \"s\" is forbidden: User"), "{message}");
}

async fn a13_a_review_agrees_with_the_requests(target: Target) {
    let user = target.user("a13-asker", &least_privilege()).await;
    eventually("the role is in force", async || {
        (user.get(&target.pods()).await.code == 200).then_some(())
    })
    .await;
    let ask = async |verb: &str, group: &str, resource: &str, namespace: &str| {
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": { "resourceAttributes": { "verb": verb, "group": group, "resource": resource, "namespace": namespace } },
        });
        let answer = user
            .post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", &review)
            .await
            .object();
        answer["status"]["allowed"].as_bool().expect("an answer")
    };
    let here = target.namespace.as_str();
    assert!(ask("list", "", "pods", here).await);
    assert!(ask("watch", "batch", "jobs", here).await);
    assert!(ask("create", "coordination.k8s.io", "leases", here).await);
    assert!(
        !ask("get", "coordination.k8s.io", "leases", here).await,
        "only the named lease"
    );
    assert!(!ask("create", "batch", "jobs", here).await);
    assert!(!ask("get", "", "secrets", here).await);
    assert!(!ask("list", "", "pods", "kube-system").await);
    assert!(
        !ask("list", "", "pods", "").await,
        "an empty namespace means all of them"
    );
}

async fn a15_an_overloaded_server_says_when_to_come_back(target: Target) {
    let target = target.squeezed().await;
    let user = target.user("a15-user", &[Rule::new(&["list"], "", &["pods"])]).await;
    let answer = eventually("the server is overloaded", async || {
        let pods = target.pods();
        let answers = join_all((0..50).map(|_| user.get(&pods))).await;
        answers.into_iter().find(|answer| answer.code == 429)
    })
    .await;
    let seconds = answer.headers.get("retry-after").and_then(|value| value.to_str().ok());
    let seconds = seconds.and_then(|text| text.parse::<u64>().ok());
    assert!(seconds.is_some_and(|seconds| seconds > 0), "{:?}", answer.headers);
    assert_eq!(
        answer.body,
        serde_json::Value::Null,
        "whoever is overloaded writes no Status"
    );
}
