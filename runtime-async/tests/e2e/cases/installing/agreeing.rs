//! The chart and the overlays say the same, and both say what the controller understands.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use buildscaler_testbed::binaries::Binary;
use serde_json::Value;

use super::kubectl;
use crate::harness::World;
use crate::harness::manifests::{attempt, deploy, objects, overlay, run};

/// Everything that a pod may be given, each with something in it.
const RICH: &[&str] = &[
    "options.record=/recordings",
    "volumes[0].name=recordings",
    "volumes[0].emptyDir.sizeLimit=1Gi",
    "volumeMounts[0].name=recordings",
    "volumeMounts[0].mountPath=/recordings",
    "imagePullSecrets[0].name=registry",
    "image.pullPolicy=Always",
    "podAnnotations.team=builds",
    "nodeSelector.disk=ssd",
    "tolerations[0].key=builds",
    "tolerations[0].operator=Exists",
    "affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey=zone",
    "networkPolicy.enabled=true",
    "buildkite.accessToken.token=abc",
    "buildkite.agentToken.token=def",
];

/// What deploy.sh asks for in other ways.
const NO_OPTIONS: [&str; 6] = ["token", "buildkite-org", "namespace", "kubeconfig", "help", "version"];

/// Object by object, field by field. Seen to fail for a right that only one of
/// them grants, and for a request that only one of them makes.
pub(crate) fn same_objects() {
    let role = "roleArn=arn:aws:iam::123456789012:role/buildscaler";
    for (name, values) in [
        ("one-namespace", ["allNamespaces=false"].as_slice()),
        ("all-namespaces", &["allNamespaces=true"]),
        ("eks-one-namespace", &["allNamespaces=false", role]),
        ("eks-all-namespaces", &["allNamespaces=true", role]),
        ("high-availability", &["allNamespaces=false", "replicas=2"]),
        (
            "high-availability-all-namespaces",
            &["allNamespaces=true", "replicas=2"],
        ),
        (
            "eks-metering",
            &[
                "allNamespaces=false",
                role,
                "options.marketplace-product-code=my-product-code",
            ],
        ),
        ("../components/network-policy", &["networkPolicy.enabled=true"]),
    ] {
        let mut chart = sorted(&run(&mut rendered("ci", values)));
        let mut kustomize = sorted(&overlay(name, "ci"));
        if name.ends_with("network-policy") {
            let policy = |object: &Value| object["kind"] == "NetworkPolicy";
            chart.retain(policy);
            kustomize.retain(policy);
        }
        assert!(!kustomize.is_empty());
        assert_eq!(chart, kustomize, "{name}");
    }
}

/// The API server takes all of it as it is, without a field that it does not know. Seen to
/// fail for a misspelt field in the overlay's Deployment.
pub(crate) async fn accepted(world: &World) {
    let home = world.home.namespace.as_str();
    let overlays = [
        "one-namespace",
        "all-namespaces",
        "eks-one-namespace",
        "eks-all-namespaces",
        "high-availability",
        "high-availability-all-namespaces",
        "eks-metering",
    ];
    let mut manifests: Vec<String> = overlays.iter().map(|name| overlay(name, home)).collect();
    manifests.push(overlay("../components/network-policy", home));
    manifests.push(run(&mut rendered(home, RICH)));
    for manifest in manifests {
        let file = tempfile::NamedTempFile::new().expect("a file");
        fs::write(file.path(), manifest).expect("written");
        let file = file.path().display().to_string();
        kubectl(
            world,
            &["apply", "--dry-run=server", "--validate=strict", "--filename", &file],
        );
    }
}

/// Seen to fail for a chart without a version.
pub(crate) fn well_formed() {
    let mut helm = Command::new(Binary::Helm.ensure(&mut |_| {}).expect("helm"));
    helm.args(["lint", "--strict", "--set", "buildkite.organization=acme"]);
    run(helm.arg(deploy().join("chart")));
}

/// Seen to fail when an option was missing in the schema.
pub(crate) fn every_option() {
    let help = run(Command::new(env!("CARGO_BIN_EXE_buildscaler")).arg("--help"));
    let words = help.split_whitespace().filter_map(|word| word.strip_prefix("--"));
    let known: BTreeSet<&str> = words
        // Some say in brackets that a value may follow.
        .map(|word| word.split('[').next().unwrap_or_default())
        .map(|word| word.trim_end_matches(|letter: char| !letter.is_ascii_alphanumeric()))
        .filter(|option| !NO_OPTIONS.contains(option))
        .collect();
    let schema = fs::read_to_string(deploy().join("chart/values.schema.json")).expect("the schema");
    let schema: Value = serde_json::from_str(&schema).expect("JSON");
    let options = schema["properties"]["options"]["properties"]
        .as_object()
        .expect("options");
    assert_eq!(options.keys().map(String::as_str).collect::<BTreeSet<_>>(), known);
}

