//! Lists, watches and their expiry: A11, A12.

use serde_json::{Value, json};

use crate::client::eventually;
use crate::objects::pod;
use crate::suite::Check;
use crate::target::Target;

pub(crate) fn checks() -> Vec<Check> {
    vec![
        Check::new("a11_a_watch_from_long_ago_expires", a11_a_watch_from_long_ago_expires),
        Check::new("a11_a_continue_token_expires", a11_a_continue_token_expires),
        Check::new("a11_pages_belong_to_one_version", a11_pages_belong_to_one_version),
        Check::new("a11_a_quiet_watch_gets_a_bookmark", a11_a_quiet_watch_gets_a_bookmark),
        Check::new(
            "a11_losing_a_label_looks_like_a_deletion",
            a11_losing_a_label_looks_like_a_deletion,
        ),
        Check::new(
            "a11_lists_are_narrowed_by_selectors",
            a11_lists_are_narrowed_by_selectors,
        ),
        Check::new(
            "a12_a_watch_can_begin_with_what_is_there",
            a12_a_watch_can_begin_with_what_is_there,
        ),
    ]
}

/// Events, because a real server keeps no cache of them: their expiry is that of its store.
async fn a11_a_watch_from_long_ago_expires(target: Target) {
    target.compact();
    let path = format!(
        "{}?watch=true&resourceVersion=1&timeoutSeconds=1",
        target.core("events")
    );
    let event = eventually("version 1 is gone", async || {
        let events = target.admin.watch(&path).await;
        events.into_iter().find(|event| event["type"] == "ERROR")
    })
    .await;
    assert_eq!(event["object"]["kind"], "Status");
    assert_eq!(event["object"]["status"], "Failure");
    assert_eq!(event["object"]["code"], 410);
    assert_eq!(event["object"]["reason"], "Expired");
}

async fn a11_a_continue_token_expires(target: Target) {
    for name in ["one", "two", "three"] {
        target.admin.post(&target.pods(), &pod(name, &json!({}))).await.object();
    }
    let page = target.admin.get(&format!("{}?limit=1", target.pods())).await.object();
    let token = page["metadata"]["continue"].as_str().expect("a token").to_owned();
    // Something has to be written, so that there is history to drop.
    target
        .admin
        .post(&target.pods(), &pod("four", &json!({})))
        .await
        .object();
    target.compact();
    let answer = eventually("the version of the token is gone", async || {
        let answer = target
            .admin
            .get(&format!("{}?limit=1&continue={token}", target.pods()))
            .await;
        (answer.code != 200).then_some(answer)
    })
    .await;
    let status = answer.refused(410, "Expired");
    let message = status["message"].as_str().unwrap_or_default();
    let expected = "The provided continue parameter is too old to display a consistent list result.";
    assert!(message.starts_with(expected), "{message}");
    let fresh = status["metadata"]["continue"].as_str().expect("an inconsistent token");
    let rest = target
        .admin
        .get(&format!("{}?continue={fresh}", target.pods()))
        .await
        .object();
    assert_eq!(names(&rest), ["three", "two"]);
}

async fn a11_pages_belong_to_one_version(target: Target) {
    for name in ["one", "two"] {
        target.admin.post(&target.pods(), &pod(name, &json!({}))).await.object();
    }
    let first = target.admin.get(&format!("{}?limit=1", target.pods())).await.object();
    assert_eq!(names(&first), ["one"]);
    assert_eq!(first["metadata"]["remainingItemCount"], 1);
    target.admin.delete(&target.pod("two"), &json!({})).await.object();
    let token = first["metadata"]["continue"].as_str().expect("a token");
    let second = target
        .admin
        .get(&format!("{}?limit=1&continue={token}", target.pods()))
        .await
        .object();
    assert_eq!(names(&second), ["two"], "the page is of the version of the first");
    assert_eq!(
        second["metadata"]["resourceVersion"],
        first["metadata"]["resourceVersion"]
    );
    assert_eq!(second["kind"], "PodList");
    assert_eq!(
        second["items"][0]["kind"],
        Value::Null,
        "items of a list do not repeat their kind"
    );
}

async fn a11_a_quiet_watch_gets_a_bookmark(target: Target) {
    target.admin.post(&target.pods(), &pod("p", &json!({}))).await.object();
    let list = target.admin.get(&target.pods()).await.object();
    let version = list["metadata"]["resourceVersion"].as_str().unwrap_or_default();
    // Something happens that the watch does not show: only the bookmark can tell the new version.
    target
        .admin
        .post(&target.pods(), &pod("other", &json!({})))
        .await
        .object();
    let query = format!("watch=true&labelSelector=no%3Done&resourceVersion={version}");
    let path = format!("{}?{query}&allowWatchBookmarks=true&timeoutSeconds=5", target.pods());
    let events = target.admin.watch(&path).await;
    let bookmark = events.last().expect("a bookmark");
    assert!(events.iter().all(|event| event["type"] == "BOOKMARK"), "{events:?}");
    assert_eq!(bookmark["object"]["kind"], "Pod");
    assert!(bookmark["object"]["metadata"]["resourceVersion"].is_string());
    assert_ne!(bookmark["object"]["metadata"]["resourceVersion"], version);
    let events = target
        .admin
        .watch(&format!("{}?{query}&timeoutSeconds=4", target.pods()))
        .await;
    assert_eq!(events, Vec::<Value>::new(), "nobody asked for bookmarks");
}

