//! What installs the controller, as a user runs it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// The folder `deploy/` of the repository.
pub(crate) fn deploy() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace");
    root.join("deploy")
}

/// A command that is to work, with its output in the order it was written.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> String {
    let (worked, shown) = attempt(command);
    assert!(worked, "{command:?}:\n{shown}");
    shown
}

/// A command that may fail: whether it worked, and all that it wrote.
pub(crate) fn attempt(command: &mut Command) -> (bool, String) {
    let Output { status, stdout, stderr } = command.output().expect("it can be started");
    let shown = String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned();
    (status.success(), shown)
}

/// One of the overlays, or `../components/…`, for a namespace, as YAML.
pub(crate) fn overlay(name: &str, namespace: &str) -> String {
    let folder = TempDir::with_prefix("buildscaler-overlay-").expect("a folder");
    // A kustomization may not name absolute paths.
    let up = "../".repeat(folder.path().components().count() - 1);
    let overlay = deploy().join("kustomize/overlays").join(name);
    let field = if name.contains("components") {
        "components"
    } else {
        "resources"
    };
    let kustomization = format!("namespace: \"{namespace}\"\n{field}: [\"{up}{}\"]\n", overlay.display());
    fs::write(folder.path().join("kustomization.yaml"), kustomization).expect("written");
    run(Command::new("kubectl").arg("kustomize").arg(folder.path()))
}

/// The objects of a YAML text.
pub(crate) fn objects(yaml: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(yaml).expect("YAML")
}

/// The only object of a kind.
pub(crate) fn only<'a>(objects: &'a [Value], kind: &str) -> &'a Value {
    let mut found = objects.iter().filter(|object| object["kind"] == kind);
    let only = found.next().expect(kind);
    assert!(found.next().is_none(), "more than one {kind}");
    only
}
