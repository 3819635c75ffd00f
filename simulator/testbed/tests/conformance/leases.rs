//! Leases, by which controllers agree on one of them: A14, and what else they rely on.

use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};

use crate::suite::Check;
use crate::target::Target;

pub(crate) fn checks() -> Vec<Check> {
    vec![
        Check::new("a_lease_is_made_once", is_made_once),
        Check::new("a14_a_stale_lease_update_is_a_conflict", stale),
        Check::new("of_ten_writes_over_one_lease_one_succeeds", one_of_ten),
        Check::new("a_write_over_a_lease_that_is_gone_makes_it_anew", is_gone),
        Check::new("a_lease_is_kept_as_written", is_kept_as_written),
        Check::new("a_lease_of_no_time_is_refused", of_no_time),
    ]
}

async fn is_made_once(target: Target) {
    target.admin.get(&path(&target)).await.refused(404, "NotFound");
    let made = target.admin.post(&target.leases(), &lease("one")).await;
    assert_eq!(made.code, 201, "{}", made.body);
    let again = target.admin.post(&target.leases(), &lease("two")).await;
    let status = again.refused(409, "AlreadyExists");
    assert_eq!(
        status["message"],
        r#"leases.coordination.k8s.io "buildscaler" already exists"#
    );
    let found = target.admin.get(&path(&target)).await.object();
    assert_eq!(found["spec"]["holderIdentity"], "one");
}

async fn stale(target: Target) {
    let read = target.admin.post(&target.leases(), &lease("one")).await.object();
    let written = target.admin.put(&path(&target), &over(&read, "two")).await;
    assert_eq!(written.code, 200, "{}", written.body);
    let late = target.admin.put(&path(&target), &over(&read, "three")).await;
    let status = late.refused(409, "Conflict");
    assert_eq!(
        status["message"],
        "Operation cannot be fulfilled on leases.coordination.k8s.io \"buildscaler\": the object has been modified; \
         please apply your changes to the latest version and try again"
    );
    let patch = json!({
        "metadata": { "resourceVersion": read["metadata"]["resourceVersion"] }, "spec": { "holderIdentity": "four" },
    });
    target
        .admin
        .patch(&path(&target), &patch)
        .await
        .refused(409, "Conflict");
    let found = target.admin.get(&path(&target)).await.object();
    assert_eq!(found["spec"]["holderIdentity"], "two");
    assert_ne!(
        found["metadata"]["resourceVersion"],
        read["metadata"]["resourceVersion"]
    );
}

async fn one_of_ten(target: Target) {
    let read = target.admin.post(&target.leases(), &lease("nobody")).await.object();
    let writes = (0..10).map(|number| {
        let (admin, path) = (target.admin.clone(), path(&target));
        let body = over(&read, &format!("controller-{number}"));
        async move { admin.put(&path, &body).await.code }
    });
    let mut codes = join_all(writes).await;
    codes.sort_unstable();
    assert_eq!(codes, [200, 409, 409, 409, 409, 409, 409, 409, 409, 409]);
}

/// Unlike other objects: a late write of a leader brings back a Lease that somebody has deleted.
async fn is_gone(target: Target) {
    let read = target.admin.post(&target.leases(), &lease("one")).await.object();
    target.admin.delete(&path(&target), &json!({})).await.object();
    target.gone(&path(&target)).await;
    let late = target.admin.put(&path(&target), &over(&read, "one")).await;
    assert_eq!(late.code, 201, "{}", late.body);
    assert_ne!(late.body["metadata"]["uid"], read["metadata"]["uid"]);
    assert_ne!(
        late.body["metadata"]["resourceVersion"],
        read["metadata"]["resourceVersion"]
    );
    let mut negative = over(&late.body, "one");
    negative["spec"]["leaseTransitions"] = json!(-1);
    target
        .admin
        .put(&path(&target), &negative)
        .await
        .refused(422, "Invalid");
}

async fn is_kept_as_written(target: Target) {
    let made = target.admin.post(&target.leases(), &lease("")).await.object();
    assert_eq!(made["spec"], lease("")["spec"], "a holder may be empty");
    // Some time between the two, so that a server which writes times itself is seen.
    target.pass(Duration::from_millis(10)).await;
    let written = target.admin.put(&path(&target), &over(&made, "two")).await.object();
    assert_eq!(written["spec"], lease("two")["spec"]);
    let found = target.admin.get(&path(&target)).await.object();
    assert_eq!(found["spec"], lease("two")["spec"]);
    assert_eq!(found["metadata"]["labels"], lease("")["metadata"]["labels"]);
}

async fn of_no_time(target: Target) {
    let mut none = lease("one");
    none["spec"]["leaseDurationSeconds"] = json!(0);
    let status = target.admin.post(&target.leases(), &none).await.refused(422, "Invalid");
    let message = status["message"].as_str().unwrap_or_default();
    assert!(message.contains("spec.leaseDurationSeconds"), "{message}");
}

fn path(target: &Target) -> String {
    format!("{}/buildscaler", target.leases())
}

/// A Lease as a controller writes it.
fn lease(holder: &str) -> Value {
    json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": { "name": "buildscaler", "labels": { "app.kubernetes.io/name": "buildscaler" } },
        "spec": {
            "holderIdentity": holder,
            "leaseDurationSeconds": 15,
            "acquireTime": "2026-11-30T12:00:00.000000Z",
            "renewTime": "2026-11-30T12:00:07.123456Z",
            "leaseTransitions": 3,
        },
    })
}

/// The same, to be written over what was read.
fn over(read: &Value, holder: &str) -> Value {
    let mut next = lease(holder);
    next["metadata"]["resourceVersion"] = read["metadata"]["resourceVersion"].clone();
    next
}