async fn a11_losing_a_label_looks_like_a_deletion(target: Target) {
    let created = target
        .admin
        .post(&target.pods(), &pod("p", &json!({ "app": "ours" })))
        .await
        .object();
    let version = created["metadata"]["resourceVersion"].as_str().unwrap_or_default();
    let patch = |app: Value| json!({ "metadata": { "labels": { "app": app } } });
    target
        .admin
        .patch(&target.pod("p"), &patch(json!("theirs")))
        .await
        .object();
    target
        .admin
        .patch(&target.pod("p"), &patch(json!("ours")))
        .await
        .object();
    target
        .admin
        .patch(&target.pod("p"), &json!({ "metadata": { "labels": { "more": "x" } } }))
        .await
        .object();
    let deleted = target.admin.delete(&target.pod("p"), &json!({})).await.object();
    let query = format!("watch=true&timeoutSeconds=3&labelSelector=app%3Dours&resourceVersion={version}");
    let events = target.admin.watch(&format!("{}?{query}", target.pods())).await;
    let kinds = events
        .iter()
        .map(|event| event["type"].as_str().unwrap_or_default())
        .collect::<Vec<_>>();
    // A pod is marked before it is removed, even where it goes at once.
    assert_eq!(kinds, ["DELETED", "ADDED", "MODIFIED", "MODIFIED", "DELETED"]);
    assert_eq!(
        events[0]["object"]["metadata"]["labels"]["app"], "ours",
        "in the last state that matched"
    );
    assert_ne!(
        events[0]["object"]["metadata"]["resourceVersion"], version,
        "at the version of the change"
    );
    assert_eq!(deleted["metadata"]["uid"], events[4]["object"]["metadata"]["uid"]);
}

async fn a11_lists_are_narrowed_by_selectors(target: Target) {
    for (name, labels) in [
        ("a", json!({ "x": "1" })),
        ("b", json!({ "x": "2", "y": "" })),
        ("c", json!({})),
    ] {
        target.admin.post(&target.pods(), &pod(name, &labels)).await.object();
    }
    let listed = async |query: &str| names(&target.admin.get(&format!("{}?{query}", target.pods())).await.object());
    assert_eq!(listed("labelSelector=x%3D1").await, ["a"]);
    assert_eq!(listed("labelSelector=x").await, ["a", "b"]);
    assert_eq!(listed("labelSelector=%21x").await, ["c"]);
    assert_eq!(listed("labelSelector=x%20in%20%281%2C2%29%2Cy").await, ["b"]);
    assert_eq!(listed("labelSelector=x%20notin%20%281%29").await, ["b", "c"]);
    assert_eq!(listed("labelSelector=x%21%3D1").await, ["b", "c"]);
    assert_eq!(listed("fieldSelector=metadata.name%3Db").await, ["b"]);
    assert_eq!(
        listed("fieldSelector=status.phase%3DPending%2Cmetadata.name%21%3Da").await,
        ["b", "c"]
    );
    assert_eq!(listed("fieldSelector=spec.nodeName%3D").await, ["a", "b", "c"]);
    target
        .admin
        .get(&format!("{}?fieldSelector=spec.priority%3D1", target.pods()))
        .await
        .refused(400, "BadRequest");
}

async fn a12_a_watch_can_begin_with_what_is_there(target: Target) {
    target.admin.post(&target.pods(), &pod("p", &json!({}))).await.object();
    let streaming = "watch=true&sendInitialEvents=true&allowWatchBookmarks=true&timeoutSeconds=4";
    let query = format!("{streaming}&resourceVersionMatch=NotOlderThan");
    let events = target.admin.watch(&format!("{}?{query}", target.pods())).await;
    assert_eq!(events[0]["type"], "ADDED");
    assert_eq!(events[0]["object"]["metadata"]["name"], "p");
    assert_eq!(events[1]["type"], "BOOKMARK");
    assert_eq!(
        events[1]["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"],
        "true"
    );
    let status = target
        .admin
        .get(&format!("{}?{streaming}", target.pods()))
        .await
        .refused(422, "Invalid");
    assert_eq!(status["details"]["causes"][0]["field"], "resourceVersionMatch");
    let plain = target
        .admin
        .watch(&format!("{}?watch=true&timeoutSeconds=1", target.pods()))
        .await;
    assert_eq!(
        plain[0]["type"], "ADDED",
        "a watch without a version begins with what is there, too"
    );
}

fn names(list: &Value) -> Vec<String> {
    let items = list["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    items
        .iter()
        .map(|item| item["metadata"]["name"].as_str().unwrap_or_default().to_owned())
        .collect()
}
