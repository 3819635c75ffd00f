//! The example templates.

use std::fs;
use std::time::Duration;

use serde_json::json;

use super::{apply_example, enforce, kubectl};
use crate::harness::{PATIENCE, World, within};

/// The strictest level that Kubernetes has is enforced where the examples say
/// that they satisfy it. Seen to fail without the seccomp profile in plain.yaml.
pub(crate) async fn accepted(world: &World) {
    enforce(world, "restricted");
    for example in ["plain.yaml", "git-mirrors.yaml", "docker-in-docker.yaml"] {
        apply_example(world, example);
    }
    provide_volume(world);
    let controller = world.start_default().await;
    let mut builds = world.build("linux", 1, Duration::from_secs(1));
    builds.extend(world.build("monorepo", 1, Duration::from_secs(1)));
    let privileged = world.build("docker", 1, Duration::from_secs(1));
    world.until_all_passed(&builds).await;
    within(PATIENCE, "it is said why there is no pod", async || {
        controller.says(&["create_refused", "docker", "violates PodSecurity"])
    })
    .await;
    let pods = world.home.pods.ours();
    assert_eq!(pods.len(), 2, "the level is enforced: {pods:?}");

    enforce(world, "privileged");
    // A new template is tried at once, a refused one again only after a while.
    kubectl(world, &["delete", "job", "docker"]);
    apply_example(world, "docker-in-docker.yaml");
    world.until_all_passed(&privileged).await;
    world.until_no_pod_left().await;
    let name = &world.home.namespace;
    kubectl(
        world,
        &["delete", "persistentvolumeclaim", "git-mirrors", "--wait=false"],
    );
    kubectl(world, &["delete", "persistentvolume", name, "--wait=false"]);
}

/// What a storage class does elsewhere: a volume for the claim, without which no pod is scheduled.
fn provide_volume(world: &World) {
    let name = &world.home.namespace;
    let volume = json!({
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "accessModes": ["ReadWriteMany"],
            "capacity": {"storage": "50Gi"},
            "claimRef": {"namespace": name, "name": "git-mirrors"},
            "nfs": {"server": "127.0.0.1", "path": "/"},
        },
    });
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), volume.to_string()).expect("written");
    kubectl(world, &["apply", "--filename", &file.path().display().to_string()]);
}
