//! A dry run on a real cluster, beside a controller that acts and without one.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use buildscaler_testbed::binaries::Binary;
use serde_json::Value;

use crate::harness::manifests::{deploy, objects, only, overlay, run};
use crate::harness::{Launch, PATIENCE, Template, World, throughout, within};

/// A few looks.
const A_WHILE: Duration = Duration::from_secs(5);

/// It would create, then stop, then delete, and does none of it; whoever acts
/// finds everything as it was. Seen to fail when what is kept back was sent as well.
pub(crate) async fn looks_on(world: &World) {
    let template = Template::new("bash-job", "bash");
    world.apply(&template).await;
    let builds = world.build("bash", 3, Duration::from_secs(10));
    let dry_run = world
        .start(Launch {
            dry_run: true,
            ..world.launch()
        })
        .await;
    let says = async |words: &[&str]| {
        within(PATIENCE, "the dry run says what it would do", async || {
            dry_run.says(words)
        })
        .await;
    };
    says(&["dry run: would create pods", "count=3", "demand"]).await;
    let untouched = async || world.home.pods.all().is_empty() && world.stops() == 0;
    throughout(A_WHILE, "no pod is made", untouched).await;

    let acting = world.start_default().await;
    world.until_all_run(&builds).await;
    says(&["dry run: would no longer create pods"]).await;
    assert!(acting.terminate(PATIENCE).await.is_some());

    world.remove(&template).await;
    says(&["dry run: would stop agents", "orphaned"]).await;
    world.until_all_passed(&builds).await;
    says(&["dry run: would delete pods", "finished"]).await;
    let kept = async || world.home.pods.ours().iter().all(|pod| pod.leaving.is_none()) && world.stops() == 0;
    throughout(A_WHILE, "no agent is stopped and no pod deleted", kept).await;
    assert_eq!(world.home.pods.ours().len(), 3, "one for each build");

    world.start_default().await;
    world.until_no_pod_left().await;
}

/// The overlay and the chart install the same dry run, which could change
/// nothing if it tried. Seen to fail for a chart that left the rights as they are.
pub(crate) fn may_look_only() {
    let mut helm = Command::new(Binary::Helm.ensure(&mut |_| {}).expect("helm"));
    helm.arg("template").arg(deploy().join("chart"));
    helm.args(["--namespace=ci", "--set=buildkite.organization=my-organization-slug"]);
    // Dry runs elect nobody, however many there are.
    let chart = objects(&run(
        helm.args(["--set=options.dry-run=true", "--set=options.leader-elect=true"])
    ));
    let kustomize = objects(&overlay("dry-run", "ci"));
    for kind in ["Deployment", "Role", "RoleBinding", "ServiceAccount"] {
        assert_eq!(only(&chart, kind), only(&kustomize, kind));
    }
    assert_eq!(chart.len(), kustomize.len());
    let args = &only(&chart, "Deployment")["spec"]["template"]["spec"]["containers"][0]["args"];
    assert_eq!(args.to_string(), r#"["--namespace=$(NAMESPACE)","--dry-run"]"#);
    let rules = only(&chart, "Role")["rules"].as_array().expect("rules");
    let verbs = rules.iter().flat_map(|rule| rule["verbs"].as_array().expect("verbs"));
    let verbs: BTreeSet<&str> = verbs.filter_map(Value::as_str).collect();
    assert_eq!(verbs, BTreeSet::from(["list", "watch"]));
}
