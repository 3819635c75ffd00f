//! Clients that others wrote: kube-rs, which the controller uses, and kubectl, which its users do.

use std::collections::BTreeSet;
use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex};

use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{Config, Event, watcher};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::client::eventually;
use crate::objects::{pod, template};
use crate::suite::Check;
use crate::target::Target;

pub(crate) fn checks() -> Vec<Check> {
    vec![
        Check::new(
            "c1_a_watcher_catches_up_after_a_cut",
            c1_a_watcher_catches_up_after_a_cut,
        ),
        Check::new(
            "c2_kubectl_creates_reads_and_labels",
            c2_kubectl_creates_reads_and_labels,
        )
        .needs_kubectl(),
        Check::new("c2_kubectl_deletes_by_each_policy", c2_kubectl_deletes_by_each_policy).needs_kubectl(),
        Check::new("c2_kubectl_explains_a_refusal", c2_kubectl_explains_a_refusal).needs_kubectl(),
    ]
}

async fn c1_a_watcher_catches_up_after_a_cut(target: Target) {
    let (client, proxy) = target.through_proxy().await;
    let pods: Api<Pod> = Api::namespaced(client.0, &target.namespace);
    let seen = Arc::new(Mutex::new(BTreeSet::new()));
    let watching = tokio::spawn({
        let seen = Arc::clone(&seen);
        async move {
            let stream = watcher(pods, Config::default().labels("app=ours")).default_backoff();
            let mut stream = std::pin::pin!(stream);
            let mut fresh = BTreeSet::new();
            while let Some(event) = stream.next().await {
                let mut seen = seen.lock().expect("a set");
                match event {
                    Ok(Event::Apply(pod)) => drop(seen.insert(pod.name_any())),
                    Ok(Event::Delete(pod)) => drop(seen.remove(&pod.name_any())),
                    Ok(Event::Init) => fresh.clear(),
                    Ok(Event::InitApply(pod)) => drop(fresh.insert(pod.name_any())),
                    Ok(Event::InitDone) => *seen = std::mem::take(&mut fresh),
                    // What was seen stays: an interrupted watch says nothing about the pods.
                    Err(_) => {}
                }
            }
        }
    });
    let sees = async |names: &[&str]| {
        let wanted = names.iter().map(|&name| name.to_owned()).collect::<BTreeSet<_>>();
        eventually("the watcher sees it", async || {
            (*seen.lock().expect("a set") == wanted).then_some(())
        })
        .await;
    };
    target
        .admin
        .post(&target.pods(), &pod("a", &json!({ "app": "ours" })))
        .await
        .object();
    target
        .admin
        .post(&target.pods(), &pod("b", &json!({ "app": "theirs" })))
        .await
        .object();
    sees(&["a"]).await;
    proxy.cut();
    target.admin.delete(&target.pod("a"), &json!({})).await.object();
    target
        .admin
        .patch(
            &target.pod("b"),
            &json!({ "metadata": { "labels": { "app": "ours" } } }),
        )
        .await
        .object();
    // Where the history is gone, the watcher has to list again.
    target.compact();
    sees(&["b"]).await;
    target
        .admin
        .patch(
            &target.pod("b"),
            &json!({ "metadata": { "labels": { "app": "theirs" } } }),
        )
        .await
        .object();
    sees(&[]).await;
    watching.abort();
}

/// Runs kubectl in the namespace of the check.
async fn kubectl(target: &Target, arguments: &[&str], input: Option<&Value>) -> Output {
    let kubeconfig = target.kubeconfig();
    let mut command = Command::new("kubectl");
    command
        .arg("--kubeconfig")
        .arg(kubeconfig.path())
        .args(["--namespace", &target.namespace])
        .args(arguments);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut child = command.spawn().expect("kubectl");
    let mut stdin = child.stdin.take().expect("its input");
    let text = input.map(Value::to_string).unwrap_or_default();
    // It may end without reading.
    drop(stdin.write_all(text.as_bytes()).await);
    drop(stdin);
    child.wait_with_output().await.expect("its end")
}

async fn succeed(target: &Target, arguments: &[&str], input: Option<&Value>) -> String {
    let output = kubectl(target, arguments, input).await;
    assert!(
        output.status.success(),
        "kubectl {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

async fn c2_kubectl_creates_reads_and_labels(target: Target) {
    assert_eq!(
        succeed(&target, &["create", "-f", "-"], Some(&template("q"))).await,
        "job.batch/q created"
    );
    assert_eq!(
        succeed(&target, &["apply", "-f", "-"], Some(&pod("p", &json!({ "a": "b" })))).await,
        "pod/p created"
    );
    let names = succeed(&target, &["get", "jobs,pods", "-o", "name"], None).await;
    assert_eq!(names, "job.batch/q\npod/p");
    let queue = "jsonpath={.metadata.labels.buildscaler\\.elotl\\.co/queue}";
    assert_eq!(
        succeed(&target, &["get", "job", "q", "-o", queue], None).await,
        "default"
    );
    let label = "buildscaler.elotl.co/queue=other";
    succeed(&target, &["label", "job", "q", "--overwrite", label], None).await;
    assert_eq!(
        succeed(&target, &["get", "job", "-l", label, "-o", "name"], None).await,
        "job.batch/q"
    );
    assert_eq!(
        succeed(&target, &["apply", "-f", "-"], Some(&pod("p", &json!({ "a": "b" })))).await,
        "pod/p unchanged"
    );
}

async fn c2_kubectl_deletes_by_each_policy(target: Target) {
    for policy in ["background", "foreground", "orphan"] {
        succeed(&target, &["create", "-f", "-"], Some(&template("q"))).await;
        let cascade = format!("--cascade={policy}");
        let said = succeed(&target, &["delete", "job", "q", &cascade, "--timeout=60s"], None).await;
        assert!(said.starts_with("job.batch \"q\" deleted"), "{said}");
        target.admin.get(&target.template("q")).await.refused(404, "NotFound");
    }
    succeed(
        &target,
        &["create", "-f", "-"],
        Some(&pod("p", &json!({ "app.elotl.co": "buildscaler" }))),
    )
    .await;
    succeed(&target, &["create", "-f", "-"], Some(&template("q"))).await;
    // As the specification uninstalls.
    succeed(&target, &["delete", "job", "-l", "app.elotl.co=buildscaler"], None).await;
    succeed(&target, &["delete", "pod", "-l", "app.elotl.co=buildscaler"], None).await;
    assert_eq!(succeed(&target, &["get", "jobs,pods", "-o", "name"], None).await, "");
}

async fn c2_kubectl_explains_a_refusal(target: Target) {
    let mut job = template("q");
    job["spec"]["template"]["spec"]["restartPolicy"] = Value::Null;
    let output = kubectl(&target, &["create", "-f", "-"], Some(&job)).await;
    assert!(!output.status.success());
    let message = "The Job \"q\" is invalid: spec.template.spec.restartPolicy: Required value: valid values: \"OnFailure\", \"Never\"";
    assert_eq!(String::from_utf8_lossy(&output.stderr).trim(), message);
    let output = kubectl(&target, &["get", "pod", "nobody"], None).await;
    assert_eq!(
        String::from_utf8_lossy(&output.stderr).trim(),
        "Error from server (NotFound): pods \"nobody\" not found"
    );
}