pub(crate) fn values_are_checked() {
    for (value, place) in [
        ("buildkite.organization=", "/buildkite/organization"),
        ("options.sync-interval=0", "/options/sync-interval"),
        ("options.max-pods=many", "/options/max-pods"),
        ("replicas=0", "/replicas"),
        ("options.no-such-option=1", "/options"),
        ("roleArn=buildscaler", "/roleArn"),
        (
            "options.marketplace-product-code=a b",
            "/options/marketplace-product-code",
        ),
        ("options.marketplace-product-code=abc", "needs roleArn"),
        ("image.digest=latest", "/image/digest"),
        ("buildkite.accessToken.token=two words", "/buildkite/accessToken/token"),
        ("allNamespace=true", "allNamespace"),
    ] {
        let (worked, shown) = attempt(&mut rendered("ci", &[value]));
        assert!(!worked && shown.contains(place), "{value}: {shown}");
    }
}

/// Options get to the controller as they are, and names that look like numbers stay names.
pub(crate) fn values_are_used() {
    let values = [
        "options.max-pods=1000000",
        "options.verbose=true",
        "options.log-format=json",
        "options.buildkite-api-url=https://example.com",
        "image.digest=sha256:0000000000000000000000000000000000000000000000000000000000000000",
    ];
    let mut chart = rendered("12", &values);
    let objects = sorted(&run(chart.args(["--set-string", "name=34"])));
    let deployment = objects
        .iter()
        .find(|object| object["kind"] == "Deployment")
        .expect("it");
    assert_eq!(deployment["metadata"]["namespace"], "12");
    assert_eq!(deployment["metadata"]["labels"]["app.kubernetes.io/name"], "34");
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    let image = container["image"].as_str().expect("an image");
    assert!(image.starts_with("elotl/buildscaler@sha256:0"), "{image}");
    let args: Vec<&str> = container["args"]
        .as_array()
        .expect("args")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(
        args,
        [
            "--namespace=$(NAMESPACE)",
            "--buildkite-api-url=https://example.com",
            "--log-format=json",
            "--max-pods=1000000",
            "--verbose"
        ]
    );
}

/// A controller of another name has a lease of that name, and rights to just that.
pub(crate) fn leases_are_named() {
    let named = rendered(
        "ci",
        &["replicas=3", "options.leader-elect-lease-duration=30", "name=other"],
    );
    let objects = sorted(&run(&mut { named }));
    let find = |kind: &str| objects.iter().find(|object| object["kind"] == kind).expect("it");
    let container = &find("Deployment")["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(
        container["args"],
        serde_json::json!([
            "--namespace=$(NAMESPACE)",
            "--leader-elect",
            "--leader-elect-lease-duration=30",
            "--leader-elect-resource-name=other"
        ])
    );
    let role = objects
        .iter()
        .find(|object| object["metadata"]["name"] == "other-leader-election" && object["kind"] == "Role")
        .expect("a role for the lease");
    assert_eq!(role["rules"][1]["resourceNames"], serde_json::json!(["other"]));
    let alone = sorted(&run(&mut rendered("ci", &["replicas=1"])));
    let is_lease = |object: &Value| object.to_string().contains("leases");
    assert!(!alone.iter().any(is_lease), "one controller needs no lease");
}

/// The chart with the placeholder of the overlays as the organization.
fn rendered(namespace: &str, values: &[&str]) -> Command {
    let mut helm = Command::new(Binary::Helm.ensure(&mut |_| {}).expect("helm"));
    helm.arg("template").arg(deploy().join("chart"));
    helm.args([
        "--namespace",
        namespace,
        "--set",
        "buildkite.organization=my-organization-slug",
    ]);
    for value in values {
        helm.args(["--set", value]);
    }
    helm
}

/// The objects in an order that does not depend on who wrote them.
fn sorted(yaml: &str) -> Vec<Value> {
    let mut objects = objects(yaml);
    let word = |value: &Value| value.as_str().map(str::to_owned);
    objects.sort_by_key(|object| (word(&object["kind"]), word(&object["metadata"]["name"])));
    objects
}
