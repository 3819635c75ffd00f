//! The kubelet stand-in runs the pods that a scheduler puts on its nodes, on the real API and on the fake.

#![expect(clippy::expect_used, reason = "a test may fail")]

mod bed;

use std::time::Duration;

use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::{Api, ListParams, PostParams};
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

use bed::{Bed, DEADLINE, is, state, waits_for};

/// Makes two tests of a behaviour: one with a real control plane, one with the fake.
macro_rules! on_both {
    ($($behaviour:ident),* $(,)?) => {
        mod real {
            $(
                #[tokio::test(flavor = "multi_thread")]
                #[cfg_attr(not(have_go), ignore = "needs Go to build the real control plane")]
                async fn $behaviour() {
                    super::$behaviour(super::Bed::real().await).await;
                }
            )*
        }
        mod fake {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $behaviour() {
                    super::$behaviour(super::Bed::fake().await).await;
                }
            )*
        }
    };
}

on_both!(
    a_pod_lives_as_its_container_does,
    deletion_honours_the_grace_period,
    a_pod_waits_for_its_image_and_its_secret,
    a_sidecar_keeps_the_pod_running,
    containers_outlive_an_outage_of_the_api,
    a_thousand_pods_run_to_their_end,
);

async fn a_pod_lives_as_its_container_does(bed: Bed) {
    let env = json!([
        {"name": "UID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}},
        {"name": "TAGS", "value": "queue=q,pod-uid=$(UID)"},
    ]);
    bed.create("good", "succeeds", env, 30).await;
    bed.create("bad", "fails", json!([]), 30).await;

    let good = bed.until("good", is("Succeeded")).await;
    let status = good.status.expect("a status");
    assert!(status.pod_ip.is_some() && status.start_time.is_some());
    let conditions: Vec<_> = status.conditions.iter().flatten().map(|it| it.type_.as_str()).collect();
    assert!(
        conditions.contains(&"PodScheduled") && conditions.contains(&"Ready"),
        "{conditions:?}"
    );
    let bad = bed.until("bad", is("Failed")).await;
    let ended = state(&bad).and_then(|state| state.terminated).expect("terminated");
    assert_eq!((ended.exit_code, ended.reason.as_deref()), (7, Some("Error")));

    let uid = good.metadata.uid.expect("a uid");
    let context = bed.workload.seen("good");
    assert_eq!(context.env("TAGS"), Some(format!("queue=q,pod-uid={uid}").as_str()));
    assert_eq!(
        (context.hostname.as_str(), context.node.as_str()),
        ("good", "testbed-0")
    );
    bed.stop().await;
}

async fn deletion_honours_the_grace_period(bed: Bed) {
    bed.create("polite", "leaves-when-asked", json!([]), 60).await;
    bed.create("stubborn", "never-leaves", json!([]), 1).await;
    bed.until("polite", is("Running")).await;
    let stubborn = bed.until("stubborn", is("Running")).await;

    let begun = Instant::now();
    bed.delete("polite").await;
    bed.delete("stubborn").await;
    bed.until_gone("polite").await;
    bed.until_gone("stubborn").await;
    assert!(
        begun.elapsed() >= Duration::from_secs(1),
        "the grace period was not given"
    );
    let kills = bed.kubelet.kills();
    assert_eq!(kills.len(), 1, "{kills:?}");
    assert_eq!(Some(&kills[0].uid), stubborn.metadata.uid.as_ref());
    bed.stop().await;
}

async fn a_pod_waits_for_its_image_and_its_secret(bed: Bed) {
    bed.kubelet.break_image("succeeds");
    let token = json!([{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "agent", "key": "token"}}}]);
    bed.create("waiting", "succeeds", token, 30).await;
    bed.until("waiting", waits_for("ImagePullBackOff")).await;
    bed.kubelet.mend_image("succeeds");
    bed.until("waiting", waits_for("CreateContainerConfigError")).await;

    let secrets: Api<Secret> = Api::namespaced(bed.client.clone(), "default");
    let secret = json!({"metadata": {"name": "agent"}, "data": {"token": "YWJj"}});
    let secret = serde_json::from_value(secret).expect("a secret");
    secrets.create(&PostParams::default(), &secret).await.expect("created");
    bed.until("waiting", is("Succeeded")).await;
    assert_eq!(bed.workload.seen("waiting").env("TOKEN"), Some("abc"));

    bed.kubelet.break_image("absent");
    bed.create("hopeless", "absent", json!([]), 30).await;
    bed.until("hopeless", waits_for("ImagePullBackOff")).await;
    bed.delete("hopeless").await;
    bed.until_gone("hopeless").await;
    assert_eq!(bed.kubelet.kills(), []);
    bed.stop().await;
}

async fn a_sidecar_keeps_the_pod_running(bed: Bed) {
    let containers = json!([{"name": "agent", "image": "succeeds"}, {"name": "proxy", "image": "any"}]);
    bed.create_with("accompanied", containers, 30).await;
    let ended = |pod: &Pod| state(pod).is_some_and(|state| state.terminated.is_some());
    let pod = bed.until("accompanied", ended).await;
    assert!(is("Running")(&pod));
    bed.delete("accompanied").await;
    bed.until_gone("accompanied").await;
    assert_eq!(bed.kubelet.kills(), []);
    bed.stop().await;
}

async fn containers_outlive_an_outage_of_the_api(mut bed: Bed) {
    bed.create("busy", "leaves-when-asked", json!([]), 60).await;
    bed.until("busy", is("Running")).await;
    bed.interrupt().await;
    let busy = bed.until("busy", is("Running")).await;
    assert!(state(&busy).is_some_and(|state| state.running.is_some()));
    bed.delete("busy").await;
    bed.until_gone("busy").await;
    assert_eq!(bed.kubelet.kills(), []);
    bed.stop().await;
}

async fn a_thousand_pods_run_to_their_end(bed: Bed) {
    for index in 0..1_000 {
        bed.create(&format!("many-{index}"), "succeeds", json!([]), 30).await;
    }
    let all_ended = async {
        while bed
            .pods
            .list(&ListParams::default())
            .await
            .expect("pods")
            .iter()
            .any(|pod| !is("Succeeded")(pod))
        {
            sleep(Duration::from_millis(200)).await;
        }
    };
    timeout(DEADLINE * 3, all_ended).await.expect("all ended in time");
    bed.stop().await;
}
