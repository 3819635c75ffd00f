//! The kubelet stand-in runs the pods that a real scheduler puts on its nodes.

#![expect(clippy::expect_used, reason = "a test may fail")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use buildscaler_testbed::ControlPlane;
use buildscaler_testbed::control_plane;
use buildscaler_testbed::kubelet::{self, ExitStatus, Kubelet, PodContext, Signals, Workload};
use futures::FutureExt;
use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::{ContainerState, Pod, Secret};
use kube::api::{Api, DeleteParams, ListParams, PostParams};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

const DEADLINE: Duration = Duration::from_secs(60);

/// Does what the pod's image says, and remembers what it was given.
#[derive(Default)]
struct Obedient {
    seen: Mutex<Vec<PodContext>>,
}

impl Workload for Obedient {
    fn run(&self, pod: PodContext, mut signals: Signals) -> BoxFuture<'static, ExitStatus> {
        self.seen.lock().expect("not poisoned").push(pod.clone());
        async move {
            match pod.image.as_str() {
                "succeeds" => ExitStatus::SUCCESS,
                "fails" => ExitStatus { code: 7 },
                "leaves-when-asked" => {
                    signals.terminated().await;
                    ExitStatus::SUCCESS
                }
                _ => std::future::pending().await,
            }
        }
        .boxed()
    }
}

struct Bed {
    plane: ControlPlane,
    kubelet: Kubelet,
    workload: Arc<Obedient>,
    pods: Api<Pod>,
}

impl Bed {
    async fn new() -> Self {
        let plane = ControlPlane::start(control_plane::Options::default())
            .await
            .expect("a control plane");
        let workload = Arc::new(Obedient::default());
        let options = kubelet::Options {
            retry: Duration::from_millis(50),
            ..kubelet::Options::default()
        };
        let kubelet = Kubelet::start(plane.client(), options, workload.clone())
            .await
            .expect("a kubelet");
        let pods = Api::namespaced(plane.client(), "default");
        Self {
            plane,
            kubelet,
            workload,
            pods,
        }
    }

    async fn create(&self, name: &str, image: &str, env: Value, grace: i64) {
        let pod = json!({
            "metadata": {"name": name},
            "spec": {
                "restartPolicy": "Never",
                "terminationGracePeriodSeconds": grace,
                "containers": [{"name": "agent", "image": image, "env": env}],
            },
        });
        let pod = serde_json::from_value(pod).expect("a pod");
        self.pods.create(&PostParams::default(), &pod).await.expect("created");
    }

    /// Waits until the pod is as wanted; shows it if it never is.
    async fn until(&self, name: &str, wanted: impl Fn(&Pod) -> bool) -> Pod {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let pod = self.pods.get(name).await.expect("the pod");
            if wanted(&pod) {
                return pod;
            }
            assert!(Instant::now() < deadline, "{:#?}", pod.status);
            sleep(Duration::from_millis(20)).await;
        }
    }

    async fn until_gone(&self, name: &str) {
        let gone = async {
            while self.pods.get_opt(name).await.expect("an answer").is_some() {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(DEADLINE, gone).await.expect("gone in time");
    }

    async fn stop(self) {
        assert_eq!(self.kubelet.refusals(), Vec::<String>::new());
        self.kubelet.stop().await.expect("stopped");
        self.plane.stop().await.expect("stopped");
    }
}

fn is(phase: &str) -> impl Fn(&Pod) -> bool {
    move |pod| pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some(phase)
}

fn waits_for(reason: &str) -> impl Fn(&Pod) -> bool {
    move |pod| state(pod).and_then(|state| state.waiting?.reason).as_deref() == Some(reason)
}

fn state(pod: &Pod) -> Option<ContainerState> {
    pod.status.clone()?.container_statuses?.into_iter().next()?.state
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(have_go), ignore = "needs Go to build the real control plane")]
async fn a_pod_lives_as_its_container_does() {
    let bed = Bed::new().await;
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
    let seen = bed.workload.seen.lock().expect("not poisoned").clone();
    let context = seen.iter().find(|pod| pod.uid == uid).expect("it ran");
    assert_eq!(context.env("TAGS"), Some(format!("queue=q,pod-uid={uid}").as_str()));
    assert_eq!(
        (context.hostname.as_str(), context.node.as_str()),
        ("good", "testbed-0")
    );
    bed.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(have_go), ignore = "needs Go to build the real control plane")]
async fn deletion_honours_the_grace_period() {
    let bed = Bed::new().await;
    bed.create("polite", "leaves-when-asked", json!([]), 60).await;
    bed.create("stubborn", "never-leaves", json!([]), 1).await;
    bed.until("polite", is("Running")).await;
    let stubborn = bed.until("stubborn", is("Running")).await;

    let begun = Instant::now();
    for name in ["polite", "stubborn"] {
        bed.pods.delete(name, &DeleteParams::default()).await.expect("deleted");
    }
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

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(have_go), ignore = "needs Go to build the real control plane")]
async fn a_pod_waits_for_its_image_and_its_secret() {
    let bed = Bed::new().await;
    bed.kubelet.break_image("succeeds");
    let token = json!([{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "agent", "key": "token"}}}]);
    bed.create("waiting", "succeeds", token, 30).await;
    bed.until("waiting", waits_for("ImagePullBackOff")).await;
    bed.kubelet.mend_image("succeeds");
    bed.until("waiting", waits_for("CreateContainerConfigError")).await;

    let secrets: Api<Secret> = Api::namespaced(bed.plane.client(), "default");
    let secret = json!({"metadata": {"name": "agent"}, "stringData": {"token": "abc"}});
    let secret = serde_json::from_value(secret).expect("a secret");
    secrets.create(&PostParams::default(), &secret).await.expect("created");
    bed.until("waiting", is("Succeeded")).await;
    let seen = bed.workload.seen.lock().expect("not poisoned").clone();
    assert_eq!(seen[0].env("TOKEN"), Some("abc"));

    bed.kubelet.break_image("absent");
    bed.create("hopeless", "absent", json!([]), 30).await;
    bed.until("hopeless", waits_for("ErrImagePull")).await;
    bed.pods
        .delete("hopeless", &DeleteParams::default())
        .await
        .expect("deleted");
    bed.until_gone("hopeless").await;
    assert_eq!(bed.kubelet.kills(), []);
    bed.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(have_go), ignore = "needs Go to build the real control plane")]
async fn containers_outlive_an_outage_of_the_api() {
    let mut bed = Bed::new().await;
    bed.create("busy", "leaves-when-asked", json!([]), 60).await;
    bed.until("busy", is("Running")).await;
    bed.plane.restart_api_server().await.expect("restarted");
    let busy = bed.until("busy", is("Running")).await;
    assert!(state(&busy).is_some_and(|state| state.running.is_some()));
    bed.pods
        .delete("busy", &DeleteParams::default())
        .await
        .expect("deleted");
    bed.until_gone("busy").await;
    assert_eq!(bed.kubelet.kills(), []);
    bed.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(have_go), ignore = "needs Go to build the real control plane")]
async fn a_thousand_pods_run_to_their_end() {
    let bed = Bed::new().await;
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
